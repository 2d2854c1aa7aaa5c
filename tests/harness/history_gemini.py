"""What Gemini's `generateContent` insists on, as one pure function over a request body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tests.harness.rules import NOTHING, Body, Memory, duplicates, is_list, is_object, objects, unknown

_TOP = {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig", "cachedContent"}
_DATA = {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
_PART = {*_DATA, "thought", "thoughtSignature"}
_SCHEMA = frozenset(
    "type format title description nullable enum maxItems minItems properties required minProperties maxProperties "
    "minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum".split()
)
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_NEVER_SIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""What Google lets those send who have no signature: `skip_thought_signature_validator`."""


def check_contents(body: Body, model: str, memory: Memory) -> list[str]:
    """List every way in which `body` would be refused; empty if it is valid."""
    fields = _camel(body)
    faults = list(unknown(fields, _TOP, "request"))
    contents = [_camel(each) for each in objects(fields.get("contents"), "contents", faults)]
    if "systemInstruction" in fields:
        faults += _parts(_camel(fields["systemInstruction"]), "system_instruction", memory)
    for at, content in enumerate(contents):
        where = f"contents[{at}]"
        faults += unknown(content, {"role", "parts"}, where)
        if content.get("role") not in {"user", "model"}:
            faults.append(f"{where}: Please use a valid role: user, model.")
        faults += _parts(content, where, memory)
    faults += _order(contents)
    if "gemini-3" in model:
        faults += _signed(contents)
    return [*faults, *_tools(fields)]


def _camel(fields: Body) -> Body:
    """Both spellings of a field are the same to Google."""
    return {re.sub(r"_(\w)", lambda found: found[1].upper(), name): value for name, value in fields.items()}


def _parts_of(content: Body) -> list[Body]:
    return [_camel(part) for part in content.get("parts") or () if is_object(part)]


def _parts(content: Body, where: str, memory: Memory) -> Iterator[str]:
    if not _parts_of(content):
        yield f"{where}.parts: contents.parts must not be empty."
    for at, part in enumerate(_parts_of(content)):
        here = f"{where}.parts[{at}]"
        yield from unknown(part, _PART, here)
        if len(part.keys() & _DATA) != 1:
            yield f"{here}: required oneof field 'data' must have one initialized field"
        if "text" in part and not part["text"] and not part.get("thoughtSignature"):
            yield f"{here}: an empty text"
        if signature := part.get("thoughtSignature"):
            yield from memory.signature_faults(here, "gemini", signature, "")
        for kind, fields in (
            ("functionCall", {"name", "args", "id"}),
            ("functionResponse", {"name", "response", "id"}),
        ):
            if kind in part:
                yield from _function(_camel(part[kind]), fields, here)


def _function(function: Body, fields: set[str], where: str) -> Iterator[str]:
    yield from unknown(function, {*fields, "parts"}, where)
    if not _NAME.fullmatch(str(function.get("name", ""))):
        yield f"{where}: Invalid function name {function.get('name')!r}"
    if not all(is_object(function.get(name)) for name in fields - {"name", "id"}):
        yield f"{where}: arguments or a response that are no object"


def _functions(content: Body, kind: str) -> list[Body]:
    return [_camel(part[kind]) for part in _parts_of(content) if is_object(part.get(kind))]


def _order(contents: Sequence[Body]) -> Iterator[str]:
    """A turn of calls follows the person or results, and is followed by exactly its results, in order."""
    if contents and contents[0].get("role") != "user":
        yield "Please ensure that single turn requests end with a user role"
    calls: list[Body] = []
    for at, content in enumerate(contents):
        results = _functions(content, "functionResponse")
        if len(results) != len(calls):
            yield (
                f"contents[{at}]: Please ensure that the number of function response parts is equal to the number of "
                "function call parts of the function call turn."
            )
        elif [(each.get("name"), each.get("id")) for each in results] != [(c.get("name"), c.get("id")) for c in calls]:
            yield f"contents[{at}]: the results are not those of the calls, in their order"
        calls = _functions(content, "functionCall")
        if calls and (at == 0 or contents[at - 1].get("role") != "user"):
            yield f"contents[{at}]: function call turn comes immediately after a user turn or a function response turn."
    if calls:
        yield "contents: the calls at the end have no result"


def _signed(contents: Sequence[Body]) -> Iterator[str]:
    """Gemini 3 wants the first call of each step of the turn that goes on signed."""
    asked = [
        at
        for at, content in enumerate(contents)
        if content.get("role") == "user" and not _functions(content, "functionResponse")
    ]
    start = asked[-1] if asked else 0
    for at, content in enumerate(contents[start:], start):
        first = next((part for part in _parts_of(content) if "functionCall" in part), NOTHING)
        if first and not first.get("thoughtSignature"):
            yield f"contents[{at}]: Function call is missing a thought_signature in functionCall parts."


# ---------------------------------------------------------------- tools


def _tools(fields: Body) -> Iterator[str]:
    specs = [
        _camel(spec) for tool in fields.get("tools") or () for spec in _camel(tool).get("functionDeclarations") or ()
    ]
    for name in duplicates([str(spec.get("name")) for spec in specs]):
        yield f"Duplicate function declaration found: {name}"
    for at, spec in enumerate(specs):
        where = f"tools[0].function_declarations[{at}]"
        yield from unknown(spec, {"name", "description", "parameters", "parametersJsonSchema", "behavior"}, where)
        if not _NAME.fullmatch(str(spec.get("name", ""))) or not spec.get("description"):
            yield f"{where}: Invalid function name, or no description"
        if "parameters" in spec:
            yield from _schema(spec["parameters"], f"{where}.parameters")


def _schema(schema: object, where: str) -> Iterator[str]:
    if not is_object(schema):
        yield f"{where}: not a schema"
        return
    fields = _camel(schema)
    yield from unknown(fields, _SCHEMA, where)
    kind = str(fields.get("type", "")).upper()
    properties: Body = fields.get("properties") or NOTHING
    if kind == "OBJECT" and "properties" in fields and not properties:
        yield f"{where}.properties: should be non-empty for OBJECT type"
    for name in fields.get("required") or ():
        if name not in properties:
            yield f"{where}.required: property is not defined: {name}"
    if kind == "ARRAY" and not is_object(fields.get("items")):
        yield f"{where}.items: missing field."
    if "enum" in fields and kind not in {"STRING", ""}:
        yield f"{where}.enum: only allowed for STRING type"
    for name, inner in properties.items():
        yield from _schema(inner, f"{where}.properties[{name}]")
    if is_object(fields.get("items")):
        yield from _schema(fields["items"], f"{where}.items")
    for at, inner in enumerate(fields["anyOf"] if is_list(fields.get("anyOf")) else ()):
        yield from _schema(inner, f"{where}.any_of[{at}]")
