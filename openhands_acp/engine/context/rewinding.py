"""To where a conversation can be taken back: before each prompt that a model still reads. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openhands_acp.engine.events import Condensation, Entry, MessageEvent, NoticeEvent, PlanEntry, TurnStarted
from openhands_acp.engine.messages import plain_text
from openhands_acp.engine.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Place:
    """Before a turn that a prompt began."""

    number: int
    """Of the prompt, counted from the session's first: it never changes."""
    at: datetime
    prompt: str
    items: int
    """So many of the transcript's items of now were there then."""
    plan: tuple[PlanEntry, ...]


def places(entries: Sequence[Entry]) -> list[Place]:
    """Return the places of a conversation, oldest first: what was summed up or taken back has none."""
    transcript, found, number = Transcript(), list[Place](), 0
    turn: Place | None = None
    for entry in entries:
        event = entry.event
        if isinstance(event, TurnStarted):
            turn = Place(0, entry.timestamp, "", len(transcript.items), transcript.plan)
        elif isinstance(event, Condensation):
            found = [moved for place in found if (moved := _after(event, place)) is not None]
            turn = turn and _after(event, turn)
        elif turn is not None and (said := _said(event)) is not None:
            number += 1
            found.append(replace(turn, number=number, prompt=said))
            # What is said while it works belongs to the same turn.
            turn = None
        transcript.apply(event, entry.id)
    return found


def _said(event: object) -> str | None:
    """Return what the person wrote for the model to read."""
    match event:
        case MessageEvent(role="user", content=parts):
            return plain_text(parts)
        case NoticeEvent(channel="user", text=typed, told=str()):
            return typed
        case _:
            return None


def _after(event: Condensation, place: Place) -> Place | None:
    """Find a place again in what is left; None if what came before it, or itself, gave way."""
    if place.items >= event.until:
        return replace(place, items=place.items - event.until + len(event.kept) + bool(event.summary))
    is_there = set(range(place.items + 1)) <= set(event.kept)
    return place if is_there else None
