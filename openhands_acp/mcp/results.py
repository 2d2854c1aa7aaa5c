"""What servers answer, as a model and a person can take it: content of every kind, in MCP's types, to ours. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never, cast

import mcp_types

from openhands_acp.engine.cards import ShownSound, ShownText
from openhands_acp.engine.messages import AssistantMessage, Image, JsonObject, Part, Text, UserMessage
from openhands_acp.engine.servers.door import RemoteResult

LONGEST = 4_000_000
"""Characters of one result that are taken; whoever tells a model of it cuts it further, and keeps all of it."""
_SHOWN = 100_000
"""Characters of text for the person alone, and of structured content: in one message to the editor, and kept."""
_SOUND_SIZE = 2 << 20
"""Characters of Base64: of a longer one no editor is told (`acp.content`)."""
_IMAGES = 20
_IMAGE_SIZE = 7_000_000
"""Characters of Base64: more than 5 MB no provider takes."""
_SEEN = ("image/png", "image/jpeg", "image/gif", "image/webp")


def from_call(result: mcp_types.CallToolResult) -> RemoteResult:
    """Put together what a call came to; text that is meant for the person alone is shown and not told."""
    told, shown = _Gathered(), _Gathered()
    for block in result.content:
        audience = block.annotations.audience if block.annotations is not None else None
        if not audience or "assistant" in audience:
            told.add(block)
        if not audience or "user" in audience:
            shown.add(block)
    structured = _object(result.structured_content)
    if structured is not None and not _says(told.texts, structured):
        text = json.dumps(structured, ensure_ascii=False, indent=2)
        told.texts.append(text)
        shown.texts.append(text)
    # There is but one place for images, where both see them.
    images = [*told.images, *(image for image in shown.images if image not in told.images)]
    text = told.text() or _without_text(images)
    seen = shown.text(_SHOWN)
    return RemoteResult(
        text,
        # Sounds do not stand alone: some clients show none.
        (*((ShownText(seen),) if seen and (shown.texts != told.texts or shown.sounds) else ()), *shown.sounds),
        tuple(images),
        result.is_error,
        structured if structured is not None and len(json.dumps(structured)) <= _SHOWN else None,
    )


def from_resource(result: mcp_types.ReadResourceResult) -> RemoteResult:
    gathered = _Gathered()
    for contents in result.contents:
        gathered.add_contents(contents, with_name=len(result.contents) > 1)
    return RemoteResult(gathered.text() or _without_text(gathered.images), images=tuple(gathered.images))


def from_prompt(result: mcp_types.GetPromptResult) -> tuple[Part, ...]:
    """Lay out what a prompt says in the order it has; who speaks is said where not all of it is the person's."""
    parts: list[Part] = []
    has_answers = any(message.role == "assistant" for message in result.messages)
    for message in result.messages:
        gathered = _Gathered()
        gathered.add(message.content)
        speaker = f"{'Assistant' if message.role == 'assistant' else 'User'}: " if has_answers else ""
        if text := gathered.text():
            parts.append(Text(f"{speaker}{text}"))
        parts += gathered.images
    return tuple(parts)


def from_samples(messages: Sequence[mcp_types.SamplingMessage]) -> tuple[UserMessage | AssistantMessage, ...]:
    """Take what a server would have a model answer. Calls of tools in there become text: it has no tools of ours."""
    taken: list[UserMessage | AssistantMessage] = []
    for message in messages:
        gathered = _Gathered()
        for block in message.content if isinstance(message.content, list) else [message.content]:
            match block:
                case mcp_types.ToolUseContent():
                    gathered.texts.append(f"(called {block.name} with {json.dumps(block.input)})")
                case mcp_types.ToolResultContent():
                    for each in block.content:
                        gathered.add(each)
                case _:
                    gathered.add(block)
        text = gathered.text()
        if message.role == "assistant":
            taken.append(AssistantMessage(text))
        else:
            texts = (Text(text),) if text else ()
            taken.append(UserMessage((*texts, *gathered.images)))
    return tuple(taken)


@dataclass(slots=True)
class _Gathered:
    texts: list[str] = field(default_factory=list[str])
    images: list[Image] = field(default_factory=list[Image])
    sounds: list[ShownSound] = field(default_factory=list[ShownSound])

    def text(self, longest: int = LONGEST) -> str:
        text = "\n".join(self.texts)
        return text if len(text) <= longest else f"{text[:longest]}\n[… {len(text) - longest:,} characters left out …]"

    def add(self, block: mcp_types.ContentBlock) -> None:
        match block:
            case mcp_types.TextContent():
                self.texts.append(block.text)
            case mcp_types.ImageContent():
                self._add_image(block.mime_type, block.data, "an image")
            case mcp_types.AudioContent():
                self.texts.append(f"(a sound, {block.mime_type}, {_size(block.data)})")
                if len(block.data) <= _SOUND_SIZE:
                    self.sounds.append(ShownSound(block.mime_type, block.data))
            case mcp_types.ResourceLink():
                about = [each for each in (block.title or block.name, block.mime_type, block.description) if each]
                self.texts.append(f"(a resource to read: {block.uri}; {', '.join(about)})")
            case mcp_types.EmbeddedResource():
                self.add_contents(block.resource, with_name=True)
            case _:
                assert_never(block)

    def add_contents(
        self, contents: mcp_types.TextResourceContents | mcp_types.BlobResourceContents, *, with_name: bool
    ) -> None:
        match contents:
            case mcp_types.TextResourceContents():
                self.texts.append(f"{contents.uri}:\n{contents.text}" if with_name else contents.text)
            case mcp_types.BlobResourceContents():
                self._add_image(contents.mime_type or "of no kind that is told", contents.blob, contents.uri)
            case _:
                assert_never(contents)

    def _add_image(self, mime_type: str, data: str, name: str) -> None:
        if mime_type in _SEEN and len(data) <= _IMAGE_SIZE and len(self.images) < _IMAGES:
            self.images.append(Image(mime_type, data))
        else:
            self.texts.append(f"({name}, {mime_type}, {_size(data)}: it cannot be shown here)")


def _without_text(images: Iterable[Image]) -> str:
    kinds = [image.mime_type for image in images]
    return f"({', '.join(kinds)})" if kinds else "(nothing)"


def _size(base64: str) -> str:
    size = len(base64) * 3 // 4 - base64.count("=")
    return f"{size / 1000:,.0f} kB" if size >= 1000 else f"{size} bytes"


def _object(value: Any) -> JsonObject | None:
    return cast("JsonObject", value) if isinstance(value, dict) else None


def _says(texts: Iterable[str], structured: JsonObject) -> bool:
    """Tell whether a text says the same already, as the protocol advises for clients that read no structure."""
    # FastMCP's servers put what is no object into one.
    inner = structured["result"] if set(structured) == {"result"} else structured
    return any(text == inner or _parsed(text) in (structured, inner) for text in texts)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
