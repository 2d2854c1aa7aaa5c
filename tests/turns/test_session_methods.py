"""Each method of a session as an editor sees it, whole, from one process to the next on one disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from inline_snapshot import snapshot

from tests.harness.model import Answer, Wait, call, say, think
from tests.turns.test_replay import client_model
from tests.turns.windows import Machine, Window, machine, window
from tests.wire.lived import keep

pytestmark = pytest.mark.anyio

__all__ = ["machine"]

PLAN = call("task_tracker", command="plan", task_list=[{"title": "Mend", "status": "in_progress"}, {"title": "Run"}])
EDIT = call("file_editor", 1, command="str_replace", path="a.py", old_str="y = 2", new_str="y = 3")
RUN = call("terminal", 2, command="echo hi; exit 3")
ANSWERS: Sequence[Answer] = [[think("Hm."), say("Mending."), PLAN, EDIT, RUN], [say("Done.")]]


async def lived(machine: Machine, *answers: Answer) -> tuple[str, Window]:
    """Live through one turn with some of everything in a process that ends; return the session's id and its window."""
    (machine.project / "a.py").write_text("x = 1\ny = 2\n")
    async with window(machine, *(answers or ANSWERS)) as first:
        session_id = await first.new()
        await first.announced(session_id)
        await first.editor.request("session/set_mode", sessionId=session_id, modeId="llm-approve")
        await first.prompt("mend it")
    return session_id, first


async def test_new(machine: Machine) -> None:
    async with window(machine) as first:
        other = machine.project / "other"
        other.mkdir()
        before = first.now
        opened = await first.editor.request(
            "session/new", cwd=str(machine.project), mcpServers=[], additionalDirectories=[str(other)]
        )
        await first.announced(opened["sessionId"])
        # Whole, where the wires below only say what is chosen.
        assert {**opened, "sessionId": "S1"} == snapshot(
            {
                "sessionId": "S1",
                "modes": {
                    "currentModeId": "always-ask",
                    "availableModes": [
                        {
                            "id": "always-ask",
                            "name": "Always ask",
                            "description": "Ask before every change and every command",
                        },
                        {
                            "id": "accept-edits",
                            "name": "Accept edits",
                            "description": "Change files of the project without asking, ask before commands",
                        },
                        {
                            "id": "llm-approve",
                            "name": "Model decides",
                            "description": "Ask only for what the model itself calls risky",
                        },
                        {"id": "always-approve", "name": "Always approve", "description": "Never ask"},
                        {"id": "plan", "name": "Plan", "description": "Read only: look around and make a plan"},
                    ],
                },
                "configOptions": [
                    {
                        "id": "mode",
                        "name": "Mode",
                        "category": "mode",
                        "type": "select",
                        "currentValue": "always-ask",
                        "options": [
                            {
                                "value": "always-ask",
                                "name": "Always ask",
                                "description": "Ask before every change and every command",
                            },
                            {
                                "value": "accept-edits",
                                "name": "Accept edits",
                                "description": "Change files of the project without asking, ask before commands",
                            },
                            {
                                "value": "llm-approve",
                                "name": "Model decides",
                                "description": "Ask only for what the model itself calls risky",
                            },
                            {"value": "always-approve", "name": "Always approve", "description": "Never ask"},
                            {"value": "plan", "name": "Plan", "description": "Read only: look around and make a plan"},
                        ],
                    },
                    {
                        "id": "model",
                        "name": "Model",
                        "category": "model",
                        "type": "select",
                        "currentValue": "fake/model",
                        "options": [
                            {"value": "fake/model", "name": "fake/model"},
                            {"value": "fake/other", "name": "fake/other"},
                        ],
                    },
                ],
            }
        )
        assert first.wire(before) == snapshot("""\
> 2 session/new {"cwd": "PROJECT", "mcpServers": [], "additionalDirectories": ["PROJECT/other"]}
< 2 = {"sessionId": "S1", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S1 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}\
""")


