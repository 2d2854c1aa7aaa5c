"""What a model meant by the name and the arguments of a call: mended where they can be read in one way only.

Pure: knows JSON, what models write in its place, and JSON Schema; knows no tool. What is right is never changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, TypeAlias, cast

from openhands_acp.engine.messages import JsonObject, JsonValue

End: TypeAlias = Literal["whole", "no brackets", "no quote"]


class Unreadable(Exception):
    """The arguments can be read in no way, or in several; the message says where, for the model."""


@dataclass(frozen=True, slots=True)
class Reading:
    arguments: JsonObject
    is_exact: bool = False
    """They are what the text says by the letter."""
    end: End = "whole"
    """What was missing at the end: where it was more than brackets, the last value may be cut."""


def read(text: str) -> Reading:
    """Read the arguments of a call. Raises Unreadable."""
    try:
        value = _loaded(text or "{}", strict=True)
        is_exact = True
    except (ValueError, RecursionError):
        try:
            value, is_exact = _loaded(text, strict=False), False
        except (ValueError, RecursionError):
            return _read_leniently(text)
    match value:
        case dict():
            return Reading(cast("JsonObject", value), is_exact)
        case str():
            return replace(read(value), is_exact=False)
        case [dict() as only]:
            return Reading(cast("JsonObject", only))
        case _:
            raise Unreadable(f"must be one JSON object, got {text[:40]}")


def _loaded(text: str, *, strict: bool) -> JsonValue:
    return json.loads(text, strict=strict, parse_constant=_no_value)


def _no_value(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# ---------------------------------------------------------------- names of tools

_WRITTEN_FOR: Mapping[str, str] = {
    "bash": "terminal",
    "execute_bash": "terminal",
    "execute_command": "terminal",
    "run_command": "terminal",
    "shell": "terminal",
    "str_replace_editor": "file_editor",
    "str_replace_based_edit_tool": "file_editor",
    "edit_file": "file_editor",
}
"""What models call our tools because others call theirs so."""
_BEFORE = re.compile(r"^(?:functions?|tools?|default_api)[.:/]")
_AFTER = re.compile(r"(?:[<(|`\"'\s{]|:\d).*$", re.DOTALL)
"""What template tokens leave behind a name: `terminal</function>`, `terminal<|channel|>`, `terminal:0`."""


def tool_named(name: str, tools: Collection[str]) -> str:
    """Return the one tool that is meant, or the name as it is."""
    if name in tools:
        return name
    bare = _AFTER.sub("", _BEFORE.sub("", name.strip()))
    same = [tool for tool in tools if _plain(tool) == _plain(bare)]
    if len(same) == 1:
        return same[0]
    ours = _WRITTEN_FOR.get(bare.lower(), name)
    return ours if ours in tools else name


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


# ---------------------------------------------------------------- values against a schema

_SAME: Sequence[frozenset[str]] = (
    frozenset({"command", "cmd", "commandline", "script"}),
    frozenset({"path", "filepath", "filename", "file", "directory", "dir", "folder"}),
    frozenset({"pattern", "regex", "query"}),
)
"""Names that mean one thing, where a tool has but one of them."""


def fitted(arguments: JsonObject, schema: JsonObject) -> JsonObject:
    """Give arguments the names and types that the schema has for them, where only one can be meant."""
    properties = _object(schema.get("properties"))
    if not schema.get("additionalProperties"):
        arguments = _renamed(arguments, properties)
    return {key: _typed(value, _object(properties.get(key))) for key, value in arguments.items()}


def _object(value: JsonValue) -> JsonObject:
    """Return a schema, or a part of one, as an object: those of others may have a bare true or false there."""
    return value if isinstance(value, Mapping) else {}


def _renamed(arguments: JsonObject, properties: Collection[str]) -> JsonObject:
    free = [name for name in properties if name not in arguments]
    foreign = [key for key in arguments if key not in properties]
    names = {key: meant for key in foreign if (meant := _meant(key, free)) is not None}
    if len(set(names.values())) < len(names):
        return arguments
    return {names.get(key, key): value for key, value in arguments.items()}


def _meant(key: str, free: Sequence[str]) -> str | None:
    same = [name for name in free if _plain(name) == _plain(key)]
    if not same:
        words = next((words for words in _SAME if _plain(key) in words), frozenset[str]())
        same = [name for name in free if _plain(name) in words]
    return same[0] if len(same) == 1 else None


def _typed(value: JsonValue, schema: JsonObject) -> JsonValue:
    schema = _one_schema(schema)
    wanted = schema.get("type")
    match value:
        case str() if wanted == "string":
            return _listed(value, _items(schema.get("enum")))
        case bool() | int() | float() if wanted == "string":
            return json.dumps(value)
        case str() if wanted in ("array", "object"):
            decoded = _decoded(value)
            return _typed(decoded, schema) if isinstance(decoded, list if wanted == "array" else dict) else value
        case str() if isinstance(wanted, str):
            return _scalar(value, wanted)
        case list() if wanted == "array":
            items = _object(schema.get("items"))
            return [_typed(each, items) for each in value]
        case dict() if wanted == "object":
            return fitted(cast("JsonObject", value), schema)
        case _:
            return value


def _one_schema(schema: JsonObject) -> JsonObject:
    """Leave out that a value may be null, which says nothing of what else it is."""
    among = schema.get("anyOf")
    if isinstance(among, list):
        branches = [_object(each) for each in among if _object(each).get("type") != "null"]
        return branches[0] if len(branches) == 1 else {}
    types = schema.get("type")
    if isinstance(types, list):
        named = [each for each in types if each != "null"]
        return {**schema, "type": named[0] if len(named) == 1 else None}
    return schema


def _items(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _listed(value: str, among: Sequence[JsonValue]) -> str:
    same = [each for each in among if isinstance(each, str) and _plain(each) == _plain(value)]
    return same[0] if value not in among and len(same) == 1 else value


def _scalar(text: str, wanted: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text.strip().lower(), parse_constant=_no_value)
    except ValueError:
        return text
    match value:
        case bool():
            return value if wanted == "boolean" else text
        case int():
            return value if wanted in ("integer", "number") else text
        case float():
            return value if wanted == "number" else text
        case _:
            return text


def _decoded(text: str) -> JsonValue:
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        reader = _Reader(text)
        value = reader.value()
        return value if reader.end == "whole" and not text[reader.at :].strip() else None
    except (Unreadable, RecursionError):
        return None


# ---------------------------------------------------------------- what is nearly JSON

_FENCE = re.compile(r"^\s*```\w*\n")
_LEFT_OVER = re.compile(r"(?:[\s\])}`;,]|</?[\w:|./-]+>)*")
"""What models leave behind an object: brackets too many, the end of a fence, tags of their template."""
_WORDS: Mapping[str, JsonValue] = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}
_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Mapping[str, str] = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _read_leniently(text: str) -> Reading:
    """Read one object, said once or several times, whatever is left over behind it."""
    text = _FENCE.sub("", text)
    found: list[JsonObject] = []
    reader = _Reader(text)
    try:
        while not (found and _LEFT_OVER.fullmatch(text, reader.at)):
            value = reader.value()
            if not isinstance(value, dict):
                raise reader.odd("must be one JSON object")
            found.append(cast("JsonObject", value))
    except RecursionError:
        raise Unreadable("are nested too deeply") from None
    # Some servers send an empty object ahead of the real one.
    said = [each for each in found if each] or found[:1]
    if any(each != said[0] for each in said):
        raise Unreadable("are several JSON objects, where a call takes one")
    return Reading(said[0], end=reader.end)


class _Reader:
    """Reads JSON as models write it: either kind of quotes, Python's words, bare keys, a comma too many, no end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.end: End = "whole"

    def odd(self, what: str) -> Unreadable:
        near = self.text[max(self.at - 20, 0) : self.at + 20]
        return Unreadable(f"{what}, at character {self.at}, near {near!r}")

    def value(self) -> JsonValue:
        match self._peek():
            case "{":
                return self._object()
            case "[":
                return self._list()
            case '"' | "'":
                return self._string()
            case "":
                raise self.odd("end where a value has to come")
            case _:
                return self._scalar()

    def _peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _object(self) -> dict[str, JsonValue]:
        self.at += 1
        result: dict[str, JsonValue] = {}
        while self._peek() != "}":
            key = self._key()
            if self._peek() != ":":
                raise self.odd("have no `:` after a name")
            self.at += 1
            result[key] = self.value()
            if self._is_over("}"):
                return result
        self.at += 1
        return result

    def _list(self) -> list[JsonValue]:
        self.at += 1
        result: list[JsonValue] = []
        while self._peek() != "]":
            result.append(self.value())
            if self._is_over("]"):
                return result
        self.at += 1
        return result

    def _is_over(self, bracket: str) -> bool:
        """Step over the comma behind a value; tell whether the text ends here instead."""
        match self._peek():
            case "":
                self.end = "no brackets" if self.end == "whole" else self.end
                return True
            case ",":
                self.at += 1
                return False
            case found if found == bracket:
                return False
            case _:
                raise self.odd(f"have neither `,` nor `{bracket}` after a value (is a quote inside it not escaped?)")

    def _key(self) -> str:
        if self._peek() in ('"', "'"):
            key = self._string()
            if self.end == "whole":
                return key
        elif found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return found[0]
        raise self.odd("have no name where one has to come")

    def _scalar(self) -> JsonValue:
        if found := _NUMBER.match(self.text, self.at):
            self.at = found.end()
            if self.at == len(self.text):
                # More digits may have been meant.
                self.end = "no quote"
            return cast("JsonValue", json.loads(found[0]))
        found = _WORD.match(self.text, self.at)
        if found is None or found[0] not in _WORDS:
            raise self.odd("have something that is no value")
        self.at = found.end()
        return _WORDS[found[0]]

    def _string(self) -> str:
        quote, start = self.text[self.at], self.at + 1
        at = start
        while at < len(self.text) and self.text[at] != quote:
            at += 2 if self.text[at] == "\\" else 1
        if at >= len(self.text):
            self.at, self.end = len(self.text), "no quote"
            return self._unescaped(self.text[start:], quote)
        self.at = at + 1
        if self._peek() not in (",", ":", "}", "]", ""):
            raise self.odd("have a quote inside a text that is not escaped")
        return self._unescaped(self.text[start:at], quote)

    def _unescaped(self, raw: str, quote: str) -> str:
        """Undo the escapes; a backslash that JSON has no meaning for is one, if it is plain that none was escaped."""
        escapes = {found[1] for found in _ESCAPE.finditer(raw)}
        known = {each for each in escapes if each in _ESCAPED or len(each) > 1}
        plain = escapes - known - {"\\", "/", '"', quote}
        if plain and (known or quote == "'" or plain & {"u", "'"}):
            raise self.odd("have a backslash that is not escaped")

        def one(found: re.Match[str]) -> str:
            escape = found[1]
            if len(escape) > 1:
                return chr(int(escape[1:], 16))
            return found[0] if escape in plain else _ESCAPED.get(escape, escape)

        return _ESCAPE.sub(one, raw).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
