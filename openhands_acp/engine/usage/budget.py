"""What a turn and a session may cost, and whether they have reached it: judged before each call of a model. Pure.

Judged so, nothing goes over a limit by more than the one call that reached it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from openhands_acp.engine.usage.cost import Bill, Scope, Spending, dollars

What: TypeAlias = Literal["cost", "tokens", "steps", "price"]
"""`price` is a limit in dollars that cannot be kept, because the price of a model is unknown."""


@dataclass(frozen=True, slots=True)
class Limit:
    """None is no limit."""

    max_cost: float | None = None
    """Dollars, of all models that are asked for whatever purpose."""
    max_tokens: int | None = None
    """Read and written, from a cache or not, of all models."""
    max_steps: int | None = None
    """Answers of the session's own model."""
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    """In front of which of them (`max_cost`, say) the settings have what: `profiles.NAME.`."""

    def changed_by(self, own: Limit, place: str) -> Limit:
        """Return these, but for what is set in `own`, which stands at a place of its own."""
        set_there = {name: value for name in _SETTINGS if (value := getattr(own, name)) is not None}
        return replace(self, **set_there, places={**self.places, **dict.fromkeys(set_there, place)})


_SETTINGS = ("max_cost", "max_tokens", "max_steps")


@dataclass(frozen=True, slots=True)
class Limits:
    turn: Limit = Limit(max_steps=500)
    session: Limit = Limit()


@dataclass(frozen=True, slots=True)
class Critic:
    """How often finished work may be sent back, and which score, of 0 to 1, is good enough."""

    max_rounds: int = 3
    threshold: float = 0.6


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that the next call of a model would go over."""

    scope: Scope
    what: What
    limit: float
    spent: float
    models: tuple[str, ...] = ()
    """Those whose price is unknown."""
    place: str = ""
    """Of the setting, if it is not among the general ones."""

    @property
    def raised(self) -> float:
        """Where the limit is if as much again is allowed."""
        return self.spent + self.limit


def reached(limits: Limits, spending: Spending) -> Reached | None:
    """Return the first limit that is reached, as far as the person has not raised or lifted it."""
    found = (
        *_of("session", limits.session, spending.session, spending),
        *_of("turn", limits.turn, spending.turn, spending),
    )
    return next(iter(found), None)


def _of(scope: Scope, limit: Limit, bill: Bill, spending: Spending) -> list[Reached]:
    spent: tuple[tuple[What, float | None, float], ...] = (
        ("cost", limit.max_cost, bill.whole.known_cost),
        ("tokens", limit.max_tokens, bill.whole.tokens),
        ("steps", limit.max_steps, bill.steps),
    )
    found: list[Reached] = []
    for what, usual, so_far in spent:
        raised = spending.raised.get((scope, what), 0)
        # It may have been raised when another model's limit was lower.
        if usual is not None and raised is not None and so_far >= max(usual, raised):
            found.append(Reached(scope, what, usual, so_far, place=limit.places.get(f"max_{what}", "")))
    if limit.max_cost is not None and bill.cost_usd is None and not _is_lifted(scope, spending):
        unpriced, place = tuple(bill.unpriced), limit.places.get("max_cost", "")
        found.append(Reached(scope, "price", limit.max_cost, bill.whole.known_cost, unpriced, place))
    return found


def _is_lifted(scope: Scope, spending: Spending) -> bool:
    keys: tuple[tuple[Scope, What], ...] = (scope, "cost"), ("turn", "price"), ("session", "price")
    return any(spending.raised.get(key, 0) is None for key in keys)


# ---------------------------------------------------------------- in words


def in_words(it: Reached) -> str:
    """Say what is reached, as a sentence."""
    whose = "This session" if it.scope == "session" else "This turn"
    match it.what:
        case "cost":
            return f"{whose} has cost {dollars(it.spent)}, and its limit is {dollars(it.limit)}"
        case "tokens":
            return f"{whose} has used {it.spent:,.0f} tokens, and its limit is {it.limit:,.0f}"
        case "steps":
            times = "once" if it.spent == 1 else f"{it.spent:,.0f} times"
            return f"{whose} has asked the model {times}, and its limit is {it.limit:,.0f}"
        case "price":
            return (
                f"What {_listed(it.models)} costs is not known, so the limit of {dollars(it.limit)} for "
                f"{whose.lower()} cannot be kept"
            )


def more_in_words(it: Reached) -> str:
    """Name as much again as the limit is."""
    match it.what:
        case "cost" | "price":
            return f"{dollars(it.limit)} more"
        case "tokens":
            return f"{it.limit:,.0f} tokens more"
        case "steps":
            return f"{it.limit:,.0f} steps more"


def setting(it: Reached) -> str:
    """Name the setting that the limit comes from."""
    return f"`max_{'cost' if it.what == 'price' else it.what}` under `[{it.place}limits.{it.scope}]` in acp.toml"


def _listed(models: tuple[str, ...]) -> str:
    return " and ".join(models) or "the model"
