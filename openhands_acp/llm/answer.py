"""One streamed answer, read delta by delta: text, thoughts, the pieces of calls, and what was signed.

Pure: a delta of the chat-completions format comes in, whoever parsed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, assert_never

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.ports import CallChunk, Chunk, TextChunk, ThoughtChunk
from openhands_acp.llm.reasoning import Owner, sealed

Reason = Literal["stop", "length", "refusal"]

_SIGNED_ID = "__thought__"
"""Between a call's id and what Gemini signed it with, where LiteLLM hides that."""
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
    def __init__(self, owner: Owner | None, *, stamps: bool = False) -> None:
        """Read an answer of `owner`'s; `stamps` has it say so even if there is no reasoning in it."""
        self.reason: Reason | None = None
        """None until the provider has said why it ended."""
        self.has_begun = False
        self.is_thinking = False
        """That a model thinks in silence, chat completions do not tell."""
        self._owner = owner
        self._stamps = stamps
        self._calls: list[str] = []
        """The provider's id of each call, by our index."""
        self._ours: dict[int, int] = {}
        """Our index for the provider's."""
        self._has_thought = False
        self._blocks: list[dict[str, JsonValue]] = []
        self._is_block_open = False
        self._signed: dict[int, str] = {}
        """What Gemini signed a call with."""
        self._signatures: list[str] = []
        """All that it signed anything with."""

    def read(self, delta: Mapping[str, Any]) -> Sequence[Chunk]:
        """Take one delta; what it says as chunks, mostly one."""
        text, thought, calls = delta.get("content"), delta.get("reasoning_content"), delta.get("tool_calls")
        self.has_begun = self.has_begun or bool(text or thought or calls)
        if self._owner is not None:
            self._keep(delta, self._owner)
        if text and not thought and not calls:
            return (TextChunk(text),)
        chunks: list[Chunk] = []
        if thought:
            self._has_thought = True
            chunks.append(ThoughtChunk(thought))
        if text:
            chunks.append(TextChunk(text))
        chunks.extend(self._call(call) for call in calls or ())
        return chunks

    def join(self, details: Iterable[Mapping[str, Any]]) -> None:
        """Take pieces of OpenRouter's details: texts grow, what else is said of one comes with any of them."""
        for detail in details:
            said = {name: value for name, value in detail.items() if value is not None}
            last = self._blocks[-1] if self._blocks else {}
            grows = "summary" if said.get("type") == "reasoning.summary" else "text"
            if grows in said and grows in last and all(said.get(key) == last.get(key) for key in ("type", "index")):
                last |= {**said, grows: f"{last[grows]}{said[grows]}"}
            elif "signature" in said and not said.get(grows) and said.get("index") == last.get("index"):
                last |= {name: value for name, value in said.items() if name != grows}
            else:
                self._blocks.append(said)

    def finish(self, reason: str) -> None:
        self.reason = _REASONS.get(reason, "stop")

    def blocks(self) -> JsonValue:
        """Return the reasoning as the provider wants it back; None if it wants none."""
        if self._owner is None:
            return None
        match self._owner.form:
            case "thinking_blocks" | "reasoning_details":
                content: JsonValue = self._blocks or None
            case "reasoning_content":
                content = {} if self._has_thought else None  # the text itself is the message's thought
            case "thought_signatures":
                content = self._gemini()
            case "reasoning_items":
                content = None
            case _:
                assert_never(self._owner.form)
        if content is None and self._stamps:
            content = []
        return None if content is None else sealed(self._owner, content)

    def _keep(self, delta: Mapping[str, Any], owner: Owner) -> None:
        if owner.form == "thinking_blocks" and (blocks := delta.get("thinking_blocks")):
            self._sign(blocks)
        elif owner.form == "thought_signatures" and (fields := delta.get("provider_specific_fields")):
            self._signatures += fields.get("thought_signatures") or ()

    def _gemini(self) -> JsonValue:
        """Gemini signs parts: calls, or the text if there is no call. LiteLLM tells what it signed calls with twice."""
        of_calls = [self._signed.get(at) for at in range(len(self._calls))]
        of_text = next((each for each in self._signatures if each not in of_calls), None)
        return {"text": of_text, "calls": of_calls} if of_text or any(of_calls) else None

    def _call(self, piece: _Call) -> CallChunk:
        """Give each call an index of its own: some providers number all calls of a response 0."""
        ident, _, signature = (piece.id or "").partition(_SIGNED_ID)
        name: str = piece.function.name or ""
        arguments: str = piece.function.arguments or ""
        ours = self._ours.get(piece.index)
        is_another = ours is not None and ident != "" and name != "" and ident != self._calls[ours]
        if ours is None or is_another:
            self._ours[piece.index] = len(self._calls)
            self._calls.append(ident)
            if signature:
                self._signed[self._ours[piece.index]] = signature
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
