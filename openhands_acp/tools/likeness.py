"""Text that is nearly what a model quoted: to show it, or, where all that differs is harmless, to edit it.

Pure; texts are LF views. Takes time in proportion to the text (a second for 10 MB).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from heapq import nlargest

from openhands_acp.engine.merge import differences
from openhands_acp.engine.spelling import lines_of
from openhands_acp.tools.edits import Match
from openhands_acp.tools.grafting import graft, indent_of, reindented, tokens
from openhands_acp.tools.matching import Found, View

LIKE = 0.9
"""How much alike texts must be to take one for the other."""
_MARGIN = 0.05
"""By how much the next best place must be worse."""
_LONGEST = 20_000
_SHORTEST_TEXT = 24
"""Letters and digits; less than this is like too much."""
_SLACK = 2
"""Lines more or less than were quoted."""
_SHOWN = 30
_EACH = 100
"""Places of one line that may vote."""
_PLACES = 6
_COMPARED = 50
_WORDS = 12
_COMPARED_LENGTH = 200
_ALIKE = 0.5
_TELLING = 4
"""Characters that a window's matching lines must have in all: a lone brace is everywhere."""


def nearest(view: View, old: str) -> tuple[tuple[int, str], ...]:
    """Find the lines most like `old`, with their numbers."""
    lines = view.lines
    wanted = [line.strip() for line in lines_of(old.strip("\n"))]
    places = _places(view, wanted)
    if not places:
        return ()
    start = max(0, places[0])
    end = min(len(lines), start + len(wanted), start + _SHOWN)
    return tuple((index + 1, lines[index]) for index in range(start, end))


def near(view: View, old: str, new: str) -> Found | None:
    """Find the one place that is nearly `old`, if what differs is harmless and is not what shall change."""
    lines, wanted = view.lines, lines_of(old.strip("\n"))
    if len(old) > _LONGEST or sum(character.isalnum() for character in old) < _SHORTEST_TEXT:
        return None
    spans = {_aligned(lines, wanted, start) for start in _places(view, [line.strip() for line in wanted])}
    ranked = sorted(((_likeness(wanted, lines[a:b]), a, b) for a, b in spans if a < b), reverse=True)
    if not ranked or ranked[0][0] < LIKE:
        return None
    likeness, first, end = ranked[0]
    others = [other for other, a, b in ranked[1:] if b <= first or a >= end]
    if others and others[0] > likeness - _MARGIN:
        return None
    there = lines[first:end]
    fresh = _harmlessly(view.text, wanted, there, new.strip("\n"))
    if fresh is None:
        return None
    return Found(Match(*view.stretch(first, end - 1), fresh), f"as a near match ({likeness:.2f}): {_PLEASE}")


_PLEASE = "check that it is the right place; what stood there was"


# ---------------------------------------------------------------- places


def _places(view: View, wanted: Sequence[str]) -> list[int]:
    """Say where the text may begin, the likeliest first; may be before the first line."""
    if not any(wanted):
        return []
    return _by_votes(view.lines, wanted) or _by_likeness(view, wanted)


def _by_votes(lines: Sequence[str], wanted: Sequence[str]) -> list[int]:
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
    best = nlargest(_PLACES, votes.items(), key=lambda vote: (vote[1], -vote[0]))
    return [start for start, weight in best if weight >= _TELLING]


def _by_likeness(view: View, wanted: Sequence[str]) -> list[int]:
    """Find the lines most like the longest one looked for, among those with most words in common."""
    offset = max(range(len(wanted)), key=lambda index: len(wanted[index]))
    line = wanted[offset][:_COMPARED_LENGTH]
    shared: defaultdict[int, float] = defaultdict(float)
    for word in sorted(set(re.findall(r"\w+", line)), key=lambda word: (-len(word), word))[:_WORDS]:
        places = view.lines_with(word)
        for place in places:
            # A rare word says more than one that is everywhere.
            shared[place] += 1 + _EACH / len(places)
    matcher = SequenceMatcher(b=line, autojunk=False)
    ranked: list[tuple[float, int]] = []
    for index, _ in nlargest(_COMPARED, shared.items(), key=lambda each: (each[1], -each[0])):
        matcher.set_seq1(view.lines[index].strip()[:_COMPARED_LENGTH])
        ranked.append((matcher.ratio(), -index))
    ranked.sort(reverse=True)
    return [max(0, -index - offset) for ratio, index in ranked[:_PLACES] if ratio > _ALIKE]


def _aligned(lines: Sequence[str], wanted: Sequence[str], start: int) -> tuple[int, int]:
    """Widen or narrow a place so that it ends where the quoted text does."""
    top, bottom = max(0, start - _SLACK), min(len(lines), start + len(wanted) + _SLACK)
    there = [line.strip() for line in lines[top:bottom]]
    blocks = SequenceMatcher(None, [line.strip() for line in wanted], there, autojunk=False).get_matching_blocks()[:-1]
    if not blocks:
        return start, min(len(lines), start + len(wanted))
    first, last = blocks[0], blocks[-1]
    end = top + last.b + last.size + len(wanted) - last.a - last.size
    return max(0, top + first.b - first.a), min(len(lines), end)


def _likeness(wanted: Sequence[str], there: Sequence[str]) -> float:
    a, b = ([token for line in side for token in tokens(line.strip())] for side in (wanted, there))
    size = sum(map(len, a)) + sum(map(len, b))
    lost = sum(sum(map(len, a[hunk.start : hunk.end])) + sum(map(len, hunk.lines)) for hunk in differences(a, b))
    return 1 - lost / size if size else 0.0


# ---------------------------------------------------------------- what differs

_REMARK = re.compile(r"(?:#|//|/\*|\*|--|<!--|;|%)(?![=*/-]?\w*[;)]$)")
_AFTERTHOUGHT = re.compile(r"[ \t]+(?:#|//)[ \t].*$")
_HARMLESS = frozenset("'\"`,;")
_SHORTEST = 6
"""Letters of a word that a slip of the pen still leaves recognisable."""


def _harmlessly(view: str, wanted: Sequence[str], there: Sequence[str], new: str) -> str | None:
    """Carry the change over, if what differs between `wanted` and `there` means nothing."""
    a, b = (_without_remarks(side) for side in (wanted, there))
    if not _differ_harmlessly(tokens("\n".join(a)), tokens("\n".join(b)), view):
        return None
    quoted = "\n".join(wanted)
    pairs = _indents(wanted, there)
    shifted = reindented(quoted, pairs), reindented(new, pairs)
    if shifted[0] is None or shifted[1] is None:
        return None
    return graft(shifted[0], shifted[1], "\n".join(there))


def _indents(wanted: Sequence[str], there: Sequence[str]) -> list[tuple[str, str]]:
    matcher = SequenceMatcher(None, [line.strip() for line in wanted], [line.strip() for line in there], autojunk=False)
    pairs = [
        (indent_of(wanted[block.a + step]), indent_of(there[block.b + step]))
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
        if wanted[block.a + step].strip()
    ]
    return pairs or [(indent_of(wanted[0]), indent_of(there[0]))]


def _without_remarks(lines: Sequence[str]) -> list[str]:
    """Keep what a machine would read."""
    stripped = (_AFTERTHOUGHT.sub("", line).strip() for line in lines)
    return [line for line in stripped if line and not _REMARK.match(line)]


def _differ_harmlessly(wrote: list[str], there: list[str], view: str) -> bool:
    for hunk in differences(wrote, there):
        a = [token for token in wrote[hunk.start : hunk.end] if not token.isspace()]
        b = [token for token in hunk.lines if not token.isspace()]
        if _HARMLESS.issuperset(a) and _HARMLESS.issuperset(b):
            continue
        if len(a) != 1 or len(b) != 1 or not _is_slip(a[0], b[0]):
            return False
        if re.search(rf"\b{a[0]}\b", view):
            # A name of its own.
            return False
    return True


def _is_slip(wrote: str, there: str) -> bool:
    """Tell whether a word is another one misspelt: a letter left out, doubled or swapped, within a part of it."""
    if min(len(wrote), len(there)) < _SHORTEST or not (wrote + there).replace("_", "").isalpha():
        return False
    top = next((i for i, (a, b) in enumerate(zip(wrote, there, strict=False)) if a != b), len(wrote))
    a, b = wrote[top:], there[top:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    whole = max(wrote, there, key=len)
    # What begins or ends a part of a name makes another name: a plural, a case.
    inside = whole[top - 1 : top + max(len(a), len(b)) + 1]
    if top == 0 or len(inside) < 3 or "_" in inside or top + max(len(a), len(b)) >= len(whole):
        return False
    return (len(a) + len(b) == 1) or (len(a) == len(b) == 2 and a == b[::-1])
