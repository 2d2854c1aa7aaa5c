"""OpenAI's own protocol as LiteLLM drives it: a client and a transport that cost less per chunk than its own.

Half of `via_litellm`'s door: imported by it alone, and as late.
"""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any, Final

import anyio
import httpx
import openai
from openai._types import RequestOptions
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

from openhands_acp.llm.model import ModelSettings

TLS: Final = httpx.create_ssl_context()
"""Read once: the certificates take some 20 ms."""


def client(settings: ModelSettings, transport: httpx.AsyncBaseTransport | None) -> openai.AsyncOpenAI:
    """Make the client here rather than let LiteLLM keep one, so that it is closed with the session."""
    key = settings.api_key or os.environ.get("OPENAI_API_KEY") or ("none" if settings.base_url else None)
    base = settings.base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")
    web = httpx.AsyncClient(transport=transport, verify=TLS, follow_redirects=True)
    return openai.AsyncOpenAI(api_key=key, base_url=base, http_client=web, max_retries=0)


class Door:
    """What LiteLLM uses of an OpenAI client: `chat.completions.with_raw_response.create`.

    It posts the body as LiteLLM made it. The SDK's own `create` first walks the whole history,
    trying every type of message on each (40 ms, blocking, for a hundred messages).
    """

    def __init__(self, sdk: openai.AsyncOpenAI, shield: anyio.CancelScope) -> None:
        self._sdk = sdk
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
            body={**fields, **extra},
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
        self._response = response
        self._bytes = response.aiter_bytes()
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._usage: CompletionUsage | None = None
        self._is_whole = False
        """The provider said that it is done."""

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        while True:
            while self._lines:
                line = self._lines.popleft()
                if line.startswith(b"data:"):
                    return self._piece(line[5:].strip())
            block = await anext(self._bytes, b"")
            if not block:
                raise (
                    StopAsyncIteration
                    if self._is_whole
                    else httpx.RemoteProtocolError("it ended before the answer did")
                )
            *lines, self._rest = (self._rest + block).split(b"\n")
            self._lines.extend(lines)

    async def usage(self) -> CompletionUsage | None:
        """Read what is left. Past LiteLLM, which at the end builds the whole answer again, twice."""
        async for _piece in self:
            pass
        async for _rest in self._bytes:  # after `[DONE]`, so that the connection can be used again
            pass
        return self._usage

    async def aclose(self) -> None:
        await self._response.aclose()

    def _piece(self, content: bytes) -> ChatCompletionChunk:
        if content == b"[DONE]":
            self._is_whole = True
            raise StopAsyncIteration
        fields: dict[str, Any] = json.loads(content)
        if fault := fields.get("error"):
            raise openai.APIError(f"in the stream: {json.dumps({'error': fault})}", self._response.request, body=fault)
        try:
            piece = ChatCompletionChunk.model_validate(fields)
        except ValidationError:  # not every server sends every field
            piece = ChatCompletionChunk.construct(**fields)
        self._usage = piece.usage or self._usage
        self._is_whole = self._is_whole or any(choice.finish_reason for choice in piece.choices or ())
        return piece
