"""What a session tells of the states of its files that are kept: a part of `events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openhands_acp.engine.cards import Card
from openhands_acp.engine.paths import AbsPath


@dataclass(frozen=True, slots=True)
class CheckpointTaken:
    """A state of the files is kept: before a turn's first change, after its last, and where the person went back."""

    checkpoint_id: str
    """A number that a person can type; the same before and after a turn."""
    moment: Literal["before", "after", "undo", "redo", "restore"]
    before: str
    """The state before the turn, or before the person went back."""
    after: str | None
    """The state after it; None before a turn, when nobody knows it."""
    title: str
    """What the turn was asked for, or what was gone back on."""
    changed: int = 0
    """Files that differ between the two."""
    paths: tuple[AbsPath, ...] = ()
    """The first of them."""
    told: str | None = None
    """What the model reads of it, in the person's voice; None: nothing."""
    tool_call_id: str = ""
    card: Card | None = None
    """What the person is shown of it; None: nothing."""
