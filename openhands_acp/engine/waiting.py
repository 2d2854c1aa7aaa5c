"""How long to leave a provider alone before it is asked again; shared, so that sessions do not crowd one that is busy.

Knows models by their names, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import ceil
from random import random

import anyio

_FIRST = 1.0
_LONGEST = 30.0
"""Seconds before the first further attempt, doubled with each, and what they are doubled up to."""
_GIVEN_UP = 300.0
"""Seconds for which a model that failed all its attempts gets but one, where another can be asked instead."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """How hard a turn tries to get an answer."""

    retries: int = 5
    """How often one model is asked once more."""
    fallback: tuple[str, ...] = ()
    """Models to ask, in this order, when the session's own does not answer."""


@dataclass(slots=True)
class Waiting:
    """One for all sessions of a process."""

    pause: Callable[[float], Awaitable[None]] = anyio.sleep
    now: Callable[[], float] = anyio.current_time
    chance: Callable[[], float] = random
    """From 0 up to 1."""
    _busy_until: dict[str, float] = field(default_factory=dict[str, float])
    _given_up_until: dict[str, float] = field(default_factory=dict[str, float])

    def after(self, attempt: int, asked_for: float | None) -> float:
        """Return the seconds to wait after this many attempts; never less than the provider asked for."""
        chance = self.chance()
        whole = min(_FIRST * 2 ** min(attempt - 1, 10), _LONGEST)
        # Not all at the same moment: a part of it is left to chance.
        usual = whole * (0.75 + chance / 2)
        return usual if asked_for is None else max(asked_for + chance * min(asked_for / 10, _FIRST), usual)

    def is_busy(self, model: str, seconds: float) -> None:
        """Note that a model is to be left alone by everybody."""
        self._busy_until[model] = max(self.now() + seconds, self._busy_until.get(model, 0.0))

    def rest(self, model: str) -> float:
        """Return the seconds that a model is still to be left alone, spread out a little; 0: it can be asked."""
        left = self._busy_until.get(model, 0.0) - self.now()
        return left * (1 + self.chance() / 4) if left > 0 else 0.0

    def gave_up(self, model: str, asked_for: float | None) -> None:
        self._given_up_until[model] = self.now() + max(_GIVEN_UP, asked_for or 0)

    def answered(self, model: str) -> None:
        self._given_up_until.pop(model, None)

    def is_given_up(self, model: str) -> bool:
        """Tell whether a model failed all its attempts a short while ago, and has not answered since."""
        return self._given_up_until.get(model, 0.0) > self.now()


def in_words(seconds: float) -> str:
    """Spell a time to wait, rounded up: a promise is not to be broken by half a second."""
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"
