"""One streamed completion as bytes: server-sent events in HTTP chunks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import assert_never

from tests.harness.replies import Call, Chunks, Delta, Event, Finish, Json, Sent, Text, Thought, Usage


class Stream:
    """The body of one streamed completion: server-sent events in HTTP chunks."""

    def __init__(self, writer: asyncio.StreamWriter, model: str, fresh_id: Callable[[], str]) -> None:
        self._writer = writer
        self._model = model
        self._fresh_id = fresh_id
        self._is_open = False
        self._calls = 0
        self._has_finished = False
        self._usage: Usage | None = None

    def open(self) -> None:
        if not self._is_open:
            self._is_open = True
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            self._writer.write(head)

    async def send(self, step: Sent) -> None:
        match step:
            case Text(text):
                self._delta({"content": text})
            case Thought(text):
                self._delta({"reasoning_content": text})
            case Call():
                self._call(step)
            case Delta(delta):
                self._delta(delta)
            case Event(event):
                self._event(event)
            case Usage():
                self._usage = step
            case Finish(reason):
                self._finish(reason)
            case Chunks(number):
                await self._many(number)
            case _:
                assert_never(step)
        await self._writer.drain()

    async def end(self) -> None:
        if not self._has_finished:
            self._finish("tool_calls" if self._calls else "stop")
        if self._usage is not None:
            self._event({"choices": [], "usage": _usage(self._usage)})
        self._write(b"data: [DONE]\n\n")
        await self.cut()

    async def cut(self) -> None:
        self.open()
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _call(self, call: Call) -> None:
        index = self._calls if call.index is None else call.index
        if index >= self._calls:
            self._calls = index + 1
            start = {"name": call.name, "arguments": ""}
            first = {"index": index, "id": call.id or self._fresh_id(), "type": "function", "function": start}
            self._delta({"role": "assistant", "content": None, "tool_calls": [first]})
        for piece in call.pieces if call.pieces is not None else (json.dumps(call.arguments),):
            self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def _finish(self, reason: str) -> None:
        self._has_finished = True
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})

    async def _many(self, number: int) -> None:
        for at in range(number):
            self._delta({"content": f"t{at} "})
            if at % 100 == 99:
                await self._writer.drain()

    def _delta(self, delta: Json) -> None:
        self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _event(self, part: Json) -> None:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self._model}
        self._write(b"data: %b\n\n" % json.dumps(head | part).encode())

    def _write(self, event: bytes) -> None:
        self.open()
        self._writer.write(b"%x\r\n%b\r\n" % (len(event), event))


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }
