"""Calls in OpenHands' own spelling, `<function=NAME><parameter=KEY>VALUE</parameter></function>`, both ways.

Read as they stream, so that a long file is seen as it is written, and with what small models get wrong:
end tags left out, values in the place of keys, fences round it. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.engine.ports import CallChunk, TextChunk, ToolSpec

STOP: Final = "</function"
"""What a model is stopped at: else it goes on and makes up the result."""

Piece: TypeAlias = TextChunk | CallChunk
Where: TypeAlias = Literal["text", "call", "value", "behind"]

_OPENING = re.compile(
    r"(?:(?<![^\n])[ \t]*(?:```\w*|<tool_call>)\s*)?(?<!`)<function[ \t]*=[ \t]*(?P<name>[\w.-]{1,64})[ \t]*>"
)
_MAYBE_OPENING = re.compile(r"\s{0,9}(?:`{1,3}\w*|```\w*\s{1,9}|<tool_call>\s{0,9})?(?:<[^<>\n]{0,80})?\Z")
"""The end of a text that may be the begin of `_OPENING`, with the blanks in front of it: a tag is on one line."""
_PARAMETER = re.compile(r"<parameter(?:[ \t]*=|[ \t]+name[ \t]*=)[ \t]*[\"']?(?P<key>\w+)[\"']?[ \t]*>")
_END = re.compile(r"</function\s*>?")
_BEHIND = re.compile(r"(?:\s|```|</tool_call>)*")
_UNCLOSED = re.compile(r"<parameter[ \t]*=[ \t]*(?P<value>[^<>\n]*)(?=</|\n|\Z)(?:</parameter[ \t]*>)?")
"""`<parameter=ls -la</parameter>` and `<parameter=path=a.txt</parameter>`, as Qwen2.5-Coder-1.5B writes them."""
_OWN_TAG = re.compile(r"<(?P<key>\w+)(?:[ \t]*=[ \t]*(?P<inside>[^<>\n]*))?>")
"""`<path>a.txt</path>` and `<path=a.txt>`."""
_TAG_BEGUN = re.compile(r"<[^<>\n]{0,2000}(?:<[^<>\n]{0,80})?\Z")


def spelled(name: str, arguments: JsonObject) -> str:
    """Write a call as it is to be written."""
    values = (f"<parameter={key}>\n{_plain(value)}\n</parameter>\n" for key, value in arguments.items())
    return f"<function={name}>\n{''.join(values)}</function>"


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class FunctionTags:
    """One answer. Feed it what comes, then finish it."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._properties = {tool.name: _properties(tool) for tool in tools}
        self._required = {tool.name: _names(tool.parameters.get("required")) for tool in tools}
        self._where: Where = "text"
        self._rest = ""
        """What came and is not decided yet."""
        self._before = "\n"
        """Of the line that text ended in, its end: the last that is no blank, and whether one is behind it."""
        self._known: Mapping[str, JsonObject] = {}
        """Arguments of the open call's tool."""
        self._needed: Sequence[str] = ()
        self._index = -1
        self._keys: list[str] = []
        """Of the open call, those that were given."""
        self._is_streamed = False
        """The open value is text, and handed on as it comes."""
        self._value: list[str] = []
        """Of a value that is not, what came of it."""
        self._is_value_begun = False
        self.is_over = False
        """The model goes on behind its calls: with what it thinks they will come to."""

    def feed(self, text: str) -> list[Piece]:
        self._rest += text
        return list(self._read(is_end=False))

    def finish(self, *, is_cut: bool) -> list[Piece]:
        """Decide on what is left. A call that was cut short stays open, so that nobody runs half of it."""
        if is_cut and self._where in ("call", "value"):
            return []
        pieces = list(self._read(is_end=True))
        if self._where == "value":
            pieces += self._close_value("")
        if self._where == "call":
            pieces += self._close_call()
        return pieces

    def _read(self, *, is_end: bool) -> Iterator[Piece]:
        """Take steps until nothing more can be told from what there is."""
        while True:
            before = (self._where, len(self._rest))
            match self._where:
                case "text":
                    yield from self._read_text(is_end=is_end)
                case "call":
                    yield from self._read_call(is_end=is_end)
                case "value":
                    yield from self._read_value(is_end=is_end)
                case "behind":
                    yield from self._read_behind()
            if (self._where, len(self._rest)) == before:
                return

    # ---------------------------------------------------------------- outside of calls

    def _read_text(self, *, is_end: bool) -> Iterator[Piece]:
        # With what is before it, for what counts only at the begin of a line.
        seen, begin = self._before + self._rest, len(self._before)
        opening = next((match for match in _OPENING.finditer(seen, begin) if self._is_call(match, seen)), None)
        if opening is not None:
            # Blank lines in front of a call are nobody's text.
            yield from self._as_text(seen[begin : opening.start()].rstrip())
            self._rest = seen[opening.end() :]
            yield from self._open(opening["name"])
            return
        maybe = None if is_end else _MAYBE_OPENING.search(seen, begin)
        until = maybe.start() if maybe else len(seen)
        self._rest = seen[until:]
        yield from self._as_text(seen[begin:until])

    def _is_call(self, opening: re.Match[str], seen: str) -> bool:
        """Believe an unknown name only at the begin of a line: in a sentence it is about calls, and none."""
        line = seen[seen.rfind("\n", 0, opening.start()) + 1 : opening.start()]
        return opening["name"] in self._properties or not line.strip()

    def _as_text(self, text: str) -> Iterator[Piece]:
        if text:
            line = (self._before + text).rpartition("\n")[2]
            words = line.rstrip()
            self._before = words[-1] + line[len(words) :][:1] if words else "\n"
            yield TextChunk(text)

    def _open(self, name: str) -> Iterator[Piece]:
        self._index += 1
        self._known, self._needed = self._properties.get(name, {}), self._required.get(name, ())
        self._keys, self._where = [], "call"
        yield CallChunk(self._index, f"text{self._index:05}", name, "{")

    def _read_behind(self) -> Iterator[Piece]:
        self._rest = self._rest[_match_end(_BEHIND, self._rest) :]
        if opening := _OPENING.match(self._rest):
            self._rest = self._rest[opening.end() :]
            yield from self._open(opening["name"])
        else:
            self.is_over = not _MAYBE_OPENING.match(self._rest)

    # ---------------------------------------------------------------- in a call

    def _read_call(self, *, is_end: bool) -> Iterator[Piece]:
        """Read up to the next value, or to the end of the call. What is between tags is nothing."""
        at = self._rest.find("<")
        if (brace := self._rest.find("{")) >= 0 and not self._keys and not self._rest[:brace].strip():
            yield from self._read_object(is_end=is_end)
            return
        self._rest = self._rest[at:] if at >= 0 else self._rest.lstrip()
        if at < 0 or (_TAG_BEGUN.match(self._rest) and not is_end):
            return
        if end := _END.match(self._rest):
            self._rest = self._rest[end.end() :]
            yield from self._close_call()
        elif _OPENING.match(self._rest):
            yield from self._close_call()
        elif parameter := _PARAMETER.match(self._rest):
            yield from self._take_key(parameter["key"], parameter.end())
        elif own := self._own_tag():
            key, inside = own["key"], own["inside"]
            yield from self._take_key(key, own.end()) if inside is None else self._take_whole(key, inside, own.end())
        elif unclosed := _UNCLOSED.match(self._rest):
            key, _, value = unclosed["value"].partition("=")
            key, value = (key, value) if key in self._known else (self._missing(), unclosed["value"])
            yield from self._take_whole(key, value, unclosed.end())
        else:
            self._rest = self._rest[1:]

    def _read_object(self, *, is_end: bool) -> Iterator[Piece]:
        """Read arguments that are one JSON object, as Llama writes them in this tag."""
        end = _END.search(self._rest)
        # An end tag that is not whole is not taken: what is still to come of it is no text behind the call.
        if not is_end and (end is None or (end.end() == len(self._rest) and not end[0].endswith(">"))):
            return
        body = self._rest[: end.start() if end else len(self._rest)].strip()
        self._rest, self._where = self._rest[end.end() if end else len(self._rest) :], "behind"
        # Without its brace, which was sent when the call was opened.
        yield CallChunk(self._index, arguments=body[1:])

    def _own_tag(self) -> re.Match[str] | None:
        own = _OWN_TAG.match(self._rest)
        return own if own and own["key"] in self._known else None

    def _missing(self) -> str:
        """Name the argument that a value without a key is for: the first that must be given and was not."""
        return next((key for key in (*self._needed, *self._known) if key not in self._keys), "value")

    def _take_whole(self, key: str, value: str, end: int) -> Iterator[Piece]:
        self._rest = self._rest[end:]
        yield from self._key(key)
        yield self._arguments(self._typed(key, value.strip()))

    def _take_key(self, key: str, end: int) -> Iterator[Piece]:
        self._rest = self._rest[end:]
        chosen = next((each for each, schema in self._known.items() if key in _names(schema.get("enum"))), None)
        if key not in self._known and chosen is not None and chosen not in self._keys:
            # `<parameter=view>` with the path for a value: the key is what should be the value of another.
            yield from self._take_whole(chosen, key, 0)
            key = self._missing()
        yield from self._key(key)
        self._where, self._value, self._is_value_begun = "value", [], False
        self._is_streamed = self._known.get(key, {}).get("type", "string") == "string"
        if self._is_streamed:
            yield self._arguments('"')

    def _key(self, key: str) -> Iterator[Piece]:
        yield self._arguments(f"{', ' if self._keys else ''}{json.dumps(key)}: ")
        self._keys.append(key)

    def _close_call(self) -> Iterator[Piece]:
        self._where = "behind"
        yield self._arguments("}")

    def _arguments(self, text: str) -> CallChunk:
        return CallChunk(self._index, arguments=text)

    # ---------------------------------------------------------------- in a value

    def _read_value(self, *, is_end: bool) -> Iterator[Piece]:
        if not self._is_value_begun and self._rest:
            # The line end behind the tag is not the value's, nor is the one before its end tag.
            self._rest = self._rest.removeprefix("\n")
            self._is_value_begun = True
        if end := self._end_of_value(is_end=is_end).search(self._rest):
            value, self._rest = self._rest[: end.start()], self._rest[end.end() :]
            yield from self._close_value(value)
            return
        begun = None if is_end else re.search(r"\n?\n?(?:<[^<>\n]{0,80})?\Z", self._rest)
        until = begun.start() if begun else len(self._rest)
        value, self._rest = self._rest[:until], self._rest[until:]
        yield from self._more(value.removesuffix("\n") if is_end else value)

    def _end_of_value(self, *, is_end: bool) -> re.Pattern[str]:
        """Match its end tag, or where that was left out, the place in front of what can only come behind it."""
        # Whether it is this tag, only what comes next tells.
        function = r"</function\b" if is_end else r"</function\W"
        keys = "|".join(map(re.escape, self._known)) or "(?!)"
        own = re.escape(self._keys[-1])
        return re.compile(rf"\n?(?:</parameter\s*>|</{own}>|(?={function}))|\n(?=<parameter=(?:{keys})>)")

    def _more(self, value: str) -> Iterator[Piece]:
        if not self._is_streamed:
            self._value.append(value)
        elif value:
            yield self._arguments(_escaped(value))

    def _close_value(self, value: str) -> Iterator[Piece]:
        yield from self._more(value)
        self._where = "call"
        yield self._arguments('"' if self._is_streamed else self._typed(self._keys[-1], "".join(self._value).strip()))

    def _typed(self, key: str, value: str) -> str:
        """Spell a value as JSON of the type that the tool wants; what is not of it, as text."""
        wanted = self._known.get(key, {}).get("type", "string")
        if wanted == "string":
            return json.dumps(value, ensure_ascii=False)
        try:
            found: JsonValue = json.loads(value.lower() if wanted == "boolean" else value, strict=False)
        except (ValueError, RecursionError):
            found = value
        return json.dumps(found, ensure_ascii=False)


def _properties(tool: ToolSpec) -> Mapping[str, JsonObject]:
    found = tool.parameters.get("properties")
    if not isinstance(found, Mapping):
        return {}
    return {key: schema for key, schema in found.items() if isinstance(schema, Mapping)}


def _names(value: JsonValue) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return ()
    return tuple(each for each in value if isinstance(each, str))


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0
