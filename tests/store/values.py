"""Which values the fields of events can have, of those that can have but few, and which are in some records."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from openhands_acp.engine import messages
from openhands_acp.engine.events import Durable, Entry


@cache
def possible() -> frozenset[tuple[str, str]]:
    """All there are, each with its class and field."""
    return frozenset(value for kind in get_args(Durable) for value in _of_class(kind))


def found(entries: Iterable[Entry]) -> frozenset[tuple[str, str]]:
    """Those that stand in these."""
    return possible() & {value for entry in entries for value in _texts(entry.event)}


def any_of(kind: type, field: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(sorted(value for place, value in possible() if place == f"{kind.__name__}.{field}"))


@cache
def _of_class(kind: type) -> frozenset[tuple[str, str]]:
    hints = get_type_hints(kind, {**vars(messages), **vars(sys.modules[kind.__module__])})
    return frozenset(value for name, hint in hints.items() for value in _of_hint(f"{kind.__name__}.{name}", hint))


def _of_hint(place: str, hint: Any) -> Iterator[tuple[str, str]]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield from _of_class(hint)
    elif get_origin(hint) is Literal:
        yield from ((place, value) for value in get_args(hint))
    else:
        for inner in get_args(hint):
            yield from _of_hint(place, inner)


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in an event, by class and field."""
    for field in fields(value):
        inner: Any = getattr(value, field.name)
        if isinstance(inner, str):
            yield f"{type(value).__name__}.{field.name}", inner
        for item in cast("tuple[Any, ...]", inner) if isinstance(inner, tuple) else (inner,):
            if is_dataclass(item):
                yield from _texts(item)
