"""The models that a person can choose from, and what they mean by a name they typed.

Light, because it is told with each new session. Knows no provider: what can be chosen is somebody else's to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    """What is kept with the session, and what a person types."""
    name: str
    """What a person reads."""
    window: int | None = None
    """Tokens that it reads."""
    input_price: float | None = None
    """Dollars per million tokens; None is unknown."""
    output_price: float | None = None
    note: str = ""
    """Where it comes from, where the name does not say so."""
    is_listed: bool = True
    """Somebody is known to have it. Else its provider will say, when it is asked."""

    @property
    def description(self) -> str:
        window = f"{self.window:,} tokens" if self.window else ""
        return " · ".join(filter(None, (self.note, window, self.price)))

    @property
    def price(self) -> str:
        if self.input_price is None or self.output_price is None:
            return ""
        return f"${self.input_price:,.2f} in, ${self.output_price:,.2f} out per million"


class Refused(Exception):
    """A model that cannot be chosen; the message says why and what can."""


class Choices(Protocol):
    """The models that can be chosen."""

    def offered(self) -> tuple[Choice, ...]:
        """List those that are known by now; what the person named stands first."""
        ...

    def listed(self, value: str) -> Choice | None:
        """Find one among these by its value. Raises Refused if it cannot be asked, as for want of a key."""
        ...

    async def found(self) -> tuple[Choice, ...]:
        """List all of them, after a look for those that come and go. Takes seconds the first time."""
        ...

    async def look_up(self, value: str) -> Choice:
        """Find one by its value, listed or not. Raises Refused."""
        ...


def meant(typed: str, choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return the choices that somebody may have meant: called so, or else ending so, or else with it as a part."""
    wanted = typed.casefold()
    exact = [choice for choice in choices if wanted in (choice.value.casefold(), choice.name.casefold())]
    ends = [choice for choice in choices if choice.value.casefold().endswith((f"/{wanted}", f":{wanted}"))]
    parts = [choice for choice in choices if wanted in choice.value.casefold()]
    return tuple(exact or ends or parts)
