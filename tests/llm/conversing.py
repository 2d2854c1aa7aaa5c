"""A conversation with models, one answer after the other, for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.llm.asking import KEY, PATIENT, answer

CHAT = "openai/deepseek-chat"
RESPONSES = "openai/responses/gpt-5.1"
ANTHROPIC = "anthropic/claude-sonnet-4-5"
GEMINI = "gemini/gemini-3-pro-preview"
FAMILIES = (CHAT, RESPONSES, ANTHROPIC, GEMINI)


def message_of(chunks: Sequence[Chunk]) -> AssistantMessage:
    """Put an answer together, as the engine does from its events."""
    calls: dict[int, CallMade] = {}
    for chunk in chunks:
        if isinstance(chunk, CallChunk):
            made = calls.get(chunk.index) or CallMade(chunk.id, chunk.name, "")
            calls[chunk.index] = CallMade(made.id, made.name, made.arguments + chunk.arguments)
    text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextChunk))
    thought = "".join(chunk.text for chunk in chunks if isinstance(chunk, ThoughtChunk))
    blocks = next((chunk.blocks for chunk in chunks if isinstance(chunk, Finish)), None)
    return AssistantMessage(text, tuple(calls.values()), thought, blocks)


@dataclass(slots=True)
class Conversing:
    provider: Provider
    messages: list[Message] = field(
        default_factory=lambda: [SystemMessage("You are.", "Today."), UserMessage((Text("hello"),))]
    )

    async def step(self, model: str, thought_level: str = "high") -> AssistantMessage:
        """Have `model` answer, and answer its calls."""
        settings = ModelSettings(model, KEY, self.provider.base_url(model), PATIENT, thought_level=thought_level)
        said = message_of(await answer(LiteLLM(settings), self.messages))
        self.messages.append(said)
        self.messages += [ToolMessage(call.id, call.name, f"{call.name} ran") for call in said.calls]
        return said

    def ask(self, text: str) -> None:
        self.messages.append(UserMessage((Text(text),)))

    def sent(self, at: int = -1) -> str:
        """What request number `at` said, as it went over the wire."""
        body: dict[str, Any] = self.provider.requests[at].body
        return json.dumps(body)
