"""Hunks into a text: each in the one place where it can belong, or none of them.

Pure. The lines that a patch only shows stay as the file has them, endings and blanks included; a lone
CR is a character like any other.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from openhands_acp.tools.patches import Hunk, Line


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a hunk's lines are in the new text: 1-based, the last included (before the first: it only removed)."""

    first: int
    last: int
    leniency: str = ""
    """In what the place differs from the patch; empty if in nothing."""
    already: bool = False
    """Nothing was done, because the new lines were already there."""


@dataclass(frozen=True, slots=True)
class Patched:
    text: str
    placed: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class Nowhere:
    """The hunk of this number (from 0) has no place."""

    hunk: int


@dataclass(frozen=True, slots=True)
class Unsure:
    """The hunk of this number has several places: the lines where it could begin."""

    hunk: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """The hunk of this number adds lines and does not say where."""

    hunk: int


@dataclass(frozen=True, slots=True)
class Overlapping:
    """The hunk of this number has but places before or inside of the one in front of it."""

    hunk: int
    line: int


Patching: TypeAlias = Patched | Nowhere | Unsure | Unplaced | Overlapping


def patch(text: str, hunks: Sequence[Hunk]) -> Patching:
    """Make the changes of all hunks.

    A hunk is where its old lines are. Of several places it is the one that its headings, the end of the
    file and the order of the hunks leave; if they leave two, it is nowhere.
    """
    lines = _Lines(text)
    finds: list[_Find] = []
    for number, hunk in enumerate(hunks):
        if not any(line.kind != "+" for line in hunk.lines) and not (hunk.is_at_end or not lines.contents):
            return Unplaced(number)
        found = lines.find(hunk)
        if found is None:
            return Nowhere(number)
        finds.append(found)
    places = _in_order(finds)
    if isinstance(places, (Unsure, Overlapping)):
        return places
    return _made(lines, sorted(zip(places, finds, range(len(finds)), strict=True), key=lambda each: (each[0], each[2])))


# ---------------------------------------------------------------- where?

_PUNCTUATION = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
        **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    }
)

_LENIENCIES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", lambda line: line),
    ("blanks at line ends", str.rstrip),
    ("indentation", str.strip),
    ("typographic characters", lambda line: line.translate(_PUNCTUATION).strip()),
)
"""Ways of comparing lines, strictest first; the first that finds any place decides."""


_TELLING = 4
"""Characters that lines must have in all to be known again: a lone brace is everywhere."""


@dataclass(frozen=True, slots=True)
class _Find:
    """The places of a hunk: the line, from 0, of the first that changes."""

    hunk: Hunk
    lines: tuple[Line, ...]
    """As they were looked for."""
    places: tuple[int, ...]
    leniency: str
    already: bool = False

    @property
    def lead(self) -> int:
        """How many lines in front of the first that changes only stand around."""
        return next(at for at, line in enumerate(self.lines) if line.kind != " ")

    @property
    def core(self) -> tuple[Line, ...]:
        """The lines from the first that changes to the last."""
        end = next(at for at in range(len(self.lines), 0, -1) if self.lines[at - 1].kind != " ")
        return self.lines[self.lead : end]

    @property
    def length(self) -> int:
        """Lines of the file that the core takes."""
        return len(self.core) if self.already else sum(line.kind != "+" for line in self.core)


class _Lines:
    """A text by its lines, without their endings, which stand beside."""

    def __init__(self, text: str) -> None:
        *whole, last = text.split("\n")
        self.endings = ["\r\n" if line.endswith("\r") else "\n" for line in whole] + ([""] if last else [])
        self.contents = [line.removesuffix("\r") for line in whole] + ([last] if last else [])
        self._indices: dict[str, dict[str, list[int]]] = {}

    def find(self, hunk: Hunk) -> _Find | None:
        for leniency, spelt in _LENIENCIES:
            for lines in _variants(hunk.lines):
                old = [line.text for line in lines if line.kind != "+"]
                places = self._places(old, leniency, spelt)
                if places:
                    found = _Find(hunk, lines, tuple(places), leniency)
                    found = replace(found, places=self._chosen(found, len(old)))
                    return found if leniency == "" or self._is_indented_alike(found) else None
        return self._already(hunk)

    def _already(self, hunk: Hunk) -> _Find | None:
        """Look for what the hunk would have made: in one place, and more than could be there by chance."""
        new = tuple(line for line in hunk.lines if line.kind != "-")
        adds = any(line.kind == "+" and line.text.strip() for line in new)
        if not adds or sum(len("".join(line.text.split())) for line in new) < _TELLING:
            return None
        for leniency, spelt in _LENIENCIES[:2]:
            starts = self._places([line.text for line in new], leniency, spelt)
            if len(starts) == 1:
                found = _Find(hunk, new, (), leniency, already=True)
                return replace(found, places=(starts[0] + found.lead,))
        return None

    def _places(self, old: Sequence[str], name: str, spelt: Callable[[str], str]) -> list[int]:
        if not old:
            return [len(self.contents)]
        index = self._index(name, spelt)
        wanted = [spelt(line) for line in old]
        rare = min(range(len(wanted)), key=lambda at: len(index.get(wanted[at], ())))
        starts = [at - rare for at in index.get(wanted[rare], ())]
        return [
            start
            for start in starts
            if 0 <= start <= len(self.contents) - len(old)
            and all(spelt(self.contents[start + at]) == line for at, line in enumerate(wanted))
        ]

    def _index(self, name: str, spelt: Callable[[str], str]) -> dict[str, list[int]]:
        if name not in self._indices:
            index: defaultdict[str, list[int]] = defaultdict(list)
            for at, line in enumerate(self.contents):
                index[spelt(line)].append(at)
            self._indices[name] = index
        return self._indices[name]

    def _chosen(self, found: _Find, length: int) -> tuple[int, ...]:
        """Keep the places that the end of the file and the headings leave, if they leave any."""
        starts = found.places
        if found.hunk.is_at_end:
            starts = tuple(start for start in starts if start + length == len(self.contents)) or starts
        places = tuple(start + found.lead for start in starts)
        if len(places) > 1 and found.hunk.headings:
            blocks = self._blocks(found.hunk.headings)
            begin = min((block[0] for block in blocks), default=0)
            inside = tuple(place for place in places if any(first <= place <= end for first, end in blocks))
            places = inside or tuple(place for place in places if place >= begin) or places
        return places

    def _blocks(self, headings: Sequence[str]) -> list[tuple[int, int]]:
        """Find what the last of the headings begins, inside of what those before it begin; empty if nothing."""
        blocks = [(0, len(self.contents))]
        for heading in headings:
            for is_meant in _heading_tests(heading):
                found = {at for first, end in blocks for at in range(first, end) if is_meant(self.contents[at].strip())}
                if found:
                    break
            else:
                return []
            blocks = [(at, self._end_of_block(at)) for at in sorted(found)]
        return blocks

    def _end_of_block(self, first: int) -> int:
        indent = _width(self.contents[first])
        for at in range(first + 1, len(self.contents)):
            line = self.contents[at].strip()
            if line and line[0] not in "{}()[]" and _width(self.contents[at]) <= indent:
                return at
        return len(self.contents)

    def _is_indented_alike(self, found: _Find) -> bool:
        """Tell whether it is known for each place how the file's indentation differs from the patch's."""
        return all(self.reindented(found, place) is not None for place in found.places)

    def reindented(self, found: _Find, place: int) -> Callable[[str], str] | None:
        """Return what gives added lines the indentation of the file; None if the lines there contradict each other."""
        pairs: dict[str, list[tuple[str, str]]] = {"-": [], " ": []}
        around = [line for line in found.lines if line.kind != "+"]
        for line, theirs in zip(around, self.contents[place - found.lead :], strict=False):
            if line.text.strip():
                pairs[line.kind].append((_margin(line.text), _margin(theirs)))
        # A line that stays differs by a blank where the one that marks it was forgotten, which tells nothing.
        kept = [(ours, theirs) for ours, theirs in pairs[" "] if theirs != f" {ours}"]
        return _translation(pairs["-"] or kept)


def _variants(lines: tuple[Line, ...]) -> list[tuple[Line, ...]]:
    """Return the lines as they are, and without empty ones at the ends that may only separate hunks."""
    first, last = 0, len(lines)
    while first < last and lines[first].is_bare and not lines[first].text:
        first += 1
    while last > first and lines[last - 1].is_bare and not lines[last - 1].text:
        last -= 1
    return [lines] if (first, last) == (0, len(lines)) else [lines, lines[first:last]]


def _heading_tests(heading: str) -> tuple[Callable[[str], bool], ...]:
    whole = re.escape(heading)
    begins, contains = re.compile(rf"{whole}(?!\w)"), re.compile(rf"(?<!\w){whole}(?!\w)")
    return (
        lambda line: line == heading,
        lambda line: begins.match(line) is not None,
        lambda line: len(heading) > 3 and contains.search(line) is not None,
    )


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _width(line: str) -> int:
    return len(_margin(line).expandtabs())


def _translation(pairs: Sequence[tuple[str, str]]) -> Callable[[str], str] | None:
    """Find the one way in which all margins of a patch become the file's."""
    if all(ours == theirs for ours, theirs in pairs):
        return lambda line: line
    ours, theirs = pairs[0]
    if theirs.endswith(ours) and all(b == theirs.removesuffix(ours) + a for a, b in pairs):
        more = theirs.removesuffix(ours)
        return lambda line: more + line if line.strip() else line
    if ours.endswith(theirs) and all(a == ours.removesuffix(theirs) + b for a, b in pairs):
        less = ours.removesuffix(theirs)
        return lambda line: line.removeprefix(less)
    for width in (4, 2, 8, 3):
        if all(a == b.replace("\t", " " * width) for a, b in pairs):
            return lambda line: _margin(line).replace(" " * width, "\t") + line.lstrip()
        if all(b == a.replace("\t", " " * width) for a, b in pairs):
            return lambda line: _margin(line).replace("\t", " " * width) + line.lstrip()
    return None


# ---------------------------------------------------------------- which of several?


def _in_order(finds: Sequence[_Find]) -> list[int] | Unsure | Overlapping:
    """Choose a place for each, one behind the other; there must be but one way to do so."""
    first = _earliest(finds)
    if isinstance(first, Overlapping):
        # Each has but one place: it is clear where, and only the patch has them in another order.
        alone = [find.places[0] for find in finds]
        spans = sorted((place, place + find.length) for place, find in zip(alone, finds, strict=True))
        is_clear = all(len(find.places) == 1 for find in finds) and all(a[1] <= b[0] for a, b in pairwise(spans))
        return alone if is_clear else first
    last = _latest(finds)
    for number, (early, late) in enumerate(zip(first, last, strict=True)):
        if early != late:
            find = finds[number]
            return Unsure(number, tuple(place - find.lead + 1 for place in find.places))
    return first


def _earliest(finds: Sequence[_Find]) -> list[int] | Overlapping:
    chosen: list[int] = []
    end = 0
    for number, find in enumerate(finds):
        place = next((place for place in find.places if place >= end), None)
        if place is None:
            return Overlapping(number, find.places[-1] - find.lead + 1)
        chosen.append(place)
        end = place + find.length
    return chosen


def _latest(finds: Sequence[_Find]) -> list[int]:
    chosen: list[int] = []
    begin: float = float("inf")
    for find in reversed(finds):
        place = next(place for place in reversed(find.places) if place + find.length <= begin)
        chosen.append(place)
        begin = place
    return chosen[::-1]


# ---------------------------------------------------------------- what then?


def _made(lines: _Lines, ordered: Sequence[tuple[int, _Find, int]]) -> Patched:
    made = _Making(lines)
    placed: dict[int, Placed] = {}
    for place, find, number in ordered:
        made.keep_to(place)
        begin = len(made.contents)
        if find.already:
            made.keep_to(place + find.length)
        else:
            made.change(find, lines.reindented(find, place) or str)
        placed[number] = Placed(begin + 1, len(made.contents), find.leniency, find.already)
    made.keep_to(len(lines.contents))
    told = [find.hunk.has_final_newline for _, find, _ in ordered if find.hunk.has_final_newline is not None]
    return Patched(made.text(has_final_newline=told[-1] if told else None), tuple(placed[n] for n in sorted(placed)))


class _Making:
    """The new text, line by line."""

    def __init__(self, lines: _Lines) -> None:
        self._old = lines
        self._at = 0
        self.contents: list[str] = []
        self._endings: list[str] = []

    def keep_to(self, end: int) -> None:
        self.contents += self._old.contents[self._at : end]
        self._endings += self._old.endings[self._at : end]
        self._at = max(self._at, end)

    def change(self, find: _Find, reindented: Callable[[str], str]) -> None:
        removed: list[str] = []
        for line in find.core:
            match line.kind:
                case " ":
                    removed = []
                    self.keep_to(self._at + 1)
                case "-":
                    removed.append(self._old.endings[self._at])
                    self._at += 1
                case "+":
                    # The ending of the line whose place it takes, else of the one before.
                    self.contents.append(reindented(line.text))
                    self._endings.append((removed.pop(0) if removed else "") or self._near())

    def _near(self) -> str:
        before = next((ending for ending in reversed(self._endings[-2:]) if ending), "")
        return before or next((ending for ending in self._old.endings[self._at :][:1] if ending), "") or self._usual()

    def _usual(self) -> str:
        return self._old.endings[0] if self._old.endings and self._old.endings[0] else "\n"

    def text(self, *, has_final_newline: bool | None) -> str:
        """Join it. A file without a final newline stays so, unless the patch says otherwise."""
        if has_final_newline is None:
            has_final_newline = not self._old.endings or self._old.endings[-1] != ""
        endings = [ending or self._usual() for ending in self._endings]
        if endings and not has_final_newline:
            endings[-1] = ""
        return "".join(content + ending for content, ending in zip(self.contents, endings, strict=True))
