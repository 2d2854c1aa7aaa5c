"""Anthropic's messages, as the fake provider streams them. Pure: steps in, events out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import assert_never

from tests.harness.refusals import broken
from tests.harness.replies import (
    Broken,
    Call,
    Delta,
    Event,
    Finish,
    Json,
    Redacted,
    Said,
    Text,
    Thought,
    Usage,
)
from tests.harness.rules import Memory
from tests.harness.sse import event

Events = Iterator[bytes]

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class AnthropicSpeech:
    """Blocks one after the other; a thought's block ends where it is signed."""

    def __init__(self, model: str, fresh_id: Callable[[str], str], usage: Usage | None, memory: Memory) -> None:
        self._model = model
        self._fresh_id = fresh_id
        self._memory = memory
        self._thought_so_far = ""
        self._usage = usage or Usage(1, 1)
        self._is_begun = False
        self._open = ""
        """The type of the block that is open."""
        self._blocks = 0
        self._reason = "end_turn"

    def say(self, step: Said) -> Events:
        yield from self._begin()
        match step:
            case Text(text):
                yield from self._within({"type": "text", "text": ""}, {"type": "text_delta", "text": text})
            case Thought():
                yield from self._thought(step)
            case Redacted(data):
                yield from self._whole({"type": "redacted_thinking", "data": data})
            case Call():
                yield from self._call(step)
            case Event(fields):
                yield _named(fields)
            case Finish(reason):
                self._reason = _REASONS.get(reason, reason)
            case Broken(kind):
                yield _named(broken("anthropic", kind))
            case Delta():
                raise TypeError("a delta of chat completions: use Event")
            case _:
                assert_never(step)

    def end(self) -> Events:
        yield from self._begin()
        yield from self._stop()
        delta = {"stop_reason": self._reason, "stop_sequence": None}
        yield _named({"type": "message_delta", "delta": delta, "usage": {"output_tokens": self._usage.completion}})
        yield _named({"type": "message_stop"})

    def _begin(self) -> Events:
        if self._is_begun:
            return
        self._is_begun = True
        usage = {
            "input_tokens": self._usage.prompt - self._usage.cached - self._usage.written,
            "cache_creation_input_tokens": self._usage.written,
            "cache_read_input_tokens": self._usage.cached,
            "output_tokens": 1,
        }
        message: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": self._model, "content": []}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        yield _named({"type": "message_start", "message": message})
        yield _named({"type": "ping"})

    def _thought(self, thought: Thought) -> Events:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        self._thought_so_far += thought.text
        if thought.text:
            yield from self._within(block, {"type": "thinking_delta", "thinking": thought.text})
        if thought.signature:
            self._memory.signed[thought.signature] = ("anthropic", self._thought_so_far)
            self._thought_so_far = ""
            yield from self._within(block, {"type": "signature_delta", "signature": thought.signature})
            yield from self._stop()

    def _call(self, call: Call) -> Events:
        self._reason = "tool_use"
        ident = call.id or self._fresh_id("toolu")
        yield from self._whole(
            {"type": "tool_use", "id": ident, "name": call.name, "input": {}},
            *(
                {"type": "input_json_delta", "partial_json": piece}
                for piece in (call.pieces if call.pieces is not None else ("", json.dumps(call.arguments)))
            ),
        )

    def _within(self, block: Json, delta: Json) -> Events:
        """Send `delta` in the block that is open, if it is of the type, else in a new one."""
        if self._open != block["type"]:
            yield from self._stop()
            self._open = block["type"]
            yield _named({"type": "content_block_start", "index": self._blocks, "content_block": block})
        yield _named({"type": "content_block_delta", "index": self._blocks, "delta": delta})

    def _whole(self, block: Json, *deltas: Json) -> Events:
        yield from self._stop()
        yield _named({"type": "content_block_start", "index": self._blocks, "content_block": block})
        self._open = block["type"]
        for delta in deltas:
            yield _named({"type": "content_block_delta", "index": self._blocks, "delta": delta})
        yield from self._stop()

    def _stop(self) -> Events:
        if self._open:
            yield _named({"type": "content_block_stop", "index": self._blocks})
            self._open = ""
            self._blocks += 1


def _named(fields: Json) -> bytes:
    return event(fields, fields["type"])
