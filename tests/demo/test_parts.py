"""The demo's parts: the project, the answer that was meant, what cards show, and servers that misbehave."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from rich.console import Console, RenderableType

from openhands_acp import display
from openhands_acp.demo import cards
from openhands_acp.demo.client import Broken, Interrupted, Launch, converse
from openhands_acp.demo.question import option_meant
from openhands_acp.demo.repository import repository
from openhands_acp.llm.scripted import CORRECTION, MISTAKE, PROGRAM, TESTS
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio

OPTIONS = [
    {"optionId": "1st", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "2nd", "name": "Always allow `ls`", "kind": "allow_always"},
    {"optionId": "3rd", "name": "Reject", "kind": "reject_once"},
]


@pytest.mark.parametrize(
    ("typed", "option"),
    [
        ("1\n", "1st"),
        (" 2 ", "2nd"),
        ("3", "3rd"),
        ("yes", "1st"),
        ("Always\n", "2nd"),
        ("reject", "3rd"),
        ("n", "3rd"),
        ("reject_once", "3rd"),
        # Neither an empty line nor a guess may allow anything.
        ("\n", None),
        ("0", None),
        ("4", None),
        ("-1", None),
        ("²", None),
        ("yes please", None),
    ],
)
def test_what_is_typed_names_an_option_or_none(typed: str, option: str | None) -> None:
    meant = option_meant(typed, OPTIONS)
    assert (meant["optionId"] if meant else None) == option


def test_the_project_fails_its_tests_until_the_mistake_is_corrected() -> None:
    with repository(keep=False) as project:
        before = project.check()
        program = project.folder / PROGRAM
        program.write_text(program.read_text().replace(MISTAKE, CORRECTION))
        after = project.check()
    assert (before.passes, after.passes, project.folder.exists()) == (False, True, False)


def test_a_test_that_was_bent_to_pass_does_not_count() -> None:
    with repository(keep=False) as project:
        (project.folder / TESTS).write_text("")
        verdict = project.check()
    assert (verdict.passes, verdict.tests_were_changed) == (False, True)


def test_neither_git_nor_a_python_on_the_path_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with repository(keep=False) as project:
        assert (project.has_git, project.interpreter, project.changes()) == (False, sys.executable, "")
        assert "Ran 3 tests" in project.check().output


def test_git_knows_what_was_changed() -> None:
    with repository(keep=False) as project:
        (project.folder / PROGRAM).write_text("")
        assert f"{PROGRAM} | " in project.changes()


def shown(renderable: RenderableType | None) -> str:
    printed = io.StringIO()
    if renderable is not None:
        Console(file=printed, width=60).print(renderable)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


def test_a_diff_shows_the_lines_around_a_change_with_their_numbers() -> None:
    old = "\n".join("abcdefgh")
    assert shown(display.diff(old, old.replace("d", "D\nE"))) == "2   b\n3   c\n4 - d\n4 + D\n5 + E\n6   e\n7   f"


@pytest.mark.parametrize(
    ("lines", "is_tail", "kept"),
    [
        (["a", "b"], True, ["a", "b"]),
        # A note would take the place of the line that it stands for.
        (["a", "b", "c"], True, ["a", "b", "c"]),
        (["a", "b", "c", "d"], True, ["… 2 lines", "c", "d"]),
        (["a", "b", "c", "d"], False, ["a", "b", "… 2 lines"]),
    ],
)
def test_long_output_is_cut_at_one_end(lines: list[str], is_tail: bool, kept: list[str]) -> None:
    assert display.bounded(lines, 2, is_tail=is_tail) == kept


def test_a_command_is_shown_without_its_fence_its_echo_and_what_would_steer_the_terminal() -> None:
    text = "```console\n$ make\n\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07done\n```"
    call = {"kind": "execute", "rawInput": {"command": "make"}, "content": [text_content(text)]}
    assert shown(cards.body(call)) == "    red done"


def test_of_a_plan_only_what_changed_is_shown_again() -> None:
    before = [{"content": "look", "status": "in_progress"}, {"content": "fix", "status": "pending"}]
    after = [{"content": "look", "status": "completed"}, {"content": "fix", "status": "pending"}]
    assert [shown(cards.plan(before, ())), shown(cards.plan(after, before)), cards.plan(after, after)] == [
        "Plan\n▸ look\n○ fix",
        "✓ look",
        None,
    ]


def text_content(text: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": text}}


class Nobody:
    """Sees nothing, and is not there to be asked."""

    def see(self, update: Mapping[str, Any]) -> None: ...

    async def choose(self, call: Mapping[str, Any], options: Sequence[Mapping[str, Any]]) -> str | None: ...


def launched(*command: str) -> Launch:
    return Launch(command, os.environ, Path.cwd(), "hello")


async def test_a_server_that_is_not_there_is_told() -> None:
    with anyio.fail_after(PATIENCE):
        outcome = await converse(launched("/no/such/server"), Nobody(), anyio.Event())
    assert isinstance(outcome, Broken)
    assert "could not be started" in outcome.reason


async def test_a_server_that_crashes_is_told_with_its_last_words() -> None:
    with anyio.fail_after(PATIENCE):
        outcome = await converse(
            launched(sys.executable, "-c", "raise SystemExit('out of cheese')"), Nobody(), anyio.Event()
        )
    assert outcome == Broken("the server closed the connection with exit code 1", "out of cheese")


STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(20)
open(sys.argv[1], "w").close()
"""


@pytest.mark.slow
async def test_a_server_that_ignores_everything_is_ended_all_the_same(tmp_path: Path) -> None:
    came_to_its_own_end = tmp_path / "end"
    interrupted = anyio.Event()
    interrupted.set()
    server = launched(sys.executable, "-c", STUBBORN, str(came_to_its_own_end))
    assert (await converse(server, Nobody(), interrupted), came_to_its_own_end.exists()) == (Interrupted(), False)


async def test_who_is_interrupted_before_there_is_a_session_does_not_wait_for_one() -> None:
    interrupted = anyio.Event()
    interrupted.set()
    with anyio.fail_after(PATIENCE):
        outcome = await converse(launched(sys.executable, "-c", "import sys; sys.stdin.read()"), Nobody(), interrupted)
    assert outcome == Interrupted()
