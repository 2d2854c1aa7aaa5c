"""Entries to JSON and back, by the fields of their dataclasses, and the schema that says so.

Knows the events' types and nothing of files. A record carries the version of its own spelling.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Literal, TypeGuard, Union, assert_never, cast, get_args, get_origin, get_type_hints

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
        raise UnknownRecord(f"version {record.get('v')!r}, kind {record.get('kind')!r}")
    try:
        timestamp = datetime.fromisoformat(record["timestamp"]).astimezone(UTC)
        return Entry(_read_plain((str,), record["id"]), timestamp, _object(kind, record))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnknownRecord(f"{record.get('kind')}: {error!r}") from error


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


def _object(kind: type, record: Mapping[str, Any]) -> Any:
    # A field that is not there has its default: fields may be added without a new version.
    readers = _readers(kind)
    return kind(**{name: read(record[name]) for name, read in readers.items() if name in record})


@cache
def _readers(kind: type) -> dict[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in _hints(kind).items()}


def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what reads a value of this type, and raises ValueError for any other: a journal may be damaged."""
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(_read_object, hint)
    if origin is tuple:
        return partial(_read_tuple, _reader(args[0]))
    if origin in (Union, types.UnionType):
        return _union_reader(args)
    if origin is Literal:
        return partial(_read_one_of, args)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_read_plain, (dict,))
    plain = cast("type", str if hint is events.AbsPath else hint)
    return partial(_read_plain, (int, float) if plain is float else (plain,))


def _union_reader(members: tuple[Any, ...]) -> Callable[[Any], Any]:
    if any(get_origin(member) is Sequence for member in members):
        # JSON of any shape.
        return _read_as_it_is
    tagged = {member.__name__: _reader(member) for member in members if getattr(member, "__name__", "") in _TAGGED}
    if len(tagged) == len(members):
        return partial(_read_tagged, tagged)
    if len(members) == 2 and members[1] is type(None):
        return partial(_read_optional, _reader(members[0]))
    return partial(_read_first, tuple(map(_reader, members)))


def _read_tagged(readers: Mapping[str, Callable[[Any], Any]], value: Any) -> Any:
    tag = cast("dict[str, Any]", value).get("type") if isinstance(value, dict) else None
    read = readers.get(tag) if isinstance(tag, str) else None
    if read is None:
        raise ValueError(f"none of {', '.join(readers)}: {_short(value)}")
    return read(value)


def _read_optional(read: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else read(value)


def _read_object(kind: type, value: Any) -> Any:
    name = kind.__name__
    if not isinstance(value, dict) or (name in _TAGGED and cast("dict[str, Any]", value).get("type") != name):
        raise ValueError(f"no {name}: {_short(value)}")
    return _object(kind, cast("dict[str, Any]", value))


def _read_tuple(read: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError(f"no list: {_short(value)}")
    return tuple([read(item) for item in cast("list[Any]", value)])


def _read_one_of(options: tuple[Any, ...], value: Any) -> Any:
    if value not in options:
        raise ValueError(f"none of {options}: {_short(value)}")
    return value


def _read_plain(kinds: tuple[type, ...], value: Any) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"no {kinds[0].__name__}: {_short(value)}")
    return value


def _read_first(readers: tuple[Callable[[Any], Any], ...], value: Any) -> Any:
    for read in readers:
        with suppress(ValueError):
            return read(value)
    raise ValueError(f"of no type that it may have: {_short(value)}")


def _read_as_it_is(value: Any) -> Any:
    return value


def _short(value: Any) -> str:
    return repr(value)[:60]


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
