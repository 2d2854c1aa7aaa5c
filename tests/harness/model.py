"""A scripted model: answers as data, and a record of what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import anyio

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import AssistantMessage, Message, ToolMessage
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec
from openhands_acp.engine.tool import TurnError


@dataclass(frozen=True, slots=True)
class Wait:
    """Say nothing until the event; without one, for ever."""

    event: anyio.Event | None = None


Step = Chunk | Wait | TurnError | Exception
Answer = Sequence[Step | Sequence[Step]]


def say(*pieces: str) -> list[Step]:
    return [TextChunk(piece) for piece in pieces]


def think(*pieces: str) -> list[Step]:
    return [ThoughtChunk(piece) for piece in pieces]


def call(name: str, index: int = 0, **arguments: object) -> list[Step]:
    """One tool call, its arguments in three pieces."""
    text = json.dumps(arguments)
    third = len(text) // 3
    return [
        CallChunk(index, f"call_{index}", name, text[:third]),
        CallChunk(index, arguments=text[third : 2 * third]),
        CallChunk(index, arguments=text[2 * third :]),
    ]


@dataclass(slots=True)
class ScriptedModel:
    """The `LLM` port over a list of answers; asked beyond it, it says so."""

    answers: Sequence[Answer]
    model: str = "fake/model"
    context_window: int | None = 200_000
    sees_images: bool = False
    requests: list[list[Message]] = field(default_factory=list[list[Message]])
    offered: list[tuple[ToolSpec, ...]] = field(default_factory=list[tuple[ToolSpec, ...]])
    """The tools that it was told of, with each request."""
    violations: list[str] = field(default_factory=list[str])
    closed: int = 0

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        self.requests.append(list(messages))
        self.offered.append(tools)
        self.violations += problems_of(messages)
        number = len(self.requests)
        answer: Answer = self.answers[number - 1] if number <= len(self.answers) else [say("(no more script)")]
        finish: Finish | None = Finish("stop", Usage(10 * number, number, 0, 0.01))
        try:
            for item in answer:
                for step in item if isinstance(item, Sequence) else [item]:
                    match step:
                        case Wait(event):
                            await (event.wait() if event else anyio.sleep_forever())
                        case Exception():
                            raise step
                        case Finish():
                            finish = step
                        case _:
                            yield step
            yield finish
        finally:
            self.closed += 1


def problems_of(messages: Sequence[Message]) -> list[str]:
    """Say what a strict provider would refuse: every call answered once, in order, directly after."""
    problems: list[str] = []
    waiting: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if not waiting or waiting.pop(0) != message.call_id:
                problems.append(f"result of {message.call_id} out of place")
            continue
        if waiting:
            problems.append(f"no result for {waiting}")
        waiting = [made.id for made in message.calls] if isinstance(message, AssistantMessage) else []
    return problems + ([f"no result for {waiting}"] if waiting else [])
