"""Forms: what they offer, and whether what came back fits."""

from __future__ import annotations

import pytest

from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.engine.person.forms import Choice, only_choice, taken

NAME: JsonObject = {"type": "string", "title": "Your name", "minLength": 2, "maxLength": 5}
COLOUR: JsonObject = {"type": "string", "enum": ["red", "green"]}
SIZE: JsonObject = {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]}
SEVERAL: JsonObject = {
    "type": "array",
    "minItems": 1,
    "maxItems": 2,
    "items": {"type": "string", "enum": ["a", "b", "c"]},
}


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (NAME, "Ada", ""),
        (NAME, "A", "must have at least 2 characters"),
        (NAME, "Adelaide", "must have at most 5 characters"),
        (NAME, 7, "must be text"),
        (COLOUR, "red", ""),
        (COLOUR, "blue", "must be one of red, green"),
        (SIZE, "l", ""),
        (SIZE, "Large", "must be one of s, l"),
        (SEVERAL, ["a", "b"], ""),
        (SEVERAL, [], "must be at least 1 of them"),
        (SEVERAL, ["a", "b", "c"], "must be at most 2 of them"),
        (SEVERAL, ["d"], "must be one of a, b, c"),
        (SEVERAL, "a", "must be a list"),
        ({"type": "boolean"}, False, ""),
        ({"type": "boolean"}, 0, "must be yes or no"),
        ({"type": "integer", "minimum": 1, "maximum": 3}, 3, ""),
        ({"type": "integer", "minimum": 1, "maximum": 3}, 0, "must be at least 1"),
        ({"type": "integer", "minimum": 1, "maximum": 3}, 4, "must be at most 3"),
        ({"type": "integer"}, 1.5, "must be a whole number"),
        ({"type": "integer"}, True, "must be a whole number"),
        ({"type": "number"}, 1.5, ""),
        ({"type": "number"}, "1.5", "must be a number"),
        ({"type": "string", "format": "email"}, "a@b.example", ""),
        ({"type": "string", "format": "email"}, "a b@c", "must be an address like name@example.org"),
        ({"type": "string", "format": "uri"}, "https://a.example", ""),
        ({"type": "string", "format": "uri"}, "a.example", "must be an address like https://example.org"),
        ({"type": "string", "format": "date"}, "2026-02-30", "must be a date like 2026-01-31"),
        ({"type": "string", "format": "date-time"}, "2026-02-03T04:05:06Z", ""),
        ({"type": "string", "format": "date-time"}, "now", "must be a date and time like 2026-01-31T12:00:00Z"),
        # A server's expression is not run here: it could take for ever.
        ({"type": "string", "pattern": "(a+)+$"}, "a" * 40 + "b", ""),
        ({"type": "_ours"}, {"any": "thing"}, ""),
    ],
)
def test_what_does_not_fit_is_named(field: JsonObject, value: JsonValue, problem: str) -> None:
    title = field.get("title") or "x"
    expected = f"“{title}” {problem}" if problem else ""
    assert taken({"type": "object", "properties": {"x": field}}, {"x": value}) == ({"x": value}, expected)


def test_what_was_left_empty_or_not_asked_for_is_left_out() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "string"}},
        "required": ["c"],
    }
    values: dict[str, JsonValue] = {"a": "", "b": None, "c": "", "d": "unasked"}
    assert taken(schema, values) == ({"c": ""}, "")


def test_what_is_required_is_missed() -> None:
    schema: JsonObject = {"type": "object", "properties": {"a": {"type": "string", "title": "A"}}, "required": ["a"]}
    assert taken(schema, {}) == ({}, "“A” is missing")


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"properties": {"size": SIZE}}, ("size", (Choice("s", "Small"), Choice("l", "Large")))),
        ({"properties": {"on": {"type": "boolean"}}}, ("on", (Choice(True, "Yes"), Choice(False, "No")))),
        (
            {"properties": {"c": {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]}}},
            ("c", (Choice("r", "Red"), Choice("g", "Green"))),
        ),
        ({"properties": {"name": NAME}}, None),
        ({"properties": {"several": SEVERAL}}, None),
        ({"properties": {"size": SIZE, "colour": COLOUR}}, None),
        ({}, None),
        ({"properties": "nonsense"}, None),
    ],
)
def test_one_choice_can_be_buttons(schema: JsonObject, found: tuple[str, tuple[Choice, ...]] | None) -> None:
    assert only_choice(schema) == found
