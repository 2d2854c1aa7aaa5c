"""The commands of the file editor that change files: create, str_replace, insert and undo_edit.

Never writes over what the model has not seen: what somebody else changed is merged and told, or shown and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from openhands_acp.engine.cards import Location, ShownDiff
from openhands_acp.engine.checkpoints.diffs import diff_card, locations
from openhands_acp.engine.merge import Hunk, differences, merge_hunks, pieces
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import FileChanged, TextFile, UnreadableFile
from openhands_acp.engine.spelling import lf, lines_of
from openhands_acp.engine.tool import Hands, ToolError, ToolResult
from openhands_acp.tools.editor_errors import Place, changed_meanwhile, failed, line_of, nowhere, overtaken, place_of
from openhands_acp.tools.editor_state import Changed, History, Seen, Step
from openhands_acp.tools.editor_view import around, changes, computed
from openhands_acp.tools.edits import Edited, apply_hunks, insert_after
from openhands_acp.tools.replacing import Replacement, replace_each

Edit: TypeAlias = Callable[[str], Edited]
"""What a call does to a text; raises ToolError if it does not fit."""

_ATTEMPTS = 4
"""Times that a file may change under a write before it is left alone."""
_NEIGHBOURS = 8
_SNIPPETS = 12
_SNIPPET = 6_000


async def create(text: str, path: AbsPath, hands: Hands) -> ToolResult:
    exists = ToolError(
        f"File already exists at: {path}. Cannot overwrite files using command `create`; "
        "view it, then use `str_replace` or `insert`"
    )
    # Looked at before, so that nobody is asked to permit what then fails.
    if await _is_there(hands, path):
        raise exists
    try:
        now = await hands.files.write(path, TextFile(text), replaces=None)
    except FileChanged as error:
        raise exists from error
    hands.recall(Seen).note(path, now)
    hands.recall(History).push(path, Step(None, now))
    count = len(lines_of(lf(now.text)))
    return ToolResult(
        f"File created successfully at: {path} ({count} lines){_formatted(text, now)}",
        (diff_card(path, None, lf(now.text)),),
        (Location(path, 1),),
        {"path": path, "lines": count},
    )


async def _is_there(hands: Hands, path: AbsPath) -> bool:
    try:
        await hands.files.read(path)
    except FileNotFoundError:
        return False
    except UnreadableFile:
        return True
    return True


async def str_replace(replacements: Sequence[Replacement], path: AbsPath, hands: Hands) -> ToolResult:
    """Make all the replacements in one step, or none."""

    def edit(text: str) -> Edited:
        outcome = replace_each(text, replacements)
        if isinstance(outcome, Edited):
            return outcome
        raise failed(path, outcome, len(replacements))

    place = place_of(replacements[0].old)
    try:
        return await _change(edit, path, hands, place, scattered=len(replacements) > 1 or replacements[0].everywhere)
    except ToolError as error:
        if not hands.recall(Seen).misses_again(path):
            raise
        raise ToolError(
            f"{error}. This is not the first miss in this file: view the lines with `view_range` before the next try"
        ) from error


async def insert(line: int, new: str, path: AbsPath, hands: Hands) -> ToolResult:
    def edit(text: str) -> Edited:
        count = len(lines_of(lf(text)))
        if not 0 <= line <= count:
            raise ToolError(
                f"Invalid `insert_line` parameter: {line}. It should be within the range of lines: [0, {count}]"
            )
        return insert_after(text, line, new)

    return await _change(edit, path, hands, line_of(line), scattered=False)


async def undo(path: AbsPath, hands: Hands) -> ToolResult:
    """Take back the last edit, and nothing that somebody else did since."""
    history = hands.recall(History)
    step = history.last(path)
    if step is None:
        raise ToolError(f"No edit history found for {path}")
    if step.after is None:
        return await _restore(step.before or TextFile(""), path, hands)
    now = await hands.files.read(path)
    if step.before is None:
        return await _remove(step.after, now, path, hands)
    undone = await computed(now.text, _merged, step.after, Edited(step.before.text, 1, 1), now)
    if undone is None:
        raise changed_meanwhile(hands, path, lf(step.after.text), now, nowhere)
    written = await _write(undone, path, hands, now, nowhere)
    history.drop_last(path)
    return await computed(now.text, _undone, path, written)


async def _restore(removed: TextFile, path: AbsPath, hands: Hands) -> ToolResult:
    try:
        now = await hands.files.write(path, removed, replaces=None)
    except FileChanged as error:
        raise ToolError(f"{path} was removed by your last edit, and is there again: nothing was done") from error
    hands.recall(History).drop_last(path)
    hands.recall(Seen).note(path, now)
    return ToolResult(
        f"Last edit to {path} undone successfully. The edit had removed the file, so it was made again."
        f"{_formatted(removed.text, now)}",
        (diff_card(path, None, lf(now.text)),),
        (Location(path, 1),),
        {"path": path},
    )


async def _remove(made: TextFile, now: TextFile, path: AbsPath, hands: Hands) -> ToolResult:
    if lf(now.text) != lf(made.text):
        raise changed_meanwhile(hands, path, lf(made.text), now, nowhere)
    try:
        await hands.files.remove(path, replaces=now)
    except FileChanged as error:
        raise overtaken(hands, now, error, nowhere) from error
    hands.recall(History).drop_last(path)
    hands.recall(Seen).forget(path)
    return ToolResult(
        f"Last edit to {path} undone successfully. The edit had created the file, so it was removed.",
        (ShownDiff(path, lf(now.text), None),),
    )


# ---------------------------------------------------------------- somebody else's changes


@dataclass(frozen=True, slots=True)
class _Written:
    edited: Edited
    before: TextFile
    """What it replaced."""
    now: TextFile


async def _change(edit: Edit, path: AbsPath, hands: Hands, place: Place, *, scattered: bool) -> ToolResult:
    before = await hands.files.read(path)
    changed = hands.recall(Seen).changed(path, before)
    edited = await computed(before.text, _planned, edit, changed, before)
    if edited is None:
        raise changed_meanwhile(hands, path, changed.old if changed else None, before, place)
    known = changed.old if changed is not None and changed.old is not None else lf(before.text)
    if edited.already:
        hands.recall(Seen).note(path, before)
        return await computed(before.text, _nothing_to_do, path, edited, before, known)
    written = await _write(edited, path, hands, before, place)
    hands.recall(History).push(path, Step(written.before, written.now))
    return await computed(before.text, _edited, path, written, known, scattered=scattered)


def _planned(edit: Edit, changed: Changed | None, now: TextFile) -> Edited | None:
    """Edit the text that the model saw, and merge that with what is there; None if they meet in one place."""
    if changed is None:
        return edit(now.text)
    if changed.old is None:
        return None
    try:
        mine = edit(changed.old)
    except ToolError:
        return _knowing(edit, now)
    if mine.already:
        return _knowing(edit, now)
    return _merged(TextFile(changed.old), mine, now)


def _knowing(edit: Edit, now: TextFile) -> Edited | None:
    """Let a call through that quotes exactly what only the text of now has: it was seen some other way."""
    try:
        edited = edit(now.text)
    except ToolError:
        return None
    return edited if edited.already or not edited.notes else None


def _merged(base: TextFile, mine: Edited, theirs: TextFile) -> Edited | None:
    """Do to `theirs` what was done to `base`; None if both changed the same or neighbouring lines."""
    if base.text == theirs.text:
        return mine
    hunks = merge_hunks(lf(base.text), lf(mine.text), lf(theirs.text))
    if hunks is None:
        return None
    first, last = _lines_of(hunks)
    return Edited(apply_hunks(theirs.text, hunks), first, last, already=not hunks, notes=mine.notes)


def _lines_of(hunks: Sequence[Hunk]) -> tuple[int, int]:
    """Say which lines are new, 1-based, once all the hunks are made."""
    if not hunks:
        return 1, 1
    grown = sum(len(hunk.lines) - (hunk.end - hunk.start) for hunk in hunks)
    return hunks[0].start + 1, max(hunks[0].start + 1, hunks[-1].end + grown)


async def _write(edited: Edited, path: AbsPath, hands: Hands, before: TextFile, place: Place) -> _Written:
    """Write, and merge anew when the file changes meanwhile, perhaps while the person is asked."""
    for _ in range(_ATTEMPTS - 1):
        try:
            now = await hands.files.write(path, replace(before, text=edited.text), replaces=before)
        except FileChanged as error:
            merged = None
            if error.now is not None:
                merged = await computed(error.now.text, _merged, before, edited, error.now)
            if merged is None or error.now is None:
                raise overtaken(hands, before, error, place) from error
            before, edited = error.now, merged
        else:
            hands.recall(Seen).note(path, now)
            return _Written(edited, before, now)
    error = FileChanged(path, before)
    raise overtaken(hands, before, error, place) from error


# ---------------------------------------------------------------- what is said


def _edited(path: AbsPath, written: _Written, known: str, *, scattered: bool) -> ToolResult:
    edited, before, view = written.edited, lf(written.before.text), lf(written.now.text)
    spans = _spans(before, view) if scattered else [(edited.first, edited.last)]
    lines = lines_of(view)
    rows = "\n...\n".join(around(lines, *span, _SNIPPET // len(spans)) for span in spans[:_SNIPPETS])
    if len(spans) > _SNIPPETS:
        rows += f"\n[... {len(spans) - _SNIPPETS} more places]"
    return ToolResult(
        f"The file {path} has been edited. Here's the result of running `cat -n` on a snippet of it:\n{rows}"
        f"{_noted(edited)}{_others(known, before)}{_formatted(edited.text, written.now)}",
        (diff_card(path, before, view),),
        locations(path, before, view),
        {"path": path, "first_line": spans[0][0], "last_line": spans[-1][1]},
    )


def _spans(before: str, after: str) -> list[tuple[int, int]]:
    """Say where the text changed, by lines of the new one; places a few lines apart count as one."""
    spans: list[tuple[int, int]] = []
    grown = 0
    for hunk in differences(pieces(before), pieces(after)):
        first = hunk.start + grown + 1
        last = max(first, first + len(hunk.lines) - 1)
        grown += len(hunk.lines) - (hunk.end - hunk.start)
        if spans and first - spans[-1][1] <= _NEIGHBOURS:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans or [(1, 1)]


def _nothing_to_do(path: AbsPath, edited: Edited, before: TextFile, known: str) -> ToolResult:
    view = lf(before.text)
    rows = around(lines_of(view), edited.first, edited.last)
    return ToolResult(
        f"Nothing to do: new_str is already there in {path}:\n{rows}{_noted(edited)}{_others(known, view)}",
        locations=(Location(path, edited.first),),
    )


def _undone(path: AbsPath, written: _Written) -> ToolResult:
    old, new = lf(written.before.text), lf(written.now.text)
    return ToolResult(
        f"Last edit to {path} undone successfully. What this changed:\n{changes(old, new)}"
        f"{_formatted(written.edited.text, written.now)}",
        (diff_card(path, old, new),),
        locations(path, old, new),
        {"path": path},
    )


def _noted(edited: Edited) -> str:
    return "".join(f"\nNote: {note}" for note in edited.notes)


def _others(known: str, before: str) -> str:
    """Tell the model what somebody else had changed, which was kept."""
    if known == before:
        return ""
    return (
        "\nNote: somebody else (the person, a command or a formatter) had changed the file since you last saw it; "
        f"that was kept:\n{changes(known, before)}"
    )


def _formatted(meant: str, now: TextFile) -> str:
    """Tell the model if saving changed what it wrote, as a formatter in the editor does."""
    if lf(meant) == lf(now.text):
        return ""
    return f"\nNote: saving the file changed it further (a formatter?):\n{changes(lf(meant), lf(now.text))}"
