"""What a session tells of its sub-agents: a part of `events`, which knows nothing of how they work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openhands_acp.engine.cards import Card, Shown


@dataclass(frozen=True, slots=True)
class SubagentStarted:
    """A sub-agent begins to work for a call of `task`, for the first time or once more."""

    task_id: str
    """By which it can be gone on with, also in another process."""
    tool_call_id: str
    agent: str
    """The name of its definition."""


@dataclass(frozen=True, slots=True)
class SubagentStep:
    """A call that a sub-agent made is over. The model that it works for reads nothing of it."""

    tool_call_id: str
    """Its own, unique in the session as well."""
    within: str
    """The call of `task` that it belongs to."""
    tool_name: str
    card: Card
    """With the sub-agent's name in front of its title."""
    status: Literal["completed", "failed"]
    shown: tuple[Shown, ...]
    """All that is to be seen of it now."""
    is_own: bool
    """It asked the person or changed a file, so it has a card of its own; others are lines in the card of the task."""
