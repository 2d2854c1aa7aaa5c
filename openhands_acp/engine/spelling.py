"""Text as it is passed on: one kind of line end, and code that nothing in it can end. Pure."""

from __future__ import annotations

import re


def lf(text: str) -> str:
    """Spell `text` with bare line feeds, as models see it; a lone carriage return is a character like any other."""
    # Most texts have none, which one look tells sooner than a search for two characters.
    return text.replace("\r\n", "\n") if "\r" in text else text


def lines_of(view: str) -> list[str]:
    """Split text with bare line feeds into lines as an editor counts them, without their endings."""
    lines = view.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def fenced(text: str, language: str = "") -> str:
    """Put `text` into a Markdown code block that nothing inside it can end."""
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"
