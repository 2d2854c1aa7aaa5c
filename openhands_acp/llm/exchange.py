"""One answer under way, in whichever protocol: its chunks, how it ended, and what was counted.

Half of `via_litellm`'s door: it knows streams, and neither requests nor prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.ports import Chunk
from openhands_acp.llm.answer import Answer, Reason
from openhands_acp.llm.litellm_failures import cut, fault
from openhands_acp.llm.openai_wire import Pieces
from openhands_acp.llm.reasoning import Owner
from openhands_acp.llm.responses_answer import ResponseFailed, ResponsesAnswer

Counted = Mapping[str, Any]
"""Tokens, as chat completions spell them."""


class Reading(Protocol):
    """What has been read of an answer."""

    @property
    def reason(self) -> Reason | None:
        """How it ended; None until it has."""
        ...

    @property
    def has_begun(self) -> bool:
        """Tell whether any of the answer has come."""
        ...

    @property
    def is_thinking(self) -> bool:
        """Tell whether the model is known to think, in silence perhaps."""
        ...

    def blocks(self) -> JsonValue: ...


class Exchange(Protocol):
    @property
    def answer(self) -> Reading: ...

    async def next(self) -> Sequence[Chunk] | None:
        """Return what comes next, which may be nothing; None at the end."""
        ...

    async def counted(self) -> Counted | None:
        """Read to the end, where the tokens are told."""
        ...

    async def aclose(self) -> None: ...


class Source(Protocol):
    """Where the events of a response come from."""

    async def next(self) -> Mapping[str, Any]:
        """Return the next; a body that ends before the response does is an error."""
        ...

    async def drain(self) -> None: ...

    async def aclose(self) -> None: ...


class ChatStream(Protocol):
    """What LiteLLM's stream of chat completions is used for here."""

    completion_stream: object
    chunks: list[object]
    received_finish_reason: str | None

    async def __anext__(self) -> Any: ...

    async def aclose(self) -> None: ...


class ChatExchange:
    """Chat completions as LiteLLM streams them, whoever the provider is."""

    def __init__(self, stream: ChatStream, owner: Owner | None, *, stamps: bool) -> None:
        self._stream = stream
        self.answer = Answer(owner, stamps=stamps)
        self._pieces = stream.completion_stream if isinstance(stream.completion_stream, Pieces) else None
        self._is_sdks = type(stream.completion_stream).__name__ == "AsyncStream"
        """OpenAI's SDK reads it, for LiteLLM: of other streams we look at the end ourselves (`web`, `openai_wire`)."""
        if owner is not None and owner.form == "reasoning_details":
            self._listen_in(stream.completion_stream)

    async def next(self) -> Sequence[Chunk] | None:
        try:
            piece = await self._stream.__anext__()
        except StopAsyncIteration:
            return None
        said: list[Chunk] = []
        for choice in piece.choices:
            delta: Any = choice.delta
            said += self.answer.read({**vars(delta), **(delta.model_extra or {})})
            if choice.finish_reason is not None:
                if self._is_sdks and self._stream.received_finish_reason is None:
                    raise cut()  # LiteLLM made it up, because the body ended
                self.answer.finish(choice.finish_reason)
        if self._pieces is not None:
            # LiteLLM keeps all chunks, 4 kB each, to put the answer together, which only its own count needs.
            # Two stay, for its check for a model that repeats itself.
            del self._stream.chunks[:-2]
        return said

    async def counted(self) -> Counted | None:
        found: Any = None
        if self._pieces is not None:
            found = await self._pieces.usage()
        else:
            while (piece := await self._rest()) is not None:
                found = getattr(piece, "usage", None) or found
        counted: Counted | None = None if found is None else found.model_dump()
        return counted

    async def aclose(self) -> None:
        await self._stream.aclose()

    def _listen_in(self, parser: Any) -> None:
        """Hear OpenRouter's details before LiteLLM does, which swallows a piece that is nothing but a signature."""
        parse: Callable[[dict[str, Any]], object] = parser.chunk_parser

        def chunk_parser(chunk: dict[str, Any]) -> object:
            for choice in chunk.get("choices") or ():
                delta: dict[str, Any] = choice.get("delta") or {}
                self.answer.join(delta.get("reasoning_details") or ())
            return parse(chunk)

        parser.chunk_parser = chunk_parser

    async def _rest(self) -> object:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            return None


class ResponsesExchange:
    """OpenAI's Responses: as they come over our own wire, or as LiteLLM reads them for other providers."""

    def __init__(self, source: Source, owner: Owner | None) -> None:
        self._source = source
        self.answer = ResponsesAnswer(owner)

    async def next(self) -> Sequence[Chunk] | None:
        event = await self._source.next()
        try:
            return self.answer.read(event)
        except ResponseFailed as error:
            failed = error.body
        # Out here, so that what is judged by its causes has none of ours among them.
        raise fault(failed)

    async def counted(self) -> Counted | None:
        await self._source.drain()
        usage = self.answer.usage
        if usage is None:
            return None
        return {
            "prompt_tokens": usage.get("input_tokens") or 0,
            "completion_tokens": usage.get("output_tokens") or 0,
            "total_tokens": usage.get("total_tokens") or 0,
            "prompt_tokens_details": usage.get("input_tokens_details"),
            "completion_tokens_details": usage.get("output_tokens_details"),
        }

    async def aclose(self) -> None:
        await self._source.aclose()
