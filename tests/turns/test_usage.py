"""What models used and cost, as the client and the person are told it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import acp.schema
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import Usage
from openhands_acp.engine.ports import Finish
from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import Answer, ScriptedModel, Wait, call, say

pytestmark = pytest.mark.anyio

THINK = call("think", thought="Hm.")


def finish(usage: Usage | None) -> Finish:
    return Finish("stop", usage)


def usages(running: Running) -> list[dict[str, Any]]:
    updates = [dict(update) for update in running.editor.updates() if update["sessionUpdate"] == "usage_update"]
    for update in updates:
        del update["sessionUpdate"]
    return updates


def dollars(amount: float) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


async def titled(running: Running) -> None:
    await running.editor.until_update("session_info_update", title="A title")


async def test_a_call_for_another_purpose_costs_but_fills_nothing(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("Hi."), finish(Usage(100, 20, 60, 0.5))]]), titles=True)
    backend.by_purpose["title"] = ScriptedModel([[say("A title"), finish(Usage(9, 9, 0, 0.25))]], model="fake/small")
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("hello")
        await titled(running)
        size = backend.model.context_window
        assert usages(running) == [
            {"used": 120, "size": size, "cost": dollars(0.5)},
            {"used": 120, "size": size, "cost": dollars(0.75)},
        ]
        kept: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(tmp_path), "mcpServers": []}
        await running.editor.request("session/close", sessionId=running.session_id)
        await running.editor.request("session/resume", **kept)
        # Told a moment after the answer.
        await running.editor.until(lambda _message: len(usages(running)) == 3)
        assert usages(running)[-1] == usages(running)[-2]


async def test_once_a_price_is_unknown_no_cost_is_told(tmp_path: Path) -> None:
    answers: list[Answer] = [
        [*THINK, finish(Usage(10, 1, 0, 0.5))],
        [*call("think", thought="So."), finish(Usage(20, 1))],
        [say("Done."), finish(Usage(30, 1, 0, 0.5))],
    ]
    async with agent(tmp_path, *answers) as running:
        await running.prompt("go")
        assert ["cost" in update for update in usages(running)] == [True, False, False]


async def test_what_a_call_cost_that_is_hung_up_on_nobody_knows(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("Hi.")]]), titles=True)
    backend.by_purpose["title"] = ScriptedModel([[say("A title\n", *["and more " * 20] * 20)]], model="fake/small")
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("hello")
        await titled(running)
        assert ["cost" in update for update in usages(running)] == [True, False]


async def test_without_a_window_nothing_is_told(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("Hi.")]], context_window=None))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert usages(running) == []


async def test_it_is_told_again_as_it_was(tmp_path: Path) -> None:
    answers: list[Answer] = [[*THINK, finish(Usage(10, 1, 0, 0.5))], [say("Done."), finish(Usage(20, 1, 0, 0.25))]]
    async with agent(tmp_path, *answers) as running:
        await running.prompt("go")
        live = usages(running)
        kept: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(tmp_path), "mcpServers": []}
        await running.editor.request("session/close", sessionId=running.session_id)
        await running.editor.request("session/load", **kept)
        assert usages(running) == [*live, *live]
        await running.editor.request("session/close", sessionId=running.session_id)
        await running.editor.request("session/resume", **kept)
        # Told a moment after the answer.
        await running.editor.until(lambda _message: len(usages(running)) == 5)
        assert usages(running)[-1] == live[-1]


@pytest.mark.parametrize(
    ("client", "usage"),
    [
        (
            "zed",
            {
                "totalTokens": 160,
                "inputTokens": 35,
                "outputTokens": 25,
                "thoughtTokens": 5,
                "cachedReadTokens": 85,
                "cachedWriteTokens": 10,
            },
        ),
        ("some-editor", None),
    ],
)
async def test_the_answer_tells_what_the_turn_used(tmp_path: Path, client: str, usage: dict[str, int] | None) -> None:
    answers: list[Answer] = [
        [*THINK, finish(Usage(100, 20, 60, 0.5, 10, 5))],
        [say("Done."), finish(Usage(30, 10, 25))],
        [say("Again."), finish(Usage(1, 1))],
    ]
    async with agent(tmp_path, *answers, client=client) as running:
        told = {"usage": usage} if usage else {}
        assert await running.prompt("go") == {"stopReason": "end_turn", **told}
        again = await running.prompt("again")
        assert again.get("usage", {}).get("totalTokens") == (2 if usage else None)
        assert await running.prompt("/cost") == {"stopReason": "end_turn"}
        if usage:
            # As the SDK reads it, which takes what it cannot read for nothing.
            assert acp.schema.Usage.model_validate(usage).model_dump(by_alias=True, exclude_none=True) == usage


async def test_a_prompt_that_steers_a_turn_does_not_tell_it_twice(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Half"), Wait()], client="zed") as running:
        one = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        two = running.ask_prompt("also")
        running.cancel()
        results = [(await running.editor.answer(request))["result"] for request in (one, two)]
        assert results == [{"stopReason": "cancelled"}, {"stopReason": "cancelled"}]


COST: list[tuple[list[Answer], str]] = [
    ([], snapshot("No call of a model has been counted in this session.")),
    (
        [
            [*THINK, finish(Usage(1_000, 50, 0, 0.0123, 900, 40))],
            [say("Done."), finish(Usage(1_100, 20, 900, 0.002))],
        ],
        snapshot("""\
