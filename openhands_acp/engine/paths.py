"""Absolute paths as a type, whether one lies inside another, and the folders on the way to one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import NewType

AbsPath = NewType("AbsPath", str)
"""Absolute and normalised (no `.`, `..` or doubled separators); links are not resolved."""


def absolute(path: str, root: AbsPath) -> AbsPath:
    """Resolve what a model or a person wrote against `root`; `~` is the home directory."""
    return AbsPath(os.path.normpath(os.path.join(root, os.path.expanduser(path))))


def is_inside(path: AbsPath, roots: tuple[AbsPath, ...]) -> bool:
    """Tell whether `path`, with every link resolved, lies in one of `roots`.

    Links are followed on both sides: a link inside a root that points out of it is outside.
    """
    real = os.path.realpath(path)
    return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in map(os.path.realpath, roots))


def shortened(path: AbsPath, root: AbsPath) -> str:
    """Spell `path` for a person: relative where it is inside `root`."""
    return os.path.relpath(path, root) if path == root or path.startswith(root.rstrip(os.sep) + os.sep) else path


@dataclass(slots=True)
class MadeFolders:
    """The folders that were made for files, and go with them."""

    _made: set[str] = field(default_factory=set[str])

    def make_for(self, path: str) -> None:
        """Make what is missing on the way to a file. Raises OSError."""
        missing: list[str] = []
        folder = os.path.dirname(path)
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        self._made.update(missing)
        os.makedirs(os.path.dirname(path), exist_ok=True)

    def remove_for(self, path: str) -> None:
        """Remove them if they are empty, now that the file is gone."""
        folder = os.path.dirname(path)
        while folder in self._made:
            try:
                os.rmdir(folder)
            except OSError:
                return
            self._made.discard(folder)
            folder = os.path.dirname(folder)
