"""Hooks as they are written: in OpenHands' three spellings, in files of theirs and in others, with each mistake told.

Knows the fields; knows neither which files there are, nor when a hook counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from openhands_acp.engine.guidance.inventory import Withheld, digest, quoted
from openhands_acp.engine.hooks.definitions import TIMEOUT, EventName, Hook, pattern_of
from openhands_acp.engine.lined_json import Field, Object, in_line, lined
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
_BETWEEN = re.compile(r"[\s;&|()<>\"'`=]+")
_FOLDERS = re.compile(r"""(["']?)\$\{?(?:OPENHANDS|CLAUDE)_PROJECT_DIR\}?\1[/\\]""")
_OPERATORS = frozenset("();<>|&")
_UNPLAIN = frozenset("$`")
"""With one of them, a word is whatever a shell makes of it."""
_KEYWORDS = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "{"})
_ASKING = frozenset({"touch", "test", "[", "mkdir", "rm", "rmdir", "tee", "ls", "echo", "printf"})
"""Programs that run nothing, and pass nothing on, of what is in the files that they are given."""
_LONGEST_SCRIPT = 1 << 20
_DAY = 86_400.0


def hooks_in(file: Path, shelf: Shelf, folder: AbsPath | None = None, plugin: AbsPath | None = None) -> list[Hook]:
    """Read all hooks of a file, which is a project's or a plugin's if it has such a folder."""
    whole = _whole(file, shelf)
    return [] if whole is None else list(_Reading(file, shelf, folder, plugin).hooks(whole))


def hooks_of_manifest(file: Path, shelf: Shelf, plugin: AbsPath) -> list[Hook]:
    """Read the hooks that stand in a plugin's manifest itself, which has the field."""
    match _whole(file, shelf):
        case Object(fields):
            # Given twice, the last one counts, as in JSON.
            own = {field.name: field for field in fields}["hooks"]
            return list(_Reading(file, shelf, None, plugin).hooks(own.value, own.line))
        case _:
            return []


def hooks_of_field(value: object, file: Path, line: int, shelf: Shelf) -> list[Hook]:
    """Read the hooks that a field of another file has, which begins in this line."""
    return list(_Reading(file, shelf, None, None).hooks(in_line(value, line), line))


def _whole(file: Path, shelf: Shelf) -> object:
    """Return what is in a file, with its lines; None where it cannot be read, which is told."""
    text = shelf.text(file)
    if text is None:
        return None
    try:
        return lined(text)
    except json.JSONDecodeError as error:
        shelf.problem(file, f"is not JSON: {error.msg}", error.lineno)
    except ValueError:
        shelf.problem(file, "is not JSON: a number in it is too long")
    except RecursionError:
        shelf.problem(file, "is nested too deeply")
    return None


def withheld_hooks(root: AbsPath, file: Path, text: str, hooks: Sequence[Hook]) -> Withheld:
    """Say what a project's hooks are, for whoever decides whether they count: with the project's own scripts."""
    where = str(file).removeprefix(str(root)).lstrip("/\\")
    what = f"the hooks of {quoted(where)} run {', '.join(lines_of(hooks))}"
    scripts = scripts_of([hook.command for hook in hooks], Path(root))
    return Withheld(root, what, digest("hooks", str(file), text, *scripts))


def lines_of(hooks: Sequence[Hook]) -> list[str]:
    """Return the command lines of hooks, each once and in quotes."""
    return list(dict.fromkeys(quoted(hook.command) for hook in hooks))


def scripts_of(lines: Iterable[str], folder: Path) -> Iterator[bytes | str]:
    """Return what is in those files of a project that command lines name: they are trusted as they are.

    But for those that a line only writes, or asks whether they are there: a log is another one each time.
    """
    for line in lines:
        plain = _FOLDERS.sub("", line)
        written = _only_written(plain)
        for word in [word for word in _words(plain) if word not in written]:
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
    return list(dict.fromkeys(os.path.normpath(word) for word in words if word))


