"""What a session tells of its tools: a part of `events`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolsChanged:
    """From now on the model is told of these tools, by their names and in this order: servers' come and go."""

    tools: tuple[str, ...]
