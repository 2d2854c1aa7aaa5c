"""Entries to JSON and back, by the fields of their dataclasses, and the schema that says so.

Knows the events' types and nothing of files. A record carries the version of its own spelling.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeGuard, Union, assert_never, cast, get_args, get_origin, get_type_hints

from openhands_acp.engine import events, messages
from openhands_acp.engine.events import Durable, Entry, Source
from openhands_acp.engine.messages import Image, JsonObject, Text

VERSION = 1

_KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Durable)}
_TAGGED: dict[str, type] = {
    tagged.__name__: tagged for tagged in (Text, Image, events.ShownText, events.ShownCommand, events.ShownDiff)
}
"""Members of unions inside events: each record of one says its type."""


class UnknownRecord(Exception):
    """A record that this version cannot read: newer, or not ours."""


def to_json(entry: Entry) -> JsonObject:
    event = entry.event
    return {
        "v": VERSION,
        "kind": type(event).__name__,
        "id": entry.id,
        "timestamp": entry.timestamp.isoformat(),
        "source": source_of(event),
        **_fields_to_json(event),
    }


def from_json(record: Mapping[str, Any]) -> Entry:
    """Read one record. Raises UnknownRecord."""
    kind = _KINDS.get(str(record.get("kind")))
    if record.get("v") != VERSION or kind is None:
        raise UnknownRecord(f"version {record.get('v')!r}, kind {record.get('kind')!r}")
    try:
        timestamp = datetime.fromisoformat(record["timestamp"]).astimezone(UTC)
        return Entry(record["id"], timestamp, _object(kind, record))
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownRecord(f"{record.get('kind')}: {error!r}") from error


def source_of(event: Durable) -> Source:
    """Say who caused it, in OpenHands' words."""
    match event:
        case events.MessageEvent():
            return "user" if event.role == "user" else "agent"
        case events.NoticeEvent():
            return "user" if event.channel == "user" else "environment"
        case events.PermissionDecided() | events.InterruptEvent() | events.TurnStarted():
            return "user"
        case (
            events.SystemPromptEvent()
            | events.ThoughtEvent()
            | events.ActionEvent()
            | events.AgentErrorEvent()
            | events.PlanUpdated()
        ):
            return "agent"
        case (
            events.ConversationStarted()
            | events.ObservationEvent()
            | events.UserRejectObservation()
            | events.TurnEnded()
            | events.ConversationErrorEvent()
            | events.ConversationStateUpdateEvent()
            | events.UsageEvent()
        ):
            return "environment"
        case _:
            assert_never(event)


def entry_schema() -> dict[str, Any]:
    """Return the JSON Schema of one line of a journal."""
    stamp: dict[str, Any] = {
        "v": {"const": VERSION},
        "id": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "source": {"enum": list(get_args(Source))},
    }
    kinds = [_object_schema(kind, {"kind": {"const": name}, **stamp}) for name, kind in _KINDS.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of an openhands-acp journal",
        "oneOf": kinds,
    }


def _fields_to_json(value: object) -> dict[str, Any]:
    assert _is_instance(value)
    return {field.name: _value_to_json(getattr(value, field.name)) for field in fields(value)}


def _value_to_json(value: Any) -> Any:
    if _is_instance(value):
        name = type(value).__name__
        return {"type": name, **_fields_to_json(value)} if name in _TAGGED else _fields_to_json(value)
    if isinstance(value, tuple):
        return [_value_to_json(item) for item in cast("tuple[Any, ...]", value)]
    return value


def _is_instance(value: object) -> TypeGuard[Any]:
    return is_dataclass(value) and not isinstance(value, type)


@cache
def _hints(kind: type) -> dict[str, Any]:
    # `JsonValue` is spelt in text: the names in it are those of its own module, wherever it is used.
    return get_type_hints(kind, {**vars(messages), **vars(sys.modules[kind.__module__])})


def _object(kind: type, record: Mapping[str, Any]) -> Any:
    # A field that is not there has its default: fields may be added without a new version.
    hints = _hints(kind)
    return kind(**{name: _value(hints[name], record[name]) for name in hints if name in record})


def _value(hint: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        record = cast("Mapping[str, Any]", value)
        if tagged := _TAGGED.get(str(record.get("type"))):
            return _object(tagged, record)
        kinds = [member for member in _members(hint) if isinstance(member, type) and is_dataclass(member)]
        return _object(kinds[0], record) if len(kinds) == 1 else record
    if isinstance(value, list):
        items = cast("list[Any]", value)
        tuples = [member for member in _members(hint) if get_origin(member) is tuple]
        return tuple(_value(get_args(tuples[0])[0], item) for item in items) if tuples else items
    return value


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _object_schema(kind: type, first: dict[str, Any]) -> dict[str, Any]:
    hints = _hints(kind)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**first, **{name: _schema(hint) for name, hint in hints.items()}},
        "required": [*first, *hints],
        "additionalProperties": False,
    }
    own = kind.__doc__ or ""
    if not own.startswith(f"{kind.__name__}("):
        schema["description"] = " ".join(own.split())
    return schema


_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}


def _schema(hint: Any) -> dict[str, Any]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and is_dataclass(hint):
        name = hint.__name__
        return _object_schema(hint, {"type": {"const": name}} if name in _TAGGED else {})
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        return {"type": "array", "items": _schema(args[0])}
    if origin in (Union, types.UnionType):
        return _any_of([_schema(arg) for arg in args])
    if hint is events.AbsPath:
        return {"type": "string"}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object"}
    # JSON of any shape: a provider's reasoning blocks.
    return {}


def _any_of(options: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {} if {} in options else {"anyOf": list(options)}
