"""The `file_editor` tool: view, create, str_replace, insert and undo_edit, as OpenHands' users know it.

Never writes over what the model has not seen: a file that somebody else changed is shown again first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import Literal, ParamSpec, Self, TypeVar, assert_never

from anyio import to_thread
from pydantic import BaseModel, ConfigDict, Field, model_validator

from openhands_acp.engine.events import Card, Location
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath, absolute, shortened
from openhands_acp.engine.ports import FileChanged, TextFile, UnreadableFile
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.define import define, settled
from openhands_acp.tools.editor_errors import (
    Place,
    ambiguous,
    changed_meanwhile,
    line_of,
    not_found,
    nowhere,
    overtaken,
    place_of,
    plainly,
)
from openhands_acp.tools.editor_state import History, Seen
from openhands_acp.tools.editor_view import around, changes, diff_card, fenced, folder, numbered
from openhands_acp.tools.edits import Ambiguous, Edited, NotFound, insert_after, lf, lines_of, replace_once

P = ParamSpec("P")
R = TypeVar("R")

_LARGE = 256 * 1024
"""Characters from which on searching and numbering go to a worker thread."""

DESCRIPTION = """\
View, create and edit text files. Prefer it to shell commands for reading and editing: it sees the person's \
unsaved changes, keeps encoding and line endings, and can undo. To search, rename or delete, use the terminal.
- `view`: a file with line numbers (a long one without its middle, ~16,000 characters: use `view_range`), or a \
directory, 2 levels deep.
- `create`: a new file with `file_text`, folders included. Fails if the file exists.
- `str_replace`: replaces `old_str`, which must occur exactly once, by `new_str`. Copy `old_str` from a view with \
exact indentation and without the line numbers; take in enough neighbouring lines to be unique, not more.
- `insert`: puts `new_str` as new lines after line `insert_line`.
- `undo_edit`: takes back your last edit of the file (10 are kept).
If the file changed since you saw it, nothing is done and you are shown the change. Text files up to 10 MB only."""

Command = Literal["view", "create", "str_replace", "insert", "undo_edit"]
_VERBS: dict[str, str] = {
    "view": "Read",
    "create": "Create",
    "str_replace": "Edit",
    "insert": "Edit",
    "undo_edit": "Undo edit of",
}


class FileEditorArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    command: Command
    path: str = Field(description="Absolute, or relative to the working directory.")
    file_text: str | None = Field(default=None, description="For `create`: the whole text.")
    old_str: str | None = Field(default=None, description="For `str_replace`: the text to replace.")
    new_str: str | None = Field(
        default=None, description="For `str_replace` (left out: deletes) and `insert`: the new text."
    )
    insert_line: int | None = Field(default=None, description="For `insert`: 0 is the top of the file.")
    view_range: list[int] | None = Field(
        default=None, description="For `view`: [first, last] line, from 1; last -1 is the end."
    )

    @model_validator(mode="after")
    def _fits_the_command(self) -> Self:
        match self.command:
            case "view":
                match self.view_range:
                    case None | [_, _]:
                        pass
                    case _:
                        raise ValueError("Invalid `view_range` parameter: it should be a list of two integers")
            case "create":
                _require(self, "file_text")
            case "str_replace":
                _require(self, "old_str")
                if self.old_str == (self.new_str or ""):
                    raise ValueError("No replacement was performed. `new_str` and `old_str` must be different")
                if not self.old_str:
                    raise ValueError("`old_str` must not be empty; to add text use `insert`, for a new file `create`")
            case "insert":
                _require(self, "insert_line", "new_str")
            case "undo_edit":
                pass
            case _:
                assert_never(self.command)
        return self


def file_editor() -> Tool:
    return define(
        name="file_editor",
        description=DESCRIPTION,
        args=FileEditorArgs,
        run=_run,
        card=_card,
        # Its kind is known with its command: reading and editing differ in what a client lets through.
        announce=Card("Work on a file", "other"),
        sketch=_sketch,
        is_read_only=lambda args: args.command == "view",
        risky=True,
    )


def _require(args: FileEditorArgs, *names: str) -> None:
    for name in names:
        if getattr(args, name) is None:
            raise ValueError(f"Parameter `{name}` is required for command: {args.command}")


# ---------------------------------------------------------------- cards


def _card(args: FileEditorArgs, root: AbsPath) -> Card:
    path = absolute(args.path, root)
    title = f"{_VERBS[args.command]} {shortened(path, root)}"
    match args.command:
        case "view":
            if args.view_range is None:
                return Card(title, "read", (Location(path),))
            first, last = args.view_range
            lines = f"from line {first}" if last == -1 else f"lines {first}-{last}"
            return Card(f"{title} ({lines})", "read", (Location(path, max(1, first)),))
        case "create":
            return Card(title, "edit", (Location(path),), (diff_card(path, None, args.file_text or ""),))
        case "insert":
            return Card(title, "edit", (Location(path, (args.insert_line or 0) + 1),))
        case "str_replace" | "undo_edit":
            return Card(title, "edit", (Location(path),))
        case _:
            assert_never(args.command)


def _sketch(arguments: JsonObject, root: AbsPath) -> Card | None:
    command, written = arguments.get("command"), settled(arguments)
    name = written.get("path")
    if not isinstance(command, str) or command not in _VERBS or not isinstance(name, str):
        return None
    path = absolute(name, root)
    old, new = None, None
    match command:
        case "create":
            new = arguments.get("file_text")
        case "str_replace":
            old, new = written.get("old_str"), arguments.get("new_str")
        case _:
            pass
    diff = None
    if isinstance(new, str) and (command == "create" or isinstance(old, str)):
        diff = diff_card(path, old if isinstance(old, str) else None, new)
    return Card(
        f"{_VERBS[command]} {shortened(path, root)}",
        "read" if command == "view" else "edit",
        (Location(path),),
        () if diff is None else (diff,),
    )


# ---------------------------------------------------------------- commands


async def _run(args: FileEditorArgs, hands: Hands) -> ToolResult:
    path = absolute(args.path, hands.root)
    try:
        result = await _do(args, path, hands)
    except OSError as error:
        raise (await plainly(error, hands, path)) from error
    except UnreadableFile as error:
        raise ToolError(f"{path}: {error}") from error
    if PurePath(args.path).is_absolute():
        return result
    return replace(result, text=f"{result.text}\n({args.path} was taken as {path})")


async def _do(args: FileEditorArgs, path: AbsPath, hands: Hands) -> ToolResult:
    match args.command:
        case "view":
            return await _view(args, path, hands)
        case "create":
            return await _create(args.file_text or "", path, hands)
        case "str_replace":
            return await _str_replace(args.old_str or "", args.new_str or "", path, hands)
        case "insert":
            return await _insert(args.insert_line or 0, args.new_str or "", path, hands)
        case "undo_edit":
            return await _undo(path, hands)
        case _:
            assert_never(args.command)


async def _view(args: FileEditorArgs, path: AbsPath, hands: Hands) -> ToolResult:
    try:
        file = await hands.files.read(path)
    except IsADirectoryError:
        if args.view_range:
            raise ToolError("`view_range` is not allowed when `path` is a directory") from None
        listing = await folder(hands.files, path, hands.root)
        return ToolResult(listing, (fenced(listing),), (Location(path),), {"path": path})
    hands.recall(Seen).note(path, file)
    return await _computed(file.text, _viewed, path, file.text, args.view_range)


def _viewed(path: AbsPath, text: str, view_range: list[int] | None) -> ToolResult:
    lines = lines_of(lf(text))
    first, last = _range(view_range, len(lines))
    if not lines:
        return ToolResult(f"{path} is empty.", (), (Location(path),), {"path": path, "lines": 0})
    rows = numbered(lines[first - 1 : last], first)
    note = ""
    if view_range and view_range[1] > len(lines):
        note = f"\nNOTE: We only show up to {last} since there're only {len(lines)} lines in this file."
    return ToolResult(
        f"Here's the result of running `cat -n` on {path}:\n{rows}{note}",
        (fenced(rows),),
        (Location(path, first if view_range else None),),
        {"path": path, "first_line": first, "last_line": last, "lines": len(lines)},
    )


def _range(wanted: list[int] | None, count: int) -> tuple[int, int]:
    """Check a `view_range` against the number of lines; the result is 1-based, its end included."""
    if wanted is None:
        return 1, count
    first, last = wanted
    stem = f"Invalid `view_range` parameter: {wanted}."
    if not 1 <= first <= max(1, count):
        raise ToolError(f"{stem} Its first element `{first}` should be within the range of lines: [1, {count}]")
    if last != -1 and last < first:
        raise ToolError(f"{stem} Its second element `{last}` should be -1 or not less than the first `{first}`")
    return first, count if last == -1 else min(last, count)


async def _create(text: str, path: AbsPath, hands: Hands) -> ToolResult:
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
    hands.recall(History).push(path, None)
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


async def _str_replace(old: str, new: str, path: AbsPath, hands: Hands) -> ToolResult:
    before = await _unchanged(path, hands, place_of(old))
    outcome = await _computed(before.text, replace_once, before.text, old, new)
    match outcome:
        case NotFound():
            raise not_found(path, old, outcome)
        case Ambiguous():
            raise ambiguous(old, outcome)
        case Edited(already=True):
            rows = around(lines_of(lf(before.text)), outcome.first, outcome.last)
            return ToolResult(
                f"Nothing to do: old_str is not in {path} and new_str is already there:\n{rows}",
                locations=(Location(path, outcome.first),),
            )
        case Edited():
            return await _write(outcome, path, hands, before, place_of(old))
        case _:
            assert_never(outcome)


async def _insert(line: int, new: str, path: AbsPath, hands: Hands) -> ToolResult:
    before = await _unchanged(path, hands, line_of(line))
    count = len(lines_of(lf(before.text)))
    if not 0 <= line <= count:
        raise ToolError(
            f"Invalid `insert_line` parameter: {line}. It should be within the range of lines: [0, {count}]"
        )
    edited = await _computed(before.text, insert_after, before.text, line, new)
    return await _write(edited, path, hands, before, line_of(line))


async def _write(edited: Edited, path: AbsPath, hands: Hands, before: TextFile, place: Place) -> ToolResult:
    try:
        now = await hands.files.write(path, replace(before, text=edited.text), replaces=before)
    except FileChanged as error:
        raise overtaken(hands, before, error, place) from error
    hands.recall(Seen).note(path, now)
    hands.recall(History).push(path, before)
    return await _computed(now.text, _edited, path, edited, before, now)


def _edited(path: AbsPath, edited: Edited, before: TextFile, now: TextFile) -> ToolResult:
    view = lf(now.text)
    rows = around(lines_of(view), edited.first, edited.last)
    return ToolResult(
        f"The file {path} has been edited. Here's the result of running `cat -n` on a snippet of it:\n{rows}"
        f"{_formatted(edited.text, now)}",
        (diff_card(path, lf(before.text), view),),
        (Location(path, edited.first),),
        {"path": path, "first_line": edited.first, "last_line": edited.last},
    )


async def _undo(path: AbsPath, hands: Hands) -> ToolResult:
    history = hands.recall(History)
    if not history.has(path):
        raise ToolError(f"No edit history found for {path}")
    current = await _unchanged(path, hands, nowhere)
    before = history.last(path)
    try:
        if before is None:
            await hands.files.remove(path, replaces=current)
            now = None
        else:
            now = await hands.files.write(path, before, replaces=current)
    except FileChanged as error:
        raise overtaken(hands, current, error, nowhere) from error
    history.drop_last(path)
    if now is None or before is None:
        hands.recall(Seen).forget(path)
        return ToolResult(
            f"Last edit to {path} undone successfully. The edit had created the file, so it was removed.",
            (diff_card(path, lf(current.text), ""),),
        )
    hands.recall(Seen).note(path, now)
    return await _computed(now.text, _undone, path, current, before, now)


def _undone(path: AbsPath, current: TextFile, before: TextFile, now: TextFile) -> ToolResult:
    old, new = lf(current.text), lf(now.text)
    return ToolResult(
        f"Last edit to {path} undone successfully. What this changed:\n{changes(old, new)}"
        f"{_formatted(before.text, now)}",
        (diff_card(path, old, new),),
        (Location(path),),
        {"path": path},
    )


async def _unchanged(path: AbsPath, hands: Hands, place: Place) -> TextFile:
    """Read a file to edit it; refuse if it is not what the model last saw."""
    file = await hands.files.read(path)
    changed = hands.recall(Seen).changed(path, file)
    if changed is not None:
        raise changed_meanwhile(hands, path, changed.old, file, place)
    return file


def _formatted(meant: str, now: TextFile) -> str:
    """Tell the model if saving changed what it wrote, as a formatter in the editor does."""
    if lf(meant) == lf(now.text):
        return ""
    return f"\nNote: saving the file changed it further (a formatter?):\n{changes(lf(meant), lf(now.text))}"


async def _computed(text: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a pure function, in a worker thread if `text` is so large that others would wait."""
    if len(text) <= _LARGE:
        return function(*args, **kwargs)
    return await to_thread.run_sync(lambda: function(*args, **kwargs), abandon_on_cancel=True)
