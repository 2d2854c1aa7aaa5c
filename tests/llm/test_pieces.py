"""However an answer is cut into pieces, bytes or deltas, it is the same answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import anyio
import httpx
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.messages import AssistantMessage, CallMade
from openhands_acp.engine.ports import Chunk, Finish
from openhands_acp.llm.answer import Answer
from openhands_acp.llm.openai_wire import Events
from openhands_acp.llm.reasoning import CLAUDE, owner_of, sealed
from openhands_acp.llm.responses_answer import ResponsesAnswer
from tests.harness.replies import Call, Text, Thought, Usage
from tests.harness.rules import Memory
from tests.harness.speaks_responses import ResponsesSpeech
from tests.llm.conversing import message_of

OWNER = owner_of("openai", "gpt-5", api="responses")


def streamed() -> bytes:
    speech = ResponsesSpeech("gpt-5", lambda name: f"id_{name}", Usage(10, 5), Memory())
    steps = (Thought("höm", "seal"), Text("a\u2028b \N{PARTY POPPER}"), Call("one", {"x": "\n"}), Call("two"))
    events = b"".join([*(each for step in steps for each in speech.say(step)), *speech.end()])
    lines = [line.removeprefix(b"data: ") for line in events.split(b"\n")]
    # Letters as they are, which the cuts then go through.
    spelt = [json.dumps(json.loads(line), ensure_ascii=False) if line.startswith(b"{") else "" for line in lines]
    return "".join(f"data: {line}\r\n\r\n" for line in spelt if line).encode()


WHOLE = streamed()


async def read(blocks: Sequence[bytes]) -> list[Chunk]:
    async def body() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    answer, chunks = ResponsesAnswer(OWNER), list[Chunk]()
    events = Events(httpx.Response(200, content=body(), request=httpx.Request("POST", "http://localhost")))
    while answer.reason is None:
        chunks += answer.read(await events.next())
    return [*chunks, Finish(answer.reason, None, answer.blocks())]


@given(st.lists(st.integers(0, len(WHOLE))))
def test_bytes_cut_anywhere_are_the_same_chunks(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(WHOLE)]
    blocks = [WHOLE[start:end] for start, end in pairwise(at)]
    assert anyio.run(read, blocks) == anyio.run(read, [WHOLE])


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    at = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(at)]


def told(deltas: Sequence[dict[str, Any]]) -> AssistantMessage:
    answer = Answer(CLAUDE)
    chunks: list[Chunk] = [chunk for delta in deltas for chunk in answer.read(delta)]
    return message_of([*chunks, Finish("stop", None, answer.blocks())])


@dataclass(slots=True)
class Function:
    name: str | None
    arguments: str | None


@dataclass(slots=True)
class Piece:
    index: int
    id: str | None
    function: Function


def call(index: int, arguments: str, ident: str | None = None, name: str | None = None) -> Piece:
    return Piece(index, ident, Function(name, arguments))


CUTS = st.lists(st.integers(0, 40), max_size=5)


@given(CUTS, CUTS, CUTS, st.booleans())
def test_deltas_cut_anywhere_are_the_same_answer(
    thought: list[int], text: list[int], arguments: list[int], at_once: bool
) -> None:
    def deltas(thought: list[int], text: list[int], arguments: list[int]) -> list[dict[str, Any]]:
        thoughts: list[dict[str, Any]] = [
            {"reasoning_content": each, "thinking_blocks": [{"type": "thinking", "thinking": each}]}
            for each in pieces("I think, therefore", thought)
        ]
        signed = {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "seal"}]}
        hidden = {"thinking_blocks": [{"type": "redacted_thinking", "data": "xyz"}]}
        said = [{"content": each} for each in pieces("I am \N{PARTY POPPER}", text)]
        first, *rest = pieces('{"command": "ls"}', arguments)
        opened = [call(0, first, "a", "one"), call(1, "{}", "b", "two")]
        calls = [{"tool_calls": opened}] if at_once else [{"tool_calls": [each]} for each in opened]
        return [*thoughts, signed, hidden, *said, *calls, *({"tool_calls": [call(0, each)]} for each in rest)]

    assert (
        told(deltas(thought, text, arguments))
        == told(deltas([], [], []))
        == AssistantMessage(
            "I am \N{PARTY POPPER}",
            (CallMade("a", "one", '{"command": "ls"}'), CallMade("b", "two", "{}")),
            "I think, therefore",
            sealed(
                CLAUDE,
                [
                    {"type": "thinking", "thinking": "I think, therefore", "signature": "seal"},
                    {"type": "redacted_thinking", "data": "xyz"},
                ],
            ),
        )
    )


def test_the_pieces_of_openrouters_details_are_joined() -> None:
    owner = owner_of("openrouter", "anthropic/claude-sonnet-4.5", api="chat")
    assert owner is not None
    answer = Answer(owner)
    head = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    for detail in (
        {**head, "text": "I "},
        {**head, "text": "see", "signature": None},
        {**head, "signature": "seal"},
        {"type": "reasoning.encrypted", "data": "xyz", "index": 1},
        {"type": "reasoning.summary", "summary": "a", "index": 2},
        {"type": "reasoning.summary", "summary": "b", "index": 2},
    ):
        answer.join([detail])
    assert answer.blocks() == sealed(
        owner,
        [
            {**head, "text": "I see", "signature": "seal"},
            {"type": "reasoning.encrypted", "data": "xyz", "index": 1},
            {"type": "reasoning.summary", "summary": "ab", "index": 2},
        ],
    )
