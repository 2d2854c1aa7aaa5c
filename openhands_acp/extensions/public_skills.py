"""OpenHands' public skills, as far as OpenHands itself has put them on this machine. Nothing is fetched here.

Knows where and how they are kept; does not know whether they are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from openhands_acp.engine.guidance.inventory import Skill
from openhands_acp.extensions.shelf import Shelf
from openhands_acp.extensions.skills import skills_in

PLACES = tuple(
    f"{cache}/{copy}"
    for cache in ("cache/skills", "skills-cache")
    for copy in ("public-skills", "OpenHands-extensions")
)
"""Its copies of the repository of skills, in OpenHands' own folder, as its releases have called them."""
_LIST = "marketplaces/default.json"
"""Names those that are offered; where it is missing, all are."""


def public_skills(home: Path, shelf: Shelf) -> Iterator[list[Skill]]:
    """Read each copy that is there; `home` is OpenHands' own folder."""
    for copy in (home / place for place in PLACES):
        if found := skills_in(copy / "skills", "public", shelf):
            offered = _offered(copy / _LIST, shelf)
            yield [skill for skill in found if offered is None or _key(skill) in offered]


def _offered(file: Path, shelf: Shelf) -> set[str] | None:
    entries = (shelf.json(file) or {}).get("plugins")
    if not isinstance(entries, list):
        return None
    tables = [cast("Mapping[str, Any]", each) for each in cast("list[object]", entries) if isinstance(each, Mapping)]
    return {str(table.get("name")) for table in tables}


def _key(skill: Skill) -> str:
    path = Path(skill.path)
    return path.parent.name if skill.is_folder else path.stem
