"""Sub-agents, as an editor and a model see them: one reads, one changes something after the person's yes, one fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.guidance.inventory import AgentDefinition, Skill
from openhands_acp.engine.messages import SystemMessage, Text, ToolMessage, UserMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import TurnError
from tests.harness.check import agent, transcript
from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import ScriptedModel, Wait, call, say
from tests.harness.waiting import PATIENCE, until
from tests.turns.delegating import ByTask, again, cards, child, delegating, edit, file_in, results, said_to, task, view
from tests.turns.test_parallel import Gated

pytestmark = pytest.mark.anyio


async def test_a_task_that_reads(tmp_path: Path) -> None:
    file_in(tmp_path)
    backend = delegating(
        [say("Looking."), task("LOOK into a.txt", description="Read a file", subagent_type="code-explorer")],
        [say("It says one.")],
        LOOK=[[say("First."), view("a.txt")], [say("a.txt says one.")]],
    )
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id9", "Looking."]
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Starting a sub-agent", "name": "task", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "code-explorer: Read a file", "content": [{"type": "content", "content": {"type": "text", "text": "LOOK into a.txt"}}], "rawInput": {"prompt": "LOOK into a.txt", "description": "Read a file", "subagent_type": "code-explorer"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n0 steps"}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step\\n\\n- Work on a file \\u2026"}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step\\n\\n- Work on a file \\u2026\\n\\n> First."}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step\\n\\n- Read a.txt \\u2026\\n\\n> First."}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step, 11 tokens, $0.01\\n\\n- Read a.txt \\u2026\\n\\n> First."}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step, 11 tokens, $0.01\\n\\n- Read a.txt\\n\\n> First."}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step, 11 tokens, $0.01\\n\\n- Read a.txt\\n\\n> a.txt says one."}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step, 33 tokens, $0.02\\n\\n- Read a.txt\\n\\n> a.txt says one."}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "**code-explorer**: Read a file\\n1 step, 33 tokens, $0.02\\n\\n- Read a.txt\\n\\na.txt says one."}}], "rawOutput": {"task_id": "task_00000001", "subagent": "code-explorer", "status": "completed", "steps": 1, "tokens": 33, "cost_usd": 0.02}}
< agent_message_chunk ["id42", "It says one."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
        assert results(running) == snapshot(
            [
                """\
Task ID: task_00000001
Subagent: code-explorer
Status: completed

a.txt says one.\
"""
            ]
        )


async def test_what_a_sub_agent_is_told(tmp_path: Path) -> None:
    backend = delegating([task("LOOK", subagent_type="code-explorer")], LOOK=[[say("Nothing.")]])
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        system, *said = child(backend, "LOOK").requests[0]
        assert isinstance(system, SystemMessage)
        assert (system.static, system.dynamic, said) == snapshot(
            (
                "static",
                """\
dynamic

# You are a sub-agent
You are `code-explorer` and work for another agent, which gave you one task and waits for it. The person watches, but does not talk to you. Your last message is all that the other agent gets: make it complete and short, with the result, how it was checked and what is open. Do not ask back: where something is unclear, take the likeliest and say so. Of the tools that are named above you have only those that you are given.

You explore code and change nothing. Start broad (glob, grep), then read what matters; make independent searches and reads in one go. Report in a structured way: the answer first, then the places as path:line with the few lines of code that prove it, then what you could not find.\
""",
                [
                    UserMessage(
                        parts=(
                            Text(
                                text="""\
Your task:

