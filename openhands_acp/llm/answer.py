"""One streamed answer, read delta by delta: text, thoughts, the pieces of calls, and what was signed.

Pure: a delta of the chat-completions format comes in, whoever parsed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.ports import CallChunk, Chunk, TextChunk, ThoughtChunk

Reason = Literal["stop", "length", "refusal"]

_REASONS: Mapping[str, Reason] = {"length": "length", "content_filter": "refusal", "refusal": "refusal"}


class _Function(Protocol):
    name: str | None
    arguments: str | None


class _Call(Protocol):
    """A piece of a call, as the format has it."""

    index: int
    id: str | None
    function: _Function


class Answer:
    def __init__(self) -> None:
        self.reason: Reason | None = None
        """None until the provider has said why it ended."""
        self.has_begun = False
        self._calls: list[str] = []
        """The provider's id of each call, by our index."""
        self._ours: dict[int, int] = {}
        """Our index for the provider's."""
        self._blocks: list[dict[str, JsonValue]] = []
        self._is_block_open = False

    def read(self, delta: Mapping[str, Any]) -> Sequence[Chunk]:
        """Take one delta; what it says as chunks, mostly one."""
        text, thought, calls = delta.get("content"), delta.get("reasoning_content"), delta.get("tool_calls")
        self.has_begun = self.has_begun or bool(text or thought or calls)
        if text and not thought and not calls:
            return (TextChunk(text),)
        chunks: list[Chunk] = []
        if thought:
            chunks.append(ThoughtChunk(thought))
        if blocks := delta.get("thinking_blocks"):
            self._sign(blocks)
        if text:
            chunks.append(TextChunk(text))
        chunks.extend(self._call(call) for call in calls or ())
        return chunks

    def finish(self, reason: str) -> None:
        self.reason = _REASONS.get(reason, "stop")

    def blocks(self) -> JsonValue:
        """Reasoning as the provider wants it back; None if it signed none."""
        return self._blocks or None

    def _call(self, piece: _Call) -> CallChunk:
        """Give each call an index of its own: some providers number all calls of a response 0."""
        ident: str = piece.id or ""
        name: str = piece.function.name or ""
        arguments: str = piece.function.arguments or ""
        ours = self._ours.get(piece.index)
        is_another = ours is not None and ident != "" and name != "" and ident != self._calls[ours]
        if ours is None or is_another:
            self._ours[piece.index] = len(self._calls)
            self._calls.append(ident)
            return CallChunk(len(self._calls) - 1, ident, name, arguments)
        return CallChunk(ours, arguments=arguments)

    def _sign(self, blocks: Iterable[Mapping[str, Any]]) -> None:
        """Join the pieces of each block up to its signature."""
        for block in blocks:
            if block.get("type") != "thinking":
                self._blocks.append(dict(block))
                self._is_block_open = False
                continue
            if not self._is_block_open:
                self._blocks.append({"type": "thinking", "thinking": ""})
                self._is_block_open = True
            last = self._blocks[-1]
            last["thinking"] = f"{last['thinking']}{block.get('thinking') or ''}"
            if signature := block.get("signature"):
                last["signature"] = signature
                self._is_block_open = False
