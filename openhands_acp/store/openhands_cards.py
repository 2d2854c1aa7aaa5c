"""How the calls of OpenHands' tools look to a person: cards, what came of them, plans. Pure.

Knows the arguments and observations of its tools, of this and of older releases, as loose JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from openhands_acp.engine import spelling
from openhands_acp.engine.cards import Card, Location, Shown, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.checkpoints.diffs import diff_card
from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath, absolute, shortened

_TERMINALS = ("terminal", "execute_bash", "bash")
_EDITORS = ("file_editor", "str_replace_editor", "planning_file_editor")
_VERBS = {"view": "View", "create": "Create", "str_replace": "Edit", "insert": "Edit", "undo_edit": "Undo edit of"}
_STATUS: Mapping[str, Literal["pending", "in_progress", "completed"]] = {
    "in_progress": "in_progress",
    "done": "completed",
}

_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: *(\S.*?) *$", re.MULTILINE)
_TITLE = 200
_PERSON = 8_000
"""Characters of output on a card."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation: `text` for the model, the rest for the person."""

    text: str
    is_error: bool
    shown: tuple[Shown, ...] = ()
    locations: tuple[Location, ...] = ()
    raw_output: JsonObject | None = None


def card_of(name: str, arguments: Mapping[str, Any], summary: object, root: AbsPath) -> Card | None:
    """Present a call; None for those that show themselves otherwise."""
    match arguments:
        case {"command": str(command)} if name in _TERMINALS:
            return _command_card(command, is_input=bool(arguments.get("is_input")))
        case {"command": str(command), "path": str(path)} if name in _EDITORS:
            return _editor_card(command, absolute(path, root), arguments, root)
        case {"thought": str()} if name == "think":
            return None
        case {"message": str()} if name == "finish":
            return None
        case {"task_list": list()} if name == "task_tracker":
            return None
        case {"pattern": str(pattern)} if name in ("grep", "glob"):
            return Card(one_line(f"Find {pattern}"), "search")
        case {"patch": str(patch)} if name == "apply_patch":
            return _patch_card(patch, root)
        case {"prompt": str(prompt)} if name == "task":
            who, what = arguments.get("subagent_type") or "general-purpose", arguments.get("description") or prompt
            return Card(one_line(f"{who}: {what}"), "other", (), (ShownText(prompt),))
        case _:
            return _other_card(name, arguments, summary)


def shown_of(name: str, arguments: Mapping[str, Any], seen: Mapping[str, Any], root: AbsPath) -> Seen:
    """Present what a call came to."""
    output = seen.get("output")
    text = words_of(seen.get("content")) or (output if isinstance(output, str) else "")
    is_error = bool(seen.get("is_error"))
    match arguments:
        case {"command": str(command)} if name in _TERMINALS:
            return _terminal_seen(command, text, is_error, seen)
        case {"path": str(path)} if name in _EDITORS:
            return _editor_seen(absolute(path, root), text, is_error, seen)
        case {"patch": str()} if diffs := _changes(seen, root):
            return Seen(text, is_error, diffs, tuple(Location(diff.path) for diff in diffs))
        case _:
            return Seen(text, is_error, (fenced(text),) if text else ())


def plan_of(tasks: Sequence[Any]) -> tuple[PlanEntry, ...]:
    entries: list[PlanEntry] = []
    for task in tasks:
        match task:
            case {"title": title, **rest}:
                entries.append(PlanEntry(str(title), _STATUS.get(str(rest.get("status")), "pending")))
            case _:
                pass
    return tuple(entries)


def words_of(content: object) -> str:
    """Join the text of one or several content blocks; an image leaves a word of itself."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for item in cast("list[Any]", content) if isinstance(content, list) else (content,):
        match item:
            case {"text": str(text)}:
                texts.append(text)
            case {"type": "image"}:
                texts.append("(an image was here)")
            case _:
                pass
    return "\n".join(texts)


def one_line(text: str) -> str:
    """Put text on a title's line; characters that do not print are made visible."""
    lines = [line.strip() for line in text.strip().splitlines()] or [""]
    first = next((line for line in lines if line and not line.startswith("#")), lines[0])
    shown = "".join(char if char.isprintable() else "�" for char in first.replace("\t", " "))
    cut = shown if len(shown) <= _TITLE else shown[:_TITLE] + "…"
    return f"{cut} …" if len(lines) > 1 else cut


def fenced(text: str) -> ShownText:
    """Show text as it is, whatever Markdown it contains."""
    return ShownText(spelling.fenced(_bounded(text)))


