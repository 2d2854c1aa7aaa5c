"""JSON that servers sent, read field by field: what is of another type than it should be is not there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

_TOO_MANY: Final = 1e12
"""Of whatever is counted here."""


def table(value: object) -> dict[str, Any]:
    """Return a JSON object; an empty one in the place of anything else."""
    # JSON objects have text for keys; only the type checker does not know it.
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, Any]]:
    """Return what a list has, as JSON objects."""
    return [table(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []


def text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """Return what a list has of texts."""
    return [item for item in cast("list[Any]", value) if isinstance(item, str)] if isinstance(value, list) else []


def count(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a number above 0, which some spell with a point."""
    match fields.get(name):
        case bool():
            return None
        case int() | float() as number if 1 <= number < _TOO_MANY:
            return int(number)
        case _:
            return None
