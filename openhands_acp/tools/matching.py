"""Find the one place that a model meant, in rungs: as it stands, then but for what models get wrong.

Pure; texts are LF views. The first rung that finds any place decides, and it counts only if it finds one.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, islice
from typing import Literal, TypeAlias

from openhands_acp.engine.spelling import lines_of
from openhands_acp.tools.edits import Match, line_at
from openhands_acp.tools.grafting import graft, indent_of, reindented, tokens
from openhands_acp.tools.readings import Reading, readings


@dataclass(frozen=True, slots=True)
class Found:
    match: Match
    how: str = ""
    """What had to be overlooked, for the model; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    lines: tuple[int, ...]
    how: str = ""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """There is one place, but what would come of it may not be what was meant."""

    line: int
    reason: str


Outcome: TypeAlias = Found | Ambiguous | Doubtful

_MANY = 50
"""Places of one text to list before giving up."""
_MOST_LINES = 20_000
_COUNTED = 8
_WIDEST = 100
"""Characters of a name."""
_FEW = 20
_TELLING = 3
"""Letters and digits that a text must have to be looked for by anything but itself: a brace is everywhere."""


class View:
    """An LF view, with what is worked out about it when that is first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        return lines_of(self.text)

    @cached_property
    def starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.lines)]

    def stretch(self, first: int, last: int) -> tuple[int, int]:
        """Say where lines (from 0, the last included) begin and end, without the last one's line feed."""
        return self.starts[first], self.starts[last] + len(self.lines[last])

    def lines_with(self, word: str) -> list[int]:
        """Number the lines, from 0, that contain a word, be it in another one; not all if they are very many."""
        found: list[int] = []
        at = self.text.find(word)
        while at >= 0 and len(found) < _MOST_LINES:
            line = bisect_right(self.starts, at) - 1
            found.append(line)
            at = self.text.find(word, self.starts[line] + len(self.lines[line]))
        return found

    def rarest(self, words: Iterable[str]) -> tuple[str, int]:
        """Choose the word that occurs least, and say how often; only the longest few are counted."""
        best = ("", len(self.text))
        for word in sorted(set(words), key=lambda word: (-len(word), word))[:_COUNTED]:
            count = self.text.count(word)
            if count < best[1]:
                best = (word, count)
            if count <= _FEW:
                break
        return best


def find(view: View, old: str, new: str) -> Outcome | None:
    """Find the one place for `old`, and what should stand there; None if no rung finds any."""
    outcome = _exactly(view, old, new)
    # Found in the middle of a line's indentation, it was meant to be indented otherwise, perhaps elsewhere.
    begins_in_indent = isinstance(outcome, Found) and _begins_in_indent(view.text, outcome.match)
    if isinstance(outcome, Found) and begins_in_indent and not old.strip():
        return Doubtful(line_at(view.text, outcome.match.start), "old_str is part of a line's indentation there")
    if (outcome is not None and not begins_in_indent) or not _tells(old):
        return outcome
    return _overlooking(view, old, new) or outcome


def _begins_in_indent(view: str, match: Match) -> bool:
    line = view[view.rfind("\n", 0, match.start) + 1 : match.start]
    return bool(line) and not line.strip() and view[match.start].isspace()


def _overlooking(view: View, old: str, new: str) -> Outcome | None:
    for reading in (Reading(old, new, ""), *readings(old, new)):
        rungs = _RUNGS if not reading.how else (_exactly, *_RUNGS[:2])
        for rung in rungs:
            outcome = rung(view, reading.old, reading.new)
            if outcome is not None:
                return _explained(outcome, reading.how)
    return None


def everywhere(view: str, old: str) -> list[Match]:
    """Find every place of `old` as it stands, none overlapping another."""
    return [Match(found.start(), found.end(), "") for found in re.finditer(re.escape(old), view)] if old else []


def _explained(outcome: Outcome, how: str) -> Outcome:
    match outcome:
        case Doubtful():
            return outcome
        case Found() | Ambiguous():
            return replace(outcome, how=", ".join(filter(None, (how, outcome.how))))


def _tells(text: str) -> bool:
    return sum(character.isalnum() for character in text) >= _TELLING


# ---------------------------------------------------------------- as it stands


def exact(view: str, old: str) -> list[int]:
    """Find where `old` begins, overlaps counted; no more than are worth listing."""
    found: list[int] = []
    at = view.find(old) if old else -1
    while at >= 0 and len(found) < _MANY:
        found.append(at)
        at = view.find(old, at + 1)
    return found


def _exactly(view: View, old: str, new: str) -> Outcome | None:
    places = exact(view.text, old)
    if len(places) != 1:
        return _several(view, places, "") if places else None
    match = Match(places[0], places[0] + len(old), new)
    reason = _cuts_a_word(view.text, old, match)
    return Doubtful(line_at(view.text, match.end - 1), reason) if reason else Found(match)


