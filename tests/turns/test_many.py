"""Several sessions, slow clients, long streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import Chunk, TextChunk, ToolSpec
from openhands_acp.rpc.outbox import HIGH_WATER
from tests.harness.check import TestBackend, agent
from tests.harness.model import ScriptedModel, Wait, say
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


def text_of(updates: list[dict[str, Any]]) -> str:
    return "".join(u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk")


async def test_a_long_stream_arrives_whole_and_in_order(tmp_path: Path) -> None:
    pieces = [f"{n} " for n in range(5000)]
    async with agent(tmp_path, say(*pieces)) as running:
        await running.prompt("go")
        assert text_of(running.editor.updates()) == "".join(pieces)


async def test_a_client_that_stops_reading_stops_the_model_and_can_still_cancel(tmp_path: Path) -> None:
    pulled = 0

    class Endless(ScriptedModel):
        async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
            nonlocal pulled
            while True:
                pulled += 1
                # Never the same, which would be ended.
                yield TextChunk(f"{pulled:x>1000}")

    async with agent(tmp_path, backend=TestBackend(Endless([]))) as running:
        running.editor.channel.gate = anyio.Event()
        request = running.ask_prompt("go")
        before = -1
        with anyio.fail_after(PATIENCE):
            while pulled != before or pulled == 0:
                before = pulled
                await anyio.wait_all_tasks_blocked()
        # What is queued is joined up to 16 kB a message: bounded, whatever the model has to say.
        assert pulled < HIGH_WATER * 20
        running.cancel()
        await anyio.wait_all_tasks_blocked()
        running.editor.channel.gate.set()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert set(text_of(running.editor.updates())) <= set("x0123456789")


async def test_a_session_that_waits_delays_no_other(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("slow"), Wait()], *[[say(f"s{n}")] for n in range(9)]]))
    async with agent(tmp_path, backend=backend) as running:
        slow = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        for _ in range(9):
            opened = await running.editor.request("session/new", cwd=str(tmp_path), mcpServers=[])
            prompt = [{"type": "text", "text": "go"}]
            answer = await running.editor.request("session/prompt", sessionId=opened["sessionId"], prompt=prompt)
            assert answer == {"stopReason": "end_turn"}
        running.cancel()
        assert (await running.editor.answer(slow))["result"] == {"stopReason": "cancelled"}