def _only_written(line: str) -> set[str]:
    """Return words that a line names nowhere but to write there, or to ask about. In doubt a word is none of them."""
    tokens = shlex.shlex(line.replace("\n", ";"), posix=True, punctuation_chars=True)
    tokens.commenters, tokens.whitespace_split = "", True
    written, others = set[str](), set[str]()
    program, before = "", ""
    try:
        for token in tokens:
            if set(token) <= _OPERATORS:
                program = program if token in (">", ">>") else ""
            elif before not in (">", ">>") and not program:
                program = "" if token in _KEYWORDS or "=" in token else token
                others |= {token, *_BETWEEN.split(token)}
            elif (before in (">", ">>") or program in _ASKING) and not _UNPLAIN & set(token):
                written.add(os.path.normpath(token))
            else:
                others |= {token, *_BETWEEN.split(token)}
            before = token
    except ValueError:
        return set()
    return written - {os.path.normpath(word) for word in others if word}


# ---------------------------------------------------------------- fields


@dataclass(frozen=True, slots=True)
class _Reading:
    file: Path
    shelf: Shelf
    folder: AbsPath | None
    plugin: AbsPath | None

    def hooks(self, whole: object, line: int | None = None) -> Iterator[Hook]:
        """Read a whole file, or what begins in this line of one."""
        if not isinstance(whole, Object):
            self._bad("must be a JSON object" if line is None else "`hooks` must be an object of events", line or 1)
            return
        fields = whole.fields
        if wrapped := [field for field in fields if field.name == "hooks"]:
            self._only(fields, _OF_FILE)
            inner = wrapped[-1].value
            if not isinstance(inner, Object):
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

    def _of_event(self, event: EventName, field: Field) -> Iterator[Hook]:
        for group in self._objects(f"`{field.name}`", field):
            values = self._values(group, _OF_GROUP)
            matcher = values.get("matcher", Field("matcher", field.line, "*"))
            if (pattern := self._matcher(matcher)) is None:
                continue
            if (hooks := values.get("hooks")) is None:
                self._bad(f"an entry of `{field.name}` has no `hooks`", field.line)
                continue
            for each in self._objects("`hooks`", hooks):
                yield from self._hook(event, pattern, self._values(each, _OF_HOOK), hooks.line)

    def _hook(self, event: EventName, matcher: str, values: dict[str, Field], line: int) -> Iterator[Hook]:
        kind = values.get("type", Field("type", line, "command"))
        if kind.value != "command":
            self._bad(f"hooks of the type {kind.value!r} are not supported, only commands are", kind.line)
            return
        command = values.get("command", Field("command", line, None))
        if not (isinstance(command.value, str) and command.value.strip()):
            self._bad("a hook must have a `command`, which is a text", command.line)
            return
        timeout = values.get("timeout", Field("timeout", line, TIMEOUT))
        seconds = timeout.value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _DAY:
            self._bad("`timeout` must be a number of seconds, above 0", timeout.line)
            seconds = TIMEOUT
        is_async = values.get("async", Field("async", line, False))
        if not isinstance(is_async.value, bool):
            self._bad("`async` must be true or false", is_async.line)
        source = AbsPath(str(self.file))
        is_behind = is_async.value is True
        yield Hook(event, command.value, source, matcher, float(seconds), is_behind, self.folder, self.plugin)

    def _matcher(self, field: Field) -> str | None:
        if not isinstance(field.value, str):
            self._bad("`matcher` must be a text", field.line)
            return None
        try:
            re.compile(pattern_of(field.value) or "")
        except re.error as error:
            self._bad(f"`matcher` {field.value!r} is no regular expression: {error}", field.line)
            return None
        return field.value

    def _objects(self, what: str, field: Field) -> Iterator[Object]:
        value = field.value
        for each in cast("list[object]", value) if isinstance(value, list) else [None]:
            if isinstance(each, Object):
                yield each
            else:
                self._bad(f"{what} must be a list of objects", field.line)

    def _values(self, table: Object, known: frozenset[str]) -> dict[str, Field]:
        self._only(table.fields, known)
        return {field.name: field for field in table.fields}

    def _only(self, fields: Sequence[Field], known: frozenset[str]) -> None:
        seen: set[str] = set()
        for field in fields:
            if field.name not in known:
                self._bad(f"`{field.name}` is not known here, and counts for nothing", field.line)
            elif field.name in seen:
                self._bad(f"`{field.name}` is given twice; the last one counts", field.line)
            seen.add(field.name)

    def _bad(self, sentence: str, line: int) -> None:
        self.shelf.problem(self.file, sentence, line)
