"""A model with a small window: it counts what it reads, refuses what is too much, and sums up when asked to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage, plain_text
from openhands_acp.engine.ports import Chunk, Finish, ToolSpec
from openhands_acp.engine.tool import TurnError
from tests.harness.model import Answer, ScriptedModel, say

TOOLS = 2_700
"""Tokens that our tools are counted as, about what they are."""
SUMMARY = "## Task\nCount the lines.\n## Done\nThe files were read."


@dataclass(slots=True)
class NarrowModel:
    """The `LLM` port over two scripts: one for the conversation, one for when no tools are offered."""

    conversation: ScriptedModel
    summaries: ScriptedModel
    window: int = 8_000
    """Tokens of 3.5 bytes, and never more."""
    context_window: int | None = 8_000
    """What is known of it."""
    says_window: bool = True
    """A refusal names it."""
    claims: tuple[float, int] = (1, 0)
    """What it says that it read: so many times as much, and so much more."""
    model: str = "fake/model"
    sees_images: bool = False
    refused: list[list[Message]] = field(default_factory=list[list[Message]])

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        tokens = tokens_of(messages) + (TOOLS if tools else 0)
        if tokens > self.window:
            self.refused.append(list(messages))
            window = self.window if self.says_window else None
            raise TurnError("context", "The prompt is too long. Send less.", window=window)
        script = self.conversation if tools else self.summaries
        async with aclosing(script.stream(messages, tools)) as chunks:
            async for chunk in chunks:
                yield Finish("stop", Usage(self.claimed(tokens), 20, 0, 0.01)) if isinstance(chunk, Finish) else chunk

    def claimed(self, tokens: int) -> int:
        times, more = self.claims
        return int(tokens * times) + more

    @property
    def requests(self) -> list[list[Message]]:
        return self.conversation.requests


def narrow(
    *answers: Answer,
    summaries: Sequence[Answer] = (),
    window: int = 8_000,
    known: int | None = 8_000,
    says_window: bool = True,
    claims: tuple[float, int] = (1, 0),
) -> NarrowModel:
    """Make one whose conversation is `answers`; it sums up as `summaries` say, then always the same way."""
    same: Sequence[Answer] = [say(SUMMARY)] * 20
    return NarrowModel(ScriptedModel(answers), ScriptedModel([*summaries, *same]), window, known, says_window, claims)


def tokens_of(messages: Sequence[Message]) -> int:
    return round(sum(map(_size, messages)) / 3.5)


def _size(message: Message) -> int:
    match message:
        case SystemMessage(static, dynamic):
            return len(static) + len(dynamic)
        case UserMessage(parts):
            return len(plain_text(parts))
        case AssistantMessage(text, calls):
            return len(text) + sum(len(call.name) + len(call.arguments) for call in calls)
        case ToolMessage():
            return len(message.text)
