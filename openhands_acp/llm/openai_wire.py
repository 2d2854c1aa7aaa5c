"""OpenAI's own protocols: a client and a transport that cost less per chunk than LiteLLM's and OpenAI's own.

Chat completions are driven by LiteLLM through a `Door`; Responses are not (`posted_responses`), because all
that it would add there is a pydantic object for each event. Half of `via_litellm`'s door, and as late.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import is_
from typing import Any, Final

import anyio
import httpx
import openai
from openai._types import RequestOptions
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

from openhands_acp.llm.litellm_failures import cut, fault
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.web import new_client


def client(settings: ModelSettings, transport: httpx.AsyncBaseTransport | None) -> openai.AsyncOpenAI:
    """Make the client here rather than let LiteLLM keep one, so that it is closed with the session."""
    key = settings.api_key or os.environ.get("OPENAI_API_KEY") or ("none" if settings.base_url else None)
    return openai.AsyncOpenAI(
        api_key=key, base_url=own_address(settings), http_client=new_client(transport), max_retries=0
    )


def own_address(settings: ModelSettings) -> str | None:
    """Return the address that somebody set for OpenAI's models; None: it is the usual one."""
    return settings.base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE") or None


# As the SDK spells a body.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


class Sent:
    """The messages and the tools of the last request, each with the bytes that it was sent as.

    LiteLLM walks over all that it is given half a dozen times, and so does who makes JSON of it: 10 ms for
    1,000 events. So it is given only what was not sent before. It changes messages of OpenAI's protocol one
    by one (it leaves out fields that are null; for some models it makes the system's the person's), and what
    it made of one is kept. The tools it walks through node by node, for patterns that a provider might refuse.
    Whoever asks for what it does with all of them together must not use this.
    """

    def __init__(self) -> None:
        self._messages: Sequence[object] = ()
        self._pieces: Sequence[bytes] = ()
        self._tools: Sequence[object] = ()
        self._spelt_tools: bytes | None = None
        self._how: object = None

    def conversation(self, messages: Sequence[object], tools: Sequence[object], how: object) -> Conversation:
        """Tell what is new: messages and tools are the same if they are the same objects, and so is `how`."""
        same = takewhile(bool, map(is_, self._messages, messages)) if how == self._how else ()
        # One at least for LiteLLM, which takes no conversation of none.
        known = min(sum(same), len(messages) - 1)
        are_known = how == self._how and len(tools) == len(self._tools) and all(map(is_, self._tools, tools))
        return Conversation(self, messages, tools, how, self._pieces[:known], self._spelt_tools if are_known else None)

    def keep(self, conversation: Conversation, pieces: Sequence[bytes], spelt_tools: bytes | None) -> None:
        self._messages, self._tools, self._how = conversation.messages, conversation.tools, conversation.how
        self._pieces, self._spelt_tools = pieces, spelt_tools


@dataclass(frozen=True, slots=True)
class Conversation:
    sent: Sent
    messages: Sequence[object]
    tools: Sequence[object]
    how: object
    known: Sequence[bytes]
    """Of the first messages."""
    known_tools: bytes | None = None
    """Of all tools, or of none."""

    def body(self, fields: Mapping[str, Any]) -> bytes:
        """Spell the body that LiteLLM made, with all that it was not given."""
        pieces = [*self.known, *(_json(each) for each in fields["messages"])]
        tools = self.known_tools or (_json(fields["tools"]) if "tools" in fields else None)
        if len(pieces) == len(self.messages):
            self.sent.keep(self, pieces, tools)
        spelt = {name: _json(value) for name, value in fields.items() if name not in {"messages", "tools"}}
        # Always in this order: a body that says the same is the same.
        spelt |= {"tools": tools} if tools else {}
        spelt["messages"] = b"[%b]" % b",".join(pieces)
        return b"{%b}" % b",".join(_json(name) + b":" + value for name, value in spelt.items())


