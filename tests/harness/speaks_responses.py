"""OpenAI's Responses, as the fake provider streams them. Pure: steps in, events out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Literal, assert_never

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

_WHY_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesSpeech:
    """Items one after the other; what signs a thought is its item's `encrypted_content`."""

    def __init__(self, model: str, fresh_id: Callable[[str], str], usage: Usage | None, memory: Memory) -> None:
        self._model = model
        self._fresh_id = fresh_id
        self._memory = memory
        self._usage = usage or Usage(1, 1)
        self._number = 0
        self._output: list[Json] = []
        """Items that are done."""
        self._item: Json | None = None
        """The message or the reasoning that is open."""
        self._why_incomplete: str | None = None
        self._is_begun = False

    def say(self, step: Said) -> Events:
        yield from self._begin()
        match step:
            case Text(text):
                yield from self._text(text)
            case Thought():
                yield from self._thought(step)
            case Call():
                yield from self._call(step)
            case Event(fields):
                yield event(fields, str(fields.get("type", "")))
            case Finish(reason):
                self._why_incomplete = _WHY_INCOMPLETE.get(reason)
            case Broken(kind):
                yield from self._broken(kind)
            case Redacted():
                pass
            case Delta():
                raise TypeError("a delta of chat completions: use Event")
            case _:
                assert_never(step)

    def end(self) -> Events:
        yield from self._begin()
        yield from self._done()
        status = "incomplete" if self._why_incomplete else "completed"
        yield self._event(f"response.{status}", response=self._response(status))

    def _begin(self) -> Events:
        if not self._is_begun:
            self._is_begun = True
            for kind in ("response.created", "response.in_progress"):
                yield self._event(kind, response=self._response("in_progress"))

    def _text(self, text: str) -> Events:
        if self._item is None or self._item["type"] != "message":
            yield from self._done()
            empty: Json = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            yield from self._added({"id": self._item_id("msg"), **empty})
            yield self._event("response.content_part.added", **self._place("content"), part=_output_text(""))
            self._said().append(_output_text(""))
        self._said()[0]["text"] += text
        yield self._event("response.output_text.delta", **self._place("content"), delta=text, logprobs=[])

    def _thought(self, thought: Thought) -> Events:
        if self._item is None or self._item["type"] != "reasoning":
            yield from self._done()
            yield from self._added({"id": self._item_id("rs"), "type": "reasoning", "summary": []})
        if thought.text:
            place = self._place("summary")
            if not self._said():
                empty = {"type": "summary_text", "text": ""}
                yield self._event("response.reasoning_summary_part.added", **place, part=empty)
                self._said().append(dict(empty))
            self._said()[0]["text"] += thought.text
            yield self._event("response.reasoning_summary_text.delta", **place, delta=thought.text)
        if thought.signature and self._item is not None:
            self._item["encrypted_content"] = thought.signature
            self._memory.signed[thought.signature] = ("responses", "".join(part["text"] for part in self._said()))
            yield from self._done()

    def _call(self, call: Call) -> Events:
        yield from self._done()
        ident = call.id or self._fresh_id("call")
        item: Json = {"id": self._item_id("fc"), "type": "function_call", "call_id": ident, "name": call.name}
        yield from self._added({**item, "status": "in_progress", "arguments": ""})
        place = {"item_id": item["id"], "output_index": len(self._output)}
        pieces = call.pieces if call.pieces is not None else (json.dumps(call.arguments),)
        for piece in pieces:
            yield self._event("response.function_call_arguments.delta", **place, delta=piece)
        whole = "".join(pieces)
        yield self._event("response.function_call_arguments.done", **place, arguments=whole, name=call.name)
        self._item = {**item, "status": "completed", "arguments": whole}
        yield from self._done()

    def _broken(self, kind: Literal["overloaded", "server"]) -> Events:
        fault = broken("responses", kind)
        yield self._event(fault["type"], response=self._response("failed") | fault["response"])

    def _item_id(self, prefix: str) -> str:
        """A new id; what follows reasoning is remembered to need it."""
        ident = self._fresh_id(prefix)
        last = self._output[-1] if self._output else {"type": ""}
        if last["type"] == "reasoning" and prefix != "rs":
            self._memory.reasons[ident] = last["id"]
        return ident

    def _said(self) -> list[Json]:
        """The parts of the item that is open."""
        assert self._item is not None
        return self._item["content" if self._item["type"] == "message" else "summary"]

    def _place(self, what: str) -> Json:
        assert self._item is not None
        return {"item_id": self._item["id"], "output_index": len(self._output), f"{what}_index": 0}

    def _added(self, item: Json) -> Events:
        self._item = item
        yield self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _done(self) -> Events:
        """Close the item that is open, if one is."""
        item = self._item
        if item is None:
            return
        if item["type"] == "message":
            item["status"] = "completed"
            [part] = item["content"]
            place = self._place("content")
            yield self._event("response.output_text.done", **place, text=part["text"], logprobs=[])
            yield self._event("response.content_part.done", **place, part=part)
        elif item["type"] == "reasoning" and item["summary"]:
            [part] = item["summary"]
            place = self._place("summary")
            yield self._event("response.reasoning_summary_text.done", **place, text=part["text"])
            yield self._event("response.reasoning_summary_part.done", **place, part=part)
        yield self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._item = None

    def _response(self, status: str) -> Json:
        has_ended = status in {"completed", "incomplete"}
        why = {"reason": self._why_incomplete} if has_ended and self._why_incomplete else None
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": why,
            "instructions": None,
            "max_output_tokens": None,
            "model": self._model,
            "output": self._output if has_ended else [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": "medium", "summary": None},
            "store": False,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": _usage(self._usage) if has_ended else None,
            "metadata": {},
        }

    def _event(self, kind: str, **fields: object) -> bytes:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number - 1, **fields}, kind)


def _output_text(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }
