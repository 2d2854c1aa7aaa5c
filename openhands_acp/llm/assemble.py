"""Our messages as the chat-completions format spells them, made valid first.

Whatever was cut short or came in the wrong order, a provider is never sent a history that it would
refuse. Pure: knows the format, no vendor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    JsonValue,
    Message,
    Part,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.ports import ToolSpec

Wire: TypeAlias = dict[str, Any]

INTERRUPTED = "interrupted, outcome unknown"
"""The result of a call that has none."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def to_chat(
    messages: Iterable[Message],
    tools: Iterable[ToolSpec],
    *,
    cache_marks: bool = False,
    with_blocks: bool = True,
    image_results: bool = False,
) -> tuple[list[Wire], list[Wire]]:
    """Spell a conversation and its tools.

    Every call gets its one result, directly after it and in order; an invalid name or argument is
    replaced, what is empty or stray is dropped, and the person's messages in a row become one.
    `cache_marks` marks the system prompt's static half for a provider that caches by marks (Claude);
    `with_blocks` sends reasoning back to a provider that wants its own. `image_results` leaves images
    in the results of calls; elsewhere these are text only, and the images follow as the person's.
    """
    system: list[Wire] = []
    turns: list[_Said | _Asked] = []
    for message in messages:
        match message:
            case SystemMessage():
                system.extend(_system(message, cache_marks=cache_marks))
            case UserMessage(parts):
                _add_parts(turns, parts)
            case AssistantMessage():
                _add_said(turns, message)
            case ToolMessage():
                _answer(turns, message)
            case _:
                assert_never(message)
    if not turns or isinstance(turns[0], _Said):
        turns.insert(0, _Asked([Text("Continue.")]))
    if not image_results:
        turns = list(_with_images_apart(turns))
    chat = [wire for turn in turns for wire in _spell(turn, with_blocks=with_blocks)]
    return [*system, *chat], [_tool(spec) for spec in tools]


# ---------------------------------------------------------------- a valid order


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the person said, up to the model's next word."""

    parts: list[Part]


@dataclass(slots=True)
class _Slot:
    """A call of one response, with the id that is unique in it, and its result."""

    call: CallMade
    id: str
    result: ToolMessage | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    message: AssistantMessage
    slots: list[_Slot]


def _add_parts(turns: list[_Said | _Asked], parts: Sequence[Part]) -> None:
    kept = [part for part in parts if not isinstance(part, Text) or part.text.strip()]
    if not kept:
        return
    if turns and isinstance(last := turns[-1], _Asked):
        last.parts.extend(kept)
    else:
        turns.append(_Asked(kept))


def _add_said(turns: list[_Said | _Asked], message: AssistantMessage) -> None:
    slots: list[_Slot] = []
    for at, call in enumerate(message.calls):
        taken = {slot.id for slot in slots}
        fresh = call.id or f"call_{at}"
        while fresh in taken:
            fresh += "_"
        slots.append(_Slot(call, fresh))
    if slots or message.text.strip():
        turns.append(_Said(message, slots))


def _answer(turns: list[_Said | _Asked], result: ToolMessage) -> None:
    """Give `result` to the last response with such a call open: providers reuse ids across turns."""
    for turn in reversed(turns):
        for slot in turn.slots if isinstance(turn, _Said) else ():
            if slot.call.id == result.call_id and slot.result is None:
                slot.result = result
                return


def _with_images_apart(turns: Sequence[_Said | _Asked]) -> Iterator[_Said | _Asked]:
    """Put the images that calls resulted in behind the results, in front of what the person said next."""
    images: list[Part] = []
    for turn in turns:
        match turn:
            case _Asked(parts):
                yield _Asked([*images, *parts])
                images = []
            case _Said(message, slots):
                if images:
                    yield _Asked(images)
                images = [part for slot in slots for part in _images_of(slot)]
                yield _Said(message, [_without_images(slot) for slot in slots])
            case _:
                assert_never(turn)
    if images:
        yield _Asked(images)


def _images_of(slot: _Slot) -> list[Part]:
    images = slot.result.images if slot.result else ()
    return [Text(f"What {slot.call.name} gave to look at (call {slot.id}):"), *images] if images else []


def _without_images(slot: _Slot) -> _Slot:
    return _Slot(slot.call, slot.id, None if slot.result is None else replace(slot.result, images=()))


# ---------------------------------------------------------------- spelling


def _system(message: SystemMessage, *, cache_marks: bool) -> list[Wire]:
    halves = [_clean(half) for half in (message.static, message.dynamic) if half.strip()]
    if not halves:
        return []
    if not cache_marks:
        return [{"role": "system", "content": "\n\n".join(halves)}]
    blocks: list[Wire] = [{"type": "text", "text": half} for half in halves]
    if message.static.strip():
        blocks[0]["cache_control"] = {"type": "ephemeral"}
    return [{"role": "system", "content": blocks}]


def _spell(turn: _Said | _Asked, *, with_blocks: bool) -> list[Wire]:
    match turn:
        case _Asked(parts):
            return [{"role": "user", "content": _content(parts)}]
        case _Said(message, slots):
            results = [{"role": "tool", "tool_call_id": slot.id, "content": _result(slot)} for slot in slots]
            return [_assistant(message, slots, with_blocks=with_blocks), *results]
        case _:
            assert_never(turn)


def _content(parts: Sequence[Part]) -> str | list[Wire]:
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(texts) == len(parts):
        return _clean("\n\n".join(texts))
    return [_part(part) for part in parts]


def _part(part: Part) -> Wire:
    match part:
        case Text(text):
            return {"type": "text", "text": _clean(text)}
        case Image(mime_type, data):
            return {"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{data}"}}
        case _:
            assert_never(part)


def _assistant(message: AssistantMessage, slots: Sequence[_Slot], *, with_blocks: bool) -> Wire:
    wire: Wire = {"role": "assistant", "content": _clean(message.text) if message.text.strip() else None}
    if slots:
        wire["tool_calls"] = [_call(slot) for slot in slots]
    if with_blocks and message.blocks:
        wire["reasoning_content"] = _clean(message.thought)
        wire["thinking_blocks"] = message.blocks
    return wire


def _call(slot: _Slot) -> Wire:
    name = _NOT_IN_NAMES.sub("_", slot.call.name)[:64] or "unknown"
    return {"id": slot.id, "type": "function", "function": {"name": name, "arguments": _arguments(slot.call.arguments)}}


def _arguments(text: str) -> str:
    """Keep `text` if it is a JSON object: some providers refuse the whole history otherwise."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "{}"
    return _clean(text) if isinstance(value, dict) else "{}"


def _refuse(constant: str) -> JsonValue:
    raise ValueError(constant)


def _result(slot: _Slot) -> str | list[Wire]:
    if slot.result is None:
        return INTERRUPTED
    if not slot.result.images:
        return _clean(slot.result.text)
    said = [Text(slot.result.text)] if slot.result.text.strip() else []
    return [_part(part) for part in (*said, *slot.result.images)]


def _tool(spec: ToolSpec) -> Wire:
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def _clean(text: str) -> str:
    """Replace lone surrogates, which undecodable output of commands brings and UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