async def test_load(machine: Machine) -> None:
    session_id, first = await lived(machine)
    async with window(machine) as second:
        before = second.now
        await second.ask("session/load", session_id)
        await second.announced(session_id)
        assert client_model(second.editor.updates()) == client_model(first.editor.updates())
        assert second.wire(before) == snapshot("""\
> 2 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< S1 current_mode_update {"currentModeId": "llm-approve"}
< S1 config_option_update {"configOptions": {"mode": "llm-approve", "model": "fake/model"}}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "mend it"}}
< S1 session_info_update {"title": "mend it"}
< S1 agent_thought_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hm."}}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Mending."}}
< S1 tool_call {"toolCallId": "C1", "status": "pending", "title": "Edit a.py", "name": "file_editor", "kind": "edit", "locations": [{"path": "PROJECT/a.py"}], "content": [], "rawInput": {"command": "str_replace", "path": "a.py", "old_str": "y = 2", "new_str": "y = 3"}}
< S1 tool_call {"toolCallId": "C2", "status": "pending", "title": "echo hi; exit 3", "name": "terminal", "kind": "execute", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo hi; exit 3\\n```"}}], "rawInput": {"command": "echo hi; exit 3"}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< S1 plan {"entries": [{"content": "Mend", "priority": "medium", "status": "in_progress"}, {"content": "Run", "priority": "medium", "status": "pending"}]}
< S1 tool_call_update {"toolCallId": "C1", "status": "completed", "content": [{"type": "diff", "path": "PROJECT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}], "locations": [{"path": "PROJECT/a.py", "line": 2}], "rawOutput": {"path": "PROJECT/a.py", "first_line": 2, "last_line": 2}}
< S1 tool_call_update {"toolCallId": "C2", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo hi; exit 3\\nhi\\n[exit code 3]\\n```"}}], "rawOutput": {"exit_code": 3, "signal": null, "timed_out": false, "seconds": 0, "output": "hi\\n"}}
< S1 agent_message_chunk {"messageId": "M4", "content": {"type": "text", "text": "Done."}}
< S1 usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 2 = {"modes": "llm-approve", "configOptions": {"mode": "llm-approve", "model": "fake/model"}}
< S1 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}\
""")


