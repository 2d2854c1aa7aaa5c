"""What a person trusts of projects, in one file for all sessions: by folder, and by what exactly it was.

Knows digests, and not of what; a file that cannot be read trusts nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from openhands_acp.engine.paths import AbsPath

if TYPE_CHECKING:
    from openhands_acp.engine.guidance.inventory import Withheld

_MOST = 2_000
"""Digests of one folder that are kept, the latest: each change of a file adds one."""


@dataclass(slots=True)
class Trusted:
    """What the person trusts in one session (`engine.trust.Trust`). May be asked from any thread."""

    path: Path
    folders: Sequence[str] = ()
    """Whole paths: whatever is in these is trusted, whoever changes it."""
    _meanwhile: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """In this session only: folder and digest."""

    def covers(self, thing: Withheld) -> bool:
        folder = os.path.realpath(thing.folder)
        return (
            any(_is_in(folder, os.path.realpath(each)) for each in self.folders)
            or (folder, thing.digest) in self._meanwhile
            or thing.digest in self._kept().get(folder, ())
        )

    def extend(self, things: Sequence[Withheld], *, for_good: bool) -> str:
        """Trust these as they are; return in words what of it did not work."""
        new = [(os.path.realpath(thing.folder), thing.digest) for thing in things]
        # Also of what is kept for good: it counts here even where the disk refuses.
        self._meanwhile.update(new)
        if not for_good:
            return ""
        kept = {folder: list(digests) for folder, digests in self._kept().items()}
        for folder, digest in new:
            known = kept.setdefault(folder, [])
            kept[folder] = [*(each for each in known if each != digest), digest][-_MOST:]
        failure = self._write(kept)
        return failure and f"It is trusted in this session only: {failure}"

    def extended(self, folders: Sequence[AbsPath]) -> int:
        """Count what was trusted in these folders, for good or meanwhile."""
        kept = {(folder, digest) for folder, digests in self._kept().items() for digest in digests}
        return sum(_is_of(folder, folders) for folder, _ in kept | self._meanwhile)

    def forget(self, folders: Sequence[AbsPath]) -> str:
        """Trust nothing of these any more; return in words what of it did not work."""
        self._meanwhile = {(folder, digest) for folder, digest in self._meanwhile if not _is_of(folder, folders)}
        kept = self._kept()
        rest = {folder: digests for folder, digests in kept.items() if not _is_of(folder, folders)}
        return self._write(rest) if len(rest) < len(kept) else ""

    def _write(self, folders: Mapping[str, Sequence[str]]) -> str:
        try:
            _write_private(self.path, json.dumps({"version": 1, "folders": folders}, indent=1) + "\n")
        except OSError as error:
            return f"{self.path} cannot be written ({error.strerror or error})."
        return ""

    def _kept(self) -> Mapping[str, Sequence[str]]:
        """Read the file anew: another window may have added to it."""
        try:
            document: object = json.loads(self.path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        folders = _table(_table(document).get("folders"))
        return {folder: _texts(digests) for folder, digests in folders.items()}


def _table(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [each for each in cast("list[object]", value) if isinstance(each, str)] if isinstance(value, list) else []


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_of(kept: str, folders: Sequence[AbsPath]) -> bool:
    """Tell whether it is one of these folders, or the repository round one."""
    return any(_is_in(os.path.realpath(folder), kept) for folder in folders)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file for its owner alone; it is there whole, or as it was.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
