"""Two tools for the tests of calls in text, and a stream as what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openhands_acp.engine.ports import CallChunk, Chunk, TextChunk, ToolSpec

TERMINAL = ToolSpec(
    "terminal",
    "Run a command.",
    {
        "type": "object",
        "properties": {
            "command": {"type": "string"},
            "timeout": {"type": "number"},
            "background": {"type": "boolean"},
        },
    },
)
EDITOR = ToolSpec(
    "file_editor",
    "View or create a file.",
    {
        "type": "object",
        "properties": {
            "command": {"type": "string", "enum": ["view", "create"]},
            "path": {"type": "string", "description": "From the project's folder."},
            "file_text": {"type": "string"},
            "view_range": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["command", "path"],
    },
)


@dataclass(frozen=True, slots=True)
class Told:
    """What is shown of an answer, and the calls in it: name and arguments."""

    text: str
    calls: list[Any]


def told(chunks: Iterable[Chunk]) -> Told:
    text = ""
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        match chunk:
            case TextChunk():
                text += chunk.text
            case CallChunk(index, _, name, arguments):
                call = calls.setdefault(index, [name, ""])
                call[1] += arguments
            case _:
                pass
    return Told(text, [[name, _object(arguments)] for name, arguments in calls.values()])


def _object(arguments: str) -> Any:
    """Read JSON; what is none stays as it is."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
