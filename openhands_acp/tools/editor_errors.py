"""Why the file editor did not do it, in words that tell the model what to do next.

Knows what the model has seen, so that what it is refused for it has seen afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import PurePath
from typing import TypeAlias, assert_never

from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.ports import FileChanged, TextFile, UnreadableFile
from openhands_acp.engine.spelling import lf, lines_of
from openhands_acp.engine.tool import Hands, ToolError
from openhands_acp.tools.editor_state import Seen
from openhands_acp.tools.editor_view import around, changes, numbered
from openhands_acp.tools.edits import Edited
from openhands_acp.tools.matching import Ambiguous
from openhands_acp.tools.replacing import Failed, NotFound, Refusal, Refused, replace_once

Place: TypeAlias = Callable[[str], str]
"""Given the LF view of a file: the lines where a call wanted to edit, numbered; empty if nowhere."""

_QUOTED = 200
_SHOWN = 4_000
_SEARCHED = 1024 * 1024


def unfit(path: AbsPath, old: str, refusal: Refusal) -> ToolError:
    """Say why a replacement was not made, and what to write instead."""
    match refusal:
        case NotFound():
            return _not_found(path, old, refusal)
        case Ambiguous(lines, ""):
            return ToolError(
                f"No replacement was performed. Multiple occurrences of old_str `{_quoted(old)}` in lines "
                f"{list(lines)}. Please ensure it is unique: include neighbouring lines"
            )
        case Ambiguous(lines, how):
            return ToolError(
                f"No replacement was performed, old_str `{_quoted(old)}` did not appear verbatim in {path}, and {how} "
                f"there are several places, at lines {list(lines)}. View the one that is meant and copy it exactly"
            )
        case Refused(reason):
            return ToolError(f"No replacement was performed: {reason}")
        case _:
            assert_never(refusal)


def failed(path: AbsPath, failure: Failed, count: int) -> ToolError:
    """Say which of several replacements failed."""
    error = unfit(path, failure.replacement.old, failure.refusal)
    if count == 1:
        return error
    return ToolError(f"edit {failure.number} of {count} failed, so none of them was made. {error}")


def _not_found(path: AbsPath, old: str, refusal: NotFound) -> ToolError:
    reason = f"No replacement was performed, old_str `{_quoted(old)}` did not appear verbatim in {path}."
    if refusal.reason:
        reason = f"No replacement was performed in {path}: {refusal.reason}."
    if not refusal.nearest:
        return ToolError(f"{reason} Nothing in the file is like it; view the file first")
    return ToolError(f"{reason} The nearest text there is:\n{_rows(refusal)}\nCopy old_str from it exactly")


def changed_meanwhile(hands: Hands, path: AbsPath, old: str | None, now: TextFile, place: Place) -> ToolError:
    """Refuse to edit a file that is not what the model saw; from now on the model has seen it.

    `old` is the LF view that the model saw, None if it was not kept.
    """
    hands.recall(Seen).note(path, now)
    view = lf(now.text)
    parts = [
        f"{path} has changed since you last saw it (the person, a command or a formatter wrote to it), "
        "so nothing was done."
    ]
    if old is not None:
        parts.append(f"What changed:\n{changes(old, view)}")
    where = place(view) if len(view) <= _SEARCHED else ""
    if where:
        parts.append(f"The place in question is now:\n{where}")
    return ToolError("\n".join([*parts, "Check that the call still fits, then repeat it"]))


def overtaken(hands: Hands, before: TextFile, error: FileChanged, place: Place) -> ToolError:
    """Refuse because the file changed between reading and writing, perhaps while the person was asked."""
    if error.now is None:
        hands.recall(Seen).forget(error.path)
        return ToolError(f"{error.path} is gone: it was removed meanwhile, so nothing was done")
    return changed_meanwhile(hands, error.path, lf(before.text), error.now, place)


def place_of(old: str) -> Place:
    """Look for what `str_replace` wanted to replace, or the nearest to it."""

    def place(view: str) -> str:
        outcome = replace_once(view, old, "")
        match outcome:
            case Edited(first=first, already=False):
                return around(lines_of(view), first, first + lf(old).rstrip("\n").count("\n"), _SHOWN)
            case NotFound() if outcome.nearest:
                return _rows(outcome)
            case _:
                return ""

    return place


def line_of(line: int) -> Place:
    """Show the surroundings of a line."""
    return lambda view: around(lines_of(view), line, line, _SHOWN)


def nowhere(_view: str) -> str:
    return ""


def instead(error: UnreadableFile) -> str:
    """Say what else can be done with a file that is not to be read here."""
    reason = str(error)
    if "too large" in reason:
        return " Look at parts of it with the terminal (grep -n, sed -n '100,200p'), and change it there."
    if "binary" in reason:
        return ". Use the terminal (file, xxd, or a program that knows the format)"
    return ""


async def plainly(error: OSError, hands: Hands, path: AbsPath) -> ToolError:
    """Say what the system refused in words that help."""
    match error:
        case FileNotFoundError():
            hint = await _alternatives(hands, path)
            return ToolError(f"The path {path} does not exist. Please provide a valid path.{hint}")
        case IsADirectoryError():
            return ToolError(f"The path {path} is a directory and only the `view` command can be used on directories")
        case NotADirectoryError():
            return ToolError(f"{path}: a part of this path is a file, not a directory")
        case PermissionError():
            return ToolError(f"permission denied for {path}: {error.strerror or error}")
        case _:
            return ToolError(f"{path}: {error.strerror or error}")


async def _alternatives(hands: Hands, path: AbsPath) -> str:
    """Name what is like the missing file, or the folder that is missing. Looks at nothing outside the root."""
    child = PurePath(path)
    while shortened(AbsPath(str(child)), hands.root) != str(child) and child != PurePath(hands.root):
        parent = child.parent
        with suppress(OSError):
            entries = await hands.files.entries(AbsPath(str(parent)))
            names = get_close_matches(child.name, [entry.name for entry in entries], n=3)
            similar = [shortened(AbsPath(str(parent / name)), hands.root) for name in names]
            missing = "" if child == PurePath(path) else f" There is no {child.name!r} in {parent}."
            return missing + (f" Maybe you meant {' or '.join(similar)}?" if similar else "")
        child = parent
    return ""


def _rows(outcome: NotFound) -> str:
    first = outcome.nearest[0][0]
    return numbered([line for _, line in outcome.nearest], first, _SHOWN)


def _quoted(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}[...]"
