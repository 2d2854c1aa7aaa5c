"""Make a `Tool` out of a pydantic model of its arguments and three functions typed by it.

Knows what is told to a model whose arguments are wrong; knows no tool, nor how they are mended before.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined, from_json

from openhands_acp.engine.cards import Card
from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult

A = TypeVar("A", bound=BaseModel)
Schema = dict[str, JsonValue]

RISK: JsonObject = {
    "type": "string",
    "enum": ["LOW", "MEDIUM", "HIGH"],
    "description": "Harm this call could do. LOW: reads, or is easily undone. MEDIUM: changes the project. "
    "HIGH: reaches beyond it, destroys, sends data out, or you are unsure.",
}
RISK_IN_BRIEF: JsonObject = {**RISK, "description": "LOW: easily undone. HIGH: beyond the project, or unsure"}
"""After `terminal`, which tells all of it."""
_BRIEF = 60
_SCALARS: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def of_characters(text: str) -> str:
    """Return a text for a program to be given. Raises ValueError, for a validator, for what the system refuses."""
    try:
        # And not as UTF-8: names of files may be of any bytes.
        text.encode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
    except UnicodeEncodeError:
        raise ValueError(f"has half a character in it: {_brief(text)}; write it anew") from None
    return text


def define(
    *,
    name: str,
    description: str,
    args: type[A],
    run: Callable[[A, Hands], Awaitable[ToolResult]],
    card: Callable[[A, AbsPath], Card | None],
    announce: Card | None = None,
    sketch: Callable[[JsonObject, AbsPath], Card | None] | None = None,
    is_read_only: Callable[[A], bool] | None = None,
    risk: JsonObject | None = None,
) -> Tool:
    """Make a tool whose schema and validation both come from `args`.

    `sketch` sees arguments of which the last, as far as `settled` tells, may still be growing.
    `risk` asks the model for its own estimate, in these words; the engine reads it before `parse` drops it.
    Give `args` `defer_build=True`: its validator, the slow part, is then made at the first call.
    """

    def parse(arguments: JsonObject) -> A:
        return _validated(args, arguments)

    def sketched(prefix: str, root: AbsPath) -> Card | None:
        partial = _partial_object(prefix)
        return None if sketch is None or partial is None else sketch(partial, root)

    return Tool(
        spec=ToolSpec(name=name, description=description, parameters=_parameters(args, risk)),
        parse=parse,
        run=run,
        card=card,
        announce=announce,
        sketch=sketched,
        is_read_only=is_read_only or (lambda _args: False),
    )


def settled(arguments: JsonObject) -> JsonObject:
    """Leave out the last argument of a sketch, which may be half written."""
    return dict(list(arguments.items())[:-1])


# ---------------------------------------------------------------- schema


def _parameters(args: type[BaseModel], risk: JsonObject | None) -> JsonObject:
    schema = _object_schema(args)
    if risk is None:
        return schema
    # First, so that an answer cut short by the token limit still carries it.
    properties = schema["properties"]
    assert isinstance(properties, Mapping)
    return {**schema, "properties": {"security_risk": risk, **properties}}


def _object_schema(model: type[BaseModel]) -> Schema:
    """Spell the model as JSON Schema, inlined and without titles.

    Not pydantic's own `model_json_schema`: that costs 40 ms the first time, on the way to a
    session's first answer, and its titles, `$defs` and null branches are bytes in every request.
    """
    fields = model.model_fields
    schema: Schema = {
        "type": "object",
        "properties": {name: _field_schema(field) for name, field in fields.items()},
    }
    required = [name for name, field in fields.items() if field.is_required()]
    return {**schema, "required": required} if required else schema


def _field_schema(field: FieldInfo) -> Schema:
    schema = _type_schema(field.annotation)
    for constraint in field.metadata:
        for attribute, keyword in (("ge", "minimum"), ("le", "maximum")):
            bound = getattr(constraint, attribute, None)
            if bound is not None:
                schema[keyword] = bound
    if field.default is not PydanticUndefined and isinstance(field.default, (str, int, float)):
        schema["default"] = field.default
    if field.description:
        schema["description"] = field.description
    return schema


def _type_schema(annotation: object) -> Schema:
    if isinstance(annotation, type) and annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object_schema(annotation)
    inner = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return {"type": _SCALARS[type(inner[0])], "enum": list(inner)}
    if origin in (list, tuple):
        return {"type": "array", "items": _type_schema(inner[0])}
    if origin in (UnionType, Union):
        # An optional argument is one that may be left out; None is dropped before validation.
        present = [each for each in inner if each is not NoneType]
        if len(present) == 1:
            return _type_schema(present[0])
        return {"anyOf": [_type_schema(each) for each in present]}
    raise TypeError(f"no schema for an argument of type {annotation!r}")


# ---------------------------------------------------------------- arguments


def _partial_object(prefix: str) -> JsonObject | None:
    try:
        partial: JsonValue = from_json(prefix, allow_partial="trailing-strings")
    except ValueError:
        return None
    return partial if isinstance(partial, dict) else None


def _validated(args: type[A], arguments: JsonObject) -> A:
    given = {key: _without_none(value) for key, value in arguments.items() if value is not None}
    given.pop("security_risk", None)
    try:
        return args.model_validate(given)
    except ValidationError as error:
        reasons = [_reason(each) for each in error.errors(include_url=False)]
        said = " ".join(reasons)
        unknown = [repr(key) for key in given if key not in args.model_fields and f"`{key}`" not in said]
        if unknown:
            reasons.append(f"unknown: {', '.join(unknown)}")
        raise ToolError("; ".join(reasons)) from None


def _without_none(value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_none(each) for each in value]
    return value


def _reason(error: ErrorDetails) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    what = _what(error)
    return f"`{where}` {what}" if where else what


def _what(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    wanted = _WANTED.get(kind)
    if kind == "literal_error":
        wanted = f"one of {context.get('expected', '')}"
    if wanted is None:
        return f"{error['msg'].removeprefix('Input ')}, got {_brief(error['input'])}"
    return f"must be {wanted}, got {_brief(error['input'])}"


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}..."


_WANTED: Mapping[str, str] = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
