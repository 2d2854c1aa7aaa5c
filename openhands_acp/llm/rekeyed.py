"""A model whose key was asked for, and may expire: where its provider refuses the key, somebody is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Chunk, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.wrapped import Wrapped


def rekeyed(llm: LLM, refused: Callable[[], None]) -> LLM:
    """Wrap a model, which keeps its key: whoever opens it next can ask for the key again."""
    return Wrapped(llm, partial(_ask, refused))


async def _ask(
    refused: Callable[[], None], llm: LLM, messages: list[Message], tools: tuple[ToolSpec, ...]
) -> AsyncGenerator[Chunk]:
    try:
        async with aclosing(llm.stream(messages, tools)) as chunks:
            async for chunk in chunks:
                yield chunk
    except TurnError as error:
        if error.code == "auth":
            refused()
        raise
