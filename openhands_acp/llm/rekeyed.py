"""A model whose key was asked for, and may expire: where its provider refuses the key, somebody is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Chunk, ToolSpec
from openhands_acp.engine.tool import TurnError


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """`LLM` as another one, which stays as it is: whoever opens it next can ask for the key again."""

    llm: LLM
    refused: Callable[[], None]

    @property
    def model(self) -> str:
        return self.llm.model

    @property
    def context_window(self) -> int | None:
        return self.llm.context_window

    @property
    def sees_images(self) -> bool:
        return self.llm.sees_images

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        """Ask once. Close the generator to hang up. Raises TurnError."""
        try:
            async with aclosing(self.llm.stream(messages, tools)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except TurnError as error:
            if error.code == "auth":
                self.refused()
            raise
