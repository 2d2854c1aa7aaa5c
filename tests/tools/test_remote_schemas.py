"""Schemas of other people's tools: what a model is told, and what arguments have to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.arguments import fitted
from openhands_acp.engine.messages import JsonObject
from openhands_acp.tools.define import RISK_IN_BRIEF
from openhands_acp.tools.remote_schemas import Arguments, BadSchema, told

NAME: JsonObject = {"type": "string", "description": "Whose."}
PERSON: JsonObject = {
    "type": "object",
    "properties": {"name": NAME},
    "required": ["name"],
    "additionalProperties": False,
}
TOLD: list[tuple[JsonObject, bool, JsonObject]] = [
    (PERSON, False, PERSON),
    (PERSON, True, {**PERSON, "properties": {"security_risk": RISK_IN_BRIEF, "name": NAME}}),
    ({}, False, {"type": "object", "properties": {}}),
    ({"$schema": "http://json-schema.org/draft-07/schema#", **PERSON}, False, PERSON),
    (
        {"type": "object", "anyOf": [{"properties": {"a": NAME}}, {"properties": {"b": NAME}}, True]},
        False,
        {"type": "object", "properties": {"b": NAME, "a": NAME}},
    ),
    (
        {"properties": {"security_risk": {"type": "integer"}}},
        True,
        {"type": "object", "properties": {"security_risk": {"type": "integer"}}},
    ),
]
NESTED: JsonObject = {
    "type": "object",
    "properties": {
        "who": {"$ref": "#/$defs/person"},
        "how": {"enum": ["fast", "well"]},
        "code": {"type": "string", "pattern": "^(a+)+$"},
        "maybe": {"type": ["string", "null"]},
        "often": {"type": "integer", "minimum": 1},
    },
    "required": ["who"],
    "$defs": {"person": PERSON},
}
FAULTS: list[tuple[JsonObject, list[str]]] = [
    ({"who": {"name": "Ada"}, "how": "well", "often": 2}, []),
    ({}, ["'who' is a required property"]),
    ({"who": {}}, ["`who`: 'name' is a required property"]),
    (
        {"who": {"name": 1}, "how": "badly"},
        ["`who.name`: 1 is not of type 'string'", "`how`: 'badly' is not one of ['fast', 'well']"],
    ),
    ({"who": {"name": "Ada"}, "often": 0}, ["`often`: 0 is less than the minimum of 1"]),
    # It would be tried for ever.
    ({"who": {"name": "Ada"}, "code": "a" * 60 + "b"}, []),
]


@pytest.mark.parametrize(("schema", "risky", "expected"), TOLD)
def test_a_model_is_told_a_schema_that_every_provider_takes(
    schema: JsonObject, risky: bool, expected: JsonObject
) -> None:
    assert told(schema, risky=risky) == expected


@pytest.mark.parametrize(("arguments", "faults"), FAULTS)
def test_arguments_are_checked_and_what_is_wrong_is_named(arguments: JsonObject, faults: list[str]) -> None:
    assert Arguments(NESTED).faults(arguments) == faults


@pytest.mark.parametrize(
    ("given_ones", "kept"),
    [
        ({"how": None, "maybe": None, "other": None}, {"maybe": None, "other": None}),
        ({"often": 1, "code": None}, {"often": 1}),
    ],
)
def test_null_is_left_out_where_it_is_no_value(given_ones: JsonObject, kept: JsonObject) -> None:
    schema: JsonObject = {**NESTED, "properties": {**_properties(NESTED), "how": {"type": "string", "enum": ["fast"]}}}
    assert Arguments(schema).given(given_ones) == kept


def _properties(schema: JsonObject) -> dict[str, Any]:
    found: Any = schema["properties"]
    return found


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "strang"}, "type: 'strang' is not valid"),
        (
            {"properties": {"a": {"type": "object", "required": "b"}}},
            "properties.a.required: 'b' is not of type 'array'",
        ),
        ({"properties": []}, "properties: [] is not of type 'object'"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_the_place(schema: JsonObject, what: str) -> None:
    with pytest.raises(BadSchema) as refused:
        Arguments(schema)
    assert str(refused.value).startswith(what)


def test_what_a_schema_refers_to_is_not_fetched() -> None:
    elsewhere: JsonObject = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    assert Arguments(elsewhere).faults({"a": 1}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["type", "properties", "items", "anyOf", "enum", "required", "additionalProperties", "a", "b"])
SCHEMA = st.recursive(
    st.booleans() | st.sampled_from(["string", "object", "array", "integer"]) | JSON,
    lambda inner: st.dictionaries(WORDS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=15,
)


@settings(max_examples=100, deadline=None)
@given(
    schema=st.dictionaries(WORDS, SCHEMA, max_size=5),
    arguments=st.dictionaries(st.sampled_from("ab"), JSON, max_size=3),
)
def test_no_schema_breaks_what_reads_arguments(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    try:
        known = Arguments(schema)
    except BadSchema:
        known = None
    fit = fitted(arguments, told(schema, risky=True))
    if known is not None:
        known.faults(known.given(fit))


@pytest.mark.parametrize(
    "schema", [{"type": "object", "$ref": "#"}, {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}]
)
def test_a_schema_that_refers_to_itself_without_end_is_the_servers_to_check(schema: JsonObject) -> None:
    assert Arguments(schema).faults({"a": 1}) == []


def test_a_schema_that_is_nested_too_deeply_is_none() -> None:
    schema: JsonObject = {"type": "object"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(BadSchema, match=r"^it is nested too deeply$"):
        Arguments(schema)
