"""The command line as a process sees it: what is refused, what is told, what is passed on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openhands_acp import __version__
from openhands_acp.cli import main, parse
from openhands_acp.options import Options
from tests.harness.terminal import Terminal


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("", Options()),
        ("--model a/b", Options(model="a/b")),
        ("--model a/b --always-approve", Options(model="a/b", mode="always-approve")),
        ("--yolo", Options(mode="always-approve")),
        ("--llm-approve --override-with-envs", Options(mode="llm-approve")),
        ("--wire w.jsonl --log-file=l.log", Options(wire_file=Path("w.jsonl"), log_file=Path("l.log"))),
    ],
)
def test_options(words: str, options: Options) -> None:
    assert parse(words.split()) == options


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--nonsense", "unrecognized arguments: --nonsense"),
        ("acp --streaming", "unrecognized arguments: --streaming"),
        ("demmo", "unrecognized arguments: demmo"),
        ("--mod a/b", "unrecognized arguments: --mod a/b"),
        ("--yolo --llm-approve", "argument --llm-approve: not allowed with argument --always-approve/--yolo"),
        ("--model", "argument --model: expected one argument"),
        ("setup now", "unrecognized arguments: now"),
        ("schemas a b", "unrecognized arguments: b"),
    ],
)
def test_a_command_line_that_makes_no_sense_exits_with_2(
    capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(words.split())
    out, err = capsys.readouterr()
    assert (exit_.value.code, out) == (2, "")
    assert err.splitlines()[-1].endswith(f"error: {told}")


def test_help_names_every_command_and_where_settings_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    wanted = [
        "acp ",
        "demo ",
        "setup ",
        "schemas ",
        "LLM_MODEL",
        "acp.toml",
        "--override-with-envs",
        "environment always",
    ]
    assert (exit_.value.code, [word for word in wanted if word not in text]) == (0, [])


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openhands_acp", *words],
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_version_is_that_of_the_package() -> None:
    result = run("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"openhands-acp {__version__}\n", "")


@pytest.mark.parametrize("words", [["setup"], ["--setup"], ["acp", "--yolo", "--setup"]])
def test_setup_without_a_terminal_says_what_to_do_instead(tmp_path: Path, words: list[str]) -> None:
    result = run(*words, OPENHANDS_PERSISTENCE_DIR=str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert str(tmp_path / "acp.toml") in result.stderr


def test_a_person_who_starts_it_at_a_terminal_is_told_what_it_is(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        end_of_input = "\x04"
        told = terminal.answer("`openhands-acp setup`.", end_of_input)
        code = terminal.wait()
    assert (code, "an editor starts it" in told) == (0, True)
