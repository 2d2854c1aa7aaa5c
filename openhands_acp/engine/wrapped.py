"""A model that is asked in another way than the one it wraps, and is that one in all else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Chunk, ToolSpec


@dataclass(frozen=True, slots=True)
class Wrapped:
    llm: LLM
    ask: Callable[[LLM, list[Message], tuple[ToolSpec, ...]], AsyncGenerator[Chunk]]
    """Asks the wrapped one, in its own way: `LLM.stream`."""

    @property
    def model(self) -> str:
        return self.llm.model

    @property
    def context_window(self) -> int | None:
        return self.llm.context_window

    @property
    def sees_images(self) -> bool:
        return self.llm.sees_images

    def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        return self.ask(self.llm, messages, tools)
