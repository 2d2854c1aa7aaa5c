"""A model through LiteLLM: the only door to it, and the reason why nothing imports this file early.

The import takes seconds and may be done in a worker thread; `warming` does the rest of what LiteLLM
puts off until its first request. Knows nothing of sessions, and tries each request once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, cast

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # without it, the import goes to the network

import anyio
import httpx
import litellm
import openai

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import Chunk, Finish, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.assemble import cache_key, spelt
from openhands_acp.llm.dialect import Dialect, dialect_of
from openhands_acp.llm.errors import asked, unknown_provider
from openhands_acp.llm.estimate import estimated, length_of
from openhands_acp.llm.exchange import ChatExchange, ChatStream, Counted, Exchange, ResponsesExchange, Source
from openhands_acp.llm.litellm_failures import FAILED, Watch
from openhands_acp.llm.model import Api, ModelSettings, default_deadlines
from openhands_acp.llm.openai_wire import Door, Relayed, Sent, client, own_address, posted_responses
from openhands_acp.llm.provider_limits import address_of, is_openais, questions, told
from openhands_acp.llm.reasoning import CLAUDE
from openhands_acp.llm.repair import Repairs
from openhands_acp.llm.responses import to_responses, with_arguments
from openhands_acp.llm.thinking import arguments, claude_in
from openhands_acp.llm.web import handler

_AFTER_FINISH: Final = 5.0
"""Seconds to wait for usage once the answer is complete: an answer is not lost for want of its price."""

_RESPONSES: Final = "responses/"
"""In front of a model's name, LiteLLM's way to ask for that protocol."""
_OF_NO_MESSAGE: Final = {
    *cast("list[str]", cast("Any", litellm).OPENAI_CHAT_COMPLETION_PARAMS),
    *("allowed_openai_params", "drop_params", "extra_body", "extra_query"),
}
"""Arguments of a request that do not have LiteLLM put in messages, or join some."""
_OF_ALL_TOOLS: Final = frozenset({"functions", "parallel_tool_calls", "tool_choice"})
"""It leaves these out of a request that has no tools."""
_INTERLEAVED: Final = {"anthropic-beta": "interleaved-thinking-2025-05-14"}
"""Has Claude think between the calls of a round, too; the later models do without being told."""


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
        name, self._provider, _address = _route(settings)
        self._name = name.removeprefix(_RESPONSES)
        self._api: Api = "responses" if name.startswith(_RESPONSES) else settings.api
        self._who = asked(settings, self._provider)
        self._deadlines = settings.deadlines or default_deadlines(settings.base_url)
        self._summarises = True
        """Its thoughts may be asked for; OpenAI tells them to verified organisations only."""
        self._repairs = Repairs()
        self._sent = Sent()
        self._sdk: openai.AsyncOpenAI | None = None
        self._web = handler(litellm, self._provider, self._timeout(), transport)
        self._facts: Mapping[str, Any] | None = None

    @property
    def model(self) -> str:
        return self._settings.model

    @property
    def is_asked_by_us(self) -> bool:
        """Whether its requests go through clients of ours, so that a transport counts."""
        return self._web is not None or self._provider == "openai"

    @property
    def context_window(self) -> int | None:
        return self._settings.context_window or self._settings.told.window or self._known().get("max_input_tokens")

    @property
    def sees_images(self) -> bool:
        said = self._settings.vision
        return bool(self._known().get("supports_vision")) if said is None else said

    @property
    def calls_tools(self) -> bool | None:
        """Whether LiteLLM's table says that the model has native calls; None: it does not say."""
        return self._known().get("supports_function_calling")

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        """Ask once. Close the generator to hang up. Raises TurnError, whose text a person can act on."""
        watch = Watch(self._who, self._deadlines)
        scope = watch.scope(shield=True)
        exchange = await watch.over(self._ask(messages, tools, scope), scope)
        answer, said = exchange.answer, 0
        try:
            while answer.reason is None:
                chunks = await watch.over(exchange.next())
                if chunks is None:
                    break
                for chunk in chunks:
                    said += length_of(chunk)
                    yield chunk
                if answer.is_thinking:
                    watch.stirred()
                elif answer.has_begun:
                    watch.heard()
            yield Finish(answer.reason or "stop", await self._usage(exchange), answer.blocks())
        except TurnError as error:
            error.spent = self._priced(estimated(messages, tools, said)) if answer.has_begun else None
            raise
        finally:
            await exchange.aclose()

    async def close(self) -> None:
        """Free the connections of this model."""
        if self._sdk is not None:
            await self._sdk.close()
        if self._web is not None:
            await self._web.client.aclose()

    async def _ask(self, messages: list[Message], tools: tuple[ToolSpec, ...], scope: anyio.CancelScope) -> Exchange:
        if not self._provider:
            raise unknown_provider(self._who)
        dialect = self._dialect()
        if dialect.api == "responses":
            scope.shield = False
            return await self._ask_for_response(messages, tools, dialect)
        return await self._ask_for_chat(messages, tools, dialect, scope)

    async def _ask_for_chat(
        self, messages: list[Message], tools: tuple[ToolSpec, ...], dialect: Dialect, scope: anyio.CancelScope
    ) -> Exchange:
        level, owner = self._thinking(), dialect.owner
        more: dict[str, Any] = dict(self._settings.extra)
        if owner == CLAUDE:
            given_back, level = claude_in(messages, self._settings.thought_level, level, self._known(), more)
            dialect = replace(dialect, owner=given_back)
            if self._provider == "anthropic" and level and not self._known().get("supports_adaptive_thinking"):
                more["extra_headers"] = {**_INTERLEAVED, **(more.get("extra_headers") or {})}
            if most := self._settings.told.longest_answer:
                # Else one that LiteLLM does not know is allowed 4,096 tokens, in which no longer file can be written.
                level = {**level, "max_tokens": most}
        valid = self._repairs.of(messages, ids=dialect.ids, image_results=dialect.image_results)
        is_one_by_one = dialect.cache_marks is None and _is_one_by_one(more)
        conversation = (self._sent if is_one_by_one else Sent()).conversation(valid, tools, dialect)
        rest = valid[len(conversation.known) :]
        chat, specs = spelt(rest, () if conversation.known_tools else tools, dialect)
        more = {**level, **more, **({"tools": specs} if specs else {})}
        if dialect.cache_key:
            more["prompt_cache_key"] = cache_key(messages)
        if self._provider == "openai":
            # LiteLLM makes the coroutine of the request in a thread; a cancellation in those
            # milliseconds would leave it never awaited. The door lifts the shield.
            more["client"] = Door(self._client(), scope, conversation)
            # It would choose the API by rules of its own, and knows no server but OpenAI's.
            more["_skip_responses_api_bridge"] = True
        else:
            scope.shield = False
            more |= {} if self._web is None else {"client": self._web}
        stream = await litellm.acompletion(
            model=self._settings.model,
            messages=chat,
            api_key=self._settings.api_key,
            base_url=self._settings.base_url,
            stream=True,
            stream_options={"include_usage": True},
            num_retries=0,
            max_retries=0,
            timeout=self._timeout(),
            **more,
        )
        if not isinstance(stream, litellm.CustomStreamWrapper):
            raise TypeError(f"no stream but {type(stream).__name__} from litellm")
        return ChatExchange(cast("ChatStream", stream), owner, stamps="reasoning_effort" in level)

    async def _ask_for_response(
        self, messages: list[Message], tools: tuple[ToolSpec, ...], dialect: Dialect
    ) -> Exchange:
        more = {**self._thinking(), **self._settings.extra}

        def body(given_back: Dialect) -> dict[str, Any]:
            spelt = to_responses(messages, tools, given_back, self._repairs)
            return with_arguments(spelt, more, thinks=dialect.thinks, summarises=self._summarises)

        try:
            source = await self._posted(body(dialect))
        except openai.BadRequestError as error:
            if self._summarises and "summar" in str(error):
                self._summarises = False
                source = await self._posted(body(dialect))
            elif "encrypted" in str(error):
                # Another organisation's, or of a server that was asked before: nobody can tell by looking at it.
                source = await self._posted(body(replace(dialect, owner=None)))
            else:
                raise
        return ResponsesExchange(source, dialect.owner)

    async def _posted(self, body: dict[str, Any]) -> Source:
        if self._provider == "openai":
            return await posted_responses(self._client(), {"model": self._name, **body}, self._timeout())
        stream: Any = await litellm.aresponses(
            model=self._settings.model,
            api_key=self._settings.api_key,
            api_base=self._settings.base_url,
            timeout=self._timeout(),
            num_retries=0,
            max_retries=0,
            **body,
        )
        return Relayed(stream, getattr(stream, "response", None))

    def _client(self) -> openai.AsyncOpenAI:
        self._sdk = self._sdk or client(self._settings, self._transport)
        return self._sdk

    def _timeout(self) -> httpx.Timeout:
        """Return how long to wait for a connection, and a net beneath our own two: some providers know but one."""
        limits = self._deadlines
        return httpx.Timeout(limits.first_token + limits.between_chunks, connect=limits.connect)

    async def _usage(self, exchange: Exchange) -> Usage | None:
        """Read to the end, where usage comes; neither a failure nor a silence there costs the answer."""
        counted: Counted | None = None
        with anyio.move_on_after(_AFTER_FINISH), suppress(*FAILED):
            counted = await exchange.counted()
        return None if counted is None else self._priced(counted)

    def _priced(self, counted: Counted) -> Usage:
        whole = litellm.Usage(**counted)
        of_input: Any = whole.prompt_tokens_details
        of_output: Any = whole.completion_tokens_details
        return Usage(
            input_tokens=whole.prompt_tokens,
            output_tokens=whole.completion_tokens,
            cached_tokens=getattr(of_input, "cached_tokens", None) or 0,
            cost_usd=self._cost(counted, whole),
            cache_write_tokens=getattr(of_input, "cache_creation_tokens", None) or 0,
            reasoning_tokens=getattr(of_output, "reasoning_tokens", None) or 0,
        )

    def _cost(self, counted: Counted, whole: litellm.Usage) -> float | None:
        """Return what it cost; None if nobody knows, for which LiteLLM may say 0."""
        match counted.get("cost"):
            case int() | float() as told:  # OpenRouter tells what it took
                return float(told)
            case _:
                pass
        if self._known().get("has_price"):
            with suppress(litellm.ModelNotMappedError, KeyError, TypeError, ValueError):
                return sum(litellm.cost_per_token(self._name, custom_llm_provider=self._provider, usage_object=whole))
        return None

    def _thinking(self) -> Mapping[str, Any]:
        """Spell the thought level for this provider; nothing where LiteLLM would refuse it."""
        level = self._settings.thought_level
        if level == "default" or not self._provider:
            return {}
        taken: list[str] | None = cast("Any", litellm).get_supported_openai_params(self._name, self._provider)
        return arguments(level, self._name, self._known(), taken or ())

    def _dialect(self) -> Dialect:
        own = own_address(self._settings)
        is_own_url = own is not None and not is_openais(own)
        return dialect_of(self._provider, self._name, self._api, self._known(), is_own_url=is_own_url)

    def _known(self) -> Mapping[str, Any]:
        """Look up what LiteLLM knows of the model, without asking anybody: for Ollama it would ask the server."""
        if self._facts is None:
            self._facts = {}
            if not self._provider.startswith("ollama"):
                with suppress(litellm.ModelNotMappedError, *FAILED):
                    told: dict[str, Any] = dict(litellm.get_model_info(self._name, self._provider or None))
                    # What it tells has a price of 0 where its catalogue has none, and lacks half of the flags.
                    entry: dict[str, Any] = cast("Any", litellm).model_cost.get(told["key"]) or {}
                    has_price = any("cost" in name or name == "tiered_pricing" for name in entry)
                    self._facts = {**told, **entry, "has_price": has_price}
        return self._facts