def _cuts_a_word(view: str, old: str, match: Match) -> str:
    """Tell why `old` looks cut off, or like part of something longer; a part of one name may be meant."""
    words = re.findall(r"\w+", old)
    if len(words) < 2 and not old.strip().isdigit():
        return ""
    first, last = re.match(r"\w+", old), re.search(r"\w+\Z", old)
    around = re.search(r"\w*\Z", view[max(0, match.start - _WIDEST) : match.start])
    if first and around and around[0]:
        return f"old_str begins in the middle of `{around[0]}{first[0]}`"
    beyond = re.match(r"\w*", view[match.end : match.end + _WIDEST])
    if last and beyond and beyond[0] and not match.new.endswith(last[0]):
        return f"old_str ends in the middle of `{last[0]}{beyond[0]}`"
    return ""


def _several(view: View, offsets: list[int], how: str) -> Ambiguous:
    return Ambiguous(tuple(dict.fromkeys(line_at(view.text, offset) for offset in offsets)), how)


# ---------------------------------------------------------------- but for ...

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʼ＇", "'"),
        **dict.fromkeys("“”„‟″＂", '"'),
        **dict.fromkeys("‐‑‒–—―−﹘－", "-"),
        **dict.fromkeys(map(chr, (0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)), " "),
        **{chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F) if code not in b"\"'-"},
    }
)
"""One character for one, so that places stay the same."""
_WORD = re.compile(r"[^\W_]+")
_ODD_INDENT = re.compile(r"^[^\S\n]+", re.MULTILINE)
_INVISIBLE: dict[int, None] = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD))
_QUOTES = str.maketrans("'`", '""')

Form: TypeAlias = Callable[[str], str]


def _folded(line: str) -> str:
    if line.isascii():
        return line.strip()
    return unicodedata.normalize("NFC", line.translate(_INVISIBLE)).translate(_FOLDED).strip()


def _spaced(line: str) -> str:
    return re.sub(r"(?<=\W) | (?=\W)", "", " ".join(_folded(line).split()))


def _unpunctuated(line: str) -> str:
    return _spaced(line).translate(_QUOTES).rstrip(",;")


def _look_alike(view: View, old: str, new: str) -> Outcome | None:
    """Find `old`, also within lines, but for characters that look alike."""
    if (old.isascii() and view.text.isascii()) or not view.rarest(_WORD.findall(old))[1]:
        return None
    places = exact(view.text.translate(_FOLDED), old.translate(_FOLDED))
    if len(places) != 1:
        return _several(view, places, _CHARACTERS) if places else None
    end = places[0] + len(old)
    old, new = _spelt_like(view.text[places[0] : end], old), _spelt_like(view.text[places[0] : end], new)
    fresh = graft(old, new, view.text[places[0] : end])
    return Found(Match(places[0], end, new if fresh is None else fresh), _CHARACTERS)


def _within_a_line(view: View, old: str, new: str) -> Outcome | None:
    """Find part of a line, but for the blanks in it."""
    words = [token for token in tokens(old) if not token.isspace()]
    if "\n" in old or len(words) < 3:
        return None
    pattern = "".join(
        re.escape(word) + (r"[ \t]+" if _is_word(word) and _is_word(after) else r"[ \t]*")
        for word, after in zip(words, [*words[1:], ""], strict=True)
    ).removesuffix(r"[ \t]*")
    edges = (r"(?<!\w)" if _is_word(words[0]) else "", r"(?!\w)" if _is_word(words[-1]) else "")
    regex = re.compile(edges[0] + pattern + edges[1])
    word, count = view.rarest(filter(_is_word, words))
    if not count or not word:
        return None
    found = [place for line in view.lines_with(word) for place in regex.finditer(view.text, *view.stretch(line, line))]
    if len(found) != 1:
        return _several(view, [each.start() for each in found[:_MANY]], _BLANKS) if found else None
    place = found[0]
    outer = old[: len(old) - len(old.lstrip())], old[len(old.rstrip()) :]
    inner = new.removeprefix(outer[0]).removesuffix(outer[1])
    return Found(Match(*place.span(), graft(old.strip(), inner, place[0]) or inner), _BLANKS)


def _is_word(token: str) -> bool:
    return token[:1].isalnum() or token[:1] == "_"


_TRAILING = "although blanks at the ends of lines differed"
_INDENTATION = "although indentation differed (new_str was indented likewise)"
_CHARACTERS = "although look-alike characters (quotes, dashes, blanks, accents) differed"
_BLANKS = "although blanks within lines differed"
_EMPTY = "although empty lines differed"
_PUNCTUATION = "although quotes, or commas and semicolons at the ends of lines, differed"


