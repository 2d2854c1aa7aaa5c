"""The `file_editor` tool: view, create, str_replace, insert and undo_edit, as OpenHands' users know it.

Knows arguments, cards and viewing; how files are changed is `editor_changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Literal, Self, assert_never, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from openhands_acp.engine.cards import Card, Location
from openhands_acp.engine.checkpoints.diffs import diff_card
from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.engine.paths import AbsPath, absolute, shortened
from openhands_acp.engine.ports import UnreadableFile
from openhands_acp.engine.spelling import lf, lines_of
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.define import RISK_IN_BRIEF, define, settled
from openhands_acp.tools.editor_arguments import in_our_words, usable_path
from openhands_acp.tools.editor_changes import create, insert, str_replace, undo
from openhands_acp.tools.editor_errors import instead, plainly
from openhands_acp.tools.editor_state import Seen
from openhands_acp.tools.editor_view import computed, fenced, folder, numbered
from openhands_acp.tools.images import viewed
from openhands_acp.tools.replacing import Replacement

DESCRIPTION = """\
View, create and edit text files. Prefer it to shell commands for reading and editing: it sees the person's \
unsaved changes, keeps encoding and line endings, and can undo. To search, rename or delete, use other tools.
- `view`: a file with line numbers (a long one without its middle, ~16,000 characters: use `view_range`), an \
image to look at, or a directory, 2 levels deep.
- `create`: a new file with `file_text`, folders included. Fails if the file exists.
- `str_replace`: replaces `old_str`, which must occur exactly once, by `new_str`. Copy `old_str` from a view with \
exact indentation and without the line numbers; take in enough neighbouring lines to be unique, not more. Write \
`new_str` in full: nothing may stand for text left out. For several places of one file give `edits` instead, a list \
of {old_str, new_str}: made in order, all or none.
- `insert`: puts `new_str` as new lines after line `insert_line`.
- `undo_edit`: takes back your last edit of the file (10 are kept).
If somebody else changed the file since you saw it, your edit is merged with that where they are apart, else nothing \
is done; you are shown the change either way. Text files up to 10 MB only."""

Command = Literal["view", "create", "str_replace", "insert", "undo_edit"]
_VERBS: dict[str, str] = {
    "view": "Read",
    "create": "Create",
    "str_replace": "Edit",
    "insert": "Edit",
    "undo_edit": "Undo edit of",
}


class OneEdit(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    old_str: str
    new_str: str = ""
    replace_all: bool = Field(default=False, description="Every place of exactly old_str, not just one.")


class FileEditorArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    command: Command
    path: str = Field(description="Absolute, or relative to the working directory.")
    file_text: str | None = Field(default=None, description="For `create`: the whole text.")
    old_str: str | None = Field(default=None, description="For `str_replace`: the text to replace.")
    new_str: str | None = Field(
        default=None, description="For `str_replace` (left out: deletes) and `insert`: the new text."
    )
    edits: list[OneEdit] | None = Field(default=None, description="For `str_replace`: several replacements.")
    insert_line: int | None = Field(default=None, description="For `insert`: 0 is the top of the file.")
    view_range: list[int] | None = Field(
        default=None, description="For `view`: [first, last] line, from 1; last -1 is the end."
    )

    @model_validator(mode="before")
    @classmethod
    def _in_our_words(cls, given: object) -> object:
        return in_our_words(cast("dict[str, object]", given), cls.model_fields) if isinstance(given, dict) else given

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        return usable_path(path)

    @model_validator(mode="after")
    def _fits_the_command(self) -> Self:
        match self.command:
            case "view":
                if self.view_range and len(self.view_range) != 2:
                    raise ValueError("Invalid `view_range` parameter: it should be a list of two integers")
            case "create":
                _require(self, "file_text")
                _refuse(self, "old_str", "edits")
            case "str_replace":
                _refuse(self, "file_text")
                if self.edits and self.old_str:
                    raise ValueError("give either `edits`, or `old_str` and `new_str`, not both")
                if not self.edits:
                    _require(self, "old_str")
                for number, each in enumerate(self.replacements(), start=1):
                    _check(each, f"edit {number}: " if len(self.replacements()) > 1 else "")
            case "insert":
                _require(self, "insert_line", "new_str")
                _refuse(self, "old_str", "edits", "file_text")
            case "undo_edit":
                pass
            case _:
                assert_never(self.command)
        return self

    def replacements(self) -> list[Replacement]:
        if self.edits:
            return [Replacement(each.old_str, each.new_str, each.replace_all) for each in self.edits]
        return [Replacement(self.old_str or "", self.new_str or "")]


def _check(each: Replacement, which: str) -> None:
    if not each.old:
        raise ValueError(f"{which}`old_str` must not be empty; to add text use `insert`, for a new file `create`")
    if each.old == each.new:
        raise ValueError(f"{which}No replacement was performed. `new_str` and `old_str` must be different")


def _refuse(args: FileEditorArgs, *names: str) -> None:
    """Refuse what would mean something else than the command does; what is empty means nothing."""
    for name in names:
        if getattr(args, name):
            raise ValueError(
                f"Parameter `{name}` does not go with command: {args.command}. "
                "Text is replaced by `str_replace` with `old_str` and `new_str`"
            )


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
        risk=RISK_IN_BRIEF,
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
            if not args.view_range:
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
    changes: list[tuple[str | None, JsonValue]] = []
    match command:
        case "create":
            changes = [(None, arguments.get("file_text"))]
        case "str_replace":
            edits = arguments.get("edits")
            single = {"old_str": written.get("old_str"), "new_str": arguments.get("new_str")}
            several = edits if isinstance(edits, Sequence) and not isinstance(edits, str) else [single]
            changes = [change for each in several if (change := _half_written(each)) is not None]
        case _:
            pass
    return Card(
        f"{_VERBS[command]} {shortened(path, root)}",
        "read" if command == "view" else "edit",
        (Location(path),),
        tuple(diff_card(path, old, new) for old, new in changes if isinstance(new, str)),
    )


def _half_written(edit: JsonValue) -> tuple[str, JsonValue] | None:
    """Take an edit as far as it has come: once the new text begins, the old one is whole."""
    if not isinstance(edit, Mapping):
        return None
    old = edit.get("old_str")
    return (old, edit.get("new_str")) if isinstance(old, str) else None


# ---------------------------------------------------------------- commands


async def _run(args: FileEditorArgs, hands: Hands) -> ToolResult:
    path = absolute(args.path, hands.root)
    try:
        result = await _do(args, path, hands)
    except OSError as error:
        raise (await plainly(error, hands, path)) from error
    except UnreadableFile as error:
        raise ToolError(f"{path}: {error}{instead(error)}") from error
    if PurePath(args.path).is_absolute():
        return result
    return replace(result, text=f"{result.text}\n({args.path} was taken as {path})")


async def _do(args: FileEditorArgs, path: AbsPath, hands: Hands) -> ToolResult:
    match args.command:
        case "view":
            return await _view(args, path, hands)
        case "create":
            return await create(args.file_text or "", path, hands)
        case "str_replace":
            return await str_replace(args.replacements(), path, hands)
        case "insert":
            return await insert(args.insert_line or 0, args.new_str or "", path, hands)
        case "undo_edit":
            return await undo(path, hands)
        case _:
            assert_never(args.command)


async def _view(args: FileEditorArgs, path: AbsPath, hands: Hands) -> ToolResult:
    try:
        if (image := await viewed(path, hands)) is not None:
            return image
        file = await hands.files.read(path)
    except IsADirectoryError:
        if args.view_range:
            raise ToolError("`view_range` is not allowed when `path` is a directory") from None
        listing = await folder(hands.files, path, hands.root)
        return ToolResult(listing, (fenced(listing),), (Location(path),), {"path": path})
    hands.recall(Seen).note(path, file)
    return await computed(file.text, _viewed, path, file.text, args.view_range)


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
    if not wanted:
        return 1, count
    first, last = wanted
    stem = f"Invalid `view_range` parameter: {wanted}."
    if not 1 <= first <= max(1, count):
        raise ToolError(f"{stem} Its first element `{first}` should be within the range of lines: [1, {count}]")
    if last != -1 and last < first:
        raise ToolError(f"{stem} Its second element `{last}` should be -1 or not less than the first `{first}`")
    return first, count if last == -1 else min(last, count)
