"""Carry a model's change over to the real text, where that differs from what the model quoted.

Pure. `old` and `new` are what the model wrote, `real` is what stands in the file in place of `old`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from openhands_acp.engine.merge import carried, differences, pieces

_INDENT = re.compile(r"[ \t]*")
_TOKEN = re.compile(r"\w+|[ \t]+|[^\w \t]")


def graft(old: str, new: str, real: str) -> str | None:
    """Change `real` as `old` was changed to `new`; None if the change touches what differs."""
    if old == real:
        return new
    by_lines = _merged(pieces(old), pieces(new), pieces(real))
    return _merged(tokens(old), tokens(new), tokens(real)) if by_lines is None else by_lines


def tokens(text: str) -> list[str]:
    """Split into words, runs of blanks, and single characters of anything else."""
    return _TOKEN.findall(text)


def _merged(old: list[str], new: list[str], real: list[str]) -> str | None:
    hunks = carried(differences(old, new), differences(old, real), may_touch=True)
    if hunks is None:
        return None
    for hunk in reversed(hunks):
        real[hunk.start : hunk.end] = hunk.lines
    if any(before.strip(" \t") == after.strip(" \t") == "" for before, after in pairwise(real)):
        # Both sides put a blank there.
        return None
    return "".join(real)


# ---------------------------------------------------------------- indentation


def indent_of(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""


def reindented(text: str, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Indent `text` as the file does; None if the `pairs` (what the model wrote, what is there) do not tell how."""
    known = dict(pairs)
    if any(known[wrote] != there for wrote, there in pairs):
        return None
    result: list[str] = []
    for line in pieces(text):
        indent = indent_of(line)
        if not line.strip():
            result.append(line)
            continue
        there = known.get(indent)
        if there is None:
            there = _shifted(indent, pairs)
        if there is None:
            there = _converted(indent, pairs)
        if there is None:
            return None
        result.append(there + line[len(indent) :])
    return "".join(result)


def _shifted(indent: str, pairs: Sequence[tuple[str, str]]) -> str | None:
    """All is deeper or shallower by the same."""
    wrote, there = pairs[0]
    if there.endswith(wrote):
        deeper = there.removesuffix(wrote)
        return deeper + indent if all(there == deeper + wrote for wrote, there in pairs) else None
    if wrote.endswith(there):
        less = wrote.removesuffix(there)
        fits = all(wrote == less + there for wrote, there in pairs)
        return indent.removeprefix(less) if fits and indent.startswith(less) else None
    return None


def _converted(indent: str, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Another unit: tabs for so many spaces, or the other way round, or spaces by another width."""
    steps = {(wrote, there) for wrote, there in pairs if wrote or there}
    if not steps or any(not wrote or not there for wrote, there in steps):
        return None
    wrote, there = next(iter(steps))
    if any(len(set(each)) > 1 for pair in steps for each in (*pair, indent)):
        return None
    if any((a[0], b[0]) != (wrote[0], there[0]) or len(a) * len(there) != len(b) * len(wrote) for a, b in steps):
        return None
    if indent and indent[0] != wrote[0]:
        return None
    if wrote[0] == there[0] and len(wrote) % len(there) and len(there) % len(wrote):
        # Five for four is a slip, and no width.
        return None
    count, rest = divmod(len(indent) * len(there), len(wrote))
    return None if rest else there[0] * count
