"""Models to choose from, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openhands_acp.engine.choices import Choice, Refused


@dataclass(slots=True)
class FixedChoices:
    """`Choices` over a list that grows only when a test says so."""

    choices: Sequence[Choice]
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Those on the list that cannot be asked, and why."""
    unlisted: Sequence[str] = ()
    """Those that are on no list, and are possible."""

    def offered(self) -> tuple[Choice, ...]:
        return tuple(self.choices)

    def listed(self, value: str) -> Choice | None:
        if value in self.refused:
            raise Refused(self.refused[value])
        return next((choice for choice in self.choices if choice.value == value), None)

    async def found(self) -> tuple[Choice, ...]:
        return self.offered()

    async def look_up(self, value: str) -> Choice:
        if choice := self.listed(value):
            return choice
        if value in self.unlisted:
            return Choice(value, value, is_listed=False)
        raise Refused(f"there is no such model; these can be chosen: {', '.join(each.value for each in self.choices)}")
