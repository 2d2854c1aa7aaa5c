"""The tools of a session with a small model: two, told in few words, because it reads slowly and mixes up more.

What they do is the same, and so is what they say; only what the model is told of them is less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.tool import Tool

_STRING: JsonObject = {"type": "string"}

_SPECS = (
    ToolSpec(
        "terminal",
        "Run a shell command in the project folder and return its output.",
        {"type": "object", "properties": {"command": _STRING}, "required": ["command"]},
    ),
    ToolSpec(
        "file_editor",
        "Read or write a file. view: show it (or list a folder). create: a new file with file_text. "
        "str_replace: replace old_str, which must occur exactly once, by new_str.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string", "enum": ["view", "create", "str_replace"]},
                "path": _STRING,
                "file_text": _STRING,
                "old_str": _STRING,
                "new_str": _STRING,
            },
            "required": ["command", "path"],
        },
    ),
)

SLIM = tuple(spec.name for spec in _SPECS)
"""Names of these tools. A session that was told of just these has been told in few words."""


def slimmed(tools: Mapping[str, Tool]) -> tuple[Tool, ...]:
    return tuple(replace(tools[spec.name], spec=spec) for spec in _SPECS)
