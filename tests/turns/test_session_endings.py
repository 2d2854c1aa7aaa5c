"""The end of a session is carried through, whatever else the editor asks meanwhile."""

from __future__ import annotations

import logging

import anyio
import anyio.lowlevel
import pytest

from tests.harness.model import Wait, say
from tests.harness.waiting import PATIENCE, until
from tests.turns.windows import Machine, Window, machine, window

pytestmark = pytest.mark.anyio

__all__ = ["machine"]

MOMENTS = (0, 4, 8)
"""In steps of the loop."""


async def started(window: Window) -> str:
    """Open a session whose turn has begun to speak."""
    session_id = await window.new()
    await window.announced(session_id)
    window.begin("go")
    await window.editor.until_update("agent_message_chunk")
    return session_id


async def after_a_while(steps: int) -> None:
    for _ in range(steps):
        await anyio.lowlevel.checkpoint()


async def test_who_takes_back_that_it_is_closed_comes_too_late(machine: Machine) -> None:
    async with window(machine, [say("One."), Wait()]) as only:
        session_id = await started(only)
        request_id = only.editor.ask("session/close", sessionId=session_id)
        only.editor.notify("$/cancel_request", requestId=request_id)
        assert (await only.editor.answer(request_id))["result"] == {}
        await only.ask("session/resume", session_id)


@pytest.mark.parametrize("steps", MOMENTS)
async def test_it_is_deleted_or_it_is_not(machine: Machine, steps: int) -> None:
    async with window(machine, [say("One."), Wait()]) as only:
        session_id = await started(only)
        request_id = only.editor.ask("session/delete", sessionId=session_id)
        await after_a_while(steps)
        only.editor.notify("$/cancel_request", requestId=request_id)
        is_deleted = "result" in await only.editor.answer(request_id)
        assert machine.journal(session_id).exists() is not is_deleted


@pytest.mark.parametrize("steps", MOMENTS)
async def test_who_takes_back_that_it_is_opened_elsewhere_can_go_on_with_it(machine: Machine, steps: int) -> None:
    other = machine.project / "other"
    other.mkdir()
    stop = anyio.Event()
    async with window(machine, [say("One."), Wait(stop)], [say("Two.")]) as only:
        session_id = await started(only)
        request_id = only.editor.ask("session/load", sessionId=session_id, cwd=str(other), mcpServers=[])
        await after_a_while(steps)
        only.editor.notify("$/cancel_request", requestId=request_id)
        await only.editor.answer(request_id)
        stop.set()
        await only.ask("session/resume", session_id)
        await only.prompt("and now?")
        chunks = [each for each in only.editor.updates() if each["sessionUpdate"] == "agent_message_chunk"]
        assert chunks[-1]["content"] == {"type": "text", "text": "Two."}


async def test_what_is_asked_of_a_session_that_ends_waits_for_its_end(machine: Machine) -> None:
    async with window(machine, [say("One."), Wait()]) as only:
        session_id = await started(only)
        requests = [only.editor.ask(method, sessionId=session_id) for method in ("session/close", "session/delete")]
        assert [(await only.editor.answer(each))["result"] for each in requests] == [{}, {}]
        assert not machine.journal(session_id).exists()


async def test_a_title_that_is_being_thought_of_ends_with_its_session(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    (machine.root / "home/acp.toml").write_text("titles = true\nlocal_servers = []\n")
    async with window(machine, [say("One.")], [say("A"), Wait()]) as only:
        session_id = await only.new()
        await only.announced(session_id)
        await only.prompt("go")
        with anyio.fail_after(PATIENCE):
            await until(lambda: len(only.model.requests) == 2)
        before = only.now
        await only.editor.request("session/close", sessionId=session_id)
        with anyio.fail_after(PATIENCE):
            # Hung up on.
            await until(lambda: only.model.closed == 2)
        assert only.wire(before).splitlines()[1:] == ["< 4 = {}"]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("steps", MOMENTS)
async def test_a_command_that_waits_for_a_turn_is_carried_out_or_it_is_not(machine: Machine, steps: int) -> None:
    stop = anyio.Event()
    async with window(machine, [say("One."), Wait(stop)]) as only:
        session_id = await started(only)
        command = only.begin("/title Named")
        stop.set()
        await after_a_while(steps)
        assert await only.editor.request("session/close", sessionId=session_id) == {}
        answer = (await only.editor.answer(command))["result"]["stopReason"]
    async with window(machine) as second:
        await second.ask("session/load", session_id)
        titles = [each["title"] for each in second.editor.updates() if each["sessionUpdate"] == "session_info_update"]
        assert (answer, titles[-1]) in [("end_turn", "Named"), ("cancelled", "go"), ("cancelled", "Named")]
