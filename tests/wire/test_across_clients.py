"""A session is not its client's: whoever opens it next has everything in it, and so has the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import AssistantMessage, ToolMessage, UserMessage, plain_text
from tests.harness.model import Answer, call, say, think
from tests.turns.test_replay import client_model
from tests.turns.windows import Machine, Window, machine, window
from tests.wire.others import acpx, jetbrains, zed

pytestmark = pytest.mark.anyio

__all__ = ["machine"]

LINE = "echo $((40 + 2)); exit 3"
PLAN = call("task_tracker", command="plan", task_list=[{"title": "Mend", "status": "done"}, {"title": "Run"}])
EDIT = call("file_editor", 1, command="str_replace", path="a.py", old_str="y = 2", new_str="y = 3")
RUN = call("terminal", 2, command=LINE)
WHICH = call("ask_user", questions=[{"question": "Which?", "options": ["SQLite", "Postgres"]}])
IN_THE_FIRST: Sequence[Answer] = [[think("Hm."), say("Mending."), PLAN, EDIT, RUN], [WHICH], [say("Done.")]]
IN_THE_SECOND: Sequence[Answer] = [[call("terminal", command=LINE)], [say("As before.")]]


def wire_without_commands(window: Window, since: int) -> str:
    """Return what passed, but for the list of commands, which is the same for everybody."""
    return "\n".join(line for line in window.wire(since).split("\n") if "available_commands_update" not in line)


def conversation(window: Window) -> list[str]:
    """What the model was sent last; the system prompt is each process's own."""
    told: list[str] = []
    for message in window.model.requests[-1]:
        match message:
            case UserMessage(parts):
                told.append(f"user: {plain_text(parts)}")
            case AssistantMessage():
                told.append(f"agent: {message.text}{''.join(f'({call.name})' for call in message.calls)}")
            case ToolMessage():
                told.append(f"{message.name}: {message.text.replace(str(window.machine.project), 'PROJECT')}")
            case _:
                pass
    return told


def always(params: dict[str, Any]) -> dict[str, Any]:
    [option] = [option for option in params["options"] if option["kind"] == "allow_always"]
    return {"outcome": {"outcome": "selected", "optionId": option["optionId"]}}


