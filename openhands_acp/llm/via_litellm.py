"""A model through LiteLLM: the only door to it, and the reason why nothing imports this file early.

The import takes seconds and may be done in a worker thread; `prewarm` does the rest of what LiteLLM
puts off until its first request. Knows nothing of sessions, and tries each request once.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, TypeVar

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # without it, the import goes to the network

import anyio
import httpx
import litellm
import openai
from openai._types import RequestOptions
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import Message, Text, UserMessage
from openhands_acp.engine.ports import Chunk, Finish, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.answer import Answer
from openhands_acp.llm.assemble import to_chat
from openhands_acp.llm.errors import (
    Failure,
    Phase,
    asked,
    chain,
    root_cause,
    timed_out,
    turn_error,
    unknown_provider,
)
from openhands_acp.llm.model import ModelSettings, default_deadlines

T = TypeVar("T")

_TLS: Final = httpx.create_ssl_context()
"""Read once: the certificates take some 20 ms."""

_AFTER_FINISH: Final = 5.0
"""Seconds to wait for usage once the answer is complete: an answer is not lost for want of its price."""

_FAILED: Final = (openai.OpenAIError, httpx.HTTPError, OSError, ValueError)
"""What LiteLLM raises (its exceptions are OpenAI's), and what the end of a stream raises without it."""


def _silence() -> None:
    """Keep LiteLLM from printing, logging and counting: what goes wrong reaches the person as TurnError."""
    litellm.suppress_debug_info = True
    litellm.disable_streaming_logging = True
    litellm.disable_token_counter = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


_silence()


class LiteLLM:
    """The `LLM` port for one model. `close` frees its connections."""

    def __init__(self, settings: ModelSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._transport = transport
        self._name, self._provider = _provider_of(settings)
        self._who = asked(settings, self._provider)
        self._deadlines = settings.deadlines or default_deadlines(settings.base_url)
        self._is_claude = "claude" in settings.model.lower()
        self._sdk: openai.AsyncOpenAI | None = None
        self._facts: Mapping[str, Any] | None = None

    @property
    def model(self) -> str:
        return self._settings.model

    @property
    def context_window(self) -> int | None:
        return self._settings.context_window or self._known().get("max_input_tokens")

    @property
    def sees_images(self) -> bool:
        return bool(self._known().get("supports_vision"))

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        """Ask once. Close the generator to hang up. Raises TurnError, whose text a person can act on."""
        answer, limits = Answer(), self._deadlines
        first = anyio.current_time() + limits.first_token
        scope = anyio.CancelScope(deadline=first, shield=True)
        stream = await self._guarded(scope, "first_token", self._ask(messages, tools, scope), answer)
        try:
            forget = _forgetter(stream)
            phase, by = "first_token", first
            while answer.reason is None:
                # A scope for each wait: one that stayed open across a `yield` would cancel the consumer.
                piece = await self._guarded(anyio.CancelScope(deadline=by), phase, _next(stream), answer)
                if piece is None:
                    break
                for choice in piece.choices:
                    delta: Mapping[str, Any] = vars(choice.delta) | (choice.delta.model_extra or {})
                    for chunk in answer.read(delta):
                        yield chunk
                    if choice.finish_reason is not None:
                        answer.finish(choice.finish_reason)
                if answer.has_begun:  # a first chunk may say no more than the role, long before a token
                    phase, by = "between_chunks", anyio.current_time() + limits.between_chunks
                forget()
            yield Finish(answer.reason or "stop", await self._usage(stream), answer.blocks())
        finally:
            await stream.aclose()

    async def close(self) -> None:
        """Free the connections of this model."""
        if self._sdk is not None:
            await self._sdk.close()

    async def _ask(
        self, messages: list[Message], tools: tuple[ToolSpec, ...], scope: anyio.CancelScope
    ) -> litellm.CustomStreamWrapper:
        if not self._provider:
            raise unknown_provider(self._who)
        chat, specs = to_chat(messages, tools, cache_marks=self._is_claude, with_blocks=self._is_claude)
        more: dict[str, Any] = {**self._settings.extra, **({"tools": specs} if specs else {})}
        if self._provider == "openai":
            self._sdk = self._sdk or _sdk(self._settings, self._transport)
            # LiteLLM makes the coroutine of the request in a thread; a cancellation in those
            # milliseconds would leave it never awaited. The door lifts the shield.
            more["client"] = _Door(self._sdk, scope)
        else:
            scope.shield = False
        limits = self._deadlines
        stream = await litellm.acompletion(
            model=self._settings.model,
            messages=chat,
            api_key=self._settings.api_key,
            base_url=self._settings.base_url,
            stream=True,
            stream_options={"include_usage": True},
            num_retries=0,
            max_retries=0,
            # For the connection, and as a net beneath our own two: some providers know but one number.
            timeout=httpx.Timeout(limits.first_token + limits.between_chunks, connect=limits.connect),
            **more,
        )
        if not isinstance(stream, litellm.CustomStreamWrapper):
            raise TypeError(f"no stream but {type(stream).__name__} from litellm")
        return stream

    async def _guarded(self, scope: anyio.CancelScope, phase: Phase, step: Awaitable[T], answer: Answer) -> T:
        """Await one step until the deadline of `scope`; every way in which it fails becomes a TurnError."""
        try:
            with scope:
                return await step
        except _FAILED as error:
            raise self._turn_error(error, phase, answer) from None
        raise timed_out(self._who, phase, getattr(self._deadlines, phase))

    def _turn_error(self, error: Exception, phase: Phase, answer: Answer) -> TurnError:
        names = {type(each).__name__ for each in chain(error)}
        if names & {"ConnectTimeout", "ConnectionTimeoutError"}:
            return timed_out(self._who, "connect", self._deadlines.connect)
        if names & {"Timeout", "APITimeoutError", "ReadTimeout"} and not _says_otherwise(error):
            return timed_out(self._who, phase, getattr(self._deadlines, phase))
        return turn_error(self._who, _failure(error, answer))

    async def _usage(self, stream: litellm.CustomStreamWrapper) -> Usage | None:
        """Read to the end, where usage comes; neither a failure nor a silence there costs the answer."""
        found: Any = None
        with anyio.move_on_after(_AFTER_FINISH), suppress(*_FAILED):
            pieces = vars(stream).get("completion_stream")
            if isinstance(pieces, _Pieces):
                found = await pieces.usage()
            else:
                async for piece in stream:
                    found = getattr(piece, "usage", None) or found
        return None if found is None else self._priced(found)

    def _priced(self, usage: CompletionUsage) -> Usage:
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens if details is not None else 0) or 0
        whole = litellm.Usage(**usage.model_dump())
        cost: float | None = None
        with suppress(litellm.ModelNotMappedError, KeyError, TypeError, ValueError):
            cost = sum(litellm.cost_per_token(self._name, custom_llm_provider=self._provider, usage_object=whole))
        return Usage(usage.prompt_tokens, usage.completion_tokens, cached, cost)

    def _known(self) -> Mapping[str, Any]:
        """Look up what LiteLLM knows of the model, without asking anybody: for Ollama it would ask the server."""
        if self._facts is None:
            self._facts = {}
            if not self._provider.startswith("ollama"):
                with suppress(litellm.ModelNotMappedError, *_FAILED):
                    self._facts = dict(litellm.get_model_info(self._name, self._provider or None))
        return self._facts


def prewarm() -> None:
    """Do what LiteLLM puts off until its first request (seconds), in the thread that calls.

    It asks a model that answers from memory, in an event loop of its own.
    """
    head, piece = (
        {"content-type": "text/event-stream"},
        {"index": 0, "delta": {"content": "."}, "finish_reason": "stop"},
    )
    body = f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [piece]})}\n\ndata: [DONE]\n\n"
    reply = httpx.MockTransport(lambda _request: httpx.Response(200, headers=head, text=body))
    httpx.AsyncHTTPTransport(verify=_TLS)  # httpx imports what talks to a network when the first is made

    async def ask() -> None:
        model = LiteLLM(ModelSettings("openai/none", api_key="none", base_url="http://127.0.0.1/"), reply)
        async for _chunk in model.stream([UserMessage((Text("."),))], (ToolSpec("none", "", {"type": "object"}),)):
            pass
        await model.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LiteLLM's own types warn as they are made, here for the first time
        anyio.run(ask)


