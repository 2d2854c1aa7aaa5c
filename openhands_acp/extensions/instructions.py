"""A project's rules for agents, AGENTS.md and its like: of its roots, and of the folders in them.

Knows the files' names; does not know when their rules count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from openhands_acp.engine.guidance.inventory import Instruction
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.shelf import Shelf
from openhands_acp.extensions.skills import bounded

LONGEST = 8_000
"""Characters of one file that every request pays for."""
Family: TypeAlias = Literal["", "claude", "gemini"]
_FAMILIES: Mapping[str, Family] = {
    "agents.md": "",
    "agent.md": "",
    "claude.md": "claude",
    "gemini.md": "gemini",
    ".cursorrules": "",
}
"""By names in lower case: some write them in capitals, some do not."""


def repository_of(root: Path) -> Path | None:
    """Return the folder of the git repository that `root` is in; the home directory is nobody's project."""
    for folder in (root, *root.parents):
        if folder == Path.home():
            return None
        if (folder / ".git").exists():
            return folder
    return None


def of_roots(roots: Iterable[Path], shelf: Shelf) -> list[Instruction]:
    """Read the rules that hold from the first prompt on: of each root, and of the repository round it."""
    folders: dict[Path, None] = {}
    for root in roots:
        repository = repository_of(root)
        above = [folder for folder in root.parents if repository is not None and _is_in(folder, repository)]
        folders |= dict.fromkeys([*reversed(above), root])
    return _distinct(instruction for folder in folders for instruction in _in(folder, shelf))


def near(paths: Iterable[Path], roots: Iterable[Path], shelf: Shelf) -> list[Instruction]:
    """Read the rules of the folders in which these files are, from the outermost on, but for the roots' own."""
    folders: dict[Path, None] = {}
    for root in roots:
        for path in paths:
            inner = [folder for folder in path.parents if folder != root and _is_in(folder, root)]
            folders |= dict.fromkeys(reversed(inner))
    return _distinct(instruction for folder in folders for instruction in _in(folder, shelf))


def _in(folder: Path, shelf: Shelf) -> Iterator[Instruction]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        # Not there yet, or not ours to list: a file in it that is touched tells of that by itself.
        return
    by_name = {name.lower(): name for name in names}
    if "agents.md" in by_name:
        by_name.pop("agent.md", None)
    for lower, family in _FAMILIES.items():
        if lower not in by_name:
            continue
        path = folder / by_name[lower]
        if text := (shelf.text(path) or "").strip():
            yield Instruction(AbsPath(str(path)), AbsPath(str(folder)), bounded(text, path, LONGEST), family)


def _distinct(instructions: Iterable[Instruction]) -> list[Instruction]:
    """Leave out what says the same as one before: CLAUDE.md is often a link to AGENTS.md."""
    texts: set[str] = set()
    return [each for each in instructions if not (each.text in texts or texts.add(each.text))]


def _is_in(folder: Path, outer: Path) -> bool:
    return folder == outer or outer in folder.parents
