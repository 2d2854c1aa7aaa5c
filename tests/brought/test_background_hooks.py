"""Hooks that nobody waits for: none is lost, whenever in a session's beginning it is asked."""

from __future__ import annotations

import anyio
import pytest

from openhands_acp.brought import SessionHooks
from openhands_acp.engine.hooks.definitions import Hook, Ran
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath

pytestmark = pytest.mark.anyio

HOOK = Hook("Stop", "true", AbsPath("/hooks.json"), is_async=True)


class Runs:
    async def run(self, hook: Hook, payload: JsonObject) -> Ran:
        return Ran(0, f"{hook.event} {payload['turn']}")


async def test_one_that_is_asked_before_the_session_is_served_runs_as_soon_as_it_is() -> None:
    hooks, heard = SessionHooks(Runs), list[str]()
    for turn in (1, 2):
        hooks.begin(HOOK, {"turn": turn}, lambda ran: heard.append(ran.stdout))
    async with anyio.create_task_group() as behind:
        hooks.run_in(behind)
        hooks.begin(HOOK, {"turn": 3}, lambda ran: heard.append(ran.stdout))
    assert sorted(heard) == ["Stop 1", "Stop 2", "Stop 3"]


async def test_one_that_is_asked_when_the_session_has_ended_does_not_run() -> None:
    hooks, heard = SessionHooks(Runs), list[str]()
    async with anyio.create_task_group() as behind:
        hooks.run_in(behind)
    hooks.end()
    hooks.begin(HOOK, {"turn": 4}, lambda ran: heard.append(ran.stdout))
    async with anyio.create_task_group() as behind:
        hooks.run_in(behind)
    assert heard == []


async def test_whoever_wants_to_be_behind_a_session_waits_until_it_is_served_or_has_ended() -> None:
    hooks, found = SessionHooks(Runs), list[bool]()

    async def wait() -> None:
        found.append(await hooks.served_in() is not None)

    async with anyio.create_task_group() as waiting:
        waiting.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert found == []
        async with anyio.create_task_group() as behind:
            hooks.run_in(behind)
            await wait()
        hooks.end()
        await wait()
    assert sorted(found) == [False, True, True]