def _provider_of(settings: ModelSettings) -> tuple[str, str]:
    try:
        name, provider, _key, _base = litellm.get_llm_provider(settings.model, api_base=settings.base_url)
    except openai.OpenAIError:
        return settings.model, ""
    return name, provider


async def _next(stream: litellm.CustomStreamWrapper) -> litellm.ModelResponseStream | None:
    try:
        return await stream.__anext__()
    except StopAsyncIteration:
        return None


def _forgetter(stream: litellm.CustomStreamWrapper) -> Callable[[], None]:
    """Return what has LiteLLM forget chunks it has handed out: it keeps all, 4 kB each, to put the answer together.

    Only where usage is read without that (`_usage`); two are kept for its check for a model that repeats itself.
    """
    chunks: list[object] = vars(stream)["chunks"]

    def forget() -> None:
        del chunks[:-2]

    return forget if isinstance(vars(stream)["completion_stream"], _Pieces) else lambda: None


def _says_otherwise(error: Exception) -> bool:
    """Tell whether a provider answered, with a status that is not of a timeout."""
    return getattr(error, "status_code", HTTPStatus.REQUEST_TIMEOUT) != HTTPStatus.REQUEST_TIMEOUT


def _failure(error: Exception, answer: Answer) -> Failure:
    """Put a vendor's exception in plain words."""
    links = list(chain(getattr(error, "original_exception", None) or error))
    is_connection = any(isinstance(link, (httpx.TransportError, ConnectionError)) for link in links)
    responses: list[Any] = [getattr(link, "response", None) for link in links]
    waits: list[str | None] = [response.headers.get("retry-after") for response in responses if response is not None]
    status: Any = getattr(links[0], "status_code", None)
    return Failure(
        kind="connection" if is_connection else type(links[0]).__name__,
        status=status if isinstance(status, int) and not is_connection else None,
        text=root_cause(links[0]) or getattr(links[0], "message", None) or str(links[0]),
        retry_after=next(filter(None, waits), None),
        while_answering=answer.has_begun,
    )


# ---------------------------------------------------------------- OpenAI's own protocol


def _sdk(settings: ModelSettings, transport: httpx.AsyncBaseTransport | None) -> openai.AsyncOpenAI:
    """Make the client here rather than let LiteLLM keep one, so that it is closed with the session."""
    key = settings.api_key or os.environ.get("OPENAI_API_KEY") or ("none" if settings.base_url else None)
    base = settings.base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")
    web = httpx.AsyncClient(transport=transport, verify=_TLS, follow_redirects=True)
    return openai.AsyncOpenAI(api_key=key, base_url=base, http_client=web, max_retries=0)


class _Door:
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

    def parse(self) -> _Pieces:
        return _Pieces(self._response)


class _Pieces:
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

    def __aiter__(self) -> _Pieces:
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
