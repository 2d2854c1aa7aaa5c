"""Forms in JSON Schema: what may be filled in, and whether it was. Pure.

Only the flat objects of strings, numbers, booleans and choices that clients show (protocol/v1/elicitation, and MCP's).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from urllib.parse import urlsplit

from openhands_acp.engine.messages import JsonObject, JsonValue


def as_object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def as_list(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


@dataclass(frozen=True, slots=True)
class Choice:
    value: JsonValue
    name: str
    description: str = ""


def choices(field: JsonObject) -> tuple[Choice, ...]:
    """Return what a field, or each item of one, may be; empty if that is not a choice."""
    if field.get("type") == "boolean":
        return Choice(True, "Yes"), Choice(False, "No")
    if field.get("type") == "array":
        return choices(as_object(field.get("items")))
    if titled := [each for each in _objects(field.get("oneOf") or field.get("anyOf")) if "const" in each]:
        return tuple(
            Choice(each.get("const"), str(each.get("title") or each.get("const")), str(each.get("description") or ""))
            for each in titled
        )
    values = as_list(field.get("enum"))
    # MCP's older spelling of titles.
    names = [str(name) for name in as_list(field.get("enumNames"))]
    return tuple(Choice(value, str(name)) for value, name in zip(values, names or values, strict=False))


def only_choice(schema: JsonObject) -> tuple[str, tuple[Choice, ...]] | None:
    """Return the one field of a form and what it may be; None if there are more, or it is no choice of one."""
    fields = as_object(schema.get("properties"))
    if len(fields) != 1:
        return None
    ((name, field),) = fields.items()
    offered = () if as_object(field).get("type") == "array" else choices(as_object(field))
    return (name, offered) if offered else None


def taken(schema: JsonObject, values: Mapping[str, JsonValue]) -> tuple[dict[str, JsonValue], str]:
    """Return what was filled in, and in words what is wrong with it; empty if nothing is.

    What was left empty is left out, and so is what nobody asked for.
    """
    fields = as_object(schema.get("properties"))
    required = as_list(schema.get("required"))
    given: dict[str, JsonValue] = {}
    wrong: list[str] = []
    for name, field in fields.items():
        value = values.get(name)
        if value is None or (value == "" and name not in required):
            if name in required:
                wrong.append(f"“{_title(name, as_object(field))}” is missing")
            continue
        given[name] = value
        if problem := _problem(as_object(field), value):
            wrong.append(f"“{_title(name, as_object(field))}” {problem}")
    return given, "; ".join(wrong)


def _title(name: str, field: JsonObject) -> str:
    return str(field.get("title") or name)


def _problem(field: JsonObject, value: JsonValue) -> str:
    kind = field.get("type")
    if kind not in ("boolean", "array") and (offered := [choice.value for choice in choices(field)]):
        return "" if value in offered else _not_offered(offered)
    match kind:
        case "boolean":
            return "" if isinstance(value, bool) else "must be yes or no"
        case "integer":
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            return _out_of_range(field, cast("int", value)) if is_whole else "must be a whole number"
        case "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return _out_of_range(field, cast("float", value)) if is_number else "must be a number"
        case "array":
            return _wrong_items(field, value)
        case "string":
            return _wrong_text(field, value)
        case _:
            # Of a kind that is not known here: whoever asked knows it.
            return ""


def _out_of_range(field: JsonObject, value: float) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if isinstance(low, int | float) and value < low:
        return f"must be at least {low}"
    return f"must be at most {high}" if isinstance(high, int | float) and value > high else ""


def _wrong_items(field: JsonObject, value: JsonValue) -> str:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return "must be a list"
    low, high = field.get("minItems"), field.get("maxItems")
    if isinstance(low, int) and len(value) < low:
        return f"must be at least {low} of them"
    if isinstance(high, int) and len(value) > high:
        return f"must be at most {high} of them"
    offered = [choice.value for choice in choices(field)]
    return _not_offered(offered) if offered and any(each not in offered for each in value) else ""


def _wrong_text(field: JsonObject, value: JsonValue) -> str:
    """Look at all but `pattern`, which is the client's to check: a server's expression could run for ever here."""
    if not isinstance(value, str):
        return "must be text"
    low, high = field.get("minLength"), field.get("maxLength")
    if isinstance(low, int) and len(value) < low:
        return f"must have at least {low} characters"
    if isinstance(high, int) and len(value) > high:
        return f"must have at most {high} characters"
    wanted = _FORMATS.get(str(field.get("format")))
    return f"must be {wanted}" if wanted and not _is_spelt(str(field.get("format")), value) else ""


def _not_offered(offered: Sequence[JsonValue]) -> str:
    return f"must be one of {', '.join(map(str, offered))}"


_FORMATS = {
    "email": "an address like name@example.org",
    "uri": "an address like https://example.org",
    "date": "a date like 2026-01-31",
    "date-time": "a date and time like 2026-01-31T12:00:00Z",
}


def _is_spelt(form: str, value: str) -> bool:
    try:
        match form:
            case "email":
                name, _, host = value.partition("@")
                return bool(name and host) and "@" not in host and " " not in value
            case "uri":
                return bool(urlsplit(value).scheme)
            case "date":
                date.fromisoformat(value)
            case _:
                datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _objects(value: JsonValue) -> list[JsonObject]:
    return [each for each in as_list(value) if isinstance(each, Mapping)]