def _json(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


class Door:
    """What LiteLLM uses of an OpenAI client: `chat.completions.with_raw_response.create`.

    It posts the body as LiteLLM made it, and in front of its messages those that it was not given. The SDK's
    own `create` first walks the whole history, trying every type of message on each (40 ms, blocking, for a
    hundred messages).
    """

    def __init__(self, sdk: openai.AsyncOpenAI, shield: anyio.CancelScope, conversation: Conversation) -> None:
        self._sdk = sdk
        self._conversation = conversation
        self._shield = shield
        """Lifted when the request begins."""
        self.chat = self.completions = self.with_raw_response = self

    async def create(self, **body: object) -> _Opened:
        self._shield.shield = False
        fields: dict[str, Any] = dict(body)
        options: dict[str, Any] = {"timeout": fields.pop("timeout"), "headers": fields.pop("extra_headers", None) or {}}
        options["params"] = fields.pop("extra_query", None) or {}
        extra: dict[str, object] = fields.pop("extra_body", None) or {}
        stream = await self._sdk.post(
            "/chat/completions",
            cast_to=ChatCompletionChunk,
            content=self._conversation.body(fields | extra),
            options=RequestOptions(**options),
            stream=True,
            stream_cls=openai.AsyncStream[ChatCompletionChunk],
        )
        return _Opened(stream.response)


class _Opened:
    """A response as LiteLLM takes it: headers, and `parse` for the stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self._response = response

    def parse(self) -> Pieces:
        return Pieces(self._response)


class Pieces:
    """The chunks of a response.

    The SDK's stream makes each through Python code field by field, and hangs up at `[DONE]`, a few
    bytes before the end, so that the next request would have to connect again.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._feed = Feed(response)
        self._usage: CompletionUsage | None = None
        self._is_whole = False
        """The provider said that it is done."""

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        content = await self._feed.next()
        if content is None:
            raise StopAsyncIteration if self._is_whole else cut()
        return self._piece(content)

    async def usage(self) -> CompletionUsage | None:
        """Read what is left. Past LiteLLM, which at the end builds the whole answer again, twice."""
        async for _piece in self:
            pass
        await self._feed.drain()
        return self._usage

    async def aclose(self) -> None:
        await self._feed.aclose()

    def _piece(self, content: bytes) -> ChatCompletionChunk:
        if content == b"[DONE]":
            self._is_whole = True
            raise StopAsyncIteration
        fields: dict[str, Any] = json.loads(content)
        if error := fields.get("error"):
            raise fault(error)
        try:
            piece = ChatCompletionChunk.model_validate(fields)
        except ValidationError:  # not every server sends every field
            piece = ChatCompletionChunk.construct(**fields)
        self._usage = piece.usage or self._usage
        self._is_whole = self._is_whole or any(choice.finish_reason for choice in piece.choices or ())
        return piece


class Events:
    """The events of one of OpenAI's Responses, as the JSON they are."""

    def __init__(self, response: httpx.Response) -> None:
        self._feed = Feed(response)
        self.drain = self._feed.drain
        self.aclose = self._feed.aclose

    async def next(self) -> Mapping[str, Any]:
        content = await self._feed.next()
        if content is None or content == b"[DONE]":
            raise cut()
        event: Mapping[str, Any] = json.loads(content)
        return event


async def posted_responses(sdk: openai.AsyncOpenAI, body: dict[str, Any], limits: httpx.Timeout) -> Events:
    """Ask for a response, and return what comes of it. Raises what the SDK does."""
    headers, query = body.pop("extra_headers", None), body.pop("extra_query", None)
    extra: dict[str, object] = body.pop("extra_body", None) or {}
    stream = await sdk.post(
        "/responses",
        cast_to=object,
        body={**body, **extra},
        options=RequestOptions(timeout=limits, headers=headers or {}, params=query or {}),
        stream=True,
        stream_cls=openai.AsyncStream[object],
    )
    return Events(stream.response)


class Relayed:
    """The same as LiteLLM reads them, for the providers whose addresses and keys only it knows."""

    def __init__(self, stream: AsyncIterator[Any], response: httpx.Response | None) -> None:
        self._stream = stream
        self._response = response

    async def next(self) -> Mapping[str, Any]:
        event = await anext(self._stream, None)
        if event is None:
            raise cut()
        fields: Mapping[str, Any] = event.model_dump()
        return fields

    async def drain(self) -> None:
        async for _rest in self._stream:
            pass

    async def aclose(self) -> None:
        if self._response is not None:
            await self._response.aclose()


class Feed:
    """The events of a response: what each says after `data:`. However the bytes are cut, they are the same."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._bytes = response.aiter_bytes()
        self._lines: deque[bytes] = deque()
        self._rest = b""

    async def next(self) -> bytes | None:
        """Return the next; None at the end of the body."""
        while True:
            while self._lines:
                line = self._lines.popleft()
                if line.startswith(b"data:"):
                    return line[5:].strip()
            block = await anext(self._bytes, b"")
            if not block:
                return None
            *lines, self._rest = (self._rest + block).split(b"\n")
            self._lines.extend(lines)

    async def drain(self) -> None:
        """Read what is left, so that the connection can be used again."""
        async for _rest in self._bytes:
            pass

    async def aclose(self) -> None:
        await self._response.aclose()