@pytest.mark.parametrize("terminal", ["local", "client"])
async def test_from_one_with_everything_to_one_with_nothing_and_back(machine: Machine, terminal: str) -> None:
    (machine.project / "a.py").write_text("x = 1\ny = 2\n")
    settings = machine.root / "home/acp.toml"
    settings.write_text(f'{settings.read_text()}terminal = "{terminal}"\n')
    async with window(machine, *IN_THE_FIRST, kind=zed) as first:
        first.editor.permission = always
        session_id = await first.new()
        for option, value in (("mode", "llm-approve"), ("model", "fake/other")):
            await first.editor.request("session/set_config_option", sessionId=session_id, configId=option, value=value)
        await first.prompt("mend it")
        await first.prompt("/title Of numbers")
    async with window(machine, *IN_THE_SECOND, kind=acpx) as second:
        before = second.now
        await second.ask("session/load", session_id)
        assert wire_without_commands(second, before) == snapshot("""\
> 2 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< S1 current_mode_update {"currentModeId": "llm-approve"}
< S1 config_option_update {"configOptions": {"mode": "llm-approve", "model": "fake/other"}}
< S1 config_option_update {"configOptions": {"mode": "llm-approve", "model": "fake/other"}}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "mend it"}}
< S1 session_info_update {"title": "mend it"}
< S1 agent_thought_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hm."}}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Mending."}}
< S1 tool_call {"toolCallId": "C1", "status": "pending", "title": "Edit a.py", "name": "file_editor", "kind": "edit", "locations": [{"path": "PROJECT/a.py"}], "content": [], "rawInput": {"command": "str_replace", "path": "a.py", "old_str": "y = 2", "new_str": "y = 3"}}
< S1 tool_call {"toolCallId": "C2", "status": "pending", "title": "echo $((40 + 2)); exit 3", "name": "terminal", "kind": "execute", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo $((40 + 2)); exit 3\\n```"}}], "rawInput": {"command": "echo $((40 + 2)); exit 3"}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< S1 plan {"entries": [{"content": "Mend", "priority": "medium", "status": "completed"}, {"content": "Run", "priority": "medium", "status": "pending"}]}
< S1 tool_call_update {"toolCallId": "C1", "status": "completed", "content": [{"type": "diff", "path": "PROJECT/a.py", "oldText": "x = 1\\ny = 2\\n", "newText": "x = 1\\ny = 3\\n"}], "locations": [{"path": "PROJECT/a.py", "line": 2}], "rawOutput": {"path": "PROJECT/a.py", "first_line": 2, "last_line": 2}}
< S1 tool_call_update {"toolCallId": "C2", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo $((40 + 2)); exit 3\\n42\\n[exit code 3]\\n```"}}], "rawOutput": {"exit_code": 3, "signal": null, "timed_out": false, "seconds": 0, "output": "42\\n"}}
< S1 tool_call {"toolCallId": "C3", "status": "pending", "title": "Which?", "name": "ask_user", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "Which?\\n\\n- **SQLite**\\n- **Postgres**"}}], "rawInput": {"questions": [{"question": "Which?", "options": ["SQLite", "Postgres"]}]}}
< S1 usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< S1 tool_call_update {"toolCallId": "C3", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "**Which?** SQLite"}}]}
< S1 agent_message_chunk {"messageId": "M4", "content": {"type": "text", "text": "Done."}}
< S1 usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< S1 user_message_chunk {"messageId": "M5", "content": {"type": "text", "text": "/title Of numbers"}}
< S1 session_info_update {"title": "Of numbers"}
< S1 agent_message_chunk {"messageId": "M6", "content": {"type": "text", "text": "This session is now called **Of numbers**."}}
< 2 = {"modes": "llm-approve", "configOptions": {"mode": "llm-approve", "model": "fake/other"}}\
""")
        # All but what the calls look like, of which the wire above has the text.
        live, loaded = client_model(first.editor.updates()), client_model(second.editor.updates())
        assert {**loaded, "calls": None} == {**live, "calls": None}
        await second.prompt("again")
        # What was allowed in the other client is.
        assert "session/request_permission" not in second.wire(before)
    async with window(machine, [say("Bye.")], kind=zed) as third:
        await third.ask("session/load", session_id)
        assert client_model(third.editor.updates()) == client_model(second.editor.updates())
        assert [each for each in third.editor.log if "terminal" in each[1].get("method", "")] == []
        await third.prompt("bye")
    assert conversation(third) == snapshot(
        [
            "user: mend it",
            "agent: Mending.(task_tracker)(file_editor)(terminal)",
            "task_tracker: Task list has been updated with 2 item(s).",
            """\
file_editor: The file PROJECT/a.py has been edited. Here's the result of running `cat -n` on a snippet of it:
     1	x = 1
     2	y = 3
(a.py was taken as PROJECT/a.py)\
""",
            """\
terminal: 42
[exit code 3]\
""",
            "agent: (ask_user)",
            """\
ask_user: Which?
Answer: SQLite\
""",
            "agent: Done.",
            "user: again",
            "agent: (terminal)",
            """\
terminal: 42
[exit code 3]\
""",
            "agent: As before.",
            "user: bye",
        ]
    )


async def test_zed_opens_a_thread_again_and_applies_its_defaults(machine: Machine) -> None:
    async with window(machine, [say("Hello.")], kind=zed) as first:
        session_id = await first.new()
        await first.prompt("say hello")
    async with window(machine, [say("Again.")], kind=zed) as second:
        before, editor = second.now, second.editor
        await editor.request("session/list", cwd=str(machine.project))
        await second.ask("session/load", session_id)
        # What the settings of the editor say, after each load.
        for option, value in (("mode", "accept-edits"), ("model", "fake/other")):
            await editor.request("session/set_config_option", sessionId=session_id, configId=option, value=value)
        await second.announced(session_id)
        await second.prompt("again")
        # Its last view is closed.
        await editor.request("session/close", sessionId=session_id)
        assert wire_without_commands(second, before) == snapshot("""\
> 2 session/list {"cwd": "PROJECT"}
< 2 = {"sessions": [{"sessionId": "S1", "cwd": "PROJECT", "updatedAt": "TIME", "_meta": {"messageCount": 2}, "title": "say hello"}]}
> 3 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "say hello"}}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hello."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
> 4 session/set_config_option {"sessionId": "S1", "configId": "mode", "value": "accept-edits"}
< S1 current_mode_update {"currentModeId": "accept-edits"}
< S1 config_option_update {"configOptions": {"mode": "accept-edits", "model": "fake/model"}}
< 4 = {"configOptions": {"mode": "accept-edits", "model": "fake/model"}}
> 5 session/set_config_option {"sessionId": "S1", "configId": "model", "value": "fake/other"}
< S1 config_option_update {"configOptions": {"mode": "accept-edits", "model": "fake/other"}}
< 5 = {"configOptions": {"mode": "accept-edits", "model": "fake/other"}}
> 6 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "again"}]}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Again."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 6 = {"stopReason": "end_turn", "usage": {"totalTokens": 11, "inputTokens": 10, "outputTokens": 1, "thoughtTokens": 0, "cachedReadTokens": 0, "cachedWriteTokens": 0}}
> 7 session/close {"sessionId": "S1"}
< 7 = {}\
""")


