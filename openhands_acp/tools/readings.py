"""What a model may have meant by the text it quoted: the wrappings and escapes that models add by mistake.

Pure. Each reading takes `old` and `new` together, for what was added to one was added to the other.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from openhands_acp.engine.spelling import lines_of


@dataclass(frozen=True, slots=True)
class Reading:
    old: str
    new: str
    how: str
    """What was undone, for the model; empty if nothing."""


_NUMBER = re.compile(r"[ \t]*(\d+)(\t|→|[ ]?\|[ ]?|: )")
_BARE_NUMBER = re.compile(r"[ \t]*(\d+)[ \t|:→]*")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(.*?)\n?[ \t]*\1[ \t]*\n?\s*", re.DOTALL)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#39|#34|#x27);")
_ESCAPED_QUOTE = re.compile(r"\\([\"'`])")
_BARE_QUOTE = re.compile(r"(?<!\\)(?:\\\\)*\"")
_ESCAPED = re.compile(r"\\([nt\"'\\/])")
_ESCAPED_TABS = re.compile(r"^(?:\\t)+", re.MULTILINE)
_ESCAPED_MARK = re.compile(r"\\([()\[\]{}.*+?^$|])")
_CONTROLS = {"n": "\n", "t": "\t"}


def readings(old: str, new: str) -> Iterator[Reading]:
    """Give every reading that makes something else of `old`, the likeliest first."""
    for read in _READINGS:
        reading = read(old, new)
        if reading is not None and reading.old.strip() and reading.old != old:
            yield reading


def _without_numbers(old: str, new: str) -> Reading | None:
    bare = _unnumbered(old)
    if bare is None:
        return None
    other = _unnumbered(new)
    if other is None and any(_NUMBER.match(line) for line in new.split("\n")):
        return None
    return Reading(bare, new if other is None else other, "after the line numbers in front were dropped")


def _unnumbered(text: str) -> str | None:
    """Drop line numbers as a view shows them: in front of every line, and counting up."""
    rows: list[str] = []
    numbers: list[int] = []
    for line in lines_of(text):
        found = _NUMBER.match(line) or _BARE_NUMBER.fullmatch(line)
        if found is None:
            return None
        numbers.append(int(found[1]))
        rows.append(line[found.end() :])
    if not rows or any(after - before != 1 for before, after in pairwise(numbers)):
        return None
    return "\n".join(rows) + ("\n" if text.endswith("\n") else "")


def _without_fence(old: str, new: str) -> Reading | None:
    inner = _FENCE.fullmatch(old)
    if inner is not None:
        other = _FENCE.fullmatch(new)
        return Reading(inner[2], new if other is None else other[2], "after Markdown's fence round it was dropped")
    if len(old) > 2 and old[0] == old[-1] == "`" and "`" not in old[1:-1]:
        quoted = len(new) > 1 and new[0] == new[-1] == "`"
        return Reading(old[1:-1], new[1:-1] if quoted else new, "after the backquotes round it were dropped")
    return None


def _without_diff_marks(old: str, new: str) -> Reading | None:
    bare, other = _unmarked(old, "-"), _unmarked(new, "+")
    if bare is None or (other is None and re.search(r"^[+-]", new, re.MULTILINE)):
        return None
    return Reading(bare, new if other is None else other, "after the diff's marks in front were dropped")


def _unmarked(text: str, mark: str) -> str | None:
    lines = text.split("\n")
    if not any(line.startswith(mark) for line in lines):
        return None
    if any(line and line[0] not in (mark, " ") for line in lines):
        return None
    return "\n".join(line[1:] for line in lines)


def _without_escapes(old: str, new: str) -> Reading | None:
    """Undo a whole level of escapes, as of a string within a string: no line feed and no quote is bare in it."""
    if "\\" not in old or "\n" in old.strip() or _BARE_QUOTE.search(old):
        return None
    fresh = new if "\\" not in new or _BARE_QUOTE.search(new) else _unescaped(new)
    has_quotes = _ESCAPED_QUOTE.search(new) is not None
    only_quotes = "\\" not in _ESCAPED_QUOTE.sub("", old)
    # Is a written-out line feed in `new` one more level, or meant in its string? Where nothing tells, neither.
    if (
        fresh != new
        and re.search(r"(?<!\\)\\n", new)
        and ("\n" in new.strip() or only_quotes or (not has_quotes and "'" in new))
    ):
        return None
    return Reading(_unescaped(old), fresh, "after one level of backslashes was dropped")


def _without_escaped_quotes(old: str, new: str) -> Reading | None:
    """Undo the escapes of quotes alone."""
    if not _ESCAPED_QUOTE.search(old) or (_BARE_QUOTE.search(new) and _ESCAPED_QUOTE.search(new)):
        return None
    rest = _ESCAPED_QUOTE.sub("", old), _ESCAPED_QUOTE.sub("", new)
    if "\\" in rest[1] and "\\" not in rest[0] and not _BARE_QUOTE.search(new):
        return None
    return Reading(
        _ESCAPED_QUOTE.sub(r"\1", old),
        _ESCAPED_QUOTE.sub(r"\1", new),
        "after the backslashes before quotes were dropped",
    )


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), text)


def _without_escaped_tabs(old: str, new: str) -> Reading | None:
    if not _ESCAPED_TABS.search(old):
        return None

    def tabbed(text: str) -> str:
        return _ESCAPED_TABS.sub(lambda found: "\t" * (len(found[0]) // 2), text)

    return Reading(tabbed(old), tabbed(new), r"after \t in front was taken as a tab")


def _without_entities(old: str, new: str) -> Reading | None:
    kinds = set(_ENTITY.findall(old))
    if not kinds:
        return None
    if not set(_ENTITY.findall(new)) <= kinds | {"&amp;", "&lt;", "&gt;", "&quot;"}:
        return None
    return Reading(_without(kinds, old), html.unescape(new), "after HTML entities were decoded")


def _without(kinds: set[str], text: str) -> str:
    return _ENTITY.sub(lambda found: html.unescape(found[0]) if found[0] in kinds else found[0], text)


def _without_escaped_marks(old: str, new: str) -> Reading | None:
    kinds = set(_ESCAPED_MARK.findall(old))
    if not kinds:
        return None

    def bare(text: str) -> str:
        return _ESCAPED_MARK.sub(lambda found: found[1] if found[1] in kinds else found[0], text)

    return Reading(bare(old), bare(new), "after the backslashes of a regular expression were dropped")


def _composed(old: str, new: str) -> Reading | None:
    return _normal("NFC", old, new)


def _decomposed(old: str, new: str) -> Reading | None:
    return _normal("NFD", old, new)


def _normal(form: str, old: str, new: str) -> Reading | None:
    if old.isascii():
        return None
    assert form in ("NFC", "NFD")
    fresh = unicodedata.normalize(form, new)
    return Reading(unicodedata.normalize(form, old), fresh, "although accents are spelt in another way there")


def _with_three_dots(old: str, new: str) -> Reading | None:
    return Reading(old.replace("…", "..."), new.replace("…", "..."), "with three dots for the character for them")


_READINGS: tuple[Callable[[str, str], Reading | None], ...] = (
    _without_numbers,
    _without_fence,
    _without_diff_marks,
    _without_escapes,
    _without_escaped_quotes,
    _without_escaped_tabs,
    _without_entities,
    _without_escaped_marks,
    _composed,
    _decomposed,
    _with_three_dots,
)


# ---------------------------------------------------------------- what stands for text

_REMARK = r"(?:#|//|/\*|--|<!--|;+|%|\{/\*|\*)"
_DOTS = r"(?:\.{3,}|…)"
_LEFT_OUT = r"(?:(?:the[ \t]+)?rest|remaining|remainder|existing|unchanged|other|previous|same|more|keep|code)\b"
_STANDS_FOR_CODE = re.compile(
    # As a remark, or with words that no program has behind its dots.
    rf"^[ \t]*{_REMARK}[ \t]*{_DOTS}[ \t]*[(\[]?[ \t]*{_LEFT_OUT}[^\n]*$"
    rf"|^[ \t]*{_DOTS}[ \t]*[(\[]?[ \t]*{_LEFT_OUT}(?:[ \t]+[a-z]+)+[ \t]*[)\]]?[ \t]*{_DOTS}?[ \t]*$"
    rf"|^[ \t]*{_REMARK}[ \t]*{_LEFT_OUT}[^\n]*(?:{_DOTS}|\bunchanged\b|\bas before\b)[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ELLIPSIS = re.compile(r"^[ \t]*(?:#|//|/\*|--|<!--)?[ \t]*(?:\.{3,}|…)[ \t]*(?:\*/|-->)?[ \t]*$", re.MULTILINE)


def stand_in(text: str) -> str:
    """Find a line that stands for others that were left out, as in `# ... existing code ...`; empty if none does."""
    found = _STANDS_FOR_CODE.search(text)
    return found[0].strip() if found else ""


def gap(text: str) -> str:
    """Find such a line, or one of nothing but dots, which in code may be meant."""
    found = _ELLIPSIS.search(text)
    return stand_in(text) or (found[0].strip() if found else "")
