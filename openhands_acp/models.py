"""The models of one client's sessions: one client of each, opened when it is first asked.

Part of the composition. Knows settings, keys and what opens a model; knows no session and nothing of the wire.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.ports import LLM
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import ModelSettings, Told, is_loopback
from openhands_acp.llm.thinking import levels
from openhands_acp.model_list import Catalogue, ModelList
from openhands_acp.model_sources import PROFILE
from openhands_acp.options import Options
from openhands_acp.providers import PROVIDERS, missing
from openhands_acp.redaction import Secret
from openhands_acp.settings import Settings, load_settings

if TYPE_CHECKING:
    from openhands_acp.keys import Keys
    from openhands_acp.llm.local_servers import Found

_SCRIPTED = "scripted/"
_AS_THE_PROFILE_SAYS = ""
"""A thought level: of a profile that is chosen in a session that says nothing of it."""
_OPENHANDS = "openhands/"
_AS_OPENAI = "openai"
_GATEWAY = "https://llm-proxy.app.all-hands.dev"
"""OpenHands' own: a proxy of LiteLLM's."""


@dataclass(frozen=True, slots=True)
class ModelLibrary:
    """LiteLLM, as far as it is used."""

    open: Callable[[ModelSettings], LLM]
    catalogue: Catalogue
    ask_for_limits: Callable[[ModelSettings], bool] | None = None
    """Has a model's provider tell how much it reads (`ModelSettings.told`); False if it cannot be reached. Blocks."""


class Models:
    def __init__(
        self,
        options: Options,
        environ: Callable[[], Awaitable[Mapping[str, str]]],
        learn: Callable[[str], None],
        library: ModelLibrary | None = None,
    ) -> None:
        """`environ` is what programs are started with that print keys; `learn` is told each key to mask it.

        `library` is LiteLLM if it is not given, imported when it is first wanted.
        """
        self._options = options
        self._environ, self._learn = environ, learn
        self._keys: Keys | None = None
        self._library = library
        self._loading: anyio.Event | None = None
        self._opened: dict[tuple[str, str], LLM] = {}
        self._told: dict[tuple[str, str | None], Told] = {}
        """What the provider of a model at an address told of it, or was asked for."""
        self._settings = load_settings(options)
        self.choices = ModelList(options, self._load_catalogue)

    def renew(self, settings: Settings) -> None:
        """Go by these settings from now on: each model is opened anew when it is next asked."""
        self._settings = settings
        self._forget()
        self.choices.renew(settings)

    def behind(self, choice: str) -> str:
        """Return the model behind a choice, as LiteLLM spells it; the choice itself if it is a profile no more."""
        profile = choice.removeprefix(PROFILE) if choice.startswith(PROFILE) else None
        return (self._settings.profiles.get(profile) if profile else None) or choice

    def levels(self, choice: str) -> tuple[str, ...]:
        """Return how much thinking a model can be asked for; none if it is not known to think."""
        return levels(self.behind(choice))

    async def open(self, choice: str, thought_level: str, purpose: str) -> LLM:
        """Return the one client of the model that is set for this purpose, else of `choice`, at this level.

        Waits while LiteLLM is still being imported. Raises TurnError if it cannot be asked for want of a key or a
        profile.
        """
        choice = self._settings.purposes.get(purpose, choice)
        if purpose in ("agent", "subagent") and thought_level == "default" and choice.startswith(PROFILE):
            thought_level = _AS_THE_PROFILE_SAYS
        # Others may want the same one meanwhile, and what is in force may change.
        opened, key = self._opened, (choice, thought_level)
        return opened[key] if key in opened else opened.setdefault(key, await self._open(*key))

    async def look_around(self, changed: Callable[[], None]) -> None:
        """Find the models that can be chosen; `changed` is called after each step. Takes seconds the first time."""
        await self.choices.look_at_servers()
        changed()
        if not is_scripted(self._settings.model or ""):
            await self.choices.look_into_catalogue()
            changed()

    # ---------------------------------------------------------------- inside

    async def _open(self, choice: str, thought_level: str) -> LLM:
        # Anew for this model: key and address count only for the provider that they were written for.
        settings = load_settings(self._options, choice=choice)
        if settings.model is None:
            raise TurnError("model", f"There is no profile {choice.removeprefix(PROFILE)!r} any more. {_CHOOSE}")
        if is_scripted(settings.model):
            # Late: the demo's.
            from openhands_acp.llm.scripted import Scripted

            return Scripted()
        if lacking := missing(settings, os.environ):
            raise TurnError("auth", f"{lacking.reason[:1].upper()}{lacking.reason[1:]}. {lacking.details}")
        level = settings.thought_level if thought_level == _AS_THE_PROFILE_SAYS else thought_level
        return await self._open_litellm(settings, level if level in levels(settings.model) else "default")

    async def _open_litellm(self, settings: Settings, thought_level: str) -> LLM:
        # First, while LiteLLM may still be on its way: a server that is busy takes its time.
        asked = await anyio.to_thread.run_sync(_located, settings, abandon_on_cancel=True)
        library = await self._load_library()
        key = settings.api_key or await self._asked_for(settings)
        asked = replace(
            asked,
            api_key=key.value if key else None,
            thought_level=thought_level,
            deadlines=settings.deadlines,
            api=settings.api,
            tool_calls=settings.tool_calls,
            vision=settings.vision,
            told=self._told.get((asked.model, asked.base_url)) or Told(),
        )
        llm = library.open(asked)
        if asked.context_window is None and library.ask_for_limits is not None:
            self._ask_for_limits(library.ask_for_limits, asked)
        if settings.late_key is None:
            return llm
        from openhands_acp.llm.rekeyed import rekeyed

        # A key that a program prints may expire: the next prompt asks for it again.
        return rekeyed(llm, self._forget)

    def _ask_for_limits(self, ask: Callable[[ModelSettings], bool], asked: ModelSettings) -> None:
        """Have the provider tell once how much a model reads, beside the first request. Nobody waits for it."""
        key = asked.model, asked.base_url
        if key in self._told:
            return
        self._told[key] = asked.told

        def ask_once() -> None:
            if not ask(asked):
                # Once more when the model is next opened.
                self._told.pop(key, None)

        # A thread, and not a task of anybody's: whoever wanted the model may be gone before its provider answers.
        Thread(target=ask_once, name="limits", daemon=True).start()

    async def _asked_for(self, settings: Settings) -> Secret | None:
        """Return the key that is not written down, if there is to be one. Raises TurnError."""
        if settings.late_key is None:
            return None
        # Late: most keys are written down.
        from openhands_acp.keys import Keys, NoKey

        self._keys = self._keys or Keys(self._environ, self._learn)
        try:
            return await self._keys.get(settings.late_key)
        except NoKey as reason:
            raise TurnError("auth", f"There is no key for {settings.model}: {reason}. {_CHOOSE}") from reason

    def _forget(self) -> None:
        self._opened = {}
        # Who told nothing may do so for another key.
        self._told = {key: told for key, told in self._told.items() if told.window is not None}
        if self._keys is not None:
            self._keys.forget()

    async def _load_catalogue(self) -> Catalogue:
        return (await self._load_library()).catalogue

    async def _load_library(self) -> ModelLibrary:
        while self._library is None:
            if self._loading is not None:
                await self._loading.wait()
                continue
            self._loading = anyio.Event()
            model = self._settings.model
            try:
                self._library = await anyio.to_thread.run_sync(import_litellm, model, abandon_on_cancel=True)
            finally:
                self._loading.set()
                self._loading = None
        return self._library


