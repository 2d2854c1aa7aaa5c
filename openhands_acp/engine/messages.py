"""The conversation as a model reads it, without any provider's spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


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


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


def plain_text(parts: Sequence[Part]) -> str:
    """Join the text of `parts`; images are left out."""
    return "\n".join(part.text for part in parts if isinstance(part, Text))
