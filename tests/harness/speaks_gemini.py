"""Gemini's `streamGenerateContent`, as the fake provider streams it. Pure: steps in, events out."""

from __future__ import annotations

import json
from collections.abc import Iterator
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

_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


class GeminiSpeech:
    """A call comes whole, in one part; what signs a thought stands on the part that follows it."""

    def __init__(self, model: str, usage: Usage | None, memory: Memory) -> None:
        self._model = model
        self._usage = usage or Usage(1, 1)
        self._reason = "STOP"
        self._signature = ""
        self._memory = memory

    def say(self, step: Said) -> Events:
        match step:
            case Text(text):
                yield self._part({"text": text})
            case Thought(text, signature):
                if text:
                    yield self._part({"text": text, "thought": True})
                self._sign(signature)
            case Call(name, arguments, ident, pieces):
                whole = arguments if pieces is None else json.loads("".join(pieces))
                yield self._part({"functionCall": {"name": name, "args": whole, **({"id": ident} if ident else {})}})
            case Event(fields):
                yield _spelt(fields)
            case Finish(reason):
                self._reason = _REASONS.get(reason, reason)
            case Broken(kind):
                yield _spelt(broken("gemini", kind))
            case Redacted():
                pass
            case Delta():
                raise TypeError("a delta of chat completions: use Event")
            case _:
                assert_never(step)

    def end(self) -> Events:
        last: Json = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": self._reason, "index": 0}
        yield self._chunk(last)

    def _sign(self, signature: str) -> None:
        self._signature = signature
        if signature:
            self._memory.signed[signature] = ("gemini", "")

    def _part(self, part: Json) -> bytes:
        if self._signature and "thought" not in part:
            part = {**part, "thoughtSignature": self._signature}
            self._signature = ""
        return self._chunk({"content": {"parts": [part], "role": "model"}, "index": 0})

    def _chunk(self, candidate: Json) -> bytes:
        usage = self._usage
        counted: Json = {
            "promptTokenCount": usage.prompt,
            "candidatesTokenCount": usage.completion - usage.reasoning,
            "totalTokenCount": usage.prompt + usage.completion,
        }
        if usage.cached:
            counted["cachedContentTokenCount"] = usage.cached
        if usage.reasoning:
            counted["thoughtsTokenCount"] = usage.reasoning
        return _spelt(
            {
                "candidates": [candidate],
                "usageMetadata": counted,
                "modelVersion": self._model,
                "responseId": "response-1",
            }
        )


def _spelt(fields: Json) -> bytes:
    return event(fields, end="\r\n\r\n")
