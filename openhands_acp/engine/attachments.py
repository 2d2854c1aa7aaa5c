"""What a person attached to a prompt by link, read so that the model sees what they see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from openhands_acp.engine.messages import Image, Link, Part, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Files, UnreadableFile

_LIMIT = 60_000
"""Characters of one attached file that go into the prompt; the model can read on by itself."""
_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file or folder that the person pointed at."""

    link: Link
    path: AbsPath
    first_line: int | None = None
    last_line: int | None = None


PromptPart: TypeAlias = Part | FileLink


def link_to(uri: str, name: str) -> FileLink | None:
    """Return the local file that `uri` means, with its `#L10-20`; None for other schemes."""
    parts = urlsplit(uri)
    if parts.scheme not in ("file", "") or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        return None
    path = unquote(parts.path)
    if re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    lines = re.fullmatch(r"L(\d+)(?:[-:]L?(\d+))?", parts.fragment)
    first = int(lines.group(1)) if lines else None
    return FileLink(Link(name, uri), AbsPath(path), first, int(lines.group(2) or lines.group(1)) if lines else None)


def as_typed(prompt: Sequence[PromptPart]) -> tuple[Part, ...]:
    """Name the files of a prompt without reading them."""
    return tuple([_as_text(part) if isinstance(part, FileLink) else part for part in prompt])


def _as_text(part: FileLink) -> Text:
    return Text(f"[{part.link.name}]({part.path})", part.link)


async def opened(part: PromptPart, files: Files) -> Part:
    """Replace a link by what it points at; what cannot be read stays a link, with the reason."""
    if isinstance(part, Text | Image):
        return part
    try:
        return Text(await _contents(part, files), part.link)
    except (OSError, UnreadableFile) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Text(f"{_as_text(part).text} (could not be read: {reason})", part.link)


async def _contents(link: FileLink, files: Files) -> str:
    try:
        text = (await files.read(link.path)).text
    except IsADirectoryError:
        entries = await files.entries(link.path)
        names = [entry.name + "/" * entry.is_dir for entry in entries[:_ENTRIES]]
        more = [f"… and {len(entries) - _ENTRIES} more"] if len(entries) > _ENTRIES else []
        return f'<folder path="{link.path}">\n' + "\n".join(names + more) + "\n</folder>"
    where = ""
    if link.first_line is not None:
        lines = text.split("\n")
        last = min(link.last_line or link.first_line, len(lines))
        text, where = "\n".join(lines[link.first_line - 1 : last]), f' lines="{link.first_line}-{last}"'
    if len(text) > _LIMIT:
        text = text[:_LIMIT] + f"\n[… {len(text) - _LIMIT} characters left out; read the file for the rest]"
    return f'<file path="{link.path}"{where}>\n{text}\n</file>'
