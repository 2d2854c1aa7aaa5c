"""What sub-agents said stays with the session that they worked for: in another process, in a copy, until it is deleted."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.cli import main
from openhands_acp.engine.messages import ToolMessage
from tests.harness.model import say
from tests.turns.delegating import said_to, task, view
from tests.turns.windows import Machine, machine, window

__all__ = ["machine"]

pytestmark = pytest.mark.anyio

LOOK = task("LOOK", description="Look", subagent_type="code-explorer")
ON = task("LOOK on", resume="task_00000001")


@pytest.fixture
async def looked(machine: Machine) -> str:
    """A session whose sub-agent has read a file."""
    (machine.project / "a.txt").write_text("one\n")
    async with window(machine, [LOOK], [view("a.txt")], [say("It says one.")], [say("Done.")]) as first:
        session_id = await first.new()
        await first.prompt("go")
    return session_id


async def test_another_process_goes_on_with_it(machine: Machine, looked: str) -> None:
    async with window(machine, [ON], [say("Still one.")], [say("Done.")]) as second:
        await second.ask("session/load", looked)
        await second.prompt("go on")
        assert [said_to(message) for message in second.model.requests[1]] == snapshot(
            [
                "(the prompt)",
                """\
Your task:


LOOK\
""",
                "(says)  ['file_editor']",
                "(file_editor) 1\tone",
                "(says) It says one. []",
                """\
Your task:


LOOK on\
""",
            ]
        )
        results = [message.text for message in second.model.requests[2] if isinstance(message, ToolMessage)]
        assert results[-1] == snapshot("""\
Task ID: task_00000001
Subagent: code-explorer
Status: completed

Still one.\
""")


async def test_a_copy_has_its_own_and_a_deleted_session_none(machine: Machine, looked: str) -> None:
    async with window(machine, [ON], [say("Still one.")], [say("Done.")]) as second:
        copy = (await second.ask("session/fork", looked))["sessionId"]
        await second.ask("session/delete", looked)
        assert not machine.journal(looked).parent.exists()
        second.session_id = copy
        await second.prompt("go on")
        assert [said_to(message) for message in second.model.requests[1]][2:5] == snapshot(
            ["(says)  ['file_editor']", "(file_editor) 1\tone", "(says) It says one. []"]
        )
    assert sorted(path.name for path in (machine.journal(copy).parent / "subagents").glob("task_*")) == snapshot(
        ["task_00000001"]
    )


async def test_it_is_exported_with_it(machine: Machine, looked: str, tmp_path: Path) -> None:
    assert main(["sessions", "export", looked, "--format", "zip", "--output", str(tmp_path / "all.zip")]) == 0
    names = zipfile.ZipFile(tmp_path / "all.zip").namelist()
    inner = [name for name in names if name.startswith("subagents/task_00000001/event_")]
    assert (0 < len(inner) < len(names), [name for name in names if "/" in name] == inner) == (True, True)


async def test_a_conversation_that_is_damaged_costs_its_task_and_no_more(machine: Machine, looked: str) -> None:
    (machine.journal(looked).parent / "subagents/task_00000001/journal.jsonl").write_text('{"v": 999}\n')
    async with window(machine, [ON], [say("I see.")]) as second:
        await second.ask("session/load", looked)
        await second.prompt("go on")
        results = [message.text for message in second.model.requests[1] if isinstance(message, ToolMessage)]
        assert results[-1].replace(str(machine.root), "ROOT").replace(looked.replace("-", ""), "ID") == snapshot(
            "Error: what task_00000001 did cannot be read: this session was written by a newer openhands-acp (records of version 999, this one reads up to 3); update openhands-acp to open it. Nothing was changed; start a new task"
        )


async def test_a_disk_that_does_not_take_it_is_no_news_to_the_person(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """What a full disk does to the session itself is told once, and this is no second time."""
    answers = [[say("Hi.")], [LOOK], [say("It says nothing.")], [say("Done.")]]
    async with window(machine, *answers) as it:
        session_id = await it.new()
        await it.prompt("hello")
        (machine.journal(session_id).parent / "subagents").write_text("no folder")
        await it.prompt("go")
        results = [message.text for message in it.model.requests[3] if isinstance(message, ToolMessage)]
        assert results[-1].endswith("It says nothing.")
        assert "cannot be saved" not in it.wire()
    assert [record.message for record in caplog.records if "cannot be saved" in record.message] != []
