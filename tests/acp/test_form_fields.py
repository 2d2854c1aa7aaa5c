"""Forms in the protocol's spelling: no client's schema refuses one, whatever a server wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.acp.form_fields import spelt
from tests.harness.schema import problems_of

_TITLED = [{"const": "a", "title": "First"}, {"const": "b", "title": "b", "description": "the other"}]


def form(field: Any, *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": field}, **({"required": list(required)} if required else {})}


def refused(schema: Any) -> list[str]:
    params = {"sessionId": "s", "mode": "form", "message": "?", "requestedSchema": schema}
    return problems_of({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": params}, None)


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "title": "X", "description": "y", "minLength": 1, "maxLength": 9, "pattern": "a"},
        {"type": "string", "format": "email", "default": "a@b.example"},
        {"type": "string", "enum": ["a", "b"], "default": "b"},
        {"type": "string", "oneOf": [{"const": "a", "title": "First"}, {"const": "b", "title": "Other"}]},
        {"type": "boolean", "default": False},
        {"type": "number", "minimum": 0.5, "maximum": 2, "default": 1},
        {"type": "integer", "minimum": 1, "maximum": 3, "default": 2},
        {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "enum": ["a"]}, "default": ["a"]},
        {"type": "array", "items": {"anyOf": _TITLED}},
    ],
)
def test_what_is_spelt_as_the_protocol_has_it_stays(field: dict[str, Any]) -> None:
    assert spelt(form(field, "x")) == form(field, "x")


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"type": ["string", "null"], "default": None}, {"type": "string"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "N"}, {"type": "integer", "title": "N"}),
        # The titles of an older protocol.
        (
            {"type": "string", "enum": ["a", "b"], "enumNames": ["First", "Other"]},
            {"type": "string", "oneOf": [{"const": "a", "title": "First"}, {"const": "b", "title": "Other"}]},
        ),
        ({"type": "string", "oneOf": [{"const": "a"}]}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "format": "password", "minLength": -1}, {"type": "string"}),
        ({"type": "string", "enum": [1, 2]}, {"type": "string"}),
        ({"type": "integer", "minimum": 0.5, "maximum": 2.5}, {"type": "integer", "minimum": 1, "maximum": 2}),
        ({"type": "integer", "default": "x", "title": None}, {"type": "integer"}),
        ({"type": "integer", "minimum": -(2**70)}, {"type": "integer", "minimum": -(2**63)}),
        ({"type": "string", "enum": ["a"], "default": "c"}, {"type": "string", "enum": ["a"]}),
    ],
)
def test_what_is_spelt_otherwise_is_shown_as_it_is_meant(field: Any, shown: dict[str, Any]) -> None:
    assert spelt(form(field)) == form(shown)


@pytest.mark.parametrize(
    "field", [True, {}, {"type": "object"}, {"type": "array"}, {"type": "array", "items": {"type": "string"}}, "text"]
)
def test_what_no_client_can_show_is_left_out_unless_it_has_to_be_filled_in(field: Any) -> None:
    both = {"x": field, "y": {"type": "boolean"}}
    assert spelt({"properties": both}) == {"type": "object", "properties": {"y": {"type": "boolean"}}}
    assert spelt(form(field, "x")) is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "string", "null", "email"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["const", "title", "type"]), inner),
    max_leaves=6,
)
_KINDS = st.sampled_from(["string", "boolean", "number", "integer", "array", ["string", "null"], "object"])
_MEMBERS = (
    *("title", "description", "default", "enum", "enumNames", "oneOf", "anyOf", "items", "format", "pattern"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
)
_FIELD = st.fixed_dictionaries({}, optional={"type": _KINDS | _ANY, **dict.fromkeys(_MEMBERS, _ANY)})


@given(_FIELD | _ANY)
def test_no_client_refuses_a_form(field: Any) -> None:
    shown = spelt(form(field))
    assert shown is not None
    assert refused(shown) == []
