"""A session's title: the first line of its first prompt, short enough for a list. Pure."""

from __future__ import annotations

from openhands_acp.engine.messages import Part, Text

LONGEST = 60


def title_of(parts: tuple[Part, ...]) -> str | None:
    """Make a title of a first prompt: its first line of text."""
    for part in parts:
        if isinstance(part, Text) and not part.text.startswith("<file ") and (line := cleaned(part.text)):
            return line
    return None


def cleaned(text: str) -> str:
    """Put text on one line of at most 60 characters."""
    line = text.strip().split("\n")[0].replace("**", "").replace("`", "")
    line = " ".join(line.split()).strip("\"'#* .")
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
