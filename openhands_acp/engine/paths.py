"""Absolute paths as a type, and whether one lies inside another."""

from __future__ import annotations

import os
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
