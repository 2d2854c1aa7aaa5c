"""Searches as an editor sees them, whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import ToolMessage
from tests.harness.check import agent, check, transcript
from tests.harness.editor import allowed, rejected
from tests.harness.model import call, say
from tests.harness.search_conformance import plant

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One loop, for time: what depends on the loop is tested on both where the search is."""
    return "asyncio"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    plant(project, {"src/a.py": "def foo():\n    pass\n", "src/b.py": "foo()\n", "README.md": "About foo.\n"})
    for age, name in enumerate(("src/a.py", "src/b.py", "README.md")):
        os.utime(project / name, (1000 - age, 1000 - age))
    return project


async def test_a_search_in_files(project: Path) -> None:
    wire = await check(
        project, "find it", [call("grep", pattern="foo", path="src", include="*.py", context=0)], [say("There.")]
    )
    assert wire == snapshot("""\
> 3 session/prompt ["find it"]
< session_info_update {"title": "find it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Search in files", "name": "grep", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "grep \\"foo\\" in src (*.py)", "rawInput": {"pattern": "foo", "path": "src", "include": "*.py", "context": 0}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```\\n2 lines match in 2 files:\\nsrc/a.py\\n  1: def foo():\\nsrc/b.py\\n  1: foo()\\n```"}}], "locations": [{"path": "ROOT/src/a.py", "line": 1}, {"path": "ROOT/src/b.py", "line": 1}], "rawOutput": {"files": 2, "lines": 2, "shown": 2}}
< agent_message_chunk ["id16", "There."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_files_that_contain_something(project: Path) -> None:
    assert await check(project, "find it", [call("grep", pattern="foo", output="files")], [say("There.")]) == snapshot("""\
> 3 session/prompt ["find it"]
< session_info_update {"title": "find it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Search in files", "name": "grep", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "grep \\"foo\\"", "rawInput": {"pattern": "foo", "output": "files"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```\\n3 files match, the last changed first:\\nsrc/a.py\\nsrc/b.py\\nREADME.md\\n```"}}], "locations": [{"path": "ROOT/src/a.py"}, {"path": "ROOT/src/b.py"}, {"path": "ROOT/README.md"}], "rawOutput": {"files": 3}}
< agent_message_chunk ["id16", "There."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_search_for_files(project: Path) -> None:
    assert await check(project, "find it", [call("glob", pattern="**/*.py")], [say("There.")]) == snapshot("""\
> 3 session/prompt ["find it"]
< session_info_update {"title": "find it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Find files", "name": "glob", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "glob \\"**/*.py\\"", "rawInput": {"pattern": "**/*.py"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```\\n2 files, the last changed first:\\nsrc/a.py\\nsrc/b.py\\n```"}}], "locations": [{"path": "ROOT/src/a.py"}, {"path": "ROOT/src/b.py"}], "rawOutput": {"files": 2}}
< agent_message_chunk ["id16", "There."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_search_that_finds_nothing_and_one_that_cannot_be_done(project: Path) -> None:
    wire = await check(
        project,
        "find it",
        [call("grep", pattern="(?i)bar", ignored=True)],
        [call("grep", pattern="foo", path="scr")],
        [say("No.")],
    )
    assert wire == snapshot("""\
> 3 session/prompt ["find it"]
< session_info_update {"title": "find it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Search in files", "name": "grep", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "grep \\"(?i)bar\\"", "rawInput": {"pattern": "(?i)bar", "ignored": true}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "No line matches '(?i)bar'; upper and lower case counted (`ignore_case`)."}}], "rawOutput": {"files": 0, "lines": 0}}
< tool_call {"toolCallId": "id18", "status": "pending", "title": "Search in files", "name": "grep", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id18", "status": "pending", "title": "grep \\"foo\\" in scr", "rawInput": {"pattern": "foo", "path": "scr"}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id18", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "The path ROOT/scr does not exist. Please provide a valid path. Maybe you meant src?"}}], "rawOutput": {"error": "The path ROOT/scr does not exist. Please provide a valid path. Maybe you meant src?"}}
< agent_message_chunk ["id23", "No."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_search_outside_of_the_project_is_asked_for_once(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant(outside, {"x.txt": "foo\n", "y.txt": "foo\n"})
    wire = await check(project, "find it", [call("grep", pattern="foo", path=str(outside))], [say("There.")])
    assert wire.replace(str(tmp_path), "TMP") == snapshot("""\
> 3 session/prompt ["find it"]
< session_info_update {"title": "find it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Search in files", "name": "grep", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "grep \\"foo\\""}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "grep \\"foo\\" in TMP/outside", "rawInput": {"pattern": "foo", "path": "TMP/outside"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "grep \\"foo\\" in TMP/outside", "kind": "search", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Search all of `TMP/outside`, which is outside the project"}}], "locations": [], "rawInput": {"pattern": "foo", "path": "TMP/outside"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow reading TMP/outside in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "Search all of `TMP/outside`, which is outside the project"}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```\\n2 lines match in 2 files:\\nTMP/outside/x.txt\\n  1: foo\\nTMP/outside/y.txt\\n  1: foo\\n```"}}], "locations": [{"path": "TMP/outside/x.txt", "line": 1}, {"path": "TMP/outside/y.txt", "line": 1}], "rawOutput": {"files": 2, "lines": 2, "shown": 2}}
< agent_message_chunk ["id17", "There."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_folder_that_is_allowed_for_the_session_is_asked_for_once(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant(outside, {"x.txt": "foo\n"})
    asked: list[str] = []

    def always(params: dict[str, Any]) -> Any:
        asked.append(params["toolCall"]["title"].replace(str(tmp_path), "TMP"))
        return allowed("allow_always")

    searches = [[call("grep", pattern="foo", path=str(outside))], [call("glob", pattern="*", path=str(outside))]]
    async with agent(project, *searches, [say("There.")], permission=always) as running:
        await running.prompt("find it")
        assert asked == ['grep "foo" in TMP/outside']


async def test_a_search_that_is_rejected_looks_at_nothing(project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    async with agent(
        project,
        [call("glob", pattern="*.txt", path=str(tmp_path / "outside"))],
        [say("Well.")],
        permission=lambda _params: rejected(),
    ) as running:
        await running.prompt("find it")
        assert transcript(running).replace(str(tmp_path), "TMP") == snapshot("""\
> 3 session/prompt ["find it"]
< session_info_update {"title": "find it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Find files", "name": "glob", "kind": "search", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "glob \\"*.txt\\""}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "glob \\"*.txt\\" in TMP/outside", "rawInput": {"pattern": "*.txt", "path": "TMP/outside"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "glob \\"*.txt\\" in TMP/outside", "kind": "search", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Search all of `TMP/outside`, which is outside the project"}}], "locations": [], "rawInput": {"pattern": "*.txt", "path": "TMP/outside"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow reading TMP/outside in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "Search all of `TMP/outside`, which is outside the project"}}, {"type": "content", "content": {"type": "text", "text": "Rejected"}}], "rawOutput": {"error": "Rejected"}}
< agent_message_chunk ["id17", "Well."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_text_that_is_not_saved_is_found_once_the_agent_has_read_the_file(project: Path) -> None:
    buffers = {str(project / "src/b.py"): "bar()\nfoo()\n"}
    wire = await check(
        project,
        "find it",
        [call("grep", pattern="bar")],
        [call("file_editor", command="view", path=str(project / "src/b.py"))],
        [call("grep", pattern="bar")],
        [say("There.")],
        buffers=buffers,
    )
    assert [line for line in wire.splitlines() if "rawOutput" in line] == snapshot(
        [
            '< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "No line matches \'bar\'; upper and lower case counted (`ignore_case`), files named by .gitignore were left out (`ignored`)."}}], "rawOutput": {"files": 0, "lines": 0}}',
            '< tool_call_update {"toolCallId": "id18", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```\\n     1\\tbar()\\n     2\\tfoo()\\n```"}}], "rawOutput": {"path": "ROOT/src/b.py", "first_line": 1, "last_line": 2, "lines": 2}}',
            '< tool_call_update {"toolCallId": "id25", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```\\n1 line matches in 1 file:\\nsrc/b.py\\n  1: bar()\\n```"}}], "locations": [{"path": "ROOT/src/b.py", "line": 1}], "rawOutput": {"files": 1, "lines": 1, "shown": 1}}',
        ]
    )


async def test_in_plan_mode_it_searches_too(project: Path) -> None:
    async with agent(project, [call("grep", pattern="About")], [say("There.")], mode="plan") as running:
        await running.prompt("find it")
        sent = running.model.requests[1][-1]
    assert sent == snapshot(
        ToolMessage(
            call_id="call_0",
            name="grep",
            text="""\
1 line matches in 1 file:
README.md
  1: About foo.\
""",
        )
    )
