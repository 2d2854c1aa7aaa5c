"""Content both ways: a prompt's blocks to parts the engine takes, what is shown of a call to blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from openhands_acp.acp.schema import (
    AudioBlock,
    ContentBlock,
    ImageBlock,
    ResourceBlock,
    ResourceLinkBlock,
    TextBlock,
    TextResource,
)
from openhands_acp.engine.attachments import PromptPart, link_to
from openhands_acp.engine.cards import Location, Shown, ShownCommand, ShownDiff, ShownSound, ShownText
from openhands_acp.engine.messages import Image, Link, Part, Text
from openhands_acp.engine.spelling import fenced
from openhands_acp.rpc.errors import INVALID_PARAMS, RpcError

_SHOWN_IMAGE = 2 * 1024 * 1024
"""Characters of one image that go into a message: some clients read lines with a limit."""
_ATTACHED_IMAGE = 8 * 1024 * 1024
"""The same of one that the person attached themselves, and will look for."""


def to_prompt(blocks: Sequence[ContentBlock]) -> tuple[PromptPart, ...]:
    """Translate a prompt. Raises RpcError for content that was not advertised."""
    return tuple(_to_part(block) for block in blocks)


def _to_part(block: ContentBlock) -> PromptPart:
    match block:
        case TextBlock(text=text):
            return Text(text)
        case ImageBlock():
            return Image(block.mimeType, block.data)
        case AudioBlock():
            raise RpcError(INVALID_PARAMS, "audio is not supported (see promptCapabilities)")
        case ResourceLinkBlock():
            return link_to(block.uri, block.name) or Text(f"[{block.name}]({block.uri})", Link(block.name, block.uri))
        case ResourceBlock(resource=TextResource(uri=uri, text=text)):
            return Text(f'<resource uri="{uri}">\n{text}\n</resource>', _embedded(uri))
        case ResourceBlock(resource=blob):
            mime_type = getattr(blob, "mimeType", None) or "application/octet-stream"
            if mime_type.startswith("image/"):
                return Image(mime_type, getattr(blob, "blob", ""))
            size = len(getattr(blob, "blob", "")) * 3 // 4
            text = f'<resource uri="{blob.uri}" type="{mime_type}">(binary, about {size:,} bytes)</resource>'
            return Text(text, _embedded(blob.uri))
        case _:
            assert_never(block)


def _embedded(uri: str) -> Link:
    """Name what has no name of its own."""
    return Link(uri.rstrip("/").rpartition("/")[2] or uri, uri)


def part_to_wire(part: Part) -> dict[str, Any]:
    """`ContentBlock`, as the person sees the part."""
    match part:
        case Text(link=Link(name, uri)):
            return {"type": "resource_link", "name": name, "uri": uri}
        case Text(text):
            return {"type": "text", "text": text}
        case Image(mime_type, data):
            return {"type": "image", "mimeType": mime_type, "data": data}
        case _:
            assert_never(part)


def shown_to_wire(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """`ToolCallContent[]`."""
    return [wire for item in shown for wire in _shown_to_wire(item)]


def _shown_to_wire(item: Shown) -> list[dict[str, Any]]:
    match item:
        case ShownText(text):
            return [_text_to_wire(text)]
        case ShownCommand(line, output):
            return [_text_to_wire(fenced(f"$ {line}" + (f"\n{output}" if output else ""), "console"))]
        case ShownDiff(path, old, new):
            # Never null for a new file: a serializer between us and the screen may drop it (clients.md rule 6).
            diff = {"type": "diff", "path": path, "oldText": old or "", "newText": new or ""}
            # The protocol has a place for texts, and none for what else becomes of a file.
            return [*([_text_to_wire(_besides(item))] if item.besides else []), diff]
        case ShownSound(mime_type, data):
            sound = {"type": "audio", "mimeType": mime_type, "data": data}
            return [{"type": "content", "content": sound}] if len(data) <= _SHOWN_IMAGE else []
        case _:
            assert_never(item)


def _besides(diff: ShownDiff) -> str:
    """Say it in Markdown, which would take underscores for emphasis."""
    words = diff.besides
    if diff.moved_from is not None:
        words = words.replace(diff.moved_from, f"`{diff.moved_from}`")
    return f"{words}: `{diff.path}`"


def attached_to_wire(part: Part) -> dict[str, Any]:
    """`ContentBlock` of what the person said; of an image that makes too long a line, what it is."""
    if isinstance(part, Image) and len(part.data) > _ATTACHED_IMAGE:
        part = _too_large(part)
    return part_to_wire(part)


def images_to_wire(images: Sequence[Image]) -> list[dict[str, Any]]:
    """`ToolCallContent[]`; of an image that makes too long a line, what it is."""
    return [
        {"type": "content", "content": part_to_wire(image if len(image.data) <= _SHOWN_IMAGE else _too_large(image))}
        for image in images
    ]


def _too_large(image: Image) -> Text:
    return Text(f"(an image of {len(image.data) * 3 // 4 - image.data.count('='):,} bytes, too large to show here)")


def _text_to_wire(text: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": text}}


def locations_to_wire(locations: Sequence[Location]) -> list[dict[str, Any]]:
    return [
        {"path": location.path} | ({"line": location.line} if location.line is not None else {})
        for location in locations
    ]
