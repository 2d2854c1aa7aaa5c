"""Asks a model once, outside of the conversation: what it says is text, and what it costs is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

from openhands_acp.engine.events import Event, Usage, UsageEvent
from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Finish, TextChunk, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage.cost import BROKEN_OFF

LONGEST = 20_000
"""Characters of an answer that are listened to: a model that does not stop is not paid for an essay."""


class Session(Protocol):
    async def open_llm(self, purpose: str = "agent", model: str | None = None) -> LLM: ...

    def emit(self, event: Event) -> str: ...


async def consulted(
    session: Session,
    purpose: str,
    messages: list[Message],
    *,
    llm: LLM | None = None,
    tools: tuple[ToolSpec, ...] = (),
    longest: int = LONGEST,
    window: int | None = None,
    heard: Callable[[str], object] = lambda _text: None,
) -> str:
    """Return what the model for this purpose says; calls that it makes are not run. Raises TurnError.

    `heard` is given the text as it comes; `window` is news of that of the session's own model. Whether it may be asked
    at all, the caller has looked at (`limits`).
    """
    llm = llm or await session.open_llm(purpose)
    pieces: list[str] = []
    # Of a call that is hung up on, or comes without figures, nobody knows what it cost: never nothing.
    used = Usage(0, 0)
    try:
        async with aclosing(llm.stream(messages, tools)) as chunks:
            async for chunk in chunks:
                match chunk:
                    case TextChunk(text):
                        pieces.append(text)
                        heard(text)
                    case Finish(usage=usage) if usage is not None:
                        used = usage
                    case _:
                        pass
                if sum(map(len, pieces)) > longest:
                    break
    except TurnError as error:
        if error.spent is not None:
            session.emit(UsageEvent(error.spent, llm.model, None, BROKEN_OFF))
        raise
    # Without its own window: it counts, but is not how full the conversation is.
    session.emit(UsageEvent(used, llm.model, window, purpose))
    return "".join(pieces)
