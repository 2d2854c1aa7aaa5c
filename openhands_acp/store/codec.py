"""Entries to JSON and back, by the fields of their dataclasses, and the schema that says so.

Knows the events' types and nothing of files. A record carries the version of its own spelling.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeGuard, Union, assert_never, cast, get_args, get_origin, get_type_hints

from pydantic_core import SchemaValidator, ValidationError, core_schema

from openhands_acp.engine import cards, events, messages
from openhands_acp.engine.events import Durable, Entry, Source
from openhands_acp.engine.messages import Image, JsonObject, Text
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged

VERSION = 3
"""1 had neither checkpoints nor thought levels, 2 no dropped answers, condensations and questions.

Everything in both is spelt as in 3."""

_KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Durable)}
_TAGGED: dict[str, type] = {
    tagged.__name__: tagged
    for tagged in (Text, Image, cards.ShownText, cards.ShownCommand, cards.ShownDiff, cards.ShownSound)
}
"""Members of unions inside events: each record of one says its type."""


class UnknownRecord(Exception):
    """A record that cannot be read: broken, or not ours."""


class NewerRecord(Exception):
    """A record in a later spelling; the message is its version."""


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
    """Read one record of any version up to ours. Raises UnknownRecord and NewerRecord."""
    kind, version = _KINDS.get(str(record.get("kind"))), record.get("v")
    if isinstance(version, int) and version > VERSION:
        raise NewerRecord(version)
    if not isinstance(version, int) or version < 1 or kind is None:
        raise UnknownRecord(f"version {record.get('v')!r:.20}, kind {record.get('kind')!r:.60}")
    try:
        timestamp = datetime.fromisoformat(record["timestamp"]).astimezone(UTC)
        return Entry(_id(record), timestamp, _reader(kind).validate_python(record))
    except ValidationError as error:
        raise UnknownRecord(f"{kind.__name__}: {_complaint(error)}") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnknownRecord(f"{kind.__name__}: {error!r}") from error


def source_of(event: Durable) -> Source:
    """Say who caused it, in OpenHands' words."""
    match event:
        case events.MessageEvent():
            return "user" if event.role == "user" else "agent"
        case events.NoticeEvent():
            return "user" if event.channel == "user" else "environment"
        case events.PermissionDecided() | events.QuestionAnswered() | events.InterruptEvent() | events.TurnStarted():
            return "user"
        case (
            events.SystemPromptEvent()
            | ToolsChanged()
            | events.ThoughtEvent()
            | events.ActionEvent()
            | events.AgentErrorEvent()
            | events.PlanUpdated()
            | SubagentStarted()
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
            | events.ResponseDropped()
            | events.Condensation()
            | events.SkillActivated()
            | SubagentStep()
            | events.CheckpointTaken()
        ):
            return "environment"
        case _:
            assert_never(event)


def entry_schema() -> dict[str, Any]:
    """Return the JSON Schema of one line of a journal, of any version up to ours."""
    stamp: dict[str, Any] = {
        "v": {"type": "integer", "minimum": 1, "maximum": VERSION},
        "id": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "source": {"enum": list(get_args(Source))},
    }
    kinds = [_object_schema(kind, {"kind": {"const": name}, **stamp}) for name, kind in _KINDS.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of an openhands-acp journal",
        "oneOf": kinds,
        "$defs": {"text": _TEXT},
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


def _id(record: Mapping[str, Any]) -> str:
    entry_id = record["id"]
    if not isinstance(entry_id, str):
        raise TypeError(f"no id: {repr(entry_id)[:60]}")
    return entry_id


@cache
def _reader(kind: type) -> SchemaValidator:
    return SchemaValidator(_fields_of(kind))


def _fields_of(kind: type) -> core_schema.CoreSchema:
    hints = _hints(kind)
    read = [core_schema.dataclass_field(field.name, _or_default(field, hints[field.name])) for field in fields(kind)]
    return core_schema.dataclass_schema(
        kind, core_schema.dataclass_args_schema(kind.__name__, read), list(hints), slots=True
    )


def _or_default(field: Field[Any], hint: Any) -> core_schema.CoreSchema:
    # A field that is not there has its default: fields may be added without a new version.
    read = _value(hint)
    return read if field.default is MISSING else core_schema.with_default_schema(read, default=field.default)


def _value(hint: Any) -> core_schema.CoreSchema:
    """Return what reads a value of this type and refuses any other, however near: a journal may be damaged."""
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _one_of([hint]) if hint.__name__ in _TAGGED else _fields_of(hint)
    if origin is tuple:
        return core_schema.tuple_variable_schema(_value(args[0]))
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is Literal:
        return core_schema.literal_schema(list(args))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return core_schema.dict_schema(strict=True)
    return _STRICT[str if hint is events.AbsPath else hint]


def _union(members: tuple[Any, ...]) -> core_schema.CoreSchema:
    if any(get_origin(member) is Sequence for member in members):
        # JSON of any shape.
        return core_schema.any_schema()
    if all(getattr(member, "__name__", "") in _TAGGED for member in members):
        return _one_of(members)
    if len(members) == 2 and members[1] is type(None):
        return core_schema.nullable_schema(_value(members[0]))
    return core_schema.union_schema([_value(member) for member in members])


def _one_of(kinds: Iterable[type]) -> core_schema.CoreSchema:
    return core_schema.tagged_union_schema({kind.__name__: _fields_of(kind) for kind in kinds}, "type")


_STRICT: dict[Any, core_schema.CoreSchema] = {
    str: core_schema.str_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
    int: core_schema.int_schema(strict=True),
    float: core_schema.float_schema(strict=True),
}


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:60]}: {first['msg'][:120]}"


def _object_schema(kind: type, first: dict[str, Any]) -> dict[str, Any]:
    hints = _hints(kind)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**first, **{name: _schema(hint) for name, hint in hints.items()}},
        # One with a default may have come to the version later.
        "required": [*first, *(field.name for field in fields(kind) if field.default is MISSING)],
        "additionalProperties": False,
    }
    own = kind.__doc__ or ""
    if not own.startswith(f"{kind.__name__}("):
        schema["description"] = " ".join(own.split())
    return schema


_TEXT: dict[str, Any] = {
    "description": "A text, or the name of the file beside the journal that holds one of more than 32 KiB.",
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "$blob": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "size": {"type": "integer", "description": "Bytes of the text in UTF-8."},
            },
            "required": ["$blob", "size"],
            "additionalProperties": False,
        },
    ],
}
_REFERENCE = {"$ref": "#/$defs/text"}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: _REFERENCE,
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
        return _REFERENCE
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object"}
    # JSON of any shape: a provider's reasoning blocks.
    return {}


def _any_of(options: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {} if {} in options else {"anyOf": list(options)}
