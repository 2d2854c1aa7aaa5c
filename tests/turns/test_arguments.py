"""Calls whose arguments are not what they should be: what is run, what is shown, and what the model reads again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.events import ActionEvent, AgentErrorEvent, ObservationEvent
from openhands_acp.engine.messages import AssistantMessage, CallMade
from openhands_acp.engine.ports import CallChunk, Finish
from tests.harness.check import Running, agent
from tests.harness.model import Answer, Step, say

pytestmark = pytest.mark.anyio

CUT = "the arguments end in the middle, so nothing was run; send the call again, whole, or in smaller parts"
LENGTH = Finish("length")


def wrote(tool: str, arguments: str) -> list[Step]:
    return [CallChunk(0, "c", tool, arguments)]


def results(running: Running) -> list[str]:
    events = [entry.event for entry in running.entries]
    return [
        event.text if isinstance(event, ObservationEvent) else f"Error: {event.error}"
        for event in events
        if isinstance(event, (ObservationEvent, AgentErrorEvent))
    ]


async def test_what_is_mended_is_what_is_run_shown_and_read_again_and_the_journal_has_both(tmp_path: Path) -> None:
    written = "{'Command': 'create', 'file_path': 'a.txt', 'file_text': 'it\\'s\n'}"
    mended = '{"command": "create", "path": "a.txt", "file_text": "it\'s\\n"}'
    answers: list[Answer] = [[wrote("str_replace_editor", written)], [say("Done.")]]
    async with agent(tmp_path, *answers, mode="accept-edits") as running:
        await running.prompt("go")
        assert (tmp_path / "a.txt").read_text() == "it's\n"
        shown: list[Any] = [update["rawInput"] for update in running.editor.updates() if "rawInput" in update]
        assert shown == [{"command": "create", "path": "a.txt", "file_text": "it's\n"}]
        [action] = [entry.event for entry in running.entries if isinstance(entry.event, ActionEvent)]
        assert (action.tool_name, action.arguments, action.mended) == ("file_editor", written, mended)
        [said] = [message for message in running.model.requests[1] if isinstance(message, AssistantMessage)]
        assert said.calls == (CallMade("c", "file_editor", mended),)


async def test_what_is_right_stays_as_it_was_written(tmp_path: Path) -> None:
    written = '{ "command":"view",\n"path":"." }'
    async with agent(tmp_path, [wrote("file_editor", written)], [say("Done.")]) as running:
        await running.prompt("go")
        [action] = [entry.event for entry in running.entries if isinstance(entry.event, ActionEvent)]
        assert (action.arguments, action.mended) == (written, None)


@pytest.mark.parametrize(
    ("tool", "written", "finish", "is_run"),
    [
        # Only what ends in brackets may be taken for whole, and nothing that edits.
        ("terminal", '{"command": "touch b"', Finish("stop"), True),
        ("terminal", '{"command": "touch b', Finish("stop"), False),
        ("file_editor", '{"command": "create", "path": "b", "file_text": "x"', Finish("stop"), False),
        ("file_editor", '{"command": "create", "path": "b", "file_text": "x', Finish("stop"), False),
        ("file_editor", '{"command": "str_replace", "path": "a", "old_str": "x"', Finish("stop"), False),
        # What only reads does no harm.
        ("file_editor", '{"command": "view", "path": "a', Finish("stop"), True),
        # At the limit of tokens nothing is mended.
        ("terminal", '{"command": "touch b"', LENGTH, False),
        ("file_editor", '{"command": "view", "path": "a', LENGTH, False),
        ("terminal", "", LENGTH, False),
        ("terminal", '{"command": "touch b"}', LENGTH, True),
    ],
)
async def test_what_may_be_cut_is_not_run_if_it_can_do_harm(
    tmp_path: Path, tool: str, written: str, finish: Finish, is_run: bool
) -> None:
    (tmp_path / "a").write_text("x\n")
    async with agent(tmp_path, [wrote(tool, written), finish], [say("Done.")], mode="always-approve") as running:
        await running.prompt("go")
        assert (results(running) != [f"Error: {CUT}"]) is is_run
        assert ("Error" not in results(running)[0]) is is_run
    assert (tmp_path / "a").read_text() == "x\n"
    assert (tmp_path / "b").exists() is (is_run and tool == "terminal")


async def test_of_an_answer_at_the_limit_of_tokens_the_calls_before_the_last_are_run(tmp_path: Path) -> None:
    first, last = CallChunk(0, "a", "terminal", '{"command": "echo 1"}'), CallChunk(1, "b", "terminal", '{"comm')
    async with agent(tmp_path, [first, last, LENGTH], [say("Done.")], mode="always-approve") as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert results(running) == ["1\n[exit code 0]", f"Error: {CUT}"]


@pytest.mark.parametrize(
    ("tool", "written", "complaint"),
    [
        ("terminal", '{"command": 5, "timeout": "soon"}', "`timeout` must be a number, got 'soon'"),
        ("think", '{"idea": "x"}', "`thought` is missing; unknown: 'idea'"),
        (
            "grep",
            '{"pattern": "a"}{"pattern": "b"}',
            "the arguments are several JSON objects, where a call takes one; send the call again, whole",
        ),
        (
            "weather",
            "{}",
            "there is no tool 'weather'; the tools are terminal, file_editor, grep, glob, task_tracker, think, fetch, "
            "ask_user, exit_plan_mode, finish, task",
        ),
    ],
)
async def test_what_cannot_be_mended_is_told_to_the_model(
    tmp_path: Path, tool: str, written: str, complaint: str
) -> None:
    async with agent(tmp_path, [wrote(tool, written)], [say("Done.")]) as running:
        await running.prompt("go")
        assert results(running) == [f"Error: {complaint}"]
