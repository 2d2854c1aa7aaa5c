"""How a call presents itself to the person: a card, and what it shows.

Knows no client: what becomes of it in an editor, `acp` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from openhands_acp.engine.paths import AbsPath

CallKind: TypeAlias = Literal["read", "edit", "search", "execute", "think", "fetch", "switch_mode", "other"]


@dataclass(frozen=True, slots=True)
class ShownText:
    """Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command line, before or while it runs, with what it printed so far (already bounded)."""

    line: str
    output: str | None = None


@dataclass(frozen=True, slots=True)
class ShownDiff:
    """A file before and after; `old` is None for a file that is new, `new` for one that is removed."""

    path: AbsPath
    old: str | None
    new: str | None
    moved_from: AbsPath | None = None
    """Where it was before; `old` was there."""
    note: str = ""
    """What changed besides the text, in words: who may execute it, say."""

    @property
    def besides(self) -> str:
        """Say what the two texts cannot: that the file was removed or moved, and the note. Empty for a plain edit."""
        removed = ["Removed"] if self.new is None else []
        moved = [f"Renamed from {self.moved_from}"] if self.moved_from is not None else []
        return "; ".join([*removed, *moved, *([self.note] if self.note else [])])


@dataclass(frozen=True, slots=True)
class ShownSound:
    """For the person alone; a text beside it says what it is, to those who cannot hear it."""

    mime_type: str
    data: str
    """Base64."""


Shown: TypeAlias = ShownText | ShownCommand | ShownDiff | ShownSound


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file that the editor may follow; `line` is 1-based."""

    path: AbsPath
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """How one tool call presents itself: its title alone must identify the action."""

    title: str
    kind: CallKind
    locations: tuple[Location, ...] = ()
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptOutput:
    """All that a command printed, in a file of the session's own."""

    path: AbsPath
    sha256: str = ""
    """Of what is in the file, in hexadecimal; empty while the command runs, and the file grows."""
    size: int = 0
    """Its bytes, then."""
