"""The models to choose from (`engine.choices.Choices`): named, in LiteLLM's catalogue, or on servers of this machine.

Knows whose keys are there; asks no provider. What is on servers is looked for behind the answers, never before.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from openhands_acp.engine.choices import Choice, Refused
from openhands_acp.model_sources import PROFILE
from openhands_acp.options import Options
from openhands_acp.providers import PROVIDERS, Provider, missing, provider_id
from openhands_acp.settings import Settings, load_settings

if TYPE_CHECKING:
    from openhands_acp.llm.catalogue import Known
    from openhands_acp.llm.local_servers import Found

_MOST = 30
"""Models of one provider that are offered, the newest; any other can be named."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What LiteLLM knows."""

    by_provider: Mapping[str, tuple[Known, ...]]
    """The models worth choosing, the newest first."""
    find: Callable[[str], Known | None]
    """Looks any model up."""
    takes: Callable[[str], bool]
    """Tells whether it knows whom to ask for a model."""


@dataclass(slots=True)
class ModelList:
    options: Options
    load: Callable[[], Awaitable[Catalogue]]
    """Loads LiteLLM, once, which takes seconds."""
    _settings: Settings | None = None
    _catalogue: Catalogue | None = None
    _with_keys: dict[str, bool] = field(default_factory=dict[str, bool])
    """Whether the providers that were asked about can be used, and are asked at their usual address."""
    _on_servers: tuple[Found, ...] = ()

    def renew(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._settings = settings
        self._with_keys.clear()

    # ---------------------------------------------------------------- Choices

    def offered(self) -> tuple[Choice, ...]:
        settings = self._settings or load_settings(self.options)
        choices: dict[str, Choice] = {}
        for choice in (*self._named(settings), *self._of_providers(), *map(_on_server, self._on_servers)):
            choices.setdefault(choice.value, choice)
        return tuple(choices.values())

    def listed(self, value: str) -> Choice | None:
        choice = next((each for each in self.offered() if each.value == value), None)
        if choice is not None:
            self._check(value)
        return choice

    async def found(self) -> tuple[Choice, ...]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.look_at_servers)
            tasks.start_soon(self.look_into_catalogue)
        return self.offered()

    async def look_up(self, value: str) -> Choice:
        if choice := self.listed(value):
            return choice
        await self.found()
        return self.listed(value) or self._unlisted(value)

    # ---------------------------------------------------------------- looking

    async def look_at_servers(self) -> None:
        """See which servers answer now. Takes no longer than one of them may."""
        addresses = (self._settings or load_settings(self.options)).local_servers
        answers: dict[str, tuple[Found, ...]] = {}

        async def look(address: str) -> None:
            answers[address] = await anyio.to_thread.run_sync(_models_at, address, abandon_on_cancel=True)

        async with anyio.create_task_group() as tasks:
            for address in addresses:
                tasks.start_soon(look, address)
        self._on_servers = tuple(found for address in addresses for found in answers[address])

    async def look_into_catalogue(self) -> None:
        self._catalogue = await self.load()

    # ---------------------------------------------------------------- inside

    def _named(self, settings: Settings) -> Iterator[Choice]:
        for value in settings.models:
            profile = value.removeprefix(PROFILE) if value.startswith(PROFILE) else None
            model = (settings.profiles.get(profile) if profile else value) or ""
            name = f"{profile} ({model})" if profile else value
            yield self._described(value, name, model)

    def _of_providers(self) -> Iterator[Choice]:
        if self._catalogue is None:
            return
        for provider, models in self._catalogue.by_provider.items():
            if self._can_use(provider):
                yield from (self._described(known.model, known.model, known.model) for known in models[:_MOST])

    def _described(self, value: str, name: str, model: str) -> Choice:
        known = self._catalogue.find(model) if self._catalogue else None
        settings = self._settings
        window = settings.context_window if settings and value == settings.choice else None
        if known is None:
            return Choice(value, name, window)
        return Choice(value, name, window or known.window, known.input_price, known.output_price)

    def _can_use(self, provider: str) -> bool:
        if provider not in self._with_keys:
            row = PROVIDERS[provider]
            self._with_keys[provider] = _is_one_of_many(row) and self._has_key(provider, row)
        return self._with_keys[provider]

    def _has_key(self, provider: str, row: Provider) -> bool:
        settings = load_settings(self.options, choice=f"{provider}/any")
        named = any(os.environ.get(name) for name in (*row.keys, *row.instead))
        has_key = named or settings.api_key is not None or settings.late_key is not None
        # At an address of the person's own there are other models.
        return has_key and settings.base_url is None and missing(settings, os.environ) is None

    def _check(self, value: str) -> None:
        """Raise Refused if a model cannot be asked for want of something."""
        settings = load_settings(self.options, choice=value)
        if settings.model is None:
            raise Refused(f"there is no profile {value.removeprefix(PROFILE)!r} any more")
        if lacking := missing(settings, os.environ):
            raise Refused(f"{lacking.reason}. {lacking.details}")

    def _unlisted(self, value: str) -> Choice:
        catalogue = self._catalogue
        assert catalogue is not None
        offered = ", ".join(choice.value for choice in self.offered()) or "none"
        on_server = [found for found in self._on_servers if found.kind.provider == provider_id(value)]
        if on_server:
            raise Refused(f"{on_server[0].kind.name} does not have it; these can be chosen: {offered}")
        if value.startswith(PROFILE) or not catalogue.takes(value):
            raise Refused(f"there is no such model; these can be chosen: {offered}")
        self._check(value)
        known = catalogue.find(value)
        is_usual = load_settings(self.options, choice=value).base_url is None
        if known is None or not is_usual:
            return Choice(value, value, is_listed=False)
        return self._described(value, value, value)


def _is_one_of_many(row: Provider) -> bool:
    """Tell whether a key alone says that its models can be used: not where each has an address, or a login for more."""
    return bool(row.keys) and not row.also


def _on_server(found: Found) -> Choice:
    return Choice(found.value, f"{found.name} ({found.kind.name})", found.window, note=f"at {found.address}")


def _models_at(address: str) -> tuple[Found, ...]:
    # Late, because no session waits for it.
    from openhands_acp.llm.local_servers import models_at

    return models_at(address)
