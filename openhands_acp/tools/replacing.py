"""Replace what a model quoted, once or several times in one text: all of it or nothing.

Pure; takes and gives texts with their true endings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from openhands_acp.engine.merge import differences, pieces
from openhands_acp.engine.spelling import lf
from openhands_acp.tools.edits import Edited, Match, apply, line_at
from openhands_acp.tools.likeness import near, nearest
from openhands_acp.tools.matching import Ambiguous, Doubtful, Found, View, everywhere, find
from openhands_acp.tools.readings import gap, stand_in


@dataclass(frozen=True, slots=True)
class Replacement:
    old: str
    new: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """`nearest` is the real text most like what was looked for; empty if nothing is."""

    nearest: tuple[tuple[int, str], ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """It would go somewhere, but not be what was meant."""

    reason: str


Refusal: TypeAlias = NotFound | Ambiguous | Refused


@dataclass(frozen=True, slots=True)
class Failed:
    """One of several failed, so none was made. Counted from 1."""

    number: int
    replacement: Replacement
    refusal: Refusal


def replace_once(text: str, old: str, new: str) -> Edited | Refusal:
    """Replace the one place where `old` stands, or which can only be meant by it."""
    source, old, new = lf(text), lf(old), lf(new)
    left_out = stand_in(new)
    if left_out and not stand_in(old) and left_out not in source:
        return Refused(
            f"new_str has `{left_out}` where text was left out, and that would be lost; write the text itself, or "
            "replace only the lines that change"
        )
    view = View(source)
    outcome = find(view, old, new)
    if outcome is None:
        done = _already_there(source, new)
        if done is not None:
            return _done(text, source, done, new)
        outcome = near(view, old, new)
    match outcome:
        case None:
            return NotFound(nearest(view, old), _gap_in(old))
        case Ambiguous():
            return outcome
        case Doubtful(line, reason):
            return NotFound(nearest(view, old), f"{reason} (line {line})")
        case Found(match, how):
            return _replaced(text, view, match, how)
        case _:
            assert_never(outcome)


def replace_each(text: str, replacements: Sequence[Replacement]) -> Edited | Failed:
    """Make all the replacements, each in what the one before made; or none."""
    now, notes, made = text, list[str](), 0
    first, last = 0, 0
    for number, each in enumerate(replacements, start=1):
        outcome = replace_all(now, each) if each.everywhere else replace_once(now, each.old, each.new)
        if not isinstance(outcome, Edited):
            return Failed(number, each, outcome)
        head = f"edit {number}: " if len(replacements) > 1 else ""
        if outcome.already and len(replacements) > 1:
            notes.append(f"{head}nothing to do, new_str is already there")
        notes += [head + note for note in outcome.notes]
        now, made = outcome.text, made + (not outcome.already)
        first, last = outcome.first, outcome.last
    if len(replacements) > 1:
        first, last = _touched(text, now)
    return Edited(now, first, last, already=not made, notes=tuple(notes))


def replace_all(text: str, replacement: Replacement) -> Edited | Refusal:
    """Replace every place where `old` stands exactly."""
    source, old, new = lf(text), lf(replacement.old), lf(replacement.new)
    places = everywhere(source, old)
    if not places:
        outcome = replace_once(text, old, new)
        return outcome if not isinstance(outcome, Ambiguous) else NotFound(nearest(View(source), old))
    if text == source:
        result = source.replace(old, new)
    else:
        result = text
        for place in reversed(places):
            result = apply(result, lf(result), Match(place.start, place.end, new)).text
    count = f"{len(places)} places" if len(places) > 1 else "1 place"
    return Edited(result, *_touched(text, result), notes=(f"replaced in {count}",))


def _replaced(text: str, view: View, match: Match, how: str) -> Edited:
    source = view.text
    real = source[match.start : match.end]
    stands = _stands(source, match, real)
    if stands is not None:
        return _done(text, source, stands, match.new)
    edited = apply(text, source, match)
    if not how:
        return edited
    return Edited(edited.text, edited.first, edited.last, notes=(f"matched {how}{_shown(source, match, how)}",))


def _shown(source: str, match: Match, how: str) -> str:
    """Quote what a near match replaced, with its numbers."""
    if not how.endswith("was"):
        return ""
    first = line_at(source, match.start)
    rows = source[match.start : match.end].split("\n")
    return ":\n" + "\n".join(f"{number:6}\t{row}" for number, row in enumerate(rows, start=first))


def _touched(before: str, after: str) -> tuple[int, int]:
    """Say which lines of the second text are new."""
    hunks = differences(pieces(lf(before)), pieces(lf(after)))
    if not hunks:
        return 1, 1
    grown = sum(len(hunk.lines) - (hunk.end - hunk.start) for hunk in hunks)
    return hunks[0].start + 1, max(hunks[0].start + 1, hunks[-1].end + grown)


# ---------------------------------------------------------------- what need not, or must not be done


def _done(text: str, source: str, at: int, new: str) -> Edited:
    first = line_at(source, at)
    return Edited(text, first, first + new.strip("\n").count("\n"), already=True)


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


def _stands(view: str, match: Match, real: str) -> int | None:
    """Tell where `new` already stands round the place, if it is the old text and more: as after a call made twice."""
    at = match.new.find(real)
    added = match.new.replace(real, "", 1)
    # A brace or an empty line may well be wanted twice.
    if sum(character.isalnum() for character in added) < _TELLING:
        return None
    while at >= 0:
        start = match.start - at
        if start >= 0 and view.startswith(match.new, start):
            return start
        at = match.new.find(real, at + 1)
    return None


_TELLING = 3


def _gap_in(old: str) -> str:
    left_out = gap(old)
    return (
        f"old_str has `{left_out}` where text was left out: quote the real lines, or make several edits"
        if left_out
        else ""
    )
