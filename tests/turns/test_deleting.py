"""A session is deleted whatever else is asked of it at the same moment, and nothing of it comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.model import Wait, say
from tests.turns.test_session_endings import MOMENTS, after_a_while, started
from tests.turns.windows import Machine, Window, machine, window

pytestmark = pytest.mark.anyio

__all__ = ["machine"]


async def kept(machine: Machine) -> str:
    """Keep a session that no process has open."""
    async with window(machine, [say("Hello.")]) as first:
        session_id = await first.new()
        await first.prompt("say hello")
    return session_id


def asked(window: Window, method: str, session_id: str) -> int:
    project: dict[str, Any] = {"cwd": str(window.machine.project), "mcpServers": []}
    place: dict[str, Any] = project if method in ("session/load", "session/resume", "session/fork") else {}
    return window.editor.ask(method, sessionId=session_id, **place)


def is_gone(machine: Machine, session_id: str) -> bool:
    return not machine.journal(session_id).parent.exists()


@pytest.mark.parametrize("steps", MOMENTS)
@pytest.mark.parametrize("is_running", [False, True])
async def test_twice_at_once_is_once(machine: Machine, steps: int, is_running: bool) -> None:
    session_id = "" if is_running else await kept(machine)
    async with window(machine, [say("Hel"), Wait()]) as only:
        session_id = session_id or await started(only)
        requests = [asked(only, "session/delete", session_id)]
        await after_a_while(steps)
        requests.append(asked(only, "session/delete", session_id))
        assert [(await only.editor.answer(request)).get("result") for request in requests] == [{}, {}]
    assert is_gone(machine, session_id)


@pytest.mark.parametrize("steps", MOMENTS)
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("method", ["session/load", "session/fork", "session/list"])
async def test_with_something_else_at_once_it_is_gone_all_the_same(
    machine: Machine, method: str, is_first: bool, steps: int
) -> None:
    session_id = await kept(machine)
    async with window(machine) as only:
        methods = [method, "session/delete"] if is_first else ["session/delete", method]
        requests: dict[str, int] = {}
        for each in methods:
            requests[each] = asked(only, each, session_id)
            await after_a_while(steps)
        answers = {each: await only.editor.answer(request) for each, request in requests.items()}
        assert answers["session/delete"]["result"] == {}
        assert "result" in answers[method] or answers[method]["error"]["code"] == -32002
        copy = [answers[method]["result"]["sessionId"]] if "sessionId" in answers[method].get("result", {}) else []
        listed = await only.editor.request("session/list")
        assert [session["sessionId"] for session in listed["sessions"]] == copy
        only.session_id = session_id
        assert (await only.editor.answer(only.begin("more")))["error"]["code"] == -32002
    assert is_gone(machine, session_id)


async def test_what_the_disk_does_not_let_go_is_told_and_kept(machine: Machine) -> None:
    session_id = await kept(machine)
    journal = machine.journal(session_id)
    journal.unlink()
    # A folder is not removed as a file is, whoever asks.
    journal.mkdir()
    async with window(machine) as only:
        error = await only.editor.request("session/delete", sessionId=session_id)
        assert (error["code"], str(journal) in error["message"]) == (-32603, True)
    assert journal.exists()
