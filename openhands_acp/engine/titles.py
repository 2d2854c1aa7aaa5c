"""A session's title: of its first prompt, or of whatever else is to stand on one line of a list. Pure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from urllib.parse import unquote

from openhands_acp.engine.messages import Image, Part, Text

LONGEST = 60
_LOOKED_AT = 1_000
"""Characters of a line: whatever comes after them would be cut off."""

_ATTACHED = re.compile(r'<(?:file|folder|resource) (path|uri)="([^"]*)"')
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\*\*|`|^\s*(?:(?:#{1,6}|[-*+>])\s+)+")
"""Of Markdown, and of terminals."""
_RULE = "-=*_#~.> "
"""What a line is made of that only divides others."""
_JOINERS = "\u200c\u200d"
"""Seen in what they join: in Persian words, and in emoji of several."""
_FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
"""Letters of which two are a flag."""
_SKINS = "".join(map(chr, range(0x1F3FB, 0x1F400)))
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "「": "」"}


def title_of(parts: tuple[Part, ...]) -> str | None:
    """Make a title of a first prompt: its first line of words, or what is attached where there are none."""
    attached = [name for part in parts if isinstance(part, Text) and (name := _attached(part.text))]
    images = ["Image"] if any(isinstance(part, Image) for part in parts) else []
    return cleaned(words_of(parts)) or cleaned(", ".join(attached or images)) or None


def words_of(parts: tuple[Part, ...]) -> str:
    """Return what the person wrote; of what they attached in the middle of it, the names."""
    pieces = [(part.text, _attached(part.text)) for part in parts if isinstance(part, Text)]
    written = [at for at, (text, name) in enumerate(pieces) if name is None and text.strip()]
    between = pieces[written[0] : written[-1] + 1] if written else []
    words = "".join(f"{text}\n" if name is None else f"\0{name}\0" for text, name in between)
    # A name stands in its line.
    return re.sub(r"\n?\0+", " ", words).strip()


def cleaned(text: str) -> str:
    """Put text on one line of at most 60 characters: the first of its lines that says anything."""
    return next((line for each in text.splitlines() if (line := _cleaned(each[:_LOOKED_AT]))), "")


def _attached(text: str) -> str | None:
    """Name what a part of a prompt stands for; None for words."""
    found = _ATTACHED.match(text)
    if found is None:
        return None
    path = unquote(found[2]) if found[1] == "uri" else found[2]
    return PurePath(path.replace("\\", "/")).name or path


def _cleaned(line: str) -> str:
    if line.lstrip().startswith("```"):
        # It begins a block of code, and says no more than its language.
        return ""
    line = _LINK.sub(r"\1", _MARKS.sub("", line))
    seen = [char if char.isprintable() or char in _JOINERS else " " if char.isspace() else "" for char in line]
    line = _unquoted(" ".join("".join(seen).split()).rstrip(". ")).strip(_JOINERS + " ")
    return _shortened(line) if line.strip(_RULE) else ""


def _unquoted(line: str) -> str:
    inner = line[1:-1]
    is_quoted = len(line) > 1 and _QUOTES.get(line[0]) == line[-1] and line[0] not in inner and line[-1] not in inner
    return inner.rstrip(". ") if is_quoted else line


def _shortened(line: str) -> str:
    if len(line) <= LONGEST:
        return line
    end = LONGEST - 1
    while end > LONGEST // 2 and _belongs_to_before(line, end):
        end -= 1
    return line[:end].rstrip() + "…"


def _belongs_to_before(line: str, at: int) -> bool:
    """Tell whether a character is drawn as part of the one before it: no line ends in half a sign."""
    char, before = line[at], line[:at]
    if unicodedata.category(char).startswith("M") or char in _JOINERS + _SKINS or before.endswith("\u200d"):
        return True
    return char in _FLAGS and (at - len(before.rstrip(_FLAGS))) % 2 == 1
