"""A form in the protocol's spelling (`ElicitationSchema`), of whatever JSON Schema somebody wrote for it. Pure.

Clients refuse a request whole for one member that is not as theirs, and servers of others write what they like.
Nothing is lost by it: what comes back is looked at with the schema as it was written (`engine.forms.taken`).
"""

from __future__ import annotations

import math
from typing import cast

from openhands_acp.engine.messages import JsonObject, JsonValue
from openhands_acp.engine.person.forms import Choice, as_list, as_object, choices

_FORMATS = ("email", "uri", "date", "date-time")
_MOST_LENGTH = 2**32 - 1
_LEAST, _MOST = -(2**63), 2**63 - 1


def spelt(schema: JsonObject) -> JsonObject | None:
    """Return the form, without fields that no client can show; None where one of those has to be filled in."""
    written = as_object(schema.get("properties"))
    fields = {name: field for name, value in written.items() if (field := _field(as_object(value))) is not None}
    names = [name for name in as_list(schema.get("required")) if name in written]
    if any(name not in fields for name in names):
        return None
    return {"type": "object", **_words(schema), "properties": fields, **({"required": names} if names else {})}


def _field(field: JsonObject) -> JsonObject | None:
    field = _without_null(field)
    offered = [choice for choice in choices(field) if isinstance(choice.value, str)]
    match _kind(field):
        case "string":
            return {"type": "string", **_words(field), **_text(field, offered)}
        case "boolean":
            return {"type": "boolean", **_words(field), **_kept(field, "default", bool)}
        case "number":
            limits = {name: value for name in ("minimum", "maximum", "default") for value in _numbers(field.get(name))}
            return {"type": "number", **_words(field), **limits}
        case "integer":
            return {"type": "integer", **_words(field), **_whole(field)}
        case "array" if offered:
            items: JsonObject = _options(offered, "anyOf")
            items = items if "anyOf" in items else {"type": "string", **items}
            return {"type": "array", **_words(field), **_counts(field), "items": items, **_chosen(field, offered)}
        case _:
            return None


def _without_null(field: JsonObject) -> JsonObject:
    """Take what may be null for what else it may be: a field may be left empty anyway."""
    kinds = [kind for kind in as_list(field.get("type")) if kind != "null"]
    if len(kinds) == 1:
        return {**field, "type": kinds[0]}
    others = [each for each in map(as_object, as_list(field.get("anyOf"))) if each.get("type") != "null"]
    if "type" not in field and len(others) == 1:
        return {**others[0], **field}
    return field


def _kind(field: JsonObject) -> str:
    """Name the type: who leaves it out and offers texts, means text."""
    kind = field.get("type")
    if kind is None:
        return "string" if choices(field) and all(isinstance(each.value, str) for each in choices(field)) else ""
    return kind if isinstance(kind, str) else ""


def _words(of: JsonObject) -> JsonObject:
    return {**_kept(of, "title", str), **_kept(of, "description", str)}


def _kept(of: JsonObject, name: str, kind: type[str | bool]) -> JsonObject:
    value = of.get(name)
    return {name: value} if isinstance(value, kind) else {}


def _text(field: JsonObject, offered: list[Choice]) -> JsonObject:
    if offered:
        default = field.get("default")
        is_offered = any(choice.value == default for choice in offered)
        return {**_options(offered, "oneOf"), **({"default": default} if is_offered else {})}
    lengths = {name: value for name in ("minLength", "maxLength") for value in _lengths(field.get(name))}
    form = field.get("format")
    return {
        **lengths,
        **_kept(field, "pattern", str),
        **({"format": form} if form in _FORMATS else {}),
        **_kept(field, "default", str),
    }


def _options(offered: list[Choice], titled: str) -> JsonObject:
    """Spell what may be chosen: with titles, under the name that they have there, where they say more."""
    if all(choice.name == choice.value and not choice.description for choice in offered):
        return {"enum": [choice.value for choice in offered]}
    return {
        titled: [
            {
                "const": choice.value,
                "title": choice.name,
                **({"description": choice.description} if choice.description else {}),
            }
            for choice in offered
        ]
    }


def _whole(field: JsonObject) -> dict[str, JsonValue]:
    bounds: dict[str, JsonValue] = {}
    for name, rounded in (("minimum", math.ceil), ("maximum", math.floor)):
        for value in _numbers(field.get(name)):
            bounds[name] = max(_LEAST, min(rounded(value), _MOST))
    default = field.get("default")
    is_whole = isinstance(default, int) and not isinstance(default, bool) and _LEAST <= default <= _MOST
    return {**bounds, **({"default": default} if is_whole else {})}


def _numbers(value: JsonValue) -> list[float]:
    """Return it if it is a number, else nothing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return [cast("float", value)] if is_number else []


def _lengths(value: JsonValue) -> list[int]:
    is_length = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_LENGTH
    return [cast("int", value)] if is_length else []


def _counts(field: JsonObject) -> dict[str, JsonValue]:
    return {name: value for name in ("minItems", "maxItems") for value in _lengths(field.get(name))}


def _chosen(field: JsonObject, offered: list[Choice]) -> JsonObject:
    values = [choice.value for choice in offered]
    default = [each for each in as_list(field.get("default")) if each in values]
    return {"default": default} if default else {}