"""
                            ),
                            Text(text="LOOK"),
                        )
                    )
                ],
            )
        )
        model = backend.by_purpose["subagent"]
        assert isinstance(model, ByTask)
        assert model.tools == snapshot({"LOOK": [("file_editor", "grep", "glob", "think", "finish")]})


async def test_a_definition_brings_skills_and_a_model(tmp_path: Path) -> None:
    backend = delegating(
        [task("NAME it", subagent_type="namer")],
        [say("Done.")],
        agents=(AgentDefinition("namer", "Names.", "Be brief.", (), "fake/other", skills=("style",)),),
    )
    skill = Skill("style", "How to name", "Use plain words.", AbsPath("/s/SKILL.md"), is_folder=True)
    backend.inventory = replace(backend.inventory, skills=(skill,))
    other = backend.by_name["fake/other"] = ScriptedModel([[say("Outbox.")]], model="fake/other")
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        prompt = other.requests[0][0]
        assert isinstance(prompt, SystemMessage)
        assert prompt.dynamic.endswith("Be brief.\n\n# Skill: style\nUse plain words.")
        assert results(running)[0].endswith("Outbox.")


async def test_those_that_only_look_work_side_by_side(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"{name}\n")
    backend = delegating(
        [
            task("LEFT", description="Left", subagent_type="code-explorer"),
            task("RIGHT", 1, description="Right", subagent_type="code_explorer"),
        ],
        [say("Done.")],
        LEFT=[[view("a.txt")], [say("left")]],
        RIGHT=[[view("b.txt")], [say("right")]],
    )
    # Each reads only when the other does.
    backend.disk = Gated(crowd=2)
    async with agent(tmp_path, backend=backend) as running:
        with anyio.fail_after(PATIENCE):
            await running.prompt("go")
        left, right = results(running)
        assert (left.endswith("left"), right.endswith("right")) == (True, True)
        assert {text.splitlines()[0] for text in (left, right)} == {"Task ID: task_00000001", "Task ID: task_00000002"}
        shown = cards(running)
        assert ["b.txt" in shown["code-explorer: Left"][1], "a.txt" in shown["code_explorer: Right"][1]] == [False] * 2


async def test_a_task_that_edits_asks_with_its_name(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    backend = delegating(
        [task("MEND it", description="Mend a file")],
        [say("Mended.")],
        MEND=[[edit("a.txt", "one", "two")], [call("finish", message="a.txt says two.")]],
    )
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed()) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Starting a sub-agent", "name": "task", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "general-purpose: Mend a file", "content": [{"type": "content", "content": {"type": "text", "text": "MEND it"}}], "rawInput": {"prompt": "MEND it", "description": "Mend a file"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n0 steps"}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step\\n\\n- Work on a file \\u2026"}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step\\n\\n- Edit a.txt \\u2026"}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 11 tokens, $0.01\\n\\n- Edit a.txt \\u2026"}}]}
< tool_call {"toolCallId": "id25", "status": "pending", "title": "general-purpose: Edit a.txt", "name": "file_editor", "kind": "edit", "locations": [{"path": "ROOT/a.txt"}], "content": [{"type": "diff", "path": "ROOT/a.txt", "oldText": "one\\n", "newText": "two\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 11 tokens, $0.01\\n\\n- Edit a.txt (waits for your answer)"}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id25", "title": "general-purpose: Edit a.txt", "kind": "edit", "status": "pending", "content": [{"type": "diff", "path": "ROOT/a.txt", "oldText": "one\\n", "newText": "two\\n"}], "locations": [{"path": "ROOT/a.txt"}], "rawInput": {"command": "str_replace", "path": "a.txt", "old_str": "one", "new_str": "two"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow editing a.txt in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 11 tokens, $0.01\\n\\n- Edit a.txt \\u2026"}}]}
< tool_call_update {"toolCallId": "id25", "status": "in_progress"}
< tool_call_update {"toolCallId": "id25", "status": "completed"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 11 tokens, $0.01\\n\\n- Edit a.txt"}}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 11 tokens, $0.01\\n\\n- Edit a.txt\\n\\n> a.txt says two."}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 33 tokens, $0.02\\n\\n- Edit a.txt\\n\\n> a.txt says two."}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Mend a file\\n1 step, 33 tokens, $0.02\\n\\n- Edit a.txt\\n\\na.txt says two."}}], "rawOutput": {"task_id": "task_00000001", "subagent": "general-purpose", "status": "completed", "steps": 1, "tokens": 33, "cost_usd": 0.02}}
< agent_message_chunk ["id46", "Mended."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
    assert file.read_text() == "two\n"


async def test_a_no_to_a_sub_agent_is_its_to_deal_with(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    backend = delegating(
        [task("MEND it")], [say("Well.")], MEND=[[edit("a.txt", "one", "two")], [say("I was not allowed to.")]]
    )
    async with agent(tmp_path, backend=backend, permission=lambda _params: rejected()) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert cards(running) == snapshot(
            {
                "general-purpose: MEND it": (
                    "completed",
                    """\
**general-purpose**
1 step, 33 tokens, $0.02

- Edit a.txt (failed)

I was not allowed to.\
""",
                ),
                "general-purpose: Edit a.txt": (
                    "failed",
                    """\