def _by_lines(form: Form, how: str, *, skips_empty: bool = False) -> Callable[[View, str, str], Outcome | None]:
    """Make the rung that compares whole lines as `form` makes them."""

    def rung(view: View, old: str, new: str) -> Outcome | None:
        wanted = [form(line) for line in _core(old)]
        if skips_empty:
            wanted = [line for line in wanted if line]
        places = list(_stretches(view, form, wanted, skips_empty=skips_empty))
        if len(places) != 1:
            return _several(view, [view.starts[first] for first, _ in places], how) if places else None
        return _replacing(view, places[0], old, new, how)

    return rung


def _core(text: str) -> list[str]:
    """Take the lines without empty ones at both ends."""
    lines = text.split("\n")
    filled = [index for index, line in enumerate(lines) if line.strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _stretches(view: View, form: Form, wanted: list[str], *, skips_empty: bool) -> Iterator[tuple[int, int]]:
    """Find the first and last line, from 0, of each stretch like `wanted`."""
    # Whatever a form overlooks, words stay: only lines that have the rarest one need be looked at.
    word, count = view.rarest(word for line in wanted for word in _WORD.findall(line))
    if not word or not count:
        return
    index = next(index for index, line in enumerate(wanted) if word in line)
    for line in islice((line for line in view.lines_with(word) if form(view.lines[line]) == wanted[index]), _MANY):
        before = _follows(view, form, line, wanted[:index][::-1], -1, skips_empty=skips_empty)
        after = _follows(view, form, line, wanted[index + 1 :], 1, skips_empty=skips_empty)
        if before is not None and after is not None:
            yield before, after


def _follows(
    view: View, form: Form, line: int, wanted: list[str], step: Literal[1, -1], *, skips_empty: bool
) -> int | None:
    """Walk on from a line as long as lines are like `wanted`; return the last of them, None if one is not."""
    last = line
    for each in wanted:
        line += step
        while skips_empty and 0 <= line < len(view.lines) and not view.lines[line].strip():
            line += step
        if not 0 <= line < len(view.lines) or form(view.lines[line]) != each:
            return None
        last = line
    return last


def _replacing(view: View, span: tuple[int, int], old: str, new: str, how: str) -> Outcome:
    first, last = span
    start, end = view.stretch(first, last)
    real = view.text[start:end]
    old, new = _spelt_like(real, old), _spelt_like(real, new)
    wrote = [line for line in _core(old) if line.strip()]
    there = [line for line in view.lines[first : last + 1] if line.strip()]
    pairs = [(indent_of(a), indent_of(b)) for a, b in zip(wrote, there, strict=True)]
    quoted, fresh = "\n".join(_core(old)), _trimmed(old, new)
    if any(a != b for a, b in pairs):
        indented, how = reindented(quoted, pairs), how if how == _INDENTATION else f"{how}, and indentation"
        shifted = reindented(fresh, pairs)
        if indented is None or shifted is None:
            return Doubtful(first + 1, "its indentation differs from old_str's in no regular way")
        quoted, fresh = indented, shifted
    if not fresh and old.endswith("\n"):
        # Deleted lines leave no empty one behind.
        return Found(Match(start, min(end + 1, len(view.text)), ""), how)
    grafted = graft(quoted, fresh, real)
    return Found(Match(start, end, fresh if grafted is None else grafted), how)


def _spelt_like(real: str, text: str) -> str:
    """Compose accents as `real` does, and indent with blanks that are ones."""
    if text.isascii():
        return text
    for form in ("NFC", "NFD"):
        if unicodedata.is_normalized(form, real):
            text = unicodedata.normalize(form, text)
            break
    return _ODD_INDENT.sub(lambda found: found[0].translate(_FOLDED), text)


def _trimmed(old: str, new: str) -> str:
    """Drop from `new` the empty lines, and the last line feed, that stand round `old` as well."""
    before, after = new.split("\n"), old.split("\n")
    while len(before) > 1 and len(after) > 1 and not before[0].strip() and not after[0].strip():
        before, after = before[1:], after[1:]
    while len(before) > 1 and len(after) > 1 and not before[-1].strip() and not after[-1].strip():
        before, after = before[:-1], after[:-1]
    return "\n".join(before)


_RUNGS: tuple[Callable[[View, str, str], Outcome | None], ...] = (
    _by_lines(str.rstrip, _TRAILING),
    _by_lines(str.strip, _INDENTATION),
    _look_alike,
    _by_lines(_folded, _CHARACTERS),
    _by_lines(_spaced, _BLANKS),
    _within_a_line,
    _by_lines(_spaced, _EMPTY, skips_empty=True),
    _by_lines(_unpunctuated, _PUNCTUATION, skips_empty=True),
)
