"""What an agent was told to remember, and who it is to be: MEMORY.md of the person and of the project, SOUL.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openhands_acp.extensions.shelf import Shelf

LONGEST = 6_000
"""Characters of all memories together, as in OpenHands."""
_LONGEST_SOUL = 2_000


def memory(files: Sequence[Path], shelf: Shelf) -> str:
    """Return what the files say, each under its name; what is too long loses its oldest lines, which are the first."""
    texts = {file: text for file in files if (text := (shelf.text(file) or "").strip())}
    room = LONGEST
    told: dict[Path, str] = {}
    # The shortest first: what it does not need, the others have.
    for left, (file, text) in zip(
        range(len(texts), 0, -1), sorted(texts.items(), key=lambda each: len(each[1])), strict=True
    ):
        told[file] = _newest(text, room // left)
        room -= len(told[file])
    return "\n\n".join(f"{file}:\n{told[file]}" for file in texts)


def _newest(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    mark = "[… older lines are cut: view the file for them]\n"
    tail = text[len(text) - max(longest - len(mark), 0) :]
    return mark + (tail.partition("\n")[2] or tail)


def identity(file: Path, shelf: Shelf) -> str:
    text = (shelf.text(file) or "").strip()
    if len(text) > _LONGEST_SOUL:
        shelf.problem(file, f"is cut to {_LONGEST_SOUL:,} characters: every request pays for it")
    return text[:_LONGEST_SOUL]
