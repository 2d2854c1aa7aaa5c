"""Files of settings, read leniently: what is right in them, and a line for a person about each thing that is not.

Knows TOML, JSON and where in a file a field stands; which settings there are, the caller's models say.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)
_Loc: TypeAlias = tuple[int | str, ...]


def read_text(path: Path) -> tuple[str, list[str]]:
    """Return what is in a file and what is wrong with it; one that is not there is empty."""
    try:
        return path.read_text(encoding="utf-8-sig"), []
    except FileNotFoundError:
        return "", []
    except UnicodeDecodeError as error:
        return "", [f"{path}: not UTF-8 at byte {error.start}"]
    except OSError as error:
        return "", [f"{path}: cannot be read: {error.strerror or error}"]


def as_table(value: object) -> dict[str, Any]:
    # JSON objects and TOML tables have text for keys; only the type checker does not know it.
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


# ---------------------------------------------------------------- syntax


_MOST_BAD_LINES = 20


def parse_toml(path: Path, text: str) -> tuple[dict[str, Any], list[str]]:
    """Parse, leaving out lines that are not TOML, so that one typing error does not undo the whole file."""
    lines = text.splitlines()
    problems: list[str] = []
    for _ in range(_MOST_BAD_LINES):
        try:
            return tomllib.loads("\n".join(lines) + "\n"), problems
        except tomllib.TOMLDecodeError as error:
            message, bad = _located(error, len(lines))
        except (ValueError, RecursionError) as error:
            # A number of thousands of digits, brackets in brackets without end: it says no line.
            return {}, [*problems, f"{path}: not TOML: {error}"]
        problems.append(f"{path}, line {bad + 1}: not TOML: {message}")
        if not lines[bad].strip():
            break
        for index in _fallout(lines, bad):
            lines[index] = ""
    return {}, problems


def parse_json(path: Path, text: str) -> tuple[dict[str, Any], list[str]]:
    """Parse a file that holds one object; JSON that is anything else counts as an empty one."""
    try:
        return as_table(json.loads(text)), []
    except json.JSONDecodeError as error:
        return {}, [f"{path}, line {error.lineno}: not JSON: {error.msg}"]
    except (ValueError, RecursionError) as error:
        return {}, [f"{path}: not JSON: {error}"]


def _located(error: tomllib.TOMLDecodeError, lines: int) -> tuple[str, int]:
    """Split tomllib's message into what and on which line (0-based)."""
    message, _, place = str(error).partition(" (at ")
    line = re.match(r"line (\d+)", place)
    # An unclosed value on the last line is reported on the empty one behind it.
    return message[:1].lower() + message[1:], min(int(line[1]) if line else lines, lines) - 1


def _fallout(lines: list[str], bad: int) -> range:
    # Without its header, a table's keys would be read as another table's: they go with it.
    if not lines[bad].lstrip().startswith("["):
        return range(bad, bad + 1)
    next_header = (index for index in range(bad + 1, len(lines)) if lines[index].lstrip().startswith("["))
    return range(bad, next(next_header, len(lines)))


# ---------------------------------------------------------------- fields


def keep_the_good(
    kind: type[T],
    table: dict[str, Any],
    path: Path,
    text: str,
    *,
    inside: tuple[str, ...] = (),
    whole: Collection[str] = (),
) -> tuple[T, list[str]]:
    """Return what `kind` takes of `table`, and a line about each thing that it does not.

    `inside` is where in the file the table stands. A table in one of the fields named in `whole` counts whole or
    not at all. Nothing in `kind` may be required.
    """
    try:
        return kind.model_validate(table), []
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=True)
    problems: list[str] = []
    for each in wrong:
        loc = each["loc"]
        counts_whole = loc[0] in whole and len(loc) > 1
        field = ".".join(str(part) for part in (*inside, *loc) if part != _KEY)
        line = line_of((*inside, *loc), text)
        place = f"{path}, line {line}" if line else str(path)
        rest = f"; {'.'.join(map(str, loc[:2]))} is left out" if counts_whole else ""
        problems.append(f"{place}, {field}: {_said(kind, loc, each['type'], each['msg'])}{rest}")
        _drop(table, loc[:2] if counts_whole else loc)
    return kind.model_validate(table), problems


_KEY = "[key]"
"""How pydantic spells that a name is wrong, and not what it stands for."""


def _said(kind: type[BaseModel], loc: _Loc, error: str, message: str) -> str:
    """Word one error for a person. The value is never shown: it may be a key."""
    if error == "extra_forbidden":
        names = _model_at(kind, loc).model_fields
        # Late: hardly anybody misspells a setting.
        from difflib import get_close_matches

        near = get_close_matches(str(loc[-1]), names, n=1)
        return f"no such setting; did you mean {near[0]!r}?" if near else f"no such setting; known: {', '.join(names)}"
    if loc[-1] == _KEY:
        return "a name may have letters, digits, dots, dashes and underscores, and begins with a letter or digit"
    plain = re.sub(r"a valid dictionary or instance of \w+|a valid dictionary", "a table", message)
    return plain.replace("Input should be", "must be").replace("a valid string", "text in quotes")


def _model_at(kind: type[BaseModel], loc: _Loc) -> type[BaseModel]:
    for part in loc[:-1]:
        # None: the name of one table among others.
        field = kind.model_fields.get(str(part))
        kind = next(_models_in(field.annotation), kind) if field is not None else kind
    return kind


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _drop(table: dict[str, Any], loc: _Loc) -> None:
    """Take the field at `loc` out, so that the rest can count; a wrong entry takes its list with it."""
    for part in map(str, loc[:-1]):
        if not as_table(table.get(part)):
            table.pop(part, None)
            return
        table = table[part]
    table.pop(str(loc[-1]), None)


def line_of(loc: _Loc, text: str) -> int | None:
    """Find by search the line where the field at `loc` is set; TOML and JSON look alike enough."""
    at = 0
    found: int | None = None
    for part in loc:
        name = rf"""(["']?){re.escape(str(part))}\1\s*[=:.\]]"""
        # Behind the last one's dot, as in [profiles.fast], or on a line of its own.
        match = re.compile(name).match(text, at) if text[at - 1 : at] == "." else None
        match = match or re.compile(rf"(?m)^(?!\s*\#)[^\n\#]*?(?<![\w-]){name}").search(text, at)
        if not isinstance(part, str) or match is None:
            break
        found = text.count("\n", 0, match.end() - 1) + 1
        at = match.end()
    return found