async def test_jetbrains_resumes_what_it_had_and_sets_mode_and_model_at_once(machine: Machine) -> None:
    async with window(machine, [say("Hello.")], kind=jetbrains) as first:
        before, editor = first.now, first.editor
        # From another machine, or never prompted.
        await editor.request(
            "session/resume",
            sessionId="00000000-0000-4000-8000-000000000000",
            cwd=str(machine.project),
            mcpServers=[],
        )
        session_id = await first.new()
        await editor.request("session/set_model", sessionId=session_id, modelId="fake/model")
        await editor.request("session/set_mode", sessionId=session_id, modeId="plan")
        await first.announced(session_id)
        await first.prompt("say hello")
        assert wire_without_commands(first, before) == snapshot("""\
> 2 session/resume {"sessionId": "S2", "cwd": "PROJECT", "mcpServers": []}
< 2 error {"code": -32002, "message": "The session cannot be opened: there is no session 'S2' on this machine (one that was never prompted is not kept)", "data": {"details": "there is no session 'S2' on this machine (one that was never prompted is not kept)"}}
> 3 session/new {"cwd": "PROJECT", "mcpServers": []}
< 3 = {"sessionId": "S1", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
> 4 session/set_model {"sessionId": "S1", "modelId": "fake/model"}
< 4 error {"code": -32601, "message": "Method not found", "data": {"details": "no method 'session/set_model'"}}
> 5 session/set_mode {"sessionId": "S1", "modeId": "plan"}
< S1 current_mode_update {"currentModeId": "plan"}
< S1 config_option_update {"configOptions": {"mode": "plan", "model": "fake/model"}}
< 5 = {}
> 6 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "say hello"}]}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "*Plan mode: nothing is changed before you approve a plan.*"}}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "\\n\\nHello."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 6 = {"stopReason": "end_turn"}\
""")
    async with window(machine, [say("Again.")], kind=jetbrains) as second:
        before, editor = second.now, second.editor
        await second.ask("session/resume", session_id)
        await second.announced(session_id)
        await editor.request("session/set_mode", sessionId=session_id, modeId="always-ask")
        await second.prompt("again")
        assert wire_without_commands(second, before) == snapshot("""\
> 2 session/resume {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< 2 = {"modes": "plan", "configOptions": {"mode": "plan", "model": "fake/model"}}
< S1 session_info_update {"title": "say hello"}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
> 3 session/set_mode {"sessionId": "S1", "modeId": "always-ask"}
< S1 current_mode_update {"currentModeId": "always-ask"}
< S1 config_option_update {"configOptions": {"mode": "always-ask", "model": "fake/model"}}
< 3 = {}
> 4 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "again"}]}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "*Plan mode is over.*"}}
< S1 agent_message_chunk {"messageId": "M4", "content": {"type": "text", "text": "\\n\\nAgain."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 4 = {"stopReason": "end_turn"}\
""")
    assert conversation(second) == snapshot(
        [
            "user: say hello",
            "user: (This session is in plan mode now: read and search as you need, change and run nothing. For work that changes something, end by putting a plan to me (with `exit_plan_mode` if you have it), and start only when I approve it. A question is answered as ever.)",
            "agent: Hello.",
            "user: again",
            "user: (Plan mode is over: from now on you may change and run things, as far as I permit it.)",
        ]
    )


async def test_plan_mode_is_told_once_however_many_processes_it_lasts(machine: Machine) -> None:
    # As with acpx, which starts one for each prompt and sets the mode anew in it.
    async with window(machine, [say("Hm.")], kind=acpx) as last:
        session_id = await last.new()
        await last.editor.request("session/set_mode", sessionId=session_id, modeId="plan")
        await last.prompt("begin")
    for mode in ("plan", "always-ask", "always-ask"):
        async with window(machine, [say("Hm.")], kind=acpx) as last:
            await last.ask("session/resume", session_id)
            await last.editor.request("session/set_mode", sessionId=session_id, modeId=mode)
            await last.prompt(mode)
    assert [line[:40] for line in conversation(last)] == snapshot(
        [
            "user: begin",
            "user: (This session is in plan mode now:",
            "agent: Hm.",
            "user: plan",
            "agent: Hm.",
            "user: always-ask",
            "user: (Plan mode is over: from now on yo",
            "agent: Hm.",
            "user: always-ask",
        ]
    )


