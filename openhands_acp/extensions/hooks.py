"""Hooks as they are written: in OpenHands' three spellings, with what is wrong told by file and line.

Knows the fields; knows neither which files there are, nor when a hook counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from openhands_acp.engine.hooks import TIMEOUT, EventName, Hook, pattern_of
from openhands_acp.engine.inventory import Withheld, digest, quoted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.shelf import Shelf

_EVENTS: dict[str, EventName] = {
    spelt: name
    for name in cast("tuple[EventName, ...]", get_args(EventName))
    for spelt in (name, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
}
_OF_FILE = frozenset({"hooks", "description"})
_OF_GROUP = frozenset({"matcher", "hooks"})
_OF_HOOK = frozenset({"type", "name", "command", "timeout", "async"})
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?')
_BETWEEN = re.compile(r"[\s;&|()<>\"'`=]+")
_FOLDERS = re.compile(r"\$\{?(?:OPENHANDS|CLAUDE)_PROJECT_DIR\}?[\"']?[/\\]")
_LONGEST_SCRIPT = 1 << 20
_DAY = 86_400.0


def hooks_in(file: Path, shelf: Shelf, folder: AbsPath | None = None, plugin: AbsPath | None = None) -> list[Hook]:
    """Read all hooks of a file, which is a project's or a plugin's if it has such a folder."""
    text = shelf.text(file)
    if text is None:
        return []
    try:
        pairs: object = json.loads(text, object_pairs_hook=_Pairs)
        whole = _lined(pairs, _lines(text))
    except json.JSONDecodeError as error:
        shelf.problem(file, f"is not JSON: {error.msg}", error.lineno)
        return []
    except RecursionError:
        shelf.problem(file, "is nested too deeply")
        return []
    return list(_Reading(file, shelf, folder, plugin).hooks(whole))


def withheld_hooks(root: AbsPath, file: Path, text: str, hooks: Sequence[Hook]) -> Withheld:
    """Say what a project's hooks are, for whoever decides whether they count: with the project's own scripts."""
    where = str(file).removeprefix(str(root)).lstrip("/\\")
    what = f"the hooks of {quoted(where)} run {', '.join(lines_of(hooks))}"
    return Withheld(root, what, digest("hooks", str(file), text, *scripts_of(hooks, Path(root))))


def lines_of(hooks: Sequence[Hook]) -> list[str]:
    """Return the command lines of hooks, each once and in quotes."""
    return list(dict.fromkeys(quoted(hook.command) for hook in hooks))


def scripts_of(hooks: Sequence[Hook], folder: Path) -> Iterator[bytes | str]:
    """Return what is in those files of a project that command lines name: they are trusted as they are."""
    for hook in hooks:
        for word in _words(_FOLDERS.sub("", hook.command)):
            path = folder / word
            try:
                if path.is_relative_to(folder) and path.is_file():
                    with path.open("rb") as script:
                        yield str(path)
                        yield script.read(_LONGEST_SCRIPT)
            except (OSError, ValueError):
                # What cannot be read is no script.
                continue


def _words(line: str) -> list[str]:
    words = _BETWEEN.split(line)
    # Quotes without an end: what is between blanks is all there is.
    with contextlib.suppress(ValueError):
        words += shlex.split(line)
    return [os.path.normpath(word) for word in dict.fromkeys(filter(None, words))]


# ---------------------------------------------------------------- fields, with the lines they are in


@dataclass(frozen=True, slots=True)
class _Pairs:
    pairs: list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    line: int
    value: object


@dataclass(frozen=True, slots=True)
class _Object:
    fields: list[_Field]


def _lines(text: str) -> Iterator[int]:
    """Return the lines of all keys, in their order."""
    return (text.count("\n", 0, found.start()) + 1 for found in _KEY.finditer(text) if found[1])


def _lined(value: object, lines: Iterator[int]) -> object:
    if isinstance(value, _Pairs):
        return _Object([_Field(name, next(lines), _lined(inner, lines)) for name, inner in value.pairs])
    if isinstance(value, list):
        return [_lined(each, lines) for each in cast("list[object]", value)]
    return value


@dataclass(frozen=True, slots=True)
class _Reading:
    file: Path
    shelf: Shelf
    folder: AbsPath | None
    plugin: AbsPath | None

    def hooks(self, whole: object) -> Iterator[Hook]:
        if not isinstance(whole, _Object):
            self._bad("must be a JSON object", 1)
            return
        fields = whole.fields
        if wrapped := [field for field in fields if field.name == "hooks"]:
            self._only(fields, _OF_FILE)
            inner = wrapped[-1].value
            if not isinstance(inner, _Object):
                self._bad("`hooks` must be an object of events", wrapped[-1].line)
                return
            fields = inner.fields
        seen: dict[EventName, int] = {}
        for field in fields:
            event = _EVENTS.get(field.name)
            if event is None:
                there = ", ".join(get_args(EventName))
                self._bad(f"there is no event {field.name!r} here; there are: {there}", field.line)
            elif event in seen:
                self._bad(f"{event} stands in line {seen[event]} already; put its hooks together", field.line)
            else:
                seen[event] = field.line
                yield from self._of_event(event, field)

    def _of_event(self, event: EventName, field: _Field) -> Iterator[Hook]:
        for group in self._objects(f"`{field.name}`", field):
            values = self._values(group, _OF_GROUP)
            matcher = values.get("matcher", _Field("matcher", field.line, "*"))
            if (pattern := self._matcher(matcher)) is None:
                continue
            if (hooks := values.get("hooks")) is None:
                self._bad(f"an entry of `{field.name}` has no `hooks`", field.line)
                continue
            for each in self._objects("`hooks`", hooks):
                yield from self._hook(event, pattern, self._values(each, _OF_HOOK), hooks.line)

    def _hook(self, event: EventName, matcher: str, values: dict[str, _Field], line: int) -> Iterator[Hook]:
        kind = values.get("type", _Field("type", line, "command"))
        if kind.value != "command":
            self._bad(f"hooks of the type {kind.value!r} are not supported, only commands are", kind.line)
            return
        command = values.get("command", _Field("command", line, None))
        if not (isinstance(command.value, str) and command.value.strip()):
            self._bad("a hook must have a `command`, which is a text", command.line)
            return
        timeout = values.get("timeout", _Field("timeout", line, TIMEOUT))
        seconds = timeout.value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _DAY:
            self._bad("`timeout` must be a number of seconds, above 0", timeout.line)
            seconds = TIMEOUT
        is_async = values.get("async", _Field("async", line, False))
        if not isinstance(is_async.value, bool):
            self._bad("`async` must be true or false", is_async.line)
        source = AbsPath(str(self.file))
        is_behind = is_async.value is True
        yield Hook(event, command.value, source, matcher, float(seconds), is_behind, self.folder, self.plugin)

    def _matcher(self, field: _Field) -> str | None:
        if not isinstance(field.value, str):
            self._bad("`matcher` must be a text", field.line)
            return None
        try:
            re.compile(pattern_of(field.value) or "")
        except re.error as error:
            self._bad(f"`matcher` {field.value!r} is no regular expression: {error}", field.line)
            return None
        return field.value

    def _objects(self, what: str, field: _Field) -> Iterator[_Object]:
        value = field.value
        for each in cast("list[object]", value) if isinstance(value, list) else [None]:
            if isinstance(each, _Object):
                yield each
            else:
                self._bad(f"{what} must be a list of objects", field.line)

    def _values(self, table: _Object, known: frozenset[str]) -> dict[str, _Field]:
        self._only(table.fields, known)
        return {field.name: field for field in table.fields}

    def _only(self, fields: Sequence[_Field], known: frozenset[str]) -> None:
        for field in fields:
            if field.name not in known:
                self._bad(f"`{field.name}` is not known here, and counts for nothing", field.line)

    def _bad(self, sentence: str, line: int) -> None:
        self.shelf.problem(self.file, sentence, line)
