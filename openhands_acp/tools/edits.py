"""Edit exact text for a model that thinks in LF: every line that is not touched keeps its ending.

Pure. Knows no files; a lone CR is a character like any other.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from openhands_acp.engine.merge import Hunk, differences, pieces
from openhands_acp.engine.spelling import lf


@dataclass(frozen=True, slots=True)
class Edited:
    """The new text, with true endings, and which of its lines are new (1-based, last included)."""

    text: str
    first: int
    last: int
    already: bool = False
    """Nothing was done, because the text was already there."""
    notes: tuple[str, ...] = ()
    """What the model should know of how it was done."""


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch of the LF view to replace, and what by."""

    start: int
    end: int
    new: str


def insert_after(text: str, line: int, new: str) -> Edited:
    """Insert `new` as lines of their own after `line` (0: at the top; at most the number of lines).

    A file without a final newline stays so.
    """
    view, new = lf(text), lf(new)
    at = _end_of_line(view, line)
    body = new.removesuffix("\n")
    if at == len(view) and view and not view.endswith("\n"):
        # The change itself goes before the missing newline, so its line is the next one.
        edited = apply(text, view, Match(at, at, "\n" + body))
    else:
        edited = apply(text, view, Match(at, at, body + "\n"))
    return Edited(edited.text, line + 1, line + 1 + body.count("\n"))


def line_at(view: str, offset: int) -> int:
    """Say which line of an LF view `offset` is on."""
    return view.count("\n", 0, offset) + 1


def apply_hunks(text: str, hunks: Sequence[Hunk]) -> str:
    """Replace whole lines of the LF view in the text itself, each hunk as `apply` does."""
    starts = [0, *accumulate(map(len, pieces(lf(text))))]
    for hunk in reversed(hunks):
        match = Match(starts[hunk.start], starts[hunk.end], "".join(hunk.lines))
        text = apply(text, lf(text), match).text
    return text


# ---------------------------------------------------------------- endings


def apply(text: str, view: str, match: Match) -> Edited:
    """Replace one stretch of the LF view in the text itself; new lines get the endings of those they replace."""
    crlf = _crlf_offsets(text)
    start, end = _true(crlf, match.start), _true(crlf, match.end)
    middle = _with_endings(text, start, end, match) if crlf else match.new
    first = line_at(view, match.start)
    added = match.new.removesuffix("\n").count("\n")
    return Edited(text[:start] + middle + text[end:], first, first + added)


def _crlf_offsets(text: str) -> list[int]:
    """Say where in the LF view the line feeds are that have lost their CR."""
    return [found.start() - index for index, found in enumerate(re.finditer("\r\n", text))]


def _true(crlf: list[int], offset: int) -> int:
    """Map an offset in the LF view to one in the text: further by each CR before it."""
    return offset + bisect_left(crlf, offset)


def _with_endings(text: str, start: int, end: int, match: Match) -> str:
    near = _ending_near(text, start, end)
    old = pieces(text[start:end])
    endings = {_ending(line) for line in old} - {""}
    if len(endings) > 1:
        return "".join(_aligned(old, pieces(match.new), near))
    return match.new.replace("\n", endings.pop() if endings else near)


def _ending(line: str) -> str:
    return "\r\n" if line.endswith("\r\n") else "\n" if line.endswith("\n") else ""


def _ending_near(text: str, start: int, end: int) -> str:
    """Take the ending of the changed line itself, or for an insertion that of the line before."""
    before, after = text.rfind("\n", 0, start), text.find("\n", end)
    at = next((at for at in ((before, after) if start == end else (after, before)) if at >= 0), -1)
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def _aligned(old: list[str], new: list[str], near: str) -> list[str]:
    """Give lines that stay their own endings, and others those of the lines that they replace."""
    result: list[str] = []
    at = 0
    for hunk in differences([lf(line) for line in old], new):
        result += old[at : hunk.start]
        for index, line in enumerate(hunk.lines, start=hunk.start):
            model = old[max(0, min(index, hunk.end - 1))]
            result.append(line.replace("\n", _ending(model) or near))
        at = hunk.end
    return result + old[at:]


def _end_of_line(view: str, line: int) -> int:
    at = 0
    for _ in range(line):
        at = view.find("\n", at) + 1
        if at == 0:
            return len(view)
    return at
