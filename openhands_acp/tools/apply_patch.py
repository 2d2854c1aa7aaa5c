"""The `apply_patch` tool: OpenAI's patches, over several files, all of it or nothing.

What a patch comes to is computed by `patch_plan` first; here it is shown, written, and taken back if that fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never, cast

import anyio
from pydantic import BaseModel, ConfigDict, Field, model_validator

from openhands_acp.engine.cards import Card, Location, Shown, ShownDiff, ShownText
from openhands_acp.engine.checkpoints.diffs import diff_card, locations
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.ports import FileChanged, TextFile, UnreadableFile
from openhands_acp.engine.spelling import lf
from openhands_acp.engine.tool import Hands, Rejected, Tool, ToolError, ToolResult
from openhands_acp.tools.define import RISK_IN_BRIEF, define
from openhands_acp.tools.editor_errors import nowhere, overtaken, plainly
from openhands_acp.tools.editor_state import History, Seen, Step
from openhands_acp.tools.editor_view import changes, computed, fenced
from openhands_acp.tools.patch_plan import PlannedFile, path_of, planned
from openhands_acp.tools.patches import Add, BadPatch, Change, Delete, Hunk, Update, parse, parse_so_far

DESCRIPTION = """\
Change, add, rename and delete text files with one patch: all of it is done, or nothing.
*** Begin Patch
*** Update File: path/of/file.py
*** Move to: path/of/new_name.py
@@ def the_function_it_is_in():
 a line that stays
