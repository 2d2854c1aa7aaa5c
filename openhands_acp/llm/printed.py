"""Calls that a model printed as text, in whatever spelling it was taught: read out of a text that is nothing else.

Pure. What is not surely a call of an offered tool, with the arguments that this one needs, is none.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from openhands_acp.engine.ports import CallChunk, ToolSpec
from openhands_acp.llm.function_tags import FunctionTags


@dataclass(frozen=True, slots=True)
class PrintedCall:
    name: str
    arguments: str
    """A JSON object."""


def printed_calls(text: str, tools: Mapping[str, ToolSpec], *, is_end: bool) -> tuple[PrintedCall, ...] | None:
    """Read a text that is calls and nothing else. None: it is not, whatever comes yet; empty: nobody can tell.

    At its end (`is_end`), end tags and brackets that are missing count as forgotten.
    """
    found: list[PrintedCall] = []
    try:
        for call in _Cursor(text, tools, is_end=is_end).calls():
            if not found or call != found[-1]:  # some print the same call in two spellings, one after the other
                found.append(call)
    except _Unfinished:
        return None if is_end else ()
    except _NoCall:
        return None
    return tuple(found) or (None if is_end else ())


class _NoCall(Exception):
    """This is something else."""


class _Unfinished(Exception):
    """So far it could be."""


LANGUAGES = r"json5?|jsonc|tool_?calls?|tool_code|tool|xml|python|text|plaintext"
_MARKS = re.compile(
    rf"""(?: [\s,;]
    | ```[ \t]*(?:(?:{LANGUAGES})\b)?
    | </?(?:\w+:)?(?:tool|function)_?calls?>
    | </?tools?>
    | <\|/?[\w ]{{1,40}}\|>
    | <｜[^<>\n]{{1,40}}｜>
    | </?s>
    | \[/?TOOL_CALLS\]
    | assistant(?=<\|)
    | function(?=<｜)
    )+""",
    re.VERBOSE | re.IGNORECASE,
)
"""What models put round calls: fences, tags, and their special tokens when these come out as text."""
_STRAY = re.compile(r"[}\]]+\s*(?=[`<]|\Z)")
"""Brackets that close nothing."""
_TAGS = re.compile(r"<(?:function\s*=|invoke\s)")
_TAGS_END = re.compile(r"</(?:function|invoke)\s*>")
_INVOKE = re.compile(r"""<(/?)invoke(?:\s+name\s*=\s*["']?([\w.-]+)["']?)?\s*>""")
_GAP = r"(?:\s|```(?:json)?|<\|[\w ]*\|>|<｜[^<>\n]*｜>|\[ARGS\]|json(?=<\|)){0,40}"
_WORDS = r"[\w.:= -]"
_BEGUN = re.compile(
    rf"(?:{_WORDS}{{0,80}}{_GAP})?(?:{_WORDS}{{1,80}}|`{{1,3}}\w*|<[^<>\n]{{0,80}}|\[[\w/ ]{{0,80}})?\Z"
)
"""What may become a mark, or a name and what is between it and its arguments."""
_NAMED = re.compile(rf"(?:(?:commentary|analysis)?\s*to=)?(?:functions?\.)?(?P<name>[\w-]+)(?::\d+)?{_GAP}")
"""A name in front of its arguments, as the special tokens of several models have it."""
_PAIR = re.compile(r"\s*<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
"""How GLM writes arguments."""
_MORE_PAIRS = re.compile(r"\s*(?:<arg_|<?[a-z]*\Z)")
_PYTHONIC = re.compile(r"(?:\[\s*)?(?:functions?\.)?(?P<name>\w+)\(")
_NAMES = ("name", "function", "tool", "tool_name", "function_name", "action", "recipient_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "params", "tool_input", "action_input")
_WRAPPERS = ("function", "function_call", "tool_call", "tool_calls", "tool_uses", "calls")
_BESIDES = {"type", "id", "index", "call_id"}
_FIRST_KEY = re.compile(r"""[\[{\s]*(?:["'](?P<key>\w+)["']\s*:\s*(?:["'](?P<value>[^"'\n]*)["'])?)?""")


class _Cursor:
    def __init__(self, text: str, tools: Mapping[str, ToolSpec], *, is_end: bool) -> None:
        self._text = text
        self._tools = tools
        self._is_end = is_end
        self._at: int = 0

    def calls(self) -> Iterator[PrintedCall]:
        count = 0
        while True:
            marks = _MARKS.match(self._text, self._at) or (_STRAY.match(self._text, self._at) if count else None)
            if marks is not None and marks.end() > self._at:
                self._at = marks.end()
            elif self._at == len(self._text):
                return
            else:
                found = self._next(is_marked=self._at > 0)
                count += len(found)
                yield from found

    def _next(self, *, is_marked: bool) -> list[PrintedCall]:
        text, at = self._text, self._at
        if not self._is_end and _BEGUN.match(text, at):
            raise _Unfinished
        if text[at] == "{" or (text[at] == "[" and not _PYTHONIC.match(text, at)):
            return self._json()
        if _TAGS.match(text, at):
            return self._tags()
        if (opening := _PYTHONIC.match(text, at)) and opening["name"] in self._tools:
            return self._pythonic()
        named = _NAMED.match(text, at) if is_marked else None
        if named is not None and named["name"] in self._tools and named.end() < len(text):
            return self._named(named["name"], named.end())
        raise _NoCall

    # ---------------------------------------------------------------- spellings

    def _json(self) -> list[PrintedCall]:
        self._refuse_other_json(self._at)
        return [self._call(each) for each in _unwrapped(_loaded(self._bracketed(self._at)))]

    def _bracketed(self, at: int) -> str:
        """Go behind the brackets that open at `at`, and return all from here to there."""
        end, missing = _closing(self._text, at)
        if missing and end == len(self._text) and not self._is_end:
            raise _Unfinished
        begin, self._at = self._at, end
        return self._text[begin:end] + missing

    def _refuse_other_json(self, at: int) -> None:
        """See from the first key and its value that a JSON document is no call, long before it ends."""
        first = _FIRST_KEY.match(self._text, at)
        if first is None or first["key"] is None:
            # At least it goes on with a key or a bracket, or nothing has come yet.
            rest = self._text[first.end() if first else at :]
            if rest and rest[0] not in "\"'}]":
                raise _NoCall
            return
        if first["key"] not in (*_NAMES, *_ARGUMENTS, *_WRAPPERS, *_BESIDES, *self._tools):
            raise _NoCall
        if first["key"] in _NAMES and first["value"] is not None and _bare(first["value"]) not in self._tools:
            raise _NoCall

    def _tags(self) -> list[PrintedCall]:
        end = _TAGS_END.search(self._text, self._at)
        if end is None and not self._is_end:
            raise _Unfinished
        until = end.end() if end else len(self._text)
        tags = FunctionTags(tuple(self._tools.values()))
        spelt = _INVOKE.sub(
            lambda tag: f"<function={tag[2]}>" if tag[2] else "</function>", self._text[self._at : until]
        )
        self._at = until
        calls: dict[int, list[str]] = {}
        for piece in (*tags.feed(spelt), *tags.finish(is_cut=False)):
            if not isinstance(piece, CallChunk):
                raise _NoCall
            calls.setdefault(piece.index, []).append(piece.name or piece.arguments)
            if piece.name:
                calls[piece.index].append(piece.arguments)
        return [self._fitting(name, _loaded("".join(rest))) for name, *rest in calls.values()]

    def _named(self, name: str, at: int) -> list[PrintedCall]:
        pairs: dict[str, str] = {}
        while pair := _PAIR.match(self._text, at):
            pairs[pair[1]], at = pair[2], pair.end()
        if not self._is_end and _MORE_PAIRS.match(self._text, at):
            raise _Unfinished
        if pairs:
            self._at = at
            return [self._fitting(name, pairs)]
        if self._text[at] != "{":
            raise _NoCall
        self._at = at
        return [self._fitting(name, _loaded(self._bracketed(at)))]

    def _pythonic(self) -> list[PrintedCall]:
        """Read `name(key="value")`, or a list of such."""
        bracket = self._at if self._text[self._at] == "[" else self._text.index("(", self._at)
        try:
            tree = ast.parse(self._bracketed(bracket), mode="eval").body
            return [
                self._fitting(*_named_arguments(node)) for node in (tree.elts if isinstance(tree, ast.List) else [tree])
            ]
        except (SyntaxError, ValueError):
            raise _NoCall from None

    # ---------------------------------------------------------------- sense

    def _call(self, value: Any) -> PrintedCall:
        if not isinstance(value, dict):
            raise _NoCall
        record = cast("dict[str, Any]", value)
        if len(record) == 1 and (name := next(iter(record))) in self._tools:
            return self._fitting(name, record[name])
        name_key = next((key for key in _NAMES if isinstance(record.get(key), str)), None)
        if name_key is None:
            raise _NoCall
        rest = {key: each for key, each in record.items() if key != name_key and key not in _BESIDES}
        given = next((key for key in _ARGUMENTS if key in rest), None)
        arguments = rest[given] if given else rest
        return self._fitting(record[name_key], _loaded(arguments) if isinstance(arguments, str) else arguments)

    def _fitting(self, name: str, arguments: Any) -> PrintedCall:
        """Take it for a call only if the tool is offered, and what it needs is given."""
        tool = self._tools.get(_bare(name))
        if tool is None or not isinstance(arguments, dict):
            raise _NoCall
        given = cast("dict[str, Any]", arguments)
        properties, required = tool.parameters.get("properties"), tool.parameters.get("required")
        known = set(cast("Mapping[str, Any]", properties)) if isinstance(properties, Mapping) else set[str]()
        needed = set(cast("Sequence[str]", required)) if isinstance(required, Sequence) else set[str]()
        if not needed <= given.keys() or (known and not known & given.keys()):
            raise _NoCall
        try:
            return PrintedCall(tool.name, json.dumps(given, ensure_ascii=False))
        except TypeError:  # what Python's spelling has and JSON has not
            raise _NoCall from None


def _bare(name: str) -> str:
    return name.strip().removeprefix("functions.")


def _unwrapped(value: Any) -> list[Any]:
    """Take calls out of lists and of what providers wrap them in."""
    if isinstance(value, list):
        return [call for each in cast("list[Any]", value) for call in _unwrapped(each)]
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        for key in _WRAPPERS:
            if isinstance(record.get(key), (dict, list)):
                return _unwrapped(record[key])
    return [value]


def _named_arguments(node: ast.AST) -> tuple[str, dict[str, Any]]:
    """Take a call in Python apart. Raises ValueError for anything but keywords and plain values."""
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name, {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}


_CLOSERS = {"{": "}", "[": "]", "(": ")"}


def _closing(text: str, at: int) -> tuple[int, str]:
    """Find the end of the brackets that open at `at`, and the closing ones that are missing there.

    Raises _Unfinished within a string: nothing that is cut there is to be run.
    """
    expected: list[str] = []
    quote, index = "", at
    while index < len(text):
        char = text[index]
        if quote:
            index += char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in _CLOSERS:
            expected.append(_CLOSERS[char])
        elif char in "`<":
            return index, "".join(reversed(expected))  # a mark: what was open is left open
        elif char in "}])":
            if char != expected.pop():
                raise _NoCall
            if not expected:
                return index + 1, ""
        index += 1
    if quote:
        raise _Unfinished
    return index, "".join(reversed(expected))


def _loaded(text: str) -> Any:
    """Read JSON, or what was meant to be: line ends within strings, Python's spelling, braces twice."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        pass
    if text.startswith("{{") and text.endswith("}}"):
        return _loaded(text[1:-1])
    raise _NoCall
