"""Edit exact text for a model that thinks in LF: every line that is not touched keeps its ending.

Pure. Knows no files; a lone CR is a character like any other.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import nlargest
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Edited:
    """The new text, with true endings, and which of its lines are new (1-based, last included)."""

    text: str
    first: int
    last: int
    already: bool = False
    """Nothing was done, because the text was already there."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """`nearest` is the real text most like what was looked for; empty if nothing is."""

    nearest: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Ambiguous:
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch of the LF view to replace, and what by."""

    start: int
    end: int
    new: str


Matcher: TypeAlias = Callable[[str, str, str], list[Match]]
"""Given the LF view, the old and the new text: every place that this way of looking finds."""

_MANY = 50
"""Places of one text to list before giving up."""


def lf(text: str) -> str:
    """Spell `text` as the model sees it."""
    return text.replace("\r\n", "\n")


def lines_of(view: str) -> list[str]:
    """Split an LF view into lines as an editor counts them, without their endings."""
    lines = view.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def replace_once(text: str, old: str, new: str) -> Edited | NotFound | Ambiguous:
    """Replace the one place where `old` stands; the first matcher that finds any place decides."""
    view, old, new = lf(text), lf(old), lf(new)
    for matcher in MATCHERS:
        matches = matcher(view, old, new)
        if len(matches) > 1:
            return Ambiguous(tuple(dict.fromkeys(line_at(view, match.start) for match in matches)))
        if matches:
            return _apply(text, view, matches[0])
    done = _already_there(view, new)
    if done is not None:
        first = line_at(view, done)
        return Edited(text, first, first + new.rstrip("\n").count("\n"), already=True)
    return NotFound(nearest(view, old))


def insert_after(text: str, line: int, new: str) -> Edited:
    """Insert `new` as lines of their own after `line` (0: at the top; at most the number of lines).

    A file without a final newline stays so.
    """
    view, new = lf(text), lf(new)
    at = _end_of_line(view, line)
    body = new.removesuffix("\n")
    if at == len(view) and view and not view.endswith("\n"):
        # The change itself goes before the missing newline, so its line is the next one.
        edited = _apply(text, view, Match(at, at, "\n" + body))
    else:
        edited = _apply(text, view, Match(at, at, body + "\n"))
    return Edited(edited.text, line + 1, line + 1 + body.count("\n"))


def line_at(view: str, offset: int) -> int:
    """Say which line of an LF view `offset` is on."""
    return view.count("\n", 0, offset) + 1


# ---------------------------------------------------------------- matchers


def exact(view: str, old: str, new: str) -> list[Match]:
    """Find `old` as it is, overlaps counted; no more than are worth listing."""
    found: list[Match] = []
    at = view.find(old) if old else -1
    while at >= 0 and len(found) < _MANY:
        found.append(Match(at, at + len(old), new))
        at = view.find(old, at + 1)
    return found


MATCHERS: tuple[Matcher, ...] = (exact,)
"""Ways of finding the old text, strictest first."""


def _already_there(view: str, new: str) -> int | None:
    """Find `new` if it stands exactly once, as whole lines: less could be there by chance."""
    wanted = new.strip()
    at = view.find(wanted) if wanted else -1
    if at < 0 or view.find(wanted, at + 1) >= 0:
        return None
    begins = view[view.rfind("\n", 0, at) + 1 : at].strip() == ""
    end = view.find("\n", at + len(wanted))
    ends = view[at + len(wanted) : end if end >= 0 else len(view)].strip() == ""
    return at if begins and ends else None


# ---------------------------------------------------------------- endings


def _apply(text: str, view: str, match: Match) -> Edited:
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
    old = _pieces(text[start:end])
    endings = {_ending(line) for line in old} - {""}
    if len(endings) > 1:
        return "".join(_aligned(old, _pieces(match.new), near))
    return match.new.replace("\n", endings.pop() if endings else near)


def _pieces(text: str) -> list[str]:
    """Split at line feeds only: `splitlines` knows eight more ends, which are data here."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


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
    matcher = SequenceMatcher(None, [lf(line) for line in old], new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            result += old[i1:i2]
            continue
        for index, line in enumerate(new[j1:j2], start=i1):
            model = old[max(0, min(index, i2 - 1))]
            result.append(line.replace("\n", _ending(model) or near))
    return result


def _end_of_line(view: str, line: int) -> int:
    at = 0
    for _ in range(line):
        at = view.find("\n", at) + 1
        if at == 0:
            return len(view)
    return at


# ---------------------------------------------------------------- what was meant?

_SHOWN = 30
_EACH = 100
"""Places of one line that may vote."""
_COMPARED = 50
_COMPARED_LENGTH = 200
_ALIKE = 0.5
_TELLING = 4
"""Characters that a window's matching lines must have in all: a lone brace is everywhere."""


def nearest(view: str, old: str) -> tuple[tuple[int, str], ...]:
    """Find the lines most like `old`, with their numbers.

    Takes time in proportion to the text (a second for 10 MB): call it in a worker thread for a large one.
    """
    lines = lines_of(view)
    wanted = [line.strip() for line in lines_of(old.strip("\n"))]
    if not any(wanted):
        return ()
    start = _by_votes(lines, wanted)
    if start is None:
        start = _by_likeness(lines, wanted)
    if start is None:
        return ()
    end = min(len(lines), start + len(wanted), start + _SHOWN)
    return tuple((index + 1, lines[index]) for index in range(start, end))


def _by_votes(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Let each line that is there but for blanks at its ends vote for where the text would begin."""
    looked_for = set(wanted)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        stripped = line.strip()
        if stripped in looked_for and len(places[stripped]) < _EACH:
            places[stripped].append(index)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(wanted):
        for index in places[line]:
            votes[max(0, index - offset)] += len(line)
    if not votes:
        return None
    start, weight = max(votes.items(), key=lambda vote: (vote[1], -vote[0]))
    return start if weight >= _TELLING else None


def _by_likeness(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Find the line most like the longest one looked for, among those with most words in common."""
    offset = max(range(len(wanted)), key=lambda index: len(wanted[index]))
    line = wanted[offset][:_COMPARED_LENGTH]
    words = set(re.findall(r"\w+", line))
    shared = [len(words.intersection(re.findall(r"\w+", each))) for each in lines]
    matcher = SequenceMatcher(b=line, autojunk=False)
    best, place = _ALIKE, None
    for index in nlargest(_COMPARED, range(len(lines)), key=lambda index: (shared[index], -index)):
        matcher.set_seq1(lines[index].strip()[:_COMPARED_LENGTH])
        ratio = matcher.ratio()
        if ratio > best:
            best, place = ratio, index
    return None if place is None else max(0, place - offset)
