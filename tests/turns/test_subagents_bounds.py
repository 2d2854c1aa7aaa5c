"""What binds a sub-agent: the session's mode, budget and skills, its own definition, and how deep they may go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.guidance.inventory import AgentDefinition, Skill
from openhands_acp.engine.messages import ToolMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.usage.budget import Limit, Limits
from tests.harness.check import agent, transcript
from tests.harness.editor import allowed, rejected
from tests.harness.model import call, say
from tests.turns.delegating import cards, child, delegating, edit, file_in, results, said_to, task, view

pytestmark = pytest.mark.anyio


async def test_what_a_skill_does_not_let_the_session_do_its_sub_agents_may_not(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    backend = delegating(
        [task("MEND it")],
        [say("Done.")],
        MEND=[[edit("a.txt", "one", "two"), view("a.txt", 1)], [say("I could not.")]],
    )
    skill = Skill("look", "", "Look.", AbsPath("/s/SKILL.md"), is_folder=True, allowed_tools=("task", "grep"))
    backend.inventory = replace(backend.inventory, skills=(skill,))
    backend.mode = "always-approve"
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("/look")
        assert {said_to(message)[:60] for message in child(backend, "MEND").requests[1][3:]} == snapshot(
            {"(file_editor) Error: 'look', which the person called, allows"}
        )
    assert file.read_text() == "one\n"


@pytest.mark.parametrize(
    ("mode", "own", "is_asked"),
    [
        ("always-ask", "always-approve", True),
        ("always-approve", "always-ask", True),
        ("always-approve", None, False),
    ],
)
async def test_no_definition_is_freer_than_the_session(
    tmp_path: Path, mode: str, own: str | None, is_asked: bool
) -> None:
    file_in(tmp_path)
    asked: list[Any] = []
    backend = delegating(
        [task("MEND", subagent_type="mender")],
        [say("Done.")],
        agents=(AgentDefinition("mender", "Mends.", "Mend.", mode=own),),
        MEND=[[edit("a.txt", "one", "two")], [say("x")]],
    )
    backend.mode = mode

    def permission(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        return allowed()

    async with agent(tmp_path, backend=backend, permission=permission) as running:
        await running.prompt("go")
    assert bool(asked) is is_asked


async def test_a_sub_agent_counts_in_the_sessions_budget_and_stops_at_it(tmp_path: Path) -> None:
    backend = delegating(
        [task("THINK", description="Think")],
        [say("Never said.")],
        THINK=[[call("think", thought="a")], [call("think", thought="b")], [say("Never said either.")]],
    )
    backend.limits = Limits(session=Limit(max_cost=0.03))
    async with agent(tmp_path, backend=backend, permission=lambda _params: rejected()) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Starting a sub-agent", "name": "task", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "general-purpose: Think", "content": [{"type": "content", "content": {"type": "text", "text": "THINK"}}], "rawInput": {"prompt": "THINK", "description": "Think"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Think\\n0 steps"}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Think\\n0 steps, 11 tokens, $0.01"}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Think\\n0 steps, 33 tokens, $0.02"}}]}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "**general-purpose**: Think\\n0 steps, 33 tokens, $0.02\\n\\n**failed**\\n\\nStopped: this session has cost $0.03, and its limit is $0.03."}}], "rawOutput": {"task_id": "task_00000001", "subagent": "general-purpose", "status": "failed", "steps": 0, "tokens": 33, "cost_usd": 0.02}}
< tool_call {"toolCallId": "id46", "status": "pending", "title": "This session has cost $0.03, and its limit is $0.03: go on?", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "This session has cost $0.03, and its limit is $0.03. The limit is `max_cost` under `[limits.session]` in acp.toml."}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id46", "title": "This session has cost $0.03, and its limit is $0.03: go on?", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "This session has cost $0.03, and its limit is $0.03. The limit is `max_cost` under `[limits.session]` in acp.toml."}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "reject_once", "name": "Stop here", "kind": "reject_once"}, {"optionId": "deliberate_allow_once", "name": "Go on for $0.03 more", "kind": "reject_always"}, {"optionId": "deliberate_allow_always", "name": "Go on without this limit in this session", "kind": "reject_always"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id46", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "This session has cost $0.03, and its limit is $0.03. The limit is `max_cost` under `[limits.session]` in acp.toml."}}, {"type": "content", "content": {"type": "text", "text": "Stop here"}}]}
< agent_message_chunk ["id49", "Stopped: this session has cost $0.03, and its limit is $0.03. To go on, send a prompt and allow more, or raise `max_cost` under `[limits.session]` in acp.toml."]
< 3 = {"stopReason": "end_turn"}\
""")
        await running.prompt("/cost")
        assert running.editor.updates()[-1]["content"]["text"] == snapshot("""\
**This session has cost $0.03.**

| model | for | calls | read | of it cached | put into cache | written | of it thought | cost |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| `fake/model` | agent | 1 | 10 | 0 | 0 | 1 | 0 | $0.01 |
| `fake/model` | subagent | 2 | 30 | 0 | 0 | 3 | 0 | $0.02 |
| **all** |  | 3 | 40 | 0 | 0 | 4 | 0 | $0.03 |\
""")