async def test_load_after_a_crash(machine: Machine) -> None:
    session_id, _ = await lived(machine)
    journal = machine.journal(session_id)
    whole = journal.read_bytes()
    # The command had begun; the record of its end is not whole.
    journal.write_bytes(whole[: whole.rindex(b'"ObservationEvent"') + 20])
    async with window(machine, [say("Going on.")]) as second:
        before = second.now
        await second.ask("session/load", session_id)
        await second.announced(session_id)
        await second.prompt("and now?")
        assert second.wire(before) == snapshot("""\
> 2 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< S1 current_mode_update {"currentModeId": "llm-approve"}
< S1 config_option_update {"configOptions": {"mode": "llm-approve", "model": "fake/model"}}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "mend it"}}
< S1 session_info_update {"title": "mend it"}
< S1 agent_thought_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hm."}}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Mending."}}
< S1 tool_call {"toolCallId": "C1", "status": "pending", "title": "Edit a.py", "name": "file_editor", "kind": "edit", "locations": [{"path": "PROJECT/a.py"}], "content": [], "rawInput": {"command": "str_replace", "path": "a.py", "old_str": "y = 2", "new_str": "y = 3"}}
< S1 tool_call {"toolCallId": "C2", "status": "pending", "title": "echo hi; exit 3", "name": "terminal", "kind": "execute", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo hi; exit 3\\n```"}}], "rawInput": {"command": "echo hi; exit 3"}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< S1 plan {"entries": [{"content": "Mend", "priority": "medium", "status": "in_progress"}, {"content": "Run", "priority": "medium", "status": "pending"}]}
< S1 tool_call_update {"toolCallId": "C1", "status": "completed", "content": [{"type": "diff", "path": "PROJECT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}], "locations": [{"path": "PROJECT/a.py", "line": 2}], "rawOutput": {"path": "PROJECT/a.py", "first_line": 2, "last_line": 2}}
< S1 tool_call_update {"toolCallId": "C2", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo hi; exit 3\\n```"}}, {"type": "content", "content": {"type": "text", "text": "interrupted when openhands-acp ended; whether it ran, and how far, is unknown: look before you repeat it"}}], "rawOutput": {"error": "interrupted when openhands-acp ended; whether it ran, and how far, is unknown: look before you repeat it"}}
< S1 agent_message_chunk {"messageId": "M4", "content": {"type": "text", "text": "openhands-acp ended in the middle of this turn; what it was doing may be half done."}}
< 2 = {"modes": "llm-approve", "configOptions": {"mode": "llm-approve", "model": "fake/model"}}
< S1 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "and now?"}]}
< S1 agent_message_chunk {"messageId": "M5", "content": {"type": "text", "text": "Going on."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_resume(machine: Machine) -> None:
    session_id, _ = await lived(machine, [say("Hello.")])
    async with window(machine, [say("Again.")]) as second:
        before = second.now
        await second.ask("session/resume", session_id)
        await second.announced(session_id)
        await second.prompt("and now?")
        assert second.wire(before) == snapshot("""\
> 2 session/resume {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< 2 = {"modes": "llm-approve", "configOptions": {"mode": "llm-approve", "model": "fake/model"}}
< S1 session_info_update {"title": "mend it"}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< S1 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "and now?"}]}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "Again."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_list(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with window(machine, [say("Hello.")], [say("There.")]) as first:
        await first.new()
        await first.prompt("say hello")
        await first.new(tmp_path / "other")
        await first.prompt("say there")
        # Without a prompt it is none to come back to.
        await first.new()
    async with window(machine) as second:
        before = second.now
        await second.editor.request("session/list")
        await second.editor.request("session/list", cwd=str(tmp_path / "other"))
        await second.editor.request("session/list", cwd=str(tmp_path / "nowhere"), cursor=None)
        assert second.wire(before) == snapshot("""\
> 2 session/list {}
< 2 = {"sessions": [{"sessionId": "S2", "cwd": "ROOT/other", "updatedAt": "TIME", "_meta": {"messageCount": 2}, "title": "say there"}, {"sessionId": "S1", "cwd": "PROJECT", "updatedAt": "TIME", "_meta": {"messageCount": 2}, "title": "say hello"}]}
> 3 session/list {"cwd": "ROOT/other"}
< 3 = {"sessions": [{"sessionId": "S2", "cwd": "ROOT/other", "updatedAt": "TIME", "_meta": {"messageCount": 2}, "title": "say there"}]}
> 4 session/list {"cwd": "ROOT/nowhere", "cursor": null}
< 4 = {"sessions": []}\
""")


async def test_list_goes_on_with_the_cursor_of_the_page_before(machine: Machine, tmp_path: Path) -> None:
    kept = [keep(tmp_path, machine.project, ["Hello."]) for _ in range(52)]
    (tmp_path / ".openhands/acp").rename(machine.sessions.parent)
    async with window(machine) as second:
        first_page = await second.editor.request("session/list")
        next_page = await second.editor.request("session/list", cursor=first_page["nextCursor"])
    told = [session["sessionId"] for page in (first_page, next_page) for session in page["sessions"]]
    assert ([len(page["sessions"]) for page in (first_page, next_page)], sorted(told)) == ([50, 2], sorted(kept))
    assert list(next_page) == ["sessions"]


async def test_delete(machine: Machine) -> None:
    session_id, _ = await lived(machine, [say("Hello.")])
    async with window(machine) as second:
        before = second.now
        for _ in range(2):
            await second.editor.request("session/delete", sessionId=session_id)
        await second.editor.request("session/list")
        assert second.wire(before) == snapshot("""\
> 2 session/delete {"sessionId": "S1"}
< 2 = {}
> 3 session/delete {"sessionId": "S1"}
< 3 = {}
> 4 session/list {}
< 4 = {"sessions": []}\
""")
    assert not machine.journal(session_id).parent.exists()


@pytest.mark.parametrize("method", ["session/delete", "session/close"])
async def test_delete_and_close_of_what_runs(machine: Machine, method: str) -> None:
    async with window(machine, [say("Hel"), Wait()]) as first:
        session_id = await first.new()
        await first.announced(session_id)
        before = first.now
        first.begin("say hello")
        await first.editor.until_update("agent_message_chunk")
        await first.editor.request(method, sessionId=session_id)
        await first.prompt("more")
        await first.ask("session/load", session_id)
        if method == "session/delete":
            assert first.wire(before) == snapshot("""\
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "say hello"}]}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "Hel"}}
> 4 session/delete {"sessionId": "S1"}
< 3 = {"stopReason": "cancelled"}
< 4 = {}
> 5 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "more"}]}
< 5 error {"code": -32002, "message": "Session not found: open it again, or begin a new one", "data": {"details": "no session 'S1' is open in this process: load or resume it first"}}
> 6 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< 6 error {"code": -32002, "message": "The session cannot be opened: there is no session 'S1' on this machine (one that was never prompted is not kept)", "data": {"details": "there is no session 'S1' on this machine (one that was never prompted is not kept)"}}\
""")
        else:
            await first.announced(session_id, times=2)
            assert first.wire(before) == snapshot("""\
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "say hello"}]}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "Hel"}}
> 4 session/close {"sessionId": "S1"}
< 3 = {"stopReason": "cancelled"}
< 4 = {}
> 5 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "more"}]}
< 5 error {"code": -32002, "message": "Session not found: open it again, or begin a new one", "data": {"details": "no session 'S1' is open in this process: load or resume it first"}}
> 6 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< S1 user_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "say hello"}}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "Hel"}}
< 6 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S1 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}\
""")


async def test_close_while_it_is_told(machine: Machine) -> None:
    async with window(machine) as first:
        session_id = await first.new()
        # More than waits in line while nobody reads.
        for mode in ["plan", "always-ask"] * 50:
            await first.editor.request("session/set_mode", sessionId=session_id, modeId=mode)
        before = first.now
        first.editor.channel.gate = gate = anyio.Event()
        loading = first.editor.ask("session/load", sessionId=session_id, cwd=str(machine.project), mcpServers=[])
        await anyio.wait_all_tasks_blocked()
        closing = first.editor.ask("session/close", sessionId=session_id)
        await anyio.wait_all_tasks_blocked()
        gate.set()
        for request in (loading, closing):
            await first.editor.answer(request)
        lines = [line for line in first.wire(before).split("\n") if "_update" not in line]
        assert "\n".join(lines) == snapshot("""\
> 103 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
> 104 session/close {"sessionId": "S1"}
< 104 = {}
< 103 error {"code": -32002, "message": "Session not found: open it again, or begin a new one", "data": {"details": "no session 'S1' is open in this process: load or resume it first"}}\
""")


async def test_fork(machine: Machine) -> None:
    async with window(machine, [say("One.")], [say("Two.")], [say("Three.")]) as first:
        original = await first.new()
        await first.prompt("first")
        one = (await first.editor.until_update("agent_message_chunk"))["messageId"]
        await first.prompt("second")
        await first.announced(original)
        before = first.now
        whole = await first.ask("session/fork", original)
        await first.announced(whole["sessionId"])
        cut = await first.ask("session/fork", original, _meta={"messageId": one})
        await first.announced(cut["sessionId"])
        first.session_id = cut["sessionId"]
        await first.prompt("third")
        await first.ask("session/load", cut["sessionId"])
        await first.announced(cut["sessionId"], times=2)
        await first.editor.request("session/list")
        await first.editor.request("session/close", sessionId=whole["sessionId"])
        await first.ask("session/load", whole["sessionId"])
        await first.announced(whole["sessionId"], times=2)
        assert first.wire(before) == snapshot("""\
> 5 session/fork {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< 5 = {"sessionId": "S2", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S2 session_info_update {"title": "first"}
< S2 usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< S2 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 6 session/fork {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": [], "_meta": {"messageId": "M1"}}
< 6 = {"sessionId": "S3", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S3 session_info_update {"title": "first"}
< S3 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 7 session/prompt {"sessionId": "S3", "prompt": [{"type": "text", "text": "third"}]}
< S3 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Three."}}
< S3 usage_update {"used": 33, "size": 200000}
< 7 = {"stopReason": "end_turn"}
> 8 session/load {"sessionId": "S3", "cwd": "PROJECT", "mcpServers": []}
< S3 user_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "first"}}
< S3 session_info_update {"title": "first"}
< S3 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "One."}}
< S3 user_message_chunk {"messageId": "M4", "content": {"type": "text", "text": "third"}}
< S3 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Three."}}
< S3 usage_update {"used": 33, "size": 200000}
< 8 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S3 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 9 session/list {}
< 9 = {"sessions": [{"sessionId": "S3", "cwd": "PROJECT", "updatedAt": "TIME", "_meta": {"messageCount": 4}, "title": "first"}, {"sessionId": "S2", "cwd": "PROJECT", "updatedAt": "TIME", "_meta": {"messageCount": 4}, "title": "first"}, {"sessionId": "S1", "cwd": "PROJECT", "updatedAt": "TIME", "_meta": {"messageCount": 4}, "title": "first"}]}
> 10 session/close {"sessionId": "S2"}
< 10 = {}
> 11 session/load {"sessionId": "S2", "cwd": "PROJECT", "mcpServers": []}
< S2 user_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "first"}}
< S2 session_info_update {"title": "first"}
< S2 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "One."}}
< S2 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< S2 user_message_chunk {"messageId": "M5", "content": {"type": "text", "text": "second"}}
< S2 agent_message_chunk {"messageId": "M6", "content": {"type": "text", "text": "Two."}}
< S2 usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 11 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S2 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}\
""")


async def test_fork_of_what_was_never_prompted(machine: Machine) -> None:
    async with window(machine) as first:
        original = await first.new()
        await first.announced(original)
        before = first.now
        forked = (await first.ask("session/fork", original))["sessionId"]
        await first.announced(forked)
        await first.editor.request("session/list")
        await first.editor.request("session/close", sessionId=forked)
        await first.ask("session/load", forked)
        assert first.wire(before) == snapshot("""\
> 3 session/fork {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< 3 = {"sessionId": "S2", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S2 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 4 session/list {}
< 4 = {"sessions": []}
> 5 session/close {"sessionId": "S2"}
< 5 = {}
> 6 session/load {"sessionId": "S2", "cwd": "PROJECT", "mcpServers": []}
< 6 error {"code": -32002, "message": "The session cannot be opened: there is no session 'S2' on this machine (one that was never prompted is not kept)", "data": {"details": "there is no session 'S2' on this machine (one that was never prompted is not kept)"}}\
""")
