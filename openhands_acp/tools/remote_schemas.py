"""The JSON Schema of somebody else's tool: as a model is told of it, and what arguments have to be for it.

Knows JSON Schema and what providers take of it; knows no tool. Fetches nothing, whatever a schema refers to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.tools.define import RISK_IN_BRIEF

_AT_THE_TOP = ("anyOf", "oneOf", "allOf")
"""What some providers refuse there (OpenAI, Anthropic)."""
_NOT_TOLD = (*_AT_THE_TOP, "not", "enum", "if", "then", "else", "$schema", "$id")
_MOST = 3
"""Mistakes that are told at once."""
_LONGEST = 300


class BadSchema(Exception):
    """It is none; the message says what is wrong with it."""


class Arguments:
    """What the arguments of one tool have to be."""

    def __init__(self, schema: JsonObject) -> None:
        """Raises BadSchema."""
        # Its own types know only dictionaries, and not what a validator is made of.
        kind = cast("Any", validators).validator_for(schema, default=Draft202012Validator)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            raise BadSchema(f"{_place(error.absolute_path)}: {_brief(error.message)}") from error
        except RecursionError as error:
            raise BadSchema("it is nested too deeply") from error
        # A server's expression could run for ever here; it checks them itself.
        lenient = cast("Any", validators).extend(kind, {"pattern": _passed, "patternProperties": _passed})
        self._schema = schema
        self._validator: Any = lenient(schema, registry=cast("Any", Registry)())

    def faults(self, arguments: JsonObject) -> list[str]:
        """Say what is wrong, in words for a model.

        What a schema refers to elsewhere, or to itself without end, is the server's to check.
        """
        try:
            errors = cast("Iterable[ValidationError]", self._validator.iter_errors(arguments))
            return [_fault(error) for error, _ in zip(errors, range(_MOST), strict=False)]
        except (Unresolvable, RecursionError):
            return []

    def given(self, arguments: JsonObject) -> JsonObject:
        """Leave out what a model wrote only because it writes all names: null, where that is no value."""
        return {key: value for key, value in arguments.items() if value is not None or self._takes_null(key)}

    def has(self, name: str) -> bool:
        return name in _mapping(self._schema.get("properties"))

    def _takes_null(self, name: str) -> bool:
        schema = _mapping(_mapping(self._schema.get("properties")).get(name))
        types = schema.get("type")
        is_typed = types is not None and types != "null" and not (isinstance(types, list) and "null" in types)
        return not is_typed


def told(schema: JsonObject, *, risky: bool) -> JsonObject:
    """Return the schema as a model is told of it: an object's, with `security_risk` if the model is to judge that."""
    properties = dict(_mapping(schema.get("properties")))
    for branch in _branches(schema):
        properties = dict(_mapping(branch.get("properties"))) | properties
    # First, so that an answer cut short by the token limit still carries it.
    risk: JsonObject = {"security_risk": RISK_IN_BRIEF} if risky and "security_risk" not in properties else {}
    rest = {key: value for key, value in schema.items() if key not in _NOT_TOLD}
    return {**rest, "type": "object", "properties": {**risk, **properties}}


def _branches(schema: JsonObject) -> Iterator[JsonObject]:
    for keyword in _AT_THE_TOP:
        among = schema.get(keyword)
        if isinstance(among, list):
            yield from map(_mapping, among)


def _passed(*_: object) -> Iterator[ValidationError]:
    return iter(())


def _fault(error: ValidationError) -> str:
    return f"`{_place(error.absolute_path)}`: {_brief(error.message)}" if error.absolute_path else _brief(error.message)


def _place(path: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "the schema"


def _brief(message: str) -> str:
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"


def _mapping(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def as_json(arguments: JsonObject) -> str:
    return json.dumps(arguments, ensure_ascii=False, indent=2)
