"""What differs between two states of a file, as far as a person is told of it: places, and words. Pure."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from openhands_acp.engine.cards import Location, ShownDiff
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.spelling import lf, lines_of

_MOST = 50
"""Places of one file that are worth following."""
_GAP = 6
"""Lines that may lie between two changes of one place, as in a unified diff."""
_COMPARABLE = 10_000
"""Lines that difflib gets through in the time a person would wait."""
CONTEXT = 3
"""Lines that are told around those that differ."""
_WHOLE = 50_000
"""Characters of a file that is shown whole."""
_ANYBODY = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def hunks(old: str | None, new: str | None) -> tuple[int, ...]:
    """Return the line of `new`, from 1, where each change begins; a change that only removes is where it was.

    Empty if nothing differs but line endings, and for a file that was removed. None is a file that is not there.
    """
    if new is None:
        return ()
    one, other = lf(old or ""), lf(new)
    if one == other:
        return (1,) if old is None else ()
    head, tail = same_ends(one, other)
    top, bottom = one.count("\n", 0, head), _count_lines(one[len(one) - tail :])
    before, after = _lines(one[head : len(one) - tail]), _lines(other[head : len(other) - tail])
    if len(before) + len(after) > _COMPARABLE:
        return (top + 1,)
    count = max(1, top + len(after) + bottom)
    return tuple(min(top + begin + 1, count) for begin in _beginnings(before, after))[:_MOST]


def locations(path: AbsPath, old: str | None, new: str | None) -> tuple[Location, ...]:
    """Return a location for each change, and for none the file."""
    return tuple(Location(path, line) for line in hunks(old, new)) or (Location(path),)


def mode_note(before: int, after: int) -> str:
    """Say how the permissions of a file changed; empty if they did not."""
    if stat.S_IMODE(before) == stat.S_IMODE(after):
        return ""
    if bool(before & _ANYBODY) != bool(after & _ANYBODY):
        return "Made executable" if after & _ANYBODY else "No longer executable"
    return f"Mode changed from {stat.S_IMODE(before):o} to {stat.S_IMODE(after):o}"


def same_ends(one: str, other: str) -> tuple[int, int]:
    """Count the characters of the whole lines that two texts both begin with, and of those that both end with.

    Without splitting them: comparing long texts at once takes a hundredth of comparing their lines.
    """
    most = min(len(one), len(other))
    head = _longest(most, lambda count: one[:count] == other[:count])
    if head == len(one) == len(other):
        return head, 0
    head = one.rfind("\n", 0, head) + 1
    tail = _longest(most - head, lambda count: one[len(one) - count :] == other[len(other) - count :])
    # Back to where a line begins in both; without the line that the difference ends in.
    while tail and not (_begins_line(one, len(one) - tail) and _begins_line(other, len(other) - tail)):
        end = one.find("\n", len(one) - tail)
        tail = 0 if end < 0 else len(one) - end - 1
    return head, tail


def diff_card(path: AbsPath, old: str | None, new: str) -> ShownDiff:
    """Show a change whole, or of a large file only the lines that differ and three around them."""
    if old is None or max(len(old), len(new)) <= _WHOLE:
        return ShownDiff(path, old, new)
    before, after, _ = without_common_ends(old, new)
    return ShownDiff(path, "\n".join(before), "\n".join(after))


def without_common_ends(old: str, new: str) -> tuple[list[str], list[str], int]:
    """Split into lines, but for those that both begin and end with, less some context; also how many at the top."""
    head, tail = same_ends(old, new)
    top = max(0, old.count("\n", 0, head) - CONTEXT)
    begin = _back(old, head)
    one, other = _forth(old, len(old) - tail), _forth(new, len(new) - tail)
    return lines_of(old[begin:one]), lines_of(new[begin:other]), top


def _begins_line(text: str, at: int) -> bool:
    return at == 0 or text[at - 1] == "\n"


def _back(text: str, at: int) -> int:
    """Go as many lines back from where a line begins as belong to the context."""
    for _ in range(CONTEXT):
        if at == 0:
            break
        at = text.rfind("\n", 0, at - 1) + 1
    return at


def _forth(text: str, at: int) -> int:
    """Go as many lines on from where a line begins as belong to the context."""
    for _ in range(CONTEXT):
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        at = end + 1
    return at


def _longest(most: int, holds: Callable[[int], bool]) -> int:
    """Find the largest count up to `most` that holds, where every smaller one does too."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _count_lines(text: str) -> int:
    return text.count("\n") + (0 if text.endswith("\n") or not text else 1)


def _lines(text: str) -> list[str]:
    """Split as an editor does, endings kept: a last line without its newline differs from one with it."""
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])


def _beginnings(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """Return where in `after` each change begins, from 0."""
    begins: list[int] = []
    end = -_GAP - 1
    for tag, _, _, begin, after_end in SequenceMatcher(None, before, after).get_opcodes():
        if tag == "equal":
            continue
        if begin - end > _GAP:
            begins.append(begin)
        end = after_end
    return begins
