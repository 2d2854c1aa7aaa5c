"""The door to what a person wants done with a session besides having it work: examined, exported, copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.events import Entry
from openhands_acp.engine.paths import AbsPath

Verdict: TypeAlias = Literal["good", "doubtful", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    status: Verdict
    what: str
    """In a word or two."""
    said: str
    """What there is; if it is not good, what to do about it."""


class NotDone(Exception):
    """Why it was not; the message is for the person. Lower case, no full stop."""


class Upkeep(Protocol):
    async def examine(self) -> Sequence[Finding]:
        """Look over the installation, its settings and its store. Asks no provider."""
        ...

    async def export(self, path: AbsPath) -> None:
        """Write the session to a file that is not there yet, keys masked, as its suffix says. Raises NotDone."""
        ...

    async def copy(self, entries: Sequence[Entry], title: str) -> str:
        """Keep a conversation as a session of its own; return its id. Raises NotDone."""
        ...


class NoUpkeep:
    """Of a session that is kept nowhere."""

    async def examine(self) -> Sequence[Finding]:
        return ()

    async def export(self, path: AbsPath) -> None:
        raise NotDone("this session is not kept on the disk")

    async def copy(self, entries: Sequence[Entry], title: str) -> str:
        raise NotDone("this session is not kept on the disk")
