"""One turn as an editor sees it, whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.ports import CallChunk
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
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
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
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Edit a.py", "kind": "edit", "locations": [{"path": "ROOT/a.py"}], "rawInput": {"command": "str_replace", "path": "ROOT/a.py", "old_str": "y = 2", "new_str": "y = 3"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "Edit a.py", "kind": "edit", "status": "pending", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}], "locations": [{"path": "ROOT/a.py"}], "rawInput": {"command": "str_replace", "path": "ROOT/a.py", "old_str": "y = 2", "new_str": "y = 3"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow editing a.py in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/a.py", "line": 2}], "rawOutput": {"path": "ROOT/a.py", "first_line": 2, "last_line": 2}}
< agent_message_chunk ["id18", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
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
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "touch here", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ touch here\\n```"}}], "rawInput": {"command": "touch here"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "touch here", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ touch here\\n```"}}], "locations": [], "rawInput": {"command": "touch here"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow `touch \\u2026` in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ touch here\\n```"}}, {"type": "content", "content": {"type": "text", "text": "Rejected"}}], "rawOutput": {"error": "Rejected"}}
< agent_message_chunk ["id17", "Then not."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_plan_a_thought_and_an_end_are_no_tool_cards(tmp_path: Path) -> None:
    plan = [{"title": "Look", "status": "done"}, {"title": "Mend", "status": "in_progress"}, {"title": "Check"}]
    wire = await check(
        tmp_path,
        "go",
        [call("task_tracker", command="plan", task_list=plan), call("think", 1, thought="Odd.")],
        [call("finish", message="All done.")],
    )
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< plan {"entries": [{"content": "Look", "priority": "medium", "status": "completed"}, {"content": "Mend", "priority": "medium", "status": "in_progress"}, {"content": "Check", "priority": "medium", "status": "pending"}]}
< agent_thought_chunk ["id18", "Odd."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< agent_message_chunk ["id27", "All done."]
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_command_shows_what_it_prints_and_how_it_ended(tmp_path: Path) -> None:
    wire = await check(
        tmp_path,
        "run it",
        [call("terminal", command="printf 'out\\nerr\\n'; exit 3")],
        [say("3.")],
        mode="always-approve",
    )
    assert wire == snapshot("""\
> 3 session/prompt ["run it"]
< session_info_update {"title": "run it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "p", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ p\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "printf 'out\\\\nerr\\\\n'; exit 3", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf 'out\\\\nerr\\\\n'; exit 3\\n```"}}], "rawInput": {"command": "printf 'out\\\\nerr\\\\n'; exit 3"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf 'out\\\\nerr\\\\n'; exit 3\\nout\\nerr\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf 'out\\\\nerr\\\\n'; exit 3\\nout\\nerr\\n[exit code 3]\\n```"}}], "rawOutput": {"exit_code": 3, "signal": null, "timed_out": false, "seconds": 0, "output": "out\\nerr\\n"}}
< agent_message_chunk ["id16", "3."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_title_and_diff_fill_in_while_the_arguments_stream(tmp_path: Path) -> None:
    whole = '{"command": "create", "path": "b.txt", "file_text": "one\\ntwo\\n"}'
    pieces = [CallChunk(0, "c", "file_editor", whole[:55]), CallChunk(0, arguments=whole[55:])]
    wire = await check(tmp_path, "write it", [pieces], [say("Done.")], mode="accept-edits")
    assert (tmp_path / "b.txt").read_text() == "one\ntwo\n"
    assert wire == snapshot("""\
> 3 session/prompt ["write it"]
< session_info_update {"title": "write it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Create b.txt", "kind": "edit", "locations": [{"path": "ROOT/b.txt"}], "content": [{"type": "diff", "path": "ROOT/b.txt", "oldText": "", "newText": "on"}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "content": [{"type": "diff", "path": "ROOT/b.txt", "oldText": "", "newText": "one\\ntwo\\n"}], "rawInput": {"command": "create", "path": "b.txt", "file_text": "one\\ntwo\\n"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/b.txt", "line": 1}], "rawOutput": {"path": "ROOT/b.txt", "lines": 2}}
< agent_message_chunk ["id16", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_files_are_the_editors_where_it_offers_them(tmp_path: Path) -> None:
    path = str(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("saved\n")
    buffers = {path: "saved\nunsaved\n"}
    answers = [[call("file_editor", command="insert", path=path, insert_line=0, new_str="first")], [say("Done.")]]
    wire = await check(tmp_path, "go", *answers, mode="accept-edits", buffers=buffers)
    assert buffers == {path: "first\nsaved\nunsaved\n"}
    assert (tmp_path / "a.txt").read_text() == "saved\n"
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Edit a.txt", "kind": "edit", "locations": [{"path": "ROOT/a.txt", "line": 1}], "rawInput": {"command": "insert", "path": "ROOT/a.txt", "insert_line": 0, "new_str": "first"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 fs/read_text_file {"path": "ROOT/a.txt"}
> 1 = {"content": "saved\\nunsaved\\n"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.txt", "oldText": "saved\\nunsaved\\n", "newText": "first\\nsaved\\nunsaved\\n"}]}
< 2 fs/read_text_file {"path": "ROOT/a.txt"}
> 2 = {"content": "saved\\nunsaved\\n"}
< 3 fs/write_text_file {"path": "ROOT/a.txt", "content": "first\\nsaved\\nunsaved\\n"}
> 3 = null
< 4 fs/read_text_file {"path": "ROOT/a.txt"}
> 4 = {"content": "first\\nsaved\\nunsaved\\n"}
< tool_call_update {"toolCallId": "id11", "status": "completed", "rawOutput": {"path": "ROOT/a.txt", "first_line": 1, "last_line": 1}}
< agent_message_chunk ["id16", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
