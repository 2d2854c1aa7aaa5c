"""One answer in OpenAI's Responses, read event by event: text, thoughts, the pieces of calls, and what to give back.

Pure: an event comes in as the JSON it is, whoever parsed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.ports import CallChunk, Chunk, TextChunk, ThoughtChunk
from openhands_acp.llm.answer import Reason
from openhands_acp.llm.reasoning import Owner, sealed
from openhands_acp.llm.responses import GAP

Fields = Mapping[str, Any]

_NOTHING: Fields = {}


class ResponseFailed(Exception):
    """The provider said in mid-stream that it failed; `body` is its error."""

    def __init__(self, body: Fields) -> None:
        super().__init__(str(body.get("message") or body.get("code") or "it did not say why"))
        self.body = body


class ResponsesAnswer:
    def __init__(self, owner: Owner | None) -> None:
        self.reason: Reason | None = None
        """None until the provider has said how it ended."""
        self.has_begun = False
        self.is_thinking = False
        self.usage: Fields | None = None
        self._owner = owner
        self._calls: dict[Any, int] = {}
        """Our index for the provider's `output_index`."""
        self._sent: dict[Any, int] = {}
        """Characters of each item (text, thought, arguments) that came as deltas."""
        self._kept: list[dict[str, JsonValue]] = []
        self._has_text = False
        self._has_thought = False
        self._summaries: set[tuple[Any, Any]] = set()

    def read(self, event: Fields) -> Sequence[Chunk]:
        """Take one event; what it says as chunks, mostly one or none. Raises ResponseFailed."""
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                return self._text(event)
            case "response.function_call_arguments.delta":
                return self._arguments(event)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return self._thought(event)
            case "response.output_item.added":
                return self._added(event)
            case "response.output_item.done":
                return self._done(event)
            case "response.completed" | "response.incomplete" | "response.failed":
                return self._end(event.get("response") or _NOTHING)
            case "error":
                raise ResponseFailed(event.get("error") or event)
            case _:
                return ()

    def blocks(self) -> JsonValue:
        """Return the order of the answer's items with its reasoning in it; None if there is nothing to give back."""
        is_worth_it = any(item["type"] == "reasoning" or "phase" in item for item in self._kept)
        return sealed(self._owner, self._kept) if self._owner and is_worth_it else None

    def _text(self, event: Fields) -> Sequence[Chunk]:
        text: str = event.get("delta") or ""
        if not text:
            return ()
        at = event.get("output_index")
        chunks: list[Chunk] = []
        if at not in self._sent and self._has_text:
            chunks.append(TextChunk(GAP))
        self._sent[at] = self._sent.get(at, 0) + len(text)
        self.has_begun = self._has_text = True
        chunks.append(TextChunk(text))
        return chunks

    def _thought(self, event: Fields) -> Sequence[Chunk]:
        text: str = event.get("delta") or ""
        if not text:
            return ()
        at = event.get("output_index")
        part = (at, event.get("summary_index", event.get("content_index")))
        gap = [ThoughtChunk(GAP)] if part not in self._summaries and self._has_thought else []
        self._summaries.add(part)
        self._sent[at] = self._sent.get(at, 0) + len(text)
        self._has_thought = True
        return [*gap, ThoughtChunk(text)]

    def _added(self, event: Fields) -> Sequence[Chunk]:
        item: Fields = event.get("item") or _NOTHING
        at = event.get("output_index")
        # Thoughts do not begin the answer: the next may take minutes.
        self.is_thinking = item.get("type") == "reasoning"
        if item.get("type") != "function_call" or at in self._calls:
            return ()
        self.has_begun = True
        self._calls[at] = len(self._calls)
        return (CallChunk(self._calls[at], item.get("call_id") or item.get("id") or "", item.get("name") or ""),)

    def _arguments(self, event: Fields) -> Sequence[Chunk]:
        at, text = event.get("output_index"), event.get("delta") or ""
        if at not in self._calls or not text:
            return ()
        self._sent[at] = self._sent.get(at, 0) + len(text)
        return (CallChunk(self._calls[at], arguments=text),)

    def _done(self, event: Fields) -> Sequence[Chunk]:
        """Take a whole item: some servers send nothing of it before, others not all."""
        item: Fields = event.get("item") or _NOTHING
        at = event.get("output_index")
        match item.get("type"):
            case "function_call":
                announced = self._added(event)
                rest = (item.get("arguments") or "")[self._sent.get(at, 0) :]
                self._kept.append({"type": "function_call"})
                return [*announced, *([CallChunk(self._calls[at], arguments=rest)] if rest else [])]
            case "message":
                whole = "".join(part.get("text") or part.get("refusal") or "" for part in item.get("content") or ())
                rest = whole[self._sent.get(at, 0) :]
                chunks = self._text({"delta": rest, "output_index": at})
                phase = {"phase": item["phase"]} if item.get("phase") else {}
                self._kept.append({"type": "message", "length": self._sent.get(at, 0), **phase})
                return chunks
            case "reasoning":
                return self._reasoned(item, at)
            case _:
                return ()

    def _reasoned(self, item: Fields, at: object) -> Sequence[Chunk]:
        if item.get("encrypted_content"):
            kept: dict[str, JsonValue] = {"type": "reasoning", "summary": item.get("summary") or []}
            self._kept.append(kept | {name: item[name] for name in ("id", "encrypted_content") if item.get(name)})
        if at in self._sent:
            return ()
        parts = [part.get("text") or "" for part in item.get("summary") or item.get("content") or ()]
        return self._thought({"delta": GAP.join(filter(None, parts)), "output_index": at})

    def _end(self, response: Fields) -> Sequence[Chunk]:
        self.usage = response.get("usage") or self.usage
        match response.get("status"):
            case "failed" | "cancelled":
                raise ResponseFailed(response.get("error") or _NOTHING)
            case "incomplete":
                why = (response.get("incomplete_details") or _NOTHING).get("reason")
                self.reason = "refusal" if why == "content_filter" else "length"
            case _:
                self.reason = "stop"
        return ()