**This session has cost $0.0143.**

| model | for | calls | read | of it cached | put into cache | written | of it thought | cost |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| `fake/model` | agent | 2 | 2,100 | 900 (43%) | 900 | 70 | 40 (57%) | $0.0143 |
| `fake/small` | title | 1 | 90 | 0 | 0 | 9 | 0 | $0.00 |
| **all** |  | 3 | 2,190 | 900 (41%) | 900 | 79 | 40 (51%) | $0.0143 |\
"""),
    ),
    (
        [[*THINK, finish(Usage(1_000, 50, 0, 0.25))], [say("Done."), finish(Usage(1_100, 20))]],
        snapshot("""\
**What this session has cost is not known**; what is known comes to $0.25.

| model | for | calls | read | of it cached | put into cache | written | of it thought | cost |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| `fake/model` | agent | 2 | 2,100 | 0 | 0 | 70 | 0 | $0.25 and unknown |
| `fake/small` | title | 1 | 90 | 0 | 0 | 9 | 0 | $0.00 |
| **all** |  | 3 | 2,190 | 0 | 0 | 79 | 0 | $0.25 and unknown |

The price of `fake/model` is not known.\
"""),
    ),
    (
        [[*THINK, finish(None)], [say("Done."), finish(Usage(1_100, 20, 0, 0.25))]],
        snapshot("""\
**What this session has cost is not known**; what is known comes to $0.25.

| model | for | calls | read | of it cached | put into cache | written | of it thought | cost |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| `fake/model` | agent | 1 | 1,100 | 0 | 0 | 20 | 0 | $0.25 |
| `fake/small` | title | 1 | 90 | 0 | 0 | 9 | 0 | $0.00 |
| **all** |  | 2 | 1,190 | 0 | 0 | 29 | 0 | $0.25 |

One answer came without figures, and is not in the table.\
"""),
    ),
]


@pytest.mark.parametrize("number", range(len(COST)))
async def test_cost_is_a_table_by_model_and_purpose(tmp_path: Path, number: int) -> None:
    answers, table = COST[number]
    backend = TestBackend(ScriptedModel(answers), titles=True)
    backend.by_purpose["title"] = ScriptedModel([[say("A title"), finish(Usage(90, 9, 0, 0.0))]], model="fake/small")
    async with agent(tmp_path, backend=backend) as running:
        if answers:
            await running.prompt("go")
            await titled(running)
        asked = len(running.model.requests)
        await running.prompt("/cost")
        assert len(running.model.requests) == asked
        assert said(running)[-1] == table


async def test_what_was_cut_short_is_said_to_be_missing(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Half"), Wait()]) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        running.cancel()
        await running.editor.answer(request)
        await running.prompt("/cost")
        assert said(running)[-1] == snapshot("""\
No call of a model has been counted in this session.

One answer is not in the table: cut short, they came without figures, and the provider may charge for them.\
""")


def said(running: Running) -> list[str]:
    return [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
