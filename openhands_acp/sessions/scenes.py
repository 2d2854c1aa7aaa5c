"""What a conversation consists of for whoever reads it, in order; not how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from openhands_acp.engine.cards import Card, Shown
from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import Image, Part

Status: TypeAlias = Literal["completed", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class Amount:
    """Of model calls together; `cost_usd` is None if the price of one is unknown."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Began:
    """A turn begins."""

    number: int
    at: datetime
    news: tuple[str, ...]
    """What is not as it was in the turn before: its model, its mode."""


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over, and its model was asked."""

    took: timedelta
    used: Amount


@dataclass(frozen=True, slots=True)
class Attached:
    """A file or folder that came with a prompt."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person said."""

    parts: tuple[Part | Attached, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What the agent said, in Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    text: str


@dataclass(frozen=True, slots=True)
class Called:
    card: Card
    status: Status
    shown: tuple[Shown, ...]
    decision: str = ""
    """What the person answered, if they were asked."""
    images: tuple[Image, ...] = ()
    inner: tuple[Scene, ...] = ()
    """What the sub-agent said and did that worked for it."""


@dataclass(frozen=True, slots=True)
class Summed:
    """What a model goes on with in place of earlier steps, in Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class Planned:
    entries: tuple[PlanEntry, ...]
    before: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ended with an error."""

    text: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The person stopped the turn."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A session as a whole; model and mode are those that it has now."""

    model: str
    mode: str
    began: datetime | None
    used: Amount


Scene: TypeAlias = Began | Asked | Said | Thought | Called | Summed | Planned | Failed | Stopped | Ended