def _is_one_by_one(more: Mapping[str, Any]) -> bool:
    """Tell whether LiteLLM looks at each message, and each tool, alone, if it is asked with these arguments."""
    is_replaced = not {"messages", "tools"}.isdisjoint(more.get("extra_body") or ())
    return _OF_NO_MESSAGE.issuperset(more) and _OF_ALL_TOOLS.isdisjoint(more) and not is_replaced


def entries() -> Mapping[str, Mapping[str, Any]]:
    """Return LiteLLM's own catalogue: what it knows of each model."""
    return cast("Any", litellm).model_cost


def provider_of(model: str) -> str:
    """Return whom LiteLLM asks for a model; empty: it does not know."""
    return _route(ModelSettings(model))[1]


def takes(model: str) -> bool:
    """Tell whether LiteLLM knows whom to ask for a model."""
    return bool(provider_of(model))


def ask_for_limits(settings: ModelSettings) -> bool:
    """Have the provider tell how much a model reads (`settings.told`); False if it cannot be reached. Blocks."""
    name, provider, base = _route(settings)
    name = name.removeprefix(_RESPONSES)
    headers: Any = settings.extra.get("extra_headers") or {}
    asked = questions(provider, name, address_of(provider, base, os.environ), settings.api_key, headers)
    limits = told(asked, name)
    if limits is not None:
        settings.told.window, settings.told.longest_answer = limits.window, limits.longest_answer
    return limits is not None or not asked


def _route(settings: ModelSettings) -> tuple[str, str, str | None]:
    """Return a model's own name, whom LiteLLM asks for it, and where, so far as it tells."""
    try:
        name, provider, _key, base = litellm.get_llm_provider(settings.model, api_base=settings.base_url)
    except openai.OpenAIError:
        return settings.model, "", None
    return name, provider, base