def _other_card(name: str, arguments: Mapping[str, Any], summary: object) -> Card:
    given = {key: value for key, value in arguments.items() if key != "kind" and value is not None}
    # Where the model gave no summary, OpenHands makes one of the arguments.
    has_summary = isinstance(summary, str) and summary.strip() and not summary.startswith(f"{name}: {{")
    title = summary if has_summary else f"{name} {json.dumps(given, ensure_ascii=False)}" if given else name
    shown = (ShownText(spelling.fenced(_bounded(json.dumps(given, indent=2, ensure_ascii=False)), "json")),)
    return Card(one_line(str(title)), "fetch" if name.startswith("browser_") else "other", (), shown if given else ())


# ---------------------------------------------------------------- terminal


def _command_card(command: str, *, is_input: bool) -> Card:
    if is_input:
        return Card(one_line(f"Type into the running command: {command}"), "execute", (), (ShownCommand(command),))
    return Card(one_line(command) or "Look at the running command", "execute", (), (ShownCommand(command),))


def _terminal_seen(command: str, text: str, is_error: bool, seen: Mapping[str, Any]) -> Seen:
    match seen.get("metadata"):
        case {"prefix": str(prefix), "suffix": str(suffix)}:
            text = f"{prefix}{text}{suffix}"
        case _:
            pass
    match seen.get("metadata"):
        case {"working_dir": str(folder)} if folder:
            told = f"{text}\n[Current working directory: {folder}]"
        case _:
            told = text
    code = seen.get("exit_code")
    raw: JsonObject | None = {"exit_code": code} if isinstance(code, int) else None
    # -1 is a command that still runs.
    is_failed = is_error or (isinstance(code, int) and code not in (0, -1))
    return Seen(told, is_failed, (ShownCommand(command, _bounded(text.lstrip("\n"))),), (), raw)


# ---------------------------------------------------------------- file editor


def _editor_card(command: str, path: AbsPath, arguments: Mapping[str, Any], root: AbsPath) -> Card:
    title = one_line(f"{_VERBS.get(command, command)} {shortened(path, root)}")
    place = (Location(path, _line(command, arguments)),)
    match command, arguments:
        case "view", _:
            return Card(title, "read", place)
        case "create", {"file_text": str(text)}:
            return Card(title, "edit", place, (diff_card(path, None, text),))
        case "str_replace", {"old_str": str(old), "new_str": str(new)}:
            return Card(title, "edit", place, (diff_card(path, old, new),))
        case _:
            return Card(title, "edit", place)


def _line(command: str, arguments: Mapping[str, Any]) -> int | None:
    match command, arguments:
        case "view", {"view_range": [int(first), *_]}:
            return max(1, first)
        case "insert", {"insert_line": int(line)}:
            return max(0, line) + 1
        case _:
            return None


def _editor_seen(path: AbsPath, text: str, is_error: bool, seen: Mapping[str, Any]) -> Seen:
    place = (Location(path),)
    match seen:
        case {"new_content": str(new)} if seen.get("command") != "view" and not is_error:
            old = seen.get("old_content")
            before = old if isinstance(old, str) and seen.get("prev_exist", True) else None
            return Seen(text, is_error, (diff_card(path, before, new),), place, {"path": path})
        case _:
            return Seen(text, is_error, (fenced(text),) if text else (), place, {"path": path})


# ---------------------------------------------------------------- patches


def _patch_card(patch: str, root: AbsPath) -> Card:
    paths = [absolute(found, root) for found in dict.fromkeys(_PATCHED.findall(patch))]
    named = ", ".join(shortened(path, root) for path in paths)
    return Card(
        one_line(f"Edit {named}" if named else "Patch files"), "edit", tuple(map(Location, paths)), (fenced(patch),)
    )


def _changes(seen: Mapping[str, Any], root: AbsPath) -> tuple[ShownDiff, ...]:
    match seen.get("commit"):
        case {"changes": {**changes}}:
            found = [_change(str(path), change, root) for path, change in changes.items()]
            return tuple(diff for diff in found if diff is not None)
        case _:
            return ()


def _change(path: str, change: object, root: AbsPath) -> ShownDiff | None:
    match change:
        case {"type": "add", "new_content": str(new)}:
            return diff_card(absolute(path, root), None, new)
        case {"type": "delete", "old_content": str(old)}:
            return ShownDiff(absolute(path, root), old, None)
        case {"type": "update", "old_content": str(old), "new_content": str(new), "move_path": str(moved)} if moved:
            return ShownDiff(absolute(moved, root), old, new, absolute(path, root))
        case {"type": "update", "old_content": str(old), "new_content": str(new)}:
            return diff_card(absolute(path, root), old, new)
        case _:
            return None


def _bounded(text: str) -> str:
    left_out = len(text) - _PERSON
    if left_out <= 0:
        return text
    return f"{text[: _PERSON // 4]}\n[... {left_out} characters ...]\n{text[len(text) - _PERSON * 3 // 4 :]}"
