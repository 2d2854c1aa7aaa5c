"""Markdown with YAML in front of it: the fields, the text after them, and in which line a field stands.

Pure. Knows no field by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)

_RULED = re.compile(r"\s*[^\s:-][^:]*")
"""What stands between two lines that only divide a text: no fields."""


@dataclass(frozen=True, slots=True)
class Document:
    path: Path
    body: str
    """Without the blank lines round it."""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lines: Mapping[str, int] = field(default_factory=dict[str, int])

    def line_of(self, name: str) -> int:
        return self.lines.get(name, 1)


class Malformed(Exception):
    """What stands in front cannot be read: why, and in which line. Lower case, no full stop."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def parsed(path: Path, text: str) -> Document:
    """Split a file's text. One without front matter is all body. Raises Malformed."""
    fence = _FENCE.match(text)
    if fence is None or _RULED.fullmatch(fence[1]):
        if text.startswith("---\n") and re.match(r"---\n[A-Za-z_][\w-]*:", text):
            raise Malformed("the `---` that ends the fields is missing", 1)
        return Document(path, text.strip())
    # Late: who writes no such files does without YAML (2 MB).
    from openhands_acp.extensions.yaml_fields import read_fields

    fields, lines = read_fields(fence[1])
    return Document(path, text[fence.end() :].strip(), fields, lines)
