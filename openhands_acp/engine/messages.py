"""The conversation as a model reads it, without any provider's spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Link:
    """What a person attached to a prompt, as they see it."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    link: Link | None = None
    """Set where the person sees no text, but this: then the text is what the link leads to."""


@dataclass(frozen=True, slots=True)
class Image:
    mime_type: str
    data: str
    """Base64."""


Part: TypeAlias = Text | Image


@dataclass(frozen=True, slots=True)
class SystemMessage:
    """Two blocks, so that a provider's cache can hold the first across sessions."""

    static: str
    dynamic: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class CallMade:
    id: str
    """The provider's."""
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    text: str
    calls: tuple[CallMade, ...] = ()
    thought: str = ""
    blocks: JsonValue = None
    """Reasoning as the provider wants it back; opaque."""


@dataclass(frozen=True, slots=True)
class ToolMessage:
    """The one result of the call with this id."""

    call_id: str
    name: str
    text: str
    images: tuple[Image, ...] = ()


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


_UNSEEN = "(an image was here, which you cannot see: the model that is in use takes no images)"


def without_images(messages: Sequence[Message]) -> list[Message]:
    """Put a sentence in the place of every image, for a model that sees none."""
    return [_blind(message) for message in messages]


def _blind(message: Message) -> Message:
    match message:
        case UserMessage(parts) if any(isinstance(part, Image) for part in parts):
            return UserMessage(tuple(Text(_UNSEEN) if isinstance(part, Image) else part for part in parts))
        case ToolMessage(call_id, name, text, images) if images:
            return ToolMessage(call_id, name, f"{text}\n{_UNSEEN}")
        case _:
            return message


def plain_text(parts: Sequence[Part]) -> str:
    """Join the text of `parts`; images are left out."""
    return "\n".join(part.text for part in parts if isinstance(part, Text))
