"""Ollama's `/api/chat`, as the fake provider streams it: an object a line. Pure: steps in, lines out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import assert_never

from tests.harness.refusals import broken
from tests.harness.replies import Broken, Call, Delta, Event, Finish, Json, Redacted, Said, Text, Thought, Usage


class OllamaSpeech:
    """A call comes whole, without an id; nothing is signed."""

    def __init__(self, model: str, usage: Usage | None) -> None:
        self._model = model
        self._usage = usage
        self._reason = "stop"

    def say(self, step: Said) -> Iterator[bytes]:
        match step:
            case Text(text):
                yield self._line({"content": text})
            case Thought(text) if text:
                yield self._line({"content": "", "thinking": text})
            case Call(name, arguments, _, pieces):
                whole = arguments if pieces is None else json.loads("".join(pieces))
                yield self._line({"content": "", "tool_calls": [{"function": {"name": name, "arguments": whole}}]})
            case Delta(fields):
                yield self._line(fields)
            case Event(fields):
                yield _spelt(fields)
            case Finish(reason):
                # What it does not say, it has no word for.
                self._reason = "length" if reason == "length" else "stop"
            case Broken(kind):
                yield _spelt(broken("ollama", kind))
            case Redacted() | Thought():
                pass
            case _:
                assert_never(step)

    def end(self) -> Iterator[bytes]:
        used = self._usage
        counts = {} if used is None else {"prompt_eval_count": used.prompt, "eval_count": used.completion}
        yield self._line({"content": ""}, done=True, done_reason=self._reason, total_duration=1, **counts)

    def _line(self, message: Json, *, done: bool = False, **more: object) -> bytes:
        head = {"model": self._model, "created_at": "2026-01-01T00:00:00.0Z"}
        return _spelt({**head, "message": {"role": "assistant", **message}, "done": done, **more})


def _spelt(fields: Json) -> bytes:
    return (json.dumps(fields) + "\n").encode()
