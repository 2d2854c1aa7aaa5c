"""`openhands-acp setup` at a real terminal, against a real provider on loopback."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from openhands_acp.setup import Answers, save
from tests.harness.provider import Provider
from tests.harness.replies import Text
from tests.harness.terminal import Terminal

COMMENTED = """\
# mine
model = "openai/old"  # was good
api_key = "old-key"
base_url = "http://old/"
max_steps = 9

[deadlines]
connect = 3 # slow
"""


@pytest.mark.parametrize(
    ("before", "answers", "after"),
    [
        (None, Answers("a/b", "key", None), 'model = "a/b"\napi_key = "key"\n'),
        (
            COMMENTED,
            Answers("openai/new", "new-key", None),
            COMMENTED.replace("/old", "/new", 1)
            .replace("old-key", "new-key")
            .replace('base_url = "http://old/"\n', ""),
        ),
        (COMMENTED, Answers("openai/new", None, "http://old/"), COMMENTED.replace("openai/old", "openai/new")),
        # The old key was another provider's.
        (
            COMMENTED,
            Answers("anthropic/x", None, "http://old/"),
            COMMENTED.replace("openai/old", "anthropic/x").replace('api_key = "old-key"\n', ""),
        ),
        (
            "[deadlines]\nconnect = 3\n",
            Answers('a/"b"', "k", "http://x/"),
            'model = "a/\\"b\\""\napi_key = "k"\nbase_url = "http://x/"\n\n[deadlines]\nconnect = 3\n',
        ),
    ],
)
def test_what_is_saved_leaves_the_rest_of_the_file_alone(
    tmp_path: Path, before: str | None, answers: Answers, after: str
) -> None:
    path = tmp_path / "new" / "acp.toml"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before, encoding="utf-8")
        path.chmod(0o644)
    assert save(path, answers) is None
    assert path.read_text(encoding="utf-8") == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["acp.toml"]


def test_a_file_that_is_no_toml_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "acp.toml"
    path.write_text("model = ", encoding="utf-8")
    assert save(path, Answers("a/b", None, None)) == tmp_path / "acp.toml.bak"
    assert (path.read_text(encoding="utf-8"), (tmp_path / "acp.toml.bak").read_text(encoding="utf-8")) == (
        'model = "a/b"\n',
        "model = ",
    )


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    link = tmp_path / "acp.toml"
    link.symlink_to(tmp_path / "dotfiles" / "acp.toml")
    save(link, Answers("a/b", None, None))
    assert (link.is_symlink(), link.read_text(encoding="utf-8")) == (True, 'model = "a/b"\n')


@pytest.mark.slow
def test_a_wrong_key_is_told_and_the_right_one_is_saved(tmp_path: Path) -> None:
    with Provider((), (Text("ready"),), key="right-key-123") as provider, Terminal(tmp_path, "--setup") as terminal:
        terminal.answer("Model: ", "openai/tiny")
        terminal.answer_hidden("Key: ", "wrong-key-123")
        terminal.answer("Base URL (none): ", provider.url)
        refusal = terminal.answer("(retry): ", "retry")
        terminal.answer("Model (openai/tiny): ", "")
        terminal.answer_hidden("Key: ", "right-key-123")
        terminal.answer(f"Base URL ({provider.url}): ", "")
        code = terminal.wait()
    assert (code, "It answers." in terminal.shown) == (0, True)
    assert ("key" in refusal, "prompt" in refusal) == (True, False)
    assert "-key-123" not in terminal.shown
    assert (tmp_path / "acp.toml").read_text(encoding="utf-8") == (
        f'model = "openai/tiny"\napi_key = "right-key-123"\nbase_url = "{provider.url}"\n'
    )


def test_ctrl_c_saves_nothing(tmp_path: Path) -> None:
    with Terminal(tmp_path, "setup") as terminal:
        terminal.answer("Model: ", "\x03")
        code = terminal.wait()
    assert (code, "Nothing was saved." in terminal.shown, os.listdir(tmp_path)) == (1, True, [])
