"""A model through LiteLLM: the only door to it, and the reason why nothing imports this file early.

The import takes seconds and may be done in a worker thread; `prewarm` does the rest of what LiteLLM
puts off until its first request. Knows nothing of sessions, and tries each request once.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # without it, the import goes to the network

import anyio
import httpx
import litellm
import openai
from openai.types import CompletionUsage

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
from openhands_acp.llm.openai_wire import TLS, Door, Pieces, client
from openhands_acp.llm.thinking import arguments

T = TypeVar("T")

_AFTER_FINISH: Final = 5.0
"""Seconds to wait for usage once the answer is complete: an answer is not lost for want of its price."""

_IMAGE_RESULTS: Final = ("anthropic", "bedrock", "vertex_ai")
"""Providers of Claude that LiteLLM translates images in results for; most others refuse them there."""

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
        chat, specs = to_chat(
            messages,
            tools,
            cache_marks=self._is_claude,
            with_blocks=self._is_claude,
            image_results=self._is_claude and self._provider in _IMAGE_RESULTS,
        )
        more: dict[str, Any] = {**self._thinking(), **self._settings.extra, **({"tools": specs} if specs else {})}
        if self._provider == "openai":
            self._sdk = self._sdk or client(self._settings, self._transport)
            # LiteLLM makes the coroutine of the request in a thread; a cancellation in those
            # milliseconds would leave it never awaited. The door lifts the shield.
            more["client"] = Door(self._sdk, scope)
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
            if isinstance(pieces, Pieces):
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

    def _thinking(self) -> Mapping[str, Any]:
        """Spell the thought level for this provider; nothing where LiteLLM would refuse it."""
        level = self._settings.thought_level
        if level == "default" or not self._provider:
            return {}
        taken: list[str] | None = cast("Any", litellm).get_supported_openai_params(self._name, self._provider)
        return arguments(level, self._name, self._known()) if "reasoning_effort" in (taken or ()) else {}

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
    httpx.AsyncHTTPTransport(verify=TLS)  # httpx imports what talks to a network when the first is made

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

    return forget if isinstance(vars(stream)["completion_stream"], Pieces) else lambda: None


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
