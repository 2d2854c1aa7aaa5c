"""`openhands-acp demo` as a process: the real server beneath it, real files, and a person or none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from openhands_acp.llm.scripted import CORRECTION, MISTAKE, PROGRAM
from tests.harness.terminal import Terminal

# A second or two each: the demo is made to be watched.
pytestmark = pytest.mark.slow

KEY = "sk-not-a-key-but-looks-like-one"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo puts its project."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    return scratch


def demo(*words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openhands_acp", "demo", *words]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")} | {"COLUMNS": "80"}
    return subprocess.run(
        command,
        env={**bare, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program_in(scratch: Path) -> str:
    (folder,) = scratch.iterdir()
    return (folder / "basket" / PROGRAM).read_text(encoding="utf-8")


def commands_that_name(path: Path) -> list[str]:
    """Return the command lines of all processes that were given `path`."""
    listing = subprocess.run(["ps", "-A", "-o", "command="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(path) in line]


def test_with_yes_the_program_is_repaired_and_the_wire_is_kept_without_keys(tmp_path: Path, scratch: Path) -> None:
    wire = tmp_path / "wire.jsonl"
    result = demo("--yes", "--keep", "--wire", str(wire), environ={"LLM_API_KEY": KEY})
    assert (result.returncode, result.stderr) == (0, "")
    assert (CORRECTION in program_in(scratch), MISTAKE in program_in(scratch)) == (True, False)
    for expected in ("Only the model is a script", "▸ See the test fail", "(--yes)", "FAILED (failures=1)", "tokens"):
        assert expected in result.stdout
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80

    text = wire.read_text(encoding="utf-8")
    entries = [json.loads(line) for line in text.splitlines()]
    sent = [
        entry["message"].get("method") for entry in entries if entry["dir"] == "in" and "method" in entry["message"]
    ]
    assert sent == ["initialize", "session/new", "session/prompt"]
    assert KEY not in text
    assert commands_that_name(wire) == []


def test_with_neither_a_terminal_nor_yes_nothing_is_started(scratch: Path) -> None:
    result = demo()
    assert (result.returncode, result.stdout, list(scratch.iterdir())) == (2, "", [])
    assert "--yes" in result.stderr


def test_a_rejected_edit_leaves_the_program_alone_and_fails(tmp_path: Path, scratch: Path) -> None:
    with Terminal(tmp_path / "home", "demo", "--keep") as terminal:
        terminal.answer("Your answer", "once")
        asked = terminal.answer("Your answer", "reject")
        code = terminal.wait()
    assert f"+     shipping = 0 if {CORRECTION} else SHIPPING" in asked
    assert (code, MISTAKE in program_in(scratch)) == (1, True)
    assert "The edit was not allowed" in terminal.shown
    assert "the program is not repaired. Nothing was changed." in terminal.shown


@pytest.mark.parametrize("moment", ["Plan", "Your answer"])
def test_ctrl_c_stops_the_turn_by_the_protocol_and_leaves_nothing_behind(
    tmp_path: Path, scratch: Path, moment: str
) -> None:
    wire = tmp_path / "wire.jsonl"
    with Terminal(tmp_path / "home", "demo", "--wire", str(wire)) as terminal:
        terminal.answer(moment, "\x03")
        code = terminal.wait()
    assert (code, "Stopped." in terminal.shown, list(scratch.iterdir())) == (130, True, [])
    assert commands_that_name(wire) == []
    messages = [json.loads(line)["message"] for line in wire.read_text(encoding="utf-8").splitlines()]
    cancels = [message["method"] for message in messages if message.get("method") == "session/cancel"]
    stops = [message["result"]["stopReason"] for message in messages if "stopReason" in message.get("result", {})]
    assert (cancels, stops) == (["session/cancel"], ["cancelled"])


def test_a_model_without_its_key_is_told_in_words(tmp_path: Path, scratch: Path) -> None:
    environ = {"OPENHANDS_PERSISTENCE_DIR": str(tmp_path / "home"), "OPENAI_API_KEY": ""}
    result = demo("--yes", "--model", "openai/gpt-5.5", environ=environ)
    assert (result.returncode, list(scratch.iterdir())) == (1, [])
    assert "openai/gpt-5.5" in result.stdout
    assert "openhands-acp setup" in result.stderr
    assert "Traceback" not in result.stderr
