"""The door to a browser: pages that need scripts, clicks and typing to show anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.messages import Image
from openhands_acp.engine.web import Page, Unreachable


@dataclass(frozen=True, slots=True)
class Open:
    url: str
    in_new_tab: bool = False


@dataclass(frozen=True, slots=True)
class Click:
    element: int
    """By its number in the last `Sight`."""


@dataclass(frozen=True, slots=True)
class TypeInto:
    element: int
    text: str
    """Replaces what is there; a line break at its end is the Enter key."""


@dataclass(frozen=True, slots=True)
class Scroll:
    direction: Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Back:
    pass


@dataclass(frozen=True, slots=True)
class SwitchTab:
    tab: str


@dataclass(frozen=True, slots=True)
class CloseTab:
    tab: str


@dataclass(frozen=True, slots=True)
class Look:
    with_picture: bool = False


Step: TypeAlias = Open | Click | TypeInto | Scroll | Back | SwitchTab | CloseTab | Look


@dataclass(frozen=True, slots=True)
class Tab:
    id: str
    url: str
    title: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be seen after a step."""

    tabs: tuple[Tab, ...]
    elements: tuple[str, ...] = ()
    """What can be clicked and typed into, in words, by their numbers."""
    position: str = ""
    """How much of the page is above and below, in words."""
    picture: Image | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a click or a key would go."""

    url: str
    """Of the page that is shown; empty if none is."""
    element: str = ""
    """In words."""


class Browser(Protocol):
    """One browser of a session's own, started with the first step. All raise Unreachable."""

    async def do(self, step: Step) -> Sight:
        """Take a step. Raises MovedElsewhere where it led to a host that was never opened; nothing of it was read."""
        ...

    async def spot(self, element: int | None = None) -> Spot: ...

    async def content(self) -> Page:
        """Return the page that is shown, as it is by now. Raises MovedElsewhere as `do` does."""
        ...

    async def end(self) -> None:
        """Close it, with all that it holds. Bounded; usable afterwards, as a new one."""
        ...


class NoBrowser:
    async def do(self, step: Step) -> Sight:
        raise Unreachable("this session has no browser")

    async def spot(self, element: int | None = None) -> Spot:
        raise Unreachable("this session has no browser")

    async def content(self) -> Page:
        raise Unreachable("this session has no browser")

    async def end(self) -> None:
        pass
