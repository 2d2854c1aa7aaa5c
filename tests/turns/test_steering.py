"""A prompt that comes while a turn runs."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.messages import Text, UserMessage
from tests.harness.check import agent
from tests.harness.model import Wait, call, say

pytestmark = pytest.mark.anyio


async def test_it_joins_the_turn_at_the_next_step_and_both_are_answered(tmp_path: Path) -> None:
    go = anyio.Event()
    answers = ([call("think", thought="hm"), Wait(go)], [say("Both.")])
    async with agent(tmp_path, *answers) as running:
        first = running.ask_prompt("one")
        await running.editor.until(lambda _m: len(running.model.requests) == 1)
        second = running.ask_prompt("two")
        # It was received.
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="accept-edits")
        go.set()
        assert (await running.editor.answer(first))["result"] == {"stopReason": "end_turn"}
        assert (await running.editor.answer(second))["result"] == {"stopReason": "end_turn"}
        assert len(running.model.requests) == 2
        assert running.model.requests[1][-1] == UserMessage((Text("two"),))


async def test_it_is_answered_even_if_the_model_was_about_to_stop(tmp_path: Path) -> None:
    go = anyio.Event()
    async with agent(tmp_path, [say("Done."), Wait(go)], [say("That too.")]) as running:
        first = running.ask_prompt("one")
        await running.editor.until_update("agent_message_chunk")
        second = running.ask_prompt("two")
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="plan")
        go.set()
        for request in (first, second):
            assert (await running.editor.answer(request))["result"] == {"stopReason": "end_turn"}
        assert "That too." in str(running.editor.updates())


async def test_it_is_remembered_if_the_turn_is_stopped(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Hm"), Wait()], [say("Fine.")]) as running:
        first = running.ask_prompt("one")
        await running.editor.until_update("agent_message_chunk")
        second = running.ask_prompt("two")
        running.cancel()
        for request in (first, second):
            assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        await running.prompt("three")
        one, two, stopped, three = [m for m in running.model.requests[1] if isinstance(m, UserMessage)]
        assert (one, two, three) == tuple(UserMessage((Text(text),)) for text in ("one", "two", "three"))
        assert "I stopped you here" in str(stopped)
