"""One question to a model, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import anyio

from openhands_acp.engine.messages import Message, Text, UserMessage
from openhands_acp.engine.ports import Chunk, ToolSpec
from openhands_acp.llm.model import Deadlines, ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.waiting import PATIENCE

KEY = "sk-proj-abcdefghijkl"
HELLO: list[Message] = [UserMessage((Text("hello"),))]
TERMINAL = ToolSpec("terminal", "Run a command.", {"type": "object", "properties": {"command": {"type": "string"}}})
PATIENT = Deadlines(connect=PATIENCE, first_token=PATIENCE, between_chunks=PATIENCE)


def settings(
    provider: Provider, model: str = "openai/fake-model", key: str | None = KEY, deadlines: Deadlines | None = None
) -> ModelSettings:
    return ModelSettings(model, key, provider.url, deadlines or PATIENT)


@asynccontextmanager
async def asked(model: LiteLLM, messages: list[Message] | None = None) -> AsyncGenerator[AsyncGenerator[Chunk]]:
    """Open the stream of an answer; both it and the model are closed afterwards."""
    with anyio.fail_after(PATIENCE):
        try:
            async with aclosing(model.stream(messages or HELLO, (TERMINAL,))) as stream:
                yield stream
        finally:
            await model.close()


async def answer(model: LiteLLM, messages: list[Message] | None = None) -> list[Chunk]:
    async with asked(model, messages) as stream:
        return [chunk async for chunk in stream]
