"""Fields of OpenHands' events, read as loose JSON: what is missing or of another shape counts as not there. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard, cast

from openhands_acp.engine.messages import Image, Part, Text

RawEvent = Mapping[str, Any]


def is_object(value: object) -> TypeGuard[RawEvent]:
    return isinstance(value, Mapping)


def parts_of(content: object) -> tuple[Part, ...]:
    """Translate message content; an image that is only linked becomes its address."""
    parts: list[Part] = []
    for item in cast("list[Any]", content) if isinstance(content, list) else ():
        match item:
            case {"type": "image", "image_urls": [*urls]}:
                parts += [_image(str(url)) for url in urls]
            case {"text": str(text)}:
                parts.append(Text(text))
            case _:
                pass
    return tuple(parts)


def _image(url: str) -> Part:
    head, comma, data = url.partition(";base64,")
    return Image(head.removeprefix("data:"), data) if comma and head.startswith("data:") else Text(f"(image: {url})")


def without(images: tuple[Image, ...], observation: RawEvent) -> RawEvent:
    """Leave out of an observation's content the images that are kept as such."""
    content = observation.get("content")
    if not images or not isinstance(content, list):
        return observation
    blocks = cast("list[object]", content)
    return {**observation, "content": [item for item in blocks if not set(parts_of([item])) & set(images)]}


def arguments_of(action_event: RawEvent) -> RawEvent:
    """Return what a call was made with, as OpenHands parsed it or else as the model wrote it."""
    action = action_event.get("action")
    if is_object(action):
        data = action.get("data")
        return data if action.get("kind") == "MCPToolAction" and is_object(data) else action
    match action_event:
        case {"tool_call": {"arguments": str(written)}}:
            try:
                value: object = json.loads(written, strict=False)
            except (ValueError, RecursionError):
                return {}
            return value if is_object(value) else {}
        case _:
            return {}


def tool_name(tool: object) -> str | None:
    match tool:
        case {"name": str(name)} | {"title": str(name)} | {"annotations": {"title": str(name)}} | {"kind": str(name)}:
            return name
        case _:
            return None


def time_of(written: object) -> datetime | None:
    try:
        # Naive ones are the local time of the machine that wrote them.
        return datetime.fromisoformat(written).astimezone(UTC) if isinstance(written, str) else None
    except (ValueError, OverflowError, OSError):
        return None
