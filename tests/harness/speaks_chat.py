"""OpenAI's chat completions, as the fake provider streams them. Pure: steps in, events out."""

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
from tests.harness.sse import event

Events = Iterator[bytes]


class ChatSpeech:
    """Thoughts are `reasoning_content`, as DeepSeek and others have it; nothing is signed."""

    def __init__(self, model: str, fresh_id: Callable[[str], str], usage: Usage | None) -> None:
        self._model = model
        self._fresh_id = fresh_id
        self._usage = usage
        self._calls = 0
        self._has_finished = False

    def say(self, step: Said) -> Events:
        match step:
            case Text(text):
                yield self._delta({"content": text})
            case Thought(text):
                yield self._delta({"reasoning_content": text})
            case Call():
                yield from self._call(step)
            case Delta(delta):
                yield self._delta(delta)
            case Event(fields):
                yield self._event(fields)
            case Finish(reason):
                yield self._finish(reason)
            case Broken(kind):
                yield event(broken("chat", kind))
            case Redacted():
                pass
            case _:
                assert_never(step)

    def end(self) -> Events:
        if not self._has_finished:
            yield self._finish("tool_calls" if self._calls else "stop")
        if self._usage is not None:
            yield self._event({"choices": [], "usage": _usage(self._usage)})
        yield b"data: [DONE]\n\n"

    def _call(self, call: Call) -> Events:
        index = self._calls if call.index is None else call.index
        if index >= self._calls:
            self._calls = index + 1
            start = {"name": call.name, "arguments": ""}
            first = {"index": index, "id": call.id or self._fresh_id("call"), "type": "function", "function": start}
            yield self._delta({"role": "assistant", "content": None, "tool_calls": [first]})
        for piece in call.pieces if call.pieces is not None else (json.dumps(call.arguments),):
            yield self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def _finish(self, reason: str) -> bytes:
        self._has_finished = True
        return self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})

    def _delta(self, delta: Json) -> bytes:
        return self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _event(self, part: Json) -> bytes:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self._model}
        return event(head | part)


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }
