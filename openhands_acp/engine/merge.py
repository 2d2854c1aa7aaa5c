"""Three-way merging: what one side changed is carried over to what another side made of the same text.

Pure, and bounded: texts too different to compare in time count as changed throughout.
Why no library: the one that is kept up (merge3) is under the GPL, and this project is not.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile

_WORK = 300_000
"""Pairs of equal lines that difflib gets through in a fraction of a second."""
_WINDOW = 200
_STRETCH = 500
_SURE = 3
"""Equal lines in a row that are no chance."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines from `start` to before `end`, counted from 0, are replaced by `lines`, which keep their line feeds."""

    start: int
    end: int
    lines: tuple[str, ...]


def merge(base: str, mine: str, theirs: str) -> str | None:
    """Do to `theirs` what was done to `base` to make `mine`; None if both changed the same or neighbouring lines."""
    hunks = merge_hunks(base, mine, theirs)
    return None if hunks is None else "".join(_patched(pieces(theirs), hunks))


def merge_hunks(base: str, mine: str, theirs: str) -> list[Hunk] | None:
    """Say what `merge` would do to `theirs`. What both sides did alike is done and not said."""
    lines = pieces(base)
    return carried(differences(lines, pieces(mine)), differences(lines, pieces(theirs)))


def differences(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """Say which lines of `old` to replace to make `new`."""
    return list(_differences(old, new, 0))


def carried(mine: Sequence[Hunk], theirs: Sequence[Hunk], *, may_touch: bool = False) -> list[Hunk] | None:
    """Move hunks to where their lines are after `theirs`; None if any of both meet in one place.

    Neighbours meet, too, unless they `may_touch`: one line often means something to the next.
    """
    result: list[Hunk] = []
    moved, at = 0, 0
    for hunk in mine:
        while at < len(theirs) and theirs[at].end < hunk.start:
            moved += _growth(theirs[at])
            at += 1
        if hunk in theirs[at : at + 2]:
            continue
        if any(_meet(hunk, other, may_touch=may_touch) for other in _from(theirs, at, hunk.end)):
            return None
        before = sum(_growth(other) for other in _from(theirs, at, hunk.end) if other.end <= hunk.start)
        result.append(Hunk(hunk.start + moved + before, hunk.end + moved + before, hunk.lines))
    return result


def pieces(text: str) -> list[str]:
    """Split at line feeds only, and keep them: `splitlines` knows eight more ends, which are data here."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _growth(hunk: Hunk) -> int:
    return len(hunk.lines) - (hunk.end - hunk.start)


def _from(hunks: Sequence[Hunk], at: int, end: int) -> Iterator[Hunk]:
    return takewhile(lambda other: other.start <= end, hunks[at:])


def _meet(one: Hunk, other: Hunk, *, may_touch: bool) -> bool:
    if may_touch and (one.end <= other.start or other.end <= one.start):
        # Two insertions at one point have no order.
        return one.start == other.start and one.end == other.end
    return one.start <= other.end and other.start <= one.end


def _patched(lines: Sequence[str], hunks: Sequence[Hunk]) -> Iterator[str]:
    at = 0
    for hunk in hunks:
        yield from lines[at : hunk.start]
        yield from hunk.lines
        at = hunk.end
    yield from lines[at:]


# ---------------------------------------------------------------- differences


def _differences(old: Sequence[str], new: Sequence[str], offset: int) -> Iterator[Hunk]:
    top = alike(old, new)
    old, new, offset = old[top:], new[top:], offset + top
    bottom = alike(old[::-1], new[::-1])
    old, new = old[: len(old) - bottom], new[: len(new) - bottom]
    if not old and not new:
        return
    if not old or not new:
        yield Hunk(offset, offset + len(old), tuple(new))
    elif _work(old, new) <= _WORK:
        yield from _by_difflib(old, new, offset)
    else:
        # Where most is equal, looking a few lines ahead is enough; where not, lines that occur once are landmarks.
        i, j = yield from _by_windows(old, new, offset)
        if i < len(old) or j < len(new):
            yield from _by_anchors(old[i:], new[j:], offset + i)


def _by_difflib(old: Sequence[str], new: Sequence[str], offset: int) -> Iterator[Hunk]:
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Hunk(offset + i1, offset + i2, tuple(new[j1:j2]))


def _by_windows(old: Sequence[str], new: Sequence[str], offset: int) -> Generator[Hunk, None, tuple[int, int]]:
    """Say what differs as long as both soon go on alike; return how far that went in both."""
    i = j = 0
    while i < len(old) and j < len(new):
        a, b = old[i : i + _WINDOW], new[j : j + _WINDOW]
        if a == b:
            i, j = i + len(a), j + len(b)
            continue
        if _work(a, b) > _WORK:
            break
        blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
        again = next((block for block in reversed(blocks) if block.size >= _SURE), None)
        if again is None or again.a + again.b == 0:
            break
        yield from _by_difflib(a[: again.a], b[: again.b], offset + i)
        i, j = i + again.a, j + again.b
        same = alike(old[i : i + _WINDOW], new[j : j + _WINDOW])
        i, j = i + same, j + same
    return i, j


def _by_anchors(old: Sequence[str], new: Sequence[str], offset: int) -> Iterator[Hunk]:
    anchors = _anchors(old, new) if old and new else []
    if not anchors:
        yield Hunk(offset, offset + len(old), tuple(new))
        return
    i, j = 0, 0
    for a, b in [*anchors, (len(old), len(new))]:
        if i < a or j < b:
            yield from _differences(old[i:a], new[j:b], offset + i)
        i, j = a + 1, b + 1


def alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the lines that both begin with."""
    count = 0
    # By whole stretches first: to compare two lists costs a fraction of comparing their members.
    while count < len(one) and one[count : count + _STRETCH] == other[count : count + _STRETCH]:
        count += min(_STRETCH, len(one) - count)
    rest = zip(one[count : count + _STRETCH], other[count : count + _STRETCH], strict=False)
    return count + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest))


def _work(old: Sequence[str], new: Sequence[str]) -> int:
    """Estimate what difflib would do: it looks at every pair of equal lines, more than once where little is equal."""
    counts = Counter(new)
    return sum(counts[line] for line in old) * 4 + (len(old) + len(new)) * 10


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Find lines that are in both, once in each, and in the same order: as many as there are."""
    there = {line: index for index, line in _once(new)}
    pairs = [(index, there[line]) for index, line in _once(old) if line in there]
    # The longest rising run of the second members, by patience sorting.
    ends: list[int] = []
    piles: list[int] = []
    links: list[int] = []
    for number, (_, place) in enumerate(pairs):
        pile = bisect_left(ends, place)
        links.append(piles[pile - 1] if pile else -1)
        ends[pile : pile + 1] = [place]
        piles[pile : pile + 1] = [number]
    chain: list[tuple[int, int]] = []
    number = piles[-1] if piles else -1
    while number >= 0:
        chain.append(pairs[number])
        number = links[number]
    return chain[::-1]


def _once(lines: Sequence[str]) -> list[tuple[int, str]]:
    counts = Counter(lines)
    return [(index, line) for index, line in enumerate(lines) if counts[line] == 1]