async def test_plan_mode_is_told_again_where_the_model_reads_nothing_of_it_any_more(machine: Machine) -> None:
    async with window(machine, [say("Hm.")], [say("Again.")], kind=acpx) as only:
        session_id = await only.new()
        await only.editor.request("session/set_mode", sessionId=session_id, modeId="plan")
        for text in ("begin", "/clear", "go on"):
            await only.prompt(text)
    assert [line[:40] for line in conversation(only)] == snapshot(
        ["user: go on", "user: (This session is in plan mode now:"]
    )


async def test_what_an_earlier_process_had_open_is_opened_first(machine: Machine) -> None:
    async with window(machine, [say("Hello.")], kind=zed) as first:
        session_id = await first.new()
        await first.prompt("say hello")
    async with window(machine, [say("Again.")], kind=zed) as second:
        before, editor = second.now, second.editor
        second.session_id = session_id
        editor.notify("session/cancel", sessionId=session_id)
        await editor.request("session/set_mode", sessionId=session_id, modeId="plan")
        await second.prompt("again")
        # As the protocol has it, `mcpServers` is always there; not every client keeps to that.
        await editor.request("session/resume", sessionId=session_id, cwd=str(machine.project))
        await editor.request("session/load", sessionId=session_id, cwd=str(machine.project), mcpServers=None)
        await second.prompt("again")
        told_later = ("session_info_update", "usage_update")
        lines = wire_without_commands(second, before).split("\n")
        assert "\n".join(line for line in lines if not any(kind in line for kind in told_later)) == snapshot("""\
> session/cancel {"sessionId": "S1"}
> 2 session/set_mode {"sessionId": "S1", "modeId": "plan"}
< 2 error {"code": -32002, "message": "Session not found: open it again, or begin a new one", "data": {"details": "no session 'S1' is open in this process: load or resume it first"}}
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "again"}]}
< 3 error {"code": -32002, "message": "Session not found: open it again, or begin a new one", "data": {"details": "no session 'S1' is open in this process: load or resume it first"}}
> 4 session/resume {"sessionId": "S1", "cwd": "PROJECT"}
< 4 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
> 5 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": null}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "say hello"}}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hello."}}
< 5 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
> 6 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "again"}]}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Again."}}
< 6 = {"stopReason": "end_turn", "usage": {"totalTokens": 11, "inputTokens": 10, "outputTokens": 1, "thoughtTokens": 0, "cachedReadTokens": 0, "cachedWriteTokens": 0}}\
""")


async def test_a_project_that_was_moved_takes_its_sessions_along(machine: Machine) -> None:
    async with window(machine, [say("Hello.")], kind=zed) as first:
        session_id = await first.new()
        await first.prompt("say hello")
    moved = machine.project.rename(machine.root / "moved")
    async with window(machine, [say("Again.")], kind=zed) as second:
        before, editor = second.now, second.editor
        await second.ask("session/load", session_id)
        await second.ask("session/load", session_id, cwd=str(moved))
        await second.prompt("again")
        await editor.request("session/list", cwd=str(moved))
        assert wire_without_commands(second, before) == snapshot("""\
> 2 session/load {"sessionId": "S1", "cwd": "PROJECT", "mcpServers": []}
< 2 error {"code": -32602, "message": "There is no folder 'PROJECT'", "data": {"details": "cwd: 'PROJECT' is not a folder that exists; if the project was moved, `openhands-acp --resume S1` goes on with the session in its new place"}}
> 3 session/load {"sessionId": "S1", "cwd": "ROOT/moved", "mcpServers": []}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "say hello"}}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hello."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
> 4 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "again"}]}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Again."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 4 = {"stopReason": "end_turn", "usage": {"totalTokens": 11, "inputTokens": 10, "outputTokens": 1, "thoughtTokens": 0, "cachedReadTokens": 0, "cachedWriteTokens": 0}}
> 5 session/list {"cwd": "ROOT/moved"}
< 5 = {"sessions": [{"sessionId": "S1", "cwd": "ROOT/moved", "updatedAt": "TIME", "_meta": {"messageCount": 4}, "title": "say hello"}]}\
""")