_CHOOSE = "Choose another model, with `/model` for one, then send the prompt again."


def is_scripted(model: str) -> bool:
    return model.startswith(_SCRIPTED)


def import_litellm(model: str | None = None) -> ModelLibrary:
    """Import LiteLLM and do what it puts off until its first request, to this model. Blocks for seconds."""
    # Late, because it takes seconds, and in a thread, so that nobody waits who does not need it.
    # The collector would look at what is imported again and again, now (a fifth of the time) and while a model streams.
    gc.disable()
    try:
        from openhands_acp.llm import calling, catalogue, via_litellm, warming

        warming.prewarm(model)
        entries = via_litellm.entries()
        known = catalogue.by_provider(entries, PROVIDERS, datetime.now(UTC).date())
        gc.freeze()
    finally:
        gc.enable()
    return ModelLibrary(
        partial(calling.calling, via_litellm.LiteLLM),
        Catalogue(known, lambda model: catalogue.known(entries, model, PROVIDERS), via_litellm.takes),
        via_litellm.ask_for_limits,
    )


def _located(settings: Settings) -> ModelSettings:
    """Say what is asked and where; a server on this machine is asked how much of a conversation it reads."""
    # Late, because no session waits for it.
    from openhands_acp.llm.local_servers import KINDS, OLLAMA, window_at, window_of

    assert settings.model is not None
    found = _found(settings)
    if found is None:
        is_theirs = settings.model.startswith(_OPENHANDS)
        model = f"litellm_proxy/{settings.model.removeprefix(_OPENHANDS)}" if is_theirs else settings.model
        base_url = settings.base_url or (_GATEWAY if is_theirs else None)
        provider, _, name = model.partition("/")
        window = settings.context_window
        if window is None and base_url and is_loopback(base_url) and provider in (_AS_OPENAI, *KINDS):
            window = window_at(base_url, name)
        return ModelSettings(model, base_url=base_url, context_window=window, extra=_extra(settings))
    window = settings.context_window or window_of(found)
    # Else it reads 4,096 tokens, whatever the model can, and forgets the rest without a word.
    more: Mapping[str, JsonValue] = {"num_ctx": window} if found.kind is OLLAMA and window else {}
    return ModelSettings(
        f"{found.kind.provider}/{found.name}",
        base_url=found.base_url,
        context_window=window,
        extra={**more, **_extra(settings)},
    )


def _found(settings: Settings) -> Found | None:
    """Say which server has the model, if it is one of a kind that has to be known; asks none."""
    from openhands_acp.llm.local_servers import KINDS, OLLAMA, Found, located

    assert settings.model is not None
    provider, _, name = settings.model.partition("/")
    if KINDS.get(provider) is OLLAMA and (address := settings.base_url or os.environ.get("OLLAMA_API_BASE")):
        return Found(name, OLLAMA, address)
    return located(settings.model, settings.local_servers) if settings.base_url is None else None


def _extra(settings: Settings) -> Mapping[str, JsonValue]:
    most: Mapping[str, JsonValue] = {"max_tokens": settings.max_output_tokens} if settings.max_output_tokens else {}
    return {**most, **settings.extra}
