"""Which of the models that LiteLLM knows are worth choosing for an agent, the newest first. Pure.

LiteLLM has no dates of birth: what is newer is told from the versions in the names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

Entries: TypeAlias = Mapping[str, Mapping[str, Any]]
"""LiteLLM's `model_cost`."""

_MODES = ("chat", "responses")
_DATE = re.compile(r"[-@](?:20\d\d-\d\d-\d\d|20\d{6}|\d\d-20\d\d|\d{4})(?=$|-)")
"""`-2025-04-14`, `-20250929`, `@20241022`, `-10-2025`, `-2512`."""
_NO_AGENTS = re.compile(r"^ft:|audio|realtime|voxtral|-search|robotics|computer-use|moderation|guard")
"""Bases to tune, and models for other work that call functions as well."""
_VERSION = re.compile(r"(?<![a-z\d])[a-z]?(\d{1,2}(?:[.p-]\d{1,2})?)(?![\dbx]|[a-z]{2})")
"""`5.5` in `gpt-5.5`, `4-6` in `claude-opus-4-6`, `4` in `o4-mini`; not the `70b` or `8x22b` of a size."""


@dataclass(frozen=True, slots=True)
class Known:
    """What LiteLLM knows of a model. Prices in dollars per million tokens; None is unknown."""

    model: str
    """PROVIDER/NAME."""
    window: int | None = None
    input_price: float | None = None
    output_price: float | None = None


def by_provider(entries: Entries, providers: Collection[str], today: date) -> dict[str, tuple[Known, ...]]:
    """Return for each provider the models that can chat and call tools and are not withdrawn by `today`.

    One with a date in its name is left out where the same is there without, and so is a second name of a model.
    """
    found: dict[str, dict[str, Known]] = {}
    for name, entry in entries.items():
        provider = _provider(entry, providers)
        if provider is not None and _is_for_agents(name, entry, today):
            known = _known(name, provider, entry)
            found.setdefault(provider, {})[known.model] = known
    return {provider: _newest_first(models) for provider, models in found.items()}


def known(entries: Entries, model: str, providers: Collection[str]) -> Known | None:
    """Look up a model as LiteLLM spells it; of whatever kind, and withdrawn or not."""
    provider, _, name = model.partition("/")
    for key in (model, name):
        entry = entries.get(key)
        if entry is not None and (key == model or _provider(entry, providers) == provider):
            return _known(key, _provider(entry, providers) or "", entry)
    return None


def _provider(entry: Mapping[str, Any], providers: Collection[str]) -> str | None:
    named = str(entry.get("litellm_provider", ""))
    # LiteLLM's `vertex_ai-anthropic_models` and `bedrock_converse` are one provider's by several ways.
    return next(
        (each for each in (named, named.partition("-")[0], named.removesuffix("_converse")) if each in providers), None
    )


def _is_for_agents(name: str, entry: Mapping[str, Any], today: date) -> bool:
    return (
        entry.get("mode") in _MODES
        and bool(entry.get("supports_function_calling"))
        and not _NO_AGENTS.search(name)
        and not _is_withdrawn(entry, today)
    )


def _is_withdrawn(entry: Mapping[str, Any], today: date) -> bool:
    try:
        return date.fromisoformat(str(entry.get("deprecation_date"))) <= today
    except ValueError:
        return False


def _known(name: str, provider: str, entry: Mapping[str, Any]) -> Known:
    model = name if not provider or name.startswith(f"{provider}/") else f"{provider}/{name}"
    window = entry.get("max_input_tokens")
    prices = (_per_million(entry.get(f"{side}_cost_per_token")) for side in ("input", "output"))
    return Known(model, window if isinstance(window, int) else None, *prices)


def _per_million(price: object) -> float | None:
    return round(float(price) * 1_000_000, 6) if isinstance(price, int | float) else None


def _newest_first(models: Mapping[str, Known]) -> tuple[Known, ...]:
    kept = [known for name, known in models.items() if not _is_second(name, models)]
    return tuple(sorted(kept, key=lambda known: (_version(known.model), known.model), reverse=True))


def _is_second(name: str, models: Collection[str]) -> bool:
    bare = _DATE.sub("", name)
    others = (bare, f"{bare}-latest") if bare != name else (name.removesuffix("-latest"),)
    return any(other != name and other in models for other in others)


def _version(model: str) -> tuple[int, ...]:
    """Return the first version in a model's own name; () if there is none."""
    name = _DATE.sub("", model.rpartition("/")[2]).lower()
    found = _VERSION.search(name)
    return tuple(int(part) for part in re.split(r"[.p-]", found[1])) if found else ()
