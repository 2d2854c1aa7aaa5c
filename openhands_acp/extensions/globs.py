"""Globs as regular expressions. The one door of wcmatch, loaded late."""

from __future__ import annotations

import math
import re

from wcmatch import glob

_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX | glob.MATCHBASE
_MOST = 200
"""Globs of one skill, with their braces spelt out."""
_MOST_STARS = 6
"""In a glob: each more multiplies what there is to try with a path that does not fit. `**` counts as one."""
_STARS = re.compile(r"\*+")
_MANY_IN_A_NAME = re.compile(r"(?:\*[^*/]+){3}\*")
_RANGE = re.compile(r"\{[^}]*\.\.")


class TooMuch(Exception):
    """Globs that it would take too long to match; the message says why, in words that follow what they are called."""


def patterns(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Return expressions for paths relative to the project; a glob without a slash is for files anywhere in it.

    Raises TooMuch.
    """
    spelt = [each.removeprefix("./").removeprefix("/") for each in globs]
    whole = [f"{each}**" if each.endswith("/") else each for each in spelt]
    if sum(map(_alternatives, whole)) > _MOST or any(map(_RANGE.search, whole)):
        raise TooMuch(f"stands for more than {_MOST} globs, or has a range in braces")
    for each in whole:
        if len(_STARS.findall(each)) > _MOST_STARS or _MANY_IN_A_NAME.search(each):
            raise TooMuch(f"has too many stars in {each[:100]!r}: at most {_MOST_STARS}, and three in one name")
    return tuple(glob.translate(whole, flags=_FLAGS)[0]) if whole else ()


def _alternatives(pattern: str) -> int:
    """Return at least as many as its braces stand for."""
    return math.prod(piece.count(",") + 1 for piece in pattern.split("{")[1:])
