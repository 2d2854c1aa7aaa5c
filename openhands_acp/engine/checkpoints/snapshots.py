"""The door to earlier states of the folders that a session works in; like the doors in `ports`, it does not say how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.paths import AbsPath


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of all files. The same files have the same id."""

    id: str
    is_whole: bool = True
    """False: there was more to keep than is kept at a time, so some of it is left out."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What is at a path."""

    kind: Literal["file", "link", "folder", "left_out"]
    """Left out is what cannot be brought back: too large, too much, no ordinary file, git's own."""
    mode: int
    content: str = ""
    """Names the bytes of a file, or where a link points."""


@dataclass(frozen=True, slots=True)
class Change:
    path: AbsPath
    before: FileState | None
    """None: nothing was there."""
    after: FileState | None


class SnapshotError(Exception):
    """A state could not be kept, or is not kept any more; the message says why, for the person."""


Tell: TypeAlias = Callable[[int], Awaitable[None]]
"""Takes the number of files that were looked at so far."""


class Taking(Protocol):
    """A snapshot that is being taken."""

    async def done(self, tell: Tell | None = None) -> Snapshot:
        """Wait for it; `tell` is called now and then, where it takes long. Raises SnapshotError."""
        ...


class Snapshots(Protocol):
    """Earlier states. All but `begin` may raise SnapshotError."""

    def begin(self, touched: Iterable[AbsPath] | None = None) -> Taking:
        """Start to look at every file, in a thread; what is as it was last time is not read again.

        With `touched`, only what is in the folders of these paths counts as looked at again.
        """
        ...

    async def changes(self, before: str, after: str) -> tuple[Change, ...]:
        """Compare two states by their ids, in the order of the paths. A link is a file here: it is not followed."""
        ...

    async def content(self, state: FileState) -> bytes: ...

    async def restore(self, wanted: Mapping[AbsPath, FileState | None]) -> dict[AbsPath, str]:
        """Put these states there, byte for byte, and nothing else; return what could not be, with the reason.

        A folder that still holds something else stays.
        """
        ...