diff
Rejected\
""",
                ),
            }
        )
    assert file.read_text() == "one\n"


async def test_a_question_that_is_closed_stops_everything(tmp_path: Path) -> None:
    file_in(tmp_path)
    backend = delegating([task("MEND it")], MEND=[[edit("a.txt", "one", "two")]])
    async with agent(tmp_path, backend=backend, permission=lambda _params: dismissed()) as running:
        assert await running.prompt("go") == {"stopReason": "cancelled"}
        assert {status for status, _ in cards(running).values()} == {"failed"}


async def test_what_is_allowed_for_good_counts_for_the_session_and_the_next_sub_agent(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    asked: list[str] = []
    backend = delegating(
        [task("FIRST")],
        [task("SECOND")],
        [edit("a.txt", "three", "four")],
        [say("Done.")],
        FIRST=[[edit("a.txt", "one", "two")], [say("x")]],
        SECOND=[[edit("a.txt", "two", "three")], [say("y")]],
    )

    def permission(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params["toolCall"]["title"])
        return allowed("allow_always")

    async with agent(tmp_path, backend=backend, permission=permission) as running:
        await running.prompt("go")
    assert (asked, file.read_text()) == (["general-purpose: Edit a.txt"], "four\n")


async def test_a_sub_agent_that_fails_says_how_far_it_came(tmp_path: Path) -> None:
    file_in(tmp_path)
    failure = TurnError("request", "The provider refused this. Try another model.")
    backend = delegating(
        [task("LOOK", description="Look", subagent_type="code-explorer")],
        [say("I see.")],
        LOOK=[[say("Reading."), view("a.txt")], [failure]],
    )
    async with agent(tmp_path, backend=backend) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert results(running) == snapshot(
            [
                """\
Task ID: task_00000001
Subagent: code-explorer
Status: failed

Reading.

It did not finish: The provider refused this. Try another model. What it did stays done; `resume` with its task ID goes on with it.\
"""
            ]
        )
        assert cards(running) == snapshot(
            {
                "code-explorer: Look": (
                    "failed",
                    """\
**code-explorer**: Look
1 step, 11 tokens, $0.01

- Read a.txt

**failed**

Reading.

The provider refused this. Try another model.\
""",
                )
            }
        )


async def test_stop_reaches_a_sub_agent_and_another_process_goes_on_with_it(tmp_path: Path) -> None:
    file_in(tmp_path)
    backend = delegating(
        [task("LOOK", description="Look", subagent_type="code-explorer")],
        LOOK=[[view("a.txt")], [say("Half an ans"), Wait()]],
    )
    async with agent(tmp_path, backend=backend) as running:
        request = running.ask_prompt("go")
        await running.editor.until(lambda message: "Read a.txt" in str(message))
        with anyio.fail_after(PATIENCE):
            await until(lambda: len(child(backend, "LOOK").requests) == 2)
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert {status for status, _ in cards(running).values()} == {"failed"}
        assert child(backend, "LOOK").closed == 2

    later = again(backend, [task("LOOK on", resume="task_00000001")], [say("Done.")], LOOK=[[say("It says one.")]])
    async with agent(tmp_path, backend=later) as running:
        await running.editor.request(
            "session/load", sessionId=next(iter(backend.journals)), cwd=str(tmp_path), mcpServers=[]
        )
        running.session_id = next(iter(backend.journals))
        await running.prompt("go on")
        assert running.model.requests[0][3:] == snapshot(
            [
                ToolMessage(
                    call_id="call_0",
                    name="task",
                    text="Error: the person stopped the turn while it ran; what it did is unknown; `resume` 'task_00000001' goes on with it",
                ),
                UserMessage(
                    parts=(Text(text="(I stopped you here. Leave what was under way, unless I ask for it again.)"),)
                ),
                UserMessage(parts=(Text(text="go on"),)),
            ]
        )
        # It remembers what it had been told and had done.
        assert [said_to(message) for message in child(later, "LOOK").requests[0][1:]] == snapshot(
            [
                """\
Your task:


LOOK\
""",
                "(says)  ['file_editor']",
                "(file_editor) 1\tone",
                "(says) Half an ans []",
                "(I stopped you here. Leave what was under way, unless I ask for it again.)",
                """\
Your task:


LOOK on\
""",
            ]
        )
        assert results(running)[-1] == snapshot("""\
Task ID: task_00000001
Subagent: code-explorer
Status: completed

It says one.\
""")
