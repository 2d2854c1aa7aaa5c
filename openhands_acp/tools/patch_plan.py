"""What a patch comes to on the files as they are: read, computed and checked, before anything is written.

Knows what the model has seen of them. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from openhands_acp.engine.merge import merge_hunks
from openhands_acp.engine.paths import AbsPath, absolute, shortened
from openhands_acp.engine.ports import TextFile, UnreadableFile
from openhands_acp.engine.spelling import lf, lines_of
from openhands_acp.engine.tool import Hands, ToolError
from openhands_acp.tools.editor_arguments import usable_path
from openhands_acp.tools.editor_errors import changed_meanwhile, instead, nowhere, plainly
from openhands_acp.tools.editor_state import Changed, Seen
from openhands_acp.tools.editor_view import around, changes, computed, numbered
from openhands_acp.tools.edits import apply_hunks
from openhands_acp.tools.likeness import nearest
from openhands_acp.tools.matching import View
from openhands_acp.tools.patches import Add, Change, Delete, Hunk, Update
from openhands_acp.tools.patching import Nowhere, Overlapping, Patched, Patching, Unplaced, Unsure, patch

_SHOWN = 4_000
_NOTHING = "so nothing of the patch was done"


@dataclass(slots=True)
class PlannedFile:
    path: AbsPath
    before: TextFile | None
    """As it was read; None: it is not there."""
    after: TextFile | None
    moved_from: AbsPath | None = None
    notes: list[str] = field(default_factory=list[str])
    """What the model should know besides."""

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


async def planned(patches: Sequence[Change], hands: Hands) -> list[PlannedFile]:
    """Compute what becomes of each file that the patch names. Raises ToolError if anything in it does not fit."""
    plan = _Plan(hands)
    for change in patches:
        match change:
            case Add():
                await plan.add(change)
            case Delete():
                await plan.delete(change)
            case Update():
                await plan.update(change)
            case _:
                assert_never(change)
    return list(plan.files.values())


def path_of(written: str, root: AbsPath) -> AbsPath:
    """Find out which file is meant. Raises ToolError for what is no name of one."""
    try:
        return absolute(usable_path(written), root)
    except ValueError as error:
        raise ToolError(f"a path in the patch {error}") from None


@dataclass(slots=True)
class _Plan:
    hands: Hands
    files: dict[AbsPath, PlannedFile] = field(default_factory=dict[AbsPath, PlannedFile])

    async def add(self, change: Add) -> None:
        file = await self._file(change.path)
        if file.after is None:
            file.after = _in_the_manner_of(file.before, change.text)
        elif lf(file.after.text) == change.text:
            file.notes.append(f"{file.path} was there already, with this text")
        else:
            raise ToolError(
                f"{file.path} exists already, {_NOTHING}; change it with `*** Update File:`, or, to write it anew, "
                "put `*** Delete File:` in front"
            )

    async def delete(self, change: Delete) -> None:
        file = await self._file(change.path)
        now = await self._there(file)
        if file.before is now and (changed := self.hands.recall(Seen).changed(file.path, now)):
            raise changed_meanwhile(self.hands, file.path, changed.old, now, nowhere)
        file.after = None

    async def update(self, change: Update) -> None:
        file = await self._file(change.path)
        now = await self._there(file)
        changed = self.hands.recall(Seen).changed(file.path, now) if file.before is now else None
        outcome = await computed(now.text, _updated, change.hunks, changed, now)
        if isinstance(outcome, _Clash):
            raise changed_meanwhile(self.hands, file.path, changed.old if changed else None, now, nowhere)
        if not isinstance(outcome, _Updated):
            raise await computed(now.text, unfit, file.path, change.hunks, outcome, now)
        file.after = replace(now, text=outcome.text)
        file.notes += [f"in {shortened(file.path, self.hands.root)}, {note}" for note in outcome.notes]
        if change.moved_to is not None:
            await self._move(file, change.moved_to)

    async def _move(self, file: PlannedFile, moved_to: str) -> None:
        target = await self._file(moved_to)
        if target is file:
            return
        if target.after is not None:
            raise ToolError(f"{target.path} exists already, so {file.path} cannot be moved there, and {_NOTHING[3:]}")
        target.after, target.moved_from = file.after, file.path
        target.notes += file.notes
        file.after, file.notes = None, []

    async def _file(self, written: str) -> PlannedFile:
        path = path_of(written, self.hands.root)
        if path not in self.files:
            before = await self._read(path)
            self.files[path] = PlannedFile(path, before, before)
        return self.files[path]

    async def _read(self, path: AbsPath) -> TextFile | None:
        try:
            return await self.hands.files.read(path)
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise ToolError(f"{path} is a directory, and a patch is for files; {_NOTHING}") from None
        except OSError as error:
            raise await plainly(error, self.hands, path) from error
        except UnreadableFile as error:
            raise ToolError(f"{path}: {error}{instead(error)}") from error

    async def _there(self, file: PlannedFile) -> TextFile:
        if file.after is None:
            raise await plainly(FileNotFoundError(), self.hands, file.path)
        return file.after


def _in_the_manner_of(before: TextFile | None, text: str) -> TextFile:
    """Give a text that is written anew the encoding and the line endings that the file had."""
    if before is None:
        return TextFile(text)
    is_crlf = "\r\n" in before.text and "\n" not in before.text.replace("\r\n", "")
    return replace(before, text=text.replace("\n", "\r\n") if is_crlf else text)


# ---------------------------------------------------------------- one file


@dataclass(frozen=True, slots=True)
class _Updated:
    text: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Clash:
    """Somebody else changed the same place."""


def _updated(
    hunks: Sequence[Hunk], changed: Changed | None, now: TextFile
) -> _Updated | _Clash | Nowhere | Unsure | Unplaced | Overlapping:
    """Patch what the model saw, and merge that with what is there."""
    if changed is None:
        outcome = patch(now.text, hunks)
        return _Updated(outcome.text, _notes(outcome)) if isinstance(outcome, Patched) else outcome
    if changed.old is None:
        return _Clash()
    known = patch(changed.old, hunks)
    theirs = (
        "somebody else (the person, a command or a formatter) had changed lines since you last saw the file; that was "
        f"kept:\n{changes(changed.old, lf(now.text))}"
    )
    if isinstance(known, Patched):
        merged = merge_hunks(changed.old, known.text, lf(now.text))
        return _Clash() if merged is None else _Updated(apply_hunks(now.text, merged), (*_notes(known), theirs))
    fresh = patch(now.text, hunks)
    if isinstance(fresh, Patched) and not any(placed.leniency for placed in fresh.placed):
        # It quotes what only the text of now has: it was seen some other way.
        return _Updated(fresh.text, (*_notes(fresh), theirs))
    return _Clash()


def _notes(outcome: Patched) -> tuple[str, ...]:
    lines = lines_of(lf(outcome.text))
    notes: list[str] = []
    for number, placed in enumerate(outcome.placed, start=1):
        if placed.already:
            notes.append(f"hunk {number} was there already, at line {placed.first}")
        elif placed.leniency:
            rows = around(lines, placed.first, placed.last, _SHOWN // len(outcome.placed))
            notes.append(f"hunk {number} was applied where the file differs from it in {placed.leniency}:\n{rows}")
    return tuple(notes)


def unfit(path: AbsPath, hunks: Sequence[Hunk], outcome: Patching, now: TextFile) -> ToolError:
    """Say which hunk has no one place, and what to write instead."""
    assert not isinstance(outcome, Patched)
    hunk = hunks[outcome.hunk]
    name = f"hunk {outcome.hunk + 1} of {path}" if len(hunks) > 1 else f"the hunk of {path}"
    match outcome:
        case Nowhere():
            old = "\n".join(line.text for line in hunk.lines if line.kind != "+")
            near = nearest(View(lf(now.text)), old)
            rows = numbered([line for _, line in near], near[0][0], _SHOWN) if near else ""
            hint = f" The nearest text there is:\n{rows}\nCopy the lines from it exactly" if near else " View it first"
            return ToolError(f"{name} does not fit: its old lines are not in the file, {_NOTHING}.{hint}")
        case Unsure(lines=lines):
            return ToolError(
                f"{name} fits in several places, at lines {list(lines)}, {_NOTHING}. Add lines around it that stay, or "
                "a line `@@ heading` with the function or class that it is in"
            )
        case Unplaced():
            return ToolError(
                f"{name} adds lines without saying where, {_NOTHING}. Give the lines before or after them, each with a "
                "blank in front, or `*** End of File` behind them"
            )
        case Overlapping(line=line):
            return ToolError(
                f"{name} fits only at line {line}, which is in or before the place of an earlier hunk, {_NOTHING}. "
                "Give the hunks in the order of the file, each line in but one of them"
            )
        case _:
            assert_never(outcome)
