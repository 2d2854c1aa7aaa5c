"""JSON with the lines in which its names stand, for whoever tells a person what is wrong in a file. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

_NAME = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?')


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    line: int
    value: object
    """An `Object`, a list of such values, or what JSON has otherwise."""


@dataclass(frozen=True, slots=True)
class Object:
    fields: tuple[Field, ...]
    """As they are written: a name may be there twice."""


def lined(text: str) -> object:
    """Parse JSON. Raises json.JSONDecodeError, ValueError for a number without end, and RecursionError."""
    return _lined(json.loads(text, object_pairs_hook=_Pairs), _lines(text))


def in_line(value: object, line: int) -> object:
    """Take a value of another spelling, whose lines nobody knows, for one that stands in this line as a whole."""
    match value:
        case Mapping():
            table = cast("Mapping[object, object]", value)
            return Object(tuple([Field(str(name), line, in_line(inner, line)) for name, inner in table.items()]))
        case list():
            return [in_line(each, line) for each in cast("list[object]", value)]
        case _:
            return value


def line_at(document: object, place: Sequence[int | str]) -> int:
    """Return the line of the last name of a place, as far as there is one; 1 where there is none."""
    line = 1
    for step in place:
        match document:
            case Object(fields):
                # The last of those that are there twice is the one that counts.
                field = next((field for field in reversed(fields) if field.name == step), None)
                if field is None:
                    return line
                line, document = field.line, field.value
            case list() if isinstance(step, int) and step < len(cast("list[object]", document)):
                document = cast("list[object]", document)[step]
            case _:
                return line
    return line


def twice_in(document: object) -> Iterator[tuple[str, int, int]]:
    """Find what one object has twice, however deep: the name, and the lines of the first and of the one that counts.

    JSON takes the last and says nothing.
    """
    match document:
        case Object(fields):
            for name in dict.fromkeys(field.name for field in fields):
                there = [field for field in fields if field.name == name]
                if len(there) > 1:
                    yield name, there[0].line, there[-1].line
                yield from twice_in(there[-1].value)
        case list():
            for each in cast("list[object]", document):
                yield from twice_in(each)
        case _:
            pass


@dataclass(frozen=True, slots=True)
class _Pairs:
    pairs: list[tuple[str, object]]


def _lines(text: str) -> Iterator[int]:
    """Return the lines of all names, in their order."""
    return (text.count("\n", 0, found.start()) + 1 for found in _NAME.finditer(text) if found[1])


def _lined(value: object, lines: Iterator[int]) -> object:
    if isinstance(value, _Pairs):
        return Object(tuple([Field(name, next(lines), _lined(inner, lines)) for name, inner in value.pairs]))
    if isinstance(value, list):
        return [_lined(each, lines) for each in cast("list[object]", value)]
    return value
