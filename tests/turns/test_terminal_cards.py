"""What an editor shows of commands that run on: looked at, typed into, ended."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import ToolMessage
from tests.harness.check import agent, check, transcript
from tests.harness.editor import allowed, rejected
from tests.harness.model import call, say

pytestmark = pytest.mark.anyio

# Without an echo, so that what comes, comes at once.
ASKS = "read -sp 'name? ' name; echo hello $name"


async def test_a_question_of_a_program_is_answered(tmp_path: Path) -> None:
    assert await check(
        tmp_path,
        "greet",
        [call("terminal", command=ASKS, background=True)],
        [call("terminal", command="Bob", is_input=True)],
        [say("Greeted.")],
        mode="always-approve",
    ) == snapshot("""\
> 3 session/prompt ["greet"]
< session_info_update {"title": "greet"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "read -sp 'na", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'na\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "read -sp 'name? ' name; echo hello $name", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\n```"}}], "rawInput": {"command": "read -sp 'name? ' name; echo hello $name", "background": true}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\nname? \\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\nname? \\n[job 1 waits for input]\\n```"}}], "rawOutput": {"exit_code": null, "signal": null, "timed_out": false, "job": "1", "seconds": 0, "output": "name? "}}
< tool_call {"toolCallId": "id18", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id18", "status": "pending", "title": "Type Bob into `read -sp 'name? ' name; echo hello $name`", "rawInput": {"command": "Bob", "is_input": true}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id18", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "Type into the running command:\\n\\n```console\\n$ read -sp 'name? ' name; echo hello $name\\n\\u27f5 Bob and Enter\\n```"}}]}
< tool_call_update {"toolCallId": "id18", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\nhello Bob\\n```"}}]}
< tool_call_update {"toolCallId": "id18", "status": "completed", "rawOutput": {"exit_code": 0, "signal": null, "timed_out": false, "seconds": 0, "output": "hello Bob\\n"}}
< agent_message_chunk ["id23", "Greeted."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_typing_is_asked_for_like_a_command_and_looking_and_interrupting_are_not(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params["toolCall"]["title"])
        return rejected() if len(asked) > 1 else allowed()

    async with agent(
        tmp_path,
        [call("terminal", command=ASKS, background=True)],
        [call("terminal", command="", timeout=0.1)],
        [call("terminal", command="Bob", is_input=True)],
        [call("terminal", command="C-c", is_input=True)],
        [say("Not then.")],
        permission=answer,
    ) as running:
        await running.prompt("greet")
        wire = re.sub(r" after [\d.]+ s", "", transcript(running))
    assert asked == [ASKS, f"Type Bob into `{ASKS}`"]
    assert wire == snapshot("""\
> 3 session/prompt ["greet"]
< session_info_update {"title": "greet"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "read -sp 'na", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'na\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "read -sp 'name? ' name; echo hello $name", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\n```"}}], "rawInput": {"command": "read -sp 'name? ' name; echo hello $name", "background": true}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "read -sp 'name? ' name; echo hello $name", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\n```"}}], "locations": [], "rawInput": {"command": "read -sp 'name? ' name; echo hello $name", "background": true}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow exactly this command in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\nname? \\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\nname? \\n[job 1 waits for input]\\n```"}}], "rawOutput": {"exit_code": null, "signal": null, "timed_out": false, "job": "1", "seconds": 0, "output": "name? "}}
< tool_call {"toolCallId": "id19", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id19", "status": "pending", "title": "Look at `read -sp 'name? ' name; echo hello $name`", "rawInput": {"command": "", "timeout": 0.1}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id19", "status": "in_progress"}
< tool_call_update {"toolCallId": "id19", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\n[job 1 waits for input]\\n```"}}], "rawOutput": {"exit_code": null, "signal": null, "timed_out": false, "job": "1", "seconds": 0, "output": ""}}
< tool_call {"toolCallId": "id26", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id26", "status": "pending", "title": "Type Bob into `read -sp 'name? ' name; echo hello $name`", "rawInput": {"command": "Bob", "is_input": true}}
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 2 session/request_permission {"toolCall": {"toolCallId": "id26", "title": "Type Bob into `read -sp 'name? ' name; echo hello $name`", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Type into the running command:\\n\\n```console\\n$ read -sp 'name? ' name; echo hello $name\\n\\u27f5 Bob and Enter\\n```"}}], "locations": [], "rawInput": {"command": "Bob", "is_input": true}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow typing exactly this into this command in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 2 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id26", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "Type into the running command:\\n\\n```console\\n$ read -sp 'name? ' name; echo hello $name\\n\\u27f5 Bob and Enter\\n```"}}, {"type": "content", "content": {"type": "text", "text": "Rejected"}}], "rawOutput": {"error": "Rejected"}}
< tool_call {"toolCallId": "id34", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id34", "status": "pending", "title": "Press C-c in `read -sp 'name? ' name; echo hello $name`", "rawInput": {"command": "C-c", "is_input": true}}
< usage_update {"used": 44, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< tool_call_update {"toolCallId": "id34", "status": "in_progress"}
< tool_call_update {"toolCallId": "id34", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ read -sp 'name? ' name; echo hello $name\\n[ended by signal SIGINT]\\n```"}}], "rawOutput": {"exit_code": null, "signal": "SIGINT", "timed_out": false, "seconds": 0, "output": ""}}
< agent_message_chunk ["id39", "Not then."]
< usage_update {"used": 55, "size": 200000, "cost": {"amount": 0.05, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_servers_are_started_and_ended(tmp_path: Path) -> None:
    assert await check(
        tmp_path,
        "serve",
        [call("terminal", command="echo listening; sleep 60", background=True)],
        [call("terminal", reset=True, job="1")],
        [call("terminal", command="", job="1")],
        [say("Done.")],
        mode="always-approve",
    ) == snapshot("""\
> 3 session/prompt ["serve"]
< session_info_update {"title": "serve"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "echo l", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo l\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "echo listening; sleep 60", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo listening; sleep 60\\n```"}}], "rawInput": {"command": "echo listening; sleep 60", "background": true}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo listening; sleep 60\\nlistening\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo listening; sleep 60\\nlistening\\n[job 1 still runs]\\n```"}}], "rawOutput": {"exit_code": null, "signal": null, "timed_out": false, "job": "1", "seconds": 0, "output": "listening\\n"}}
< tool_call {"toolCallId": "id18", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id18", "status": "pending", "title": "End `echo listening; sleep 60`", "rawInput": {"reset": true, "job": "1"}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id18", "status": "in_progress"}
< tool_call_update {"toolCallId": "id18", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "Ended `echo listening; sleep 60`"}}]}
< tool_call {"toolCallId": "id25", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id25", "status": "pending", "title": "Look at `echo listening; sleep 60`", "rawInput": {"command": "", "job": "1"}}
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< tool_call_update {"toolCallId": "id25", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "nothing is running; write the command line to run"}}], "rawOutput": {"error": "nothing is running; write the command line to run"}}
< agent_message_chunk ["id30", "Done."]
< usage_update {"used": 44, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_in_plan_mode_nothing_is_typed(tmp_path: Path) -> None:
    async with agent(
        tmp_path,
        [call("terminal", command="cat", background=True)],
        [say("Started.")],
        [call("terminal", command="x", is_input=True)],
        [say("Not then.")],
        mode="always-approve",
    ) as running:
        await running.prompt("start")
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="plan")
        await running.prompt("type")
        results = [message for message in running.model.requests[-1] if isinstance(message, ToolMessage)]
    assert results[-1].text.startswith("Rejected: the session is in plan mode, which is read-only")
