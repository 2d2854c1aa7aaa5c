"""Conversations as they grow and are cut back, for the tests of what remembers them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from hypothesis import strategies as st

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)

PIXEL = Image("image/png", "iVBO")
TEXTS = st.sampled_from(["", " ", "\ud800", "done", "more"])
IDS = st.sampled_from(["", "a", "b", "functions.terminal:0", "call_1__thought__c2ln"])
CALLS = st.builds(CallMade, IDS, st.just("terminal"), st.sampled_from(["{}", '{"x": 1}', '{"x"']))
IMAGES = st.sampled_from([(), (), (PIXEL,)])


@dataclass(frozen=True, slots=True)
class Step:
    """An answer, and the results of its calls."""

    said: AssistantMessage
    result: str
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What is `at`, and all after it."""

    at: int


@dataclass(frozen=True, slots=True)
class Summed:
    """What is before `at`, in a sentence."""

    at: int


@dataclass(frozen=True, slots=True)
class ReadAnew:
    """All is the same in other objects."""


Change: TypeAlias = Message | Step | TakenBack | Summed | ReadAnew

STEPS = st.builds(
    Step, st.builds(AssistantMessage, TEXTS, st.lists(CALLS, min_size=1, max_size=2).map(tuple)), TEXTS, IMAGES
)
SAID: st.SearchStrategy[Message] = st.one_of(
    st.builds(UserMessage, st.lists(st.builds(Text, TEXTS) | st.just(PIXEL), max_size=2).map(tuple)),
    st.builds(AssistantMessage, TEXTS, st.lists(CALLS, max_size=2).map(tuple)),
    st.builds(ToolMessage, IDS, st.just("terminal"), TEXTS, IMAGES),
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    STEPS,
    STEPS,
    SAID,
    st.builds(TakenBack, st.integers(0, 12)) | st.builds(Summed, st.integers(0, 12)),
    st.builds(SystemMessage, TEXTS, TEXTS) | st.builds(ReadAnew),
)


def grown(changes: Sequence[Change]) -> Iterator[list[Message]]:
    """Give the conversation after each change, of the same objects so far as it is the same."""
    messages: list[Message] = [SystemMessage("static", "dynamic"), UserMessage((Text("hello"),))]
    for change in changes:
        match change:
            case Step(said, result, images):
                results = [ToolMessage(call.id, call.name, result, images) for call in said.calls]
                messages = [*messages, said, *results]
            case TakenBack(at):
                messages = messages[: at + 1]
            case Summed(at):
                messages = [messages[0], UserMessage((Text("what was before"),)), *messages[at + 1 :]]
            case ReadAnew():
                messages = [replace(message) for message in messages]
            case SystemMessage() | UserMessage() | AssistantMessage() | ToolMessage():
                messages = [*messages, change]
            case _:
                assert_never(change)
        yield messages