async def test_a_sub_agents_shell_is_its_own_and_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    backend = delegating(
        [task("RUN", subagent_type="bash-runner")],
        [call("terminal", command="pwd")],
        [say("Done.")],
        RUN=[[call("terminal", command="cd sub && (sleep 600 & echo $! > ../pid)")], [say("Left.")]],
    )
    backend.mode = "always-approve"
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert str(tmp_path) in results(running)[-1].splitlines()
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


async def test_a_definition_bounds_its_own_steps(tmp_path: Path) -> None:
    backend = delegating(
        [task("THINK", subagent_type="brief")],
        [say("I see.")],
        agents=(AgentDefinition("brief", "Is brief.", "", max_steps=2),),
        THINK=[[call("think", thought=each)] for each in "abc"],
    )
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert results(running) == snapshot(
            [
                """\
Task ID: task_00000001
Subagent: brief
Status: failed

It did not finish: Stopped: it has asked its model 2 times, and its limit is 2. What it did stays done; `resume` with its task ID goes on with it.\
"""
            ]
        )
        assert len(child(backend, "THINK").requests) == 2


async def test_sub_agents_of_sub_agents_end_somewhere(tmp_path: Path) -> None:
    hand_on = [task("INNER", subagent_type="manager")]
    backend = delegating(
        [task("OUTER", subagent_type="manager", description="Outer")],
        [say("Done.")],
        agents=(AgentDefinition("manager", "Hands on.", "", tools=("task",)),),
        OUTER=[hand_on, [say("outer")]],
        INNER=[hand_on, [say("inner")]],
    )
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        inner = [message.text for message in child(backend, "INNER").requests[-1] if isinstance(message, ToolMessage)]
        assert inner == snapshot(["Error: whoever works for a sub-agent cannot start another one; do this yourself"])
        assert cards(running) == snapshot(
            {
                "manager: Outer": (
                    "completed",
                    """\
**manager**: Outer
1 step, 66 tokens, $0.04

- manager: INNER

outer\
""",
                )
            }
        )
        assert sorted(place.partition("/")[2] for place in backend.subagents) == snapshot(
            ["task_00000001", "task_00000001/task_00000001"]
        )


async def test_what_cannot_be_is_said_with_what_can(tmp_path: Path) -> None:
    backend = delegating(
        [
            task("X", subagent_type="nobody"),
            task("X", 1, resume="task_00000007"),
            task("X", 2, subagent_type="web-only"),
            task("X", 3, subagent_type="skilled"),
            task(" ", 4),
        ],
        [say("I see.")],
        agents=(
            AgentDefinition("web-only", "", "", tools=("browser_none",)),
            AgentDefinition("skilled", "", "", skills=("absent",)),
        ),
        X=[[say("x")]],
    )
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert results(running) == snapshot(
            [
                "Error: there is no sub-agent 'nobody'; there are: web-only, skilled, general-purpose, bash-runner, code-explorer, web-researcher",
                "Error: there is no task 'task_00000007'; there are: none yet",
                "Error: none of its tools (browser_none) is there in this session",
                "Error: it is to have skills that there are not: absent",
                "Error: `prompt` must say what is to be done",
            ]
        )