-a line that goes
+a line that comes
*** Add File: path/of/new.py
+each of its lines
*** Delete File: path/of/old.py
*** End Patch
Of a section take what you need; an update may have several hunks, in the order of the file. Show three lines that \
stay before and after each change, as the file has them; where that is not unique, put `@@` and the function or \
class in front. No line numbers. Paths are relative to the working directory. Prefer this to the editing commands of \
file_editor, and to shell tricks; view files there first."""

_NAMED = 2
_BRIEF = 80
_CLEAN_UP = 10.0
"""Seconds to take back what was written."""
_OTHER_NAMES = ("input", "patch_text", "patchText", "command", "diff")


class ApplyPatchArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    patch: str = Field(description="From `*** Begin Patch` to `*** End Patch`.")

    @model_validator(mode="before")
    @classmethod
    def _under_any_name(cls, given: dict[str, object]) -> dict[str, object]:
        patch = next((given[name] for name in ("patch", *_OTHER_NAMES) if name in given), None)
        if isinstance(patch, list):
            # As a command line: the program and its argument.
            words = cast("list[object]", patch)
            patch = words[-1] if words else ""
        return {} if patch is None else {"patch": patch}


def apply_patch() -> Tool:
    return define(
        name="apply_patch",
        description=DESCRIPTION,
        args=ApplyPatchArgs,
        run=_run,
        card=_card,
        announce=Card("Patch files", "edit"),
        sketch=_sketch,
        risk=RISK_IN_BRIEF,
    )


# ---------------------------------------------------------------- cards


def _card(args: ApplyPatchArgs, root: AbsPath) -> Card:
    try:
        return _card_of(parse(args.patch), root)
    except (BadPatch, ToolError):
        return Card("Patch files", "edit", (), (fenced(args.patch),))


def _sketch(arguments: JsonObject, root: AbsPath) -> Card | None:
    patch = arguments.get("patch")
    begun = parse_so_far(patch) if isinstance(patch, str) else ()
    try:
        return _card_of(begun, root) if begun else None
    except ToolError:
        return None


def _card_of(patches: Sequence[Change], root: AbsPath) -> Card:
    paths = [path_of(change.path, root) for change in patches]
    shown = tuple(_written(change, path, root) for change, path in zip(patches, paths, strict=True))
    return Card(_title(patches, root), "edit", tuple(map(Location, dict.fromkeys(paths))), shown)


def _title(patches: Sequence[Change], root: AbsPath) -> str:
    names = list(dict.fromkeys(shortened(path_of(change.path, root), root) for change in patches))
    if len(patches) > 1:
        more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
        return f"Patch {', '.join([*names[:_NAMED], *more])}"
    match patches[0]:
        case Add():
            return f"Create {names[0]}"
        case Delete():
            return f"Delete {names[0]}"
        case Update(moved_to=None):
            return f"Edit {names[0]}"
        case Update(moved_to=moved_to):
            return f"Rename {names[0]} to {shortened(path_of(moved_to or '', root), root)}"
        case _:
            assert_never(patches[0])


def _written(change: Change, path: AbsPath, root: AbsPath) -> Shown:
    """Show a change as the patch has it; what the files are is not known here."""
    match change:
        case Add(text=text):
            return diff_card(path, None, text)
        case Delete():
            return ShownText(f"Delete `{path}`")
        case Update(moved_to=moved_to, hunks=hunks):
            source, target = (None, path) if moved_to is None else (path, path_of(moved_to, root))
            return ShownDiff(target, _side(hunks, "+"), _side(hunks, "-"), source)
        case _:
            assert_never(change)


def _side(hunks: Sequence[Hunk], without: str) -> str:
    sides = ("".join(f"{line.text}\n" for line in hunk.lines if line.kind != without) for hunk in hunks)
    return "⋮\n".join(sides)


# ---------------------------------------------------------------- doing it


async def _run(args: ApplyPatchArgs, hands: Hands) -> ToolResult:
    try:
        patches = parse(args.patch)
    except BadPatch as error:
        raise ToolError(str(error)) from error
    files = await planned(patches, hands)
    changed = [file for file in files if file.is_changed]
    if not changed:
        notes = "".join(f"\nNote: {note}" for file in files for note in file.notes)
        return ToolResult(f"Nothing to do: the files are as the patch would make them.{notes}")
    hands.intend(await _seen_whole(_title(patches, hands.root), changed))
    done = await _carried_out(changed, hands)
    _remember(done, hands)
    size = max((file.now.text for file in done if file.now is not None), key=len, default="")
    return await computed(size, _result, done, [note for file in files for note in file.notes], hands.root)


@dataclass(frozen=True, slots=True)
class _Done:
    plan: PlannedFile
    now: TextFile | None
    """What is there; saving may have changed it."""


async def _seen_whole(title: str, changed: Sequence[PlannedFile]) -> Card:
    places: list[Location] = []
    shown: list[Shown] = []
    for file in changed:
        if not _is_left(file, changed):
            # Whole, however long: what is asked for is what is shown.
            diff = _diff(file, file.after, changed)
            places += await computed(diff.new or "", locations, file.path, diff.old, diff.new)
            shown.append(diff)
    return Card(title, "edit", tuple(places), tuple(shown))


def _diff(file: PlannedFile, now: TextFile | None, changed: Sequence[PlannedFile]) -> ShownDiff:
    source = _source(file, changed)
    if source is None:
        return ShownDiff(file.path, _view(file.before), _view(now))
    return ShownDiff(file.path, _view(source.before), _view(now), source.path)


def _source(file: PlannedFile, changed: Sequence[PlannedFile]) -> PlannedFile | None:
    """Return the file that this one was, if all that happened to both is a rename."""
    found = next((each for each in changed if each.path == file.moved_from), None)
    return found if found and found.before and found.after is None and file.before is None else None


def _is_left(file: PlannedFile, changed: Sequence[PlannedFile]) -> bool:
    return any(_source(each, changed) is file for each in changed)


def _view(file: TextFile | None) -> str | None:
    return None if file is None else lf(file.text)


async def _carried_out(changed: Sequence[PlannedFile], hands: Hands) -> list[_Done]:
    """Write everything, or nothing that stays. First what comes, then what goes: at no time is a text nowhere."""
    ordered = sorted(changed, key=lambda file: file.after is None)
    done: list[_Done] = []
    try:
        for file in ordered:
            now = await _put(file, hands)
            done.append(_Done(file, now))
    except (OSError, UnreadableFile, FileChanged) as error:
        kept = await _taken_back(done, hands)
        raise await _failed(error, ordered[len(done)], done, kept, hands) from error
    except BaseException:
        if kept := await _taken_back(done, hands):
            hands.say(f"Stopped half-way, and what was written could not be taken back in: {', '.join(kept)}.")
        raise
    return done


async def _put(file: PlannedFile, hands: Hands) -> TextFile | None:
    if file.after is not None:
        return await hands.files.write(file.path, file.after, replaces=file.before)
    if file.before is not None:
        await hands.files.remove(file.path, replaces=file.before)
    return None


async def _taken_back(done: Sequence[_Done], hands: Hands) -> list[AbsPath]:
    """Put back what was there before, the last first; return the files where that failed."""
    kept = [each.plan.path for each in done]
    with anyio.move_on_after(_CLEAN_UP, shield=True):
        for each in reversed(done):
            before, path = each.plan.before, each.plan.path
            try:
                if before is not None:
                    await hands.files.write(path, before, replaces=each.now)
                elif each.now is not None:
                    await hands.files.remove(path, replaces=each.now)
            except (OSError, UnreadableFile, FileChanged, Rejected):
                continue
            kept.remove(path)
    return kept


async def _failed(
    error: OSError | UnreadableFile | FileChanged,
    file: PlannedFile,
    done: Sequence[_Done],
    kept: Sequence[AbsPath],
    hands: Hands,
) -> ToolError:
    match error:
        case FileChanged():
            before = file.before or TextFile("")
            reason = str(overtaken(hands, before, error, nowhere))
        case OSError():
            reason = str(await plainly(error, hands, file.path))
        case _:
            reason = f"{file.path}: {error}"
    taken_back = [each.plan.path for each in done if each.plan.path not in kept]
    parts = [reason]
    if taken_back:
        parts.append(f"What the patch had done before that was taken back: {', '.join(taken_back)}")
    if kept:
        parts.append(f"It could not be taken back in: {', '.join(kept)}. View these before you go on")
    return ToolError("\n".join(parts))


def _remember(done: Sequence[_Done], hands: Hands) -> None:
    plans = [each.plan for each in done]
    for each in done:
        path = each.plan.path
        if each.now is None:
            hands.recall(Seen).forget(path)
        else:
            hands.recall(Seen).note(path, each.now)
        # A rename is taken back where the file was: to remove it where it is would be to lose it.
        if _source(each.plan, plans) is None:
            hands.recall(History).push(path, Step(each.plan.before, each.now))


# ---------------------------------------------------------------- what is said


def _result(done: Sequence[_Done], notes: Sequence[str], root: AbsPath) -> ToolResult:
    plans = [each.plan for each in done]
    rows: list[str] = []
    shown: list[Shown] = []
    places: list[Location] = []
    files: list[JsonObject] = []
    for each in done:
        if _is_left(each.plan, plans):
            continue
        diff = _diff(each.plan, each.now, plans)
        where = locations(diff.path, diff.old, diff.new) if diff.new is not None else ()
        rows.append(_row(diff, where, root))
        places += where
        shown.append(_bounded(diff))
        files.append({"path": diff.path} | ({"moved_from": diff.moved_from} if diff.moved_from else {}))
    said = [*notes, *filter(None, (_formatted(each, root) for each in done))]
    return ToolResult(
        "\n".join(["Success. Updated the following files:", *rows, *(f"Note: {note}" for note in said)]),
        tuple(shown),
        tuple(places),
        {"files": files},
    )


def _row(diff: ShownDiff, where: Sequence[Location], root: AbsPath) -> str:
    path = shortened(diff.path, root)
    if diff.new is None:
        return f"D {path}"
    if diff.old is None:
        return f"A {path}"
    lines = [str(place.line) for place in where if place.line is not None]
    at = f" (line{'s' * (len(lines) > 1)} {', '.join(lines)})" if lines else ""
    return f"M {path}{at}" if diff.moved_from is None else f"R {shortened(diff.moved_from, root)} -> {path}{at}"


def _bounded(diff: ShownDiff) -> ShownDiff:
    return diff if diff.new is None else replace(diff_card(diff.path, diff.old, diff.new), moved_from=diff.moved_from)


def _formatted(each: _Done, root: AbsPath) -> str:
    """Tell the model if saving changed what it wrote, as a formatter in the editor does."""
    meant, now = _view(each.plan.after), _view(each.now)
    if meant is None or now is None or meant == now:
        return ""
    return f"saving {shortened(each.plan.path, root)} changed it further (a formatter?):\n{changes(meant, now)}"
