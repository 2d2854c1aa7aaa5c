"""One turn as an editor sees it, whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.harness.check import check
from tests.harness.editor import rejected
from tests.harness.model import call, say, think

pytestmark = pytest.mark.anyio


async def test_hello(tmp_path: Path) -> None:
    assert await check(tmp_path, "hi", [think("A greet", "ing."), say("Hel", "lo.")]) == snapshot("""\
> 3 session/prompt ["hi"]
< session_info_update {"title": "hi"}
< agent_thought_chunk ["id10", "A greeting."]
< agent_message_chunk ["id9", "Hello."]
< usage_update {"used": 11, "size": 1000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_an_edit_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 2\n")
    path = str(tmp_path / "a.py")
    wire = await check(
        tmp_path,
        "make it 3",
        [say("Editing."), call("file_editor", command="str_replace", path=path, old_str="y = 2", new_str="y = 3")],
        [say("Done.")],
    )
    assert (tmp_path / "a.py").read_text() == "x = 1\ny = 3\n"
    assert wire == snapshot("""\
> 3 session/prompt ["make it 3"]
< session_info_update {"title": "make it 3"}
< agent_message_chunk ["id9", "Editing."]
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Edit a.py", "kind": "edit", "locations": [{"path": "ROOT/a.py"}], "rawInput": {"command": "str_replace", "path": "ROOT/a.py", "old_str": "y = 2", "new_str": "y = 3"}}
< usage_update {"used": 11, "size": 1000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "Edit a.py", "kind": "edit", "status": "pending", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}], "locations": [{"path": "ROOT/a.py"}], "rawInput": {"command": "str_replace", "path": "ROOT/a.py", "old_str": "y = 2", "new_str": "y = 3"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow editing a.py in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/a.py", "line": 2}], "rawOutput": {"path": "ROOT/a.py", "first_line": 2, "last_line": 2}}
< agent_message_chunk ["id18", "Done."]
< usage_update {"used": 22, "size": 1000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_command_that_is_rejected(tmp_path: Path) -> None:
    wire = await check(
        tmp_path,
        "remove it",
        [call("terminal", command="touch here")],
        [say("Then not.")],
        permission=lambda _params: rejected(),
    )
    assert not (tmp_path / "here").exists()
    assert wire == snapshot("""\
> 3 session/prompt ["remove it"]
< session_info_update {"title": "remove it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "touch here", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ touch here\\n```"}}], "rawInput": {"command": "touch here"}}
< usage_update {"used": 11, "size": 1000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "touch here", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ touch here\\n```"}}], "locations": [], "rawInput": {"command": "touch here"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow `touch \\u2026` in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ touch here\\n```"}}, {"type": "content", "content": {"type": "text", "text": "Rejected"}}], "rawOutput": {"error": "Rejected"}}
< agent_message_chunk ["id17", "Then not."]
< usage_update {"used": 22, "size": 1000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
