"""The door to looking through folders, as `engine/ports.py` is the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from openhands_acp.engine.paths import AbsPath


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for in files, line by line."""

    pattern: str
    """A regular expression, in what Rust's and Python's have in common."""
    path: AbsPath
    """A folder or a file."""
    include: str = ""
    """A glob that the files must fit, from `path` on; with `!` before it, must not. Empty: all."""
    ignore_case: bool = False
    context: int = 0
    """Lines before and after each match."""
    wanted: Literal["lines", "files", "count"] = "lines"
    ignored: bool = False
    """Also what ignore files (.gitignore and its kin) leave out."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    number: int
    text: str
    """Cut around the match if it is very long."""
    is_match: bool = True
    """Else it is context."""


@dataclass(frozen=True, slots=True)
class FoundIn:
    """What was found in one file."""

    path: AbsPath
    count: int
    """Lines that match; 0 where only files were wanted."""
    lines: tuple[FoundLine, ...] = ()
    """The first of them."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Files by path where lines were wanted, else the last changed first."""

    files: tuple[FoundIn, ...]
    cut: Literal["", "time", "size"] = ""
    """Why the search ended before it had seen everything."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Files whose path fits, the last changed first."""

    paths: tuple[AbsPath, ...]
    count: int
    """Of all that fit; `paths` may be fewer."""
    cut: Literal["", "time", "size"] = ""


class BadPattern(Exception):
    """The pattern is no regular expression, or none that lines can be searched for; the message says why."""


class Search(Protocol):
    """Look through folders. Binary and ignored files and version control's own are left out; links are not followed."""

    async def matches(self, query: Query, unsaved: Mapping[AbsPath, str]) -> Matches:
        """Look into files. The text in `unsaved` counts instead of what is on the disk.

        Raises BadPattern, and OSError if there is nothing at the path. Bounded in time; cancelling ends it at once.
        """
        ...

    async def paths(self, glob: str, path: AbsPath, *, ignored: bool) -> Paths:
        """List the files in a folder whose path fits; a glob without a slash fits names at any depth.

        Raises OSError if the folder is not there.
        """
        ...
