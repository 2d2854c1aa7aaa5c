"""Closes the calls that are open when a turn, or the process in the middle of one, ends: told, and never done again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openhands_acp.engine.events import (
    AgentErrorEvent,
    ConversationStateUpdateEvent,
    Entry,
    Event,
    MessageEvent,
    NoticeEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.messages import Part, plain_text
from openhands_acp.engine.titles import title_of
from openhands_acp.engine.transcript import Transcript

_CUT_SHORT = "interrupted when openhands-acp ended; whether it ran, and how far, is unknown: look before you repeat it"
_CRASHED = "openhands-acp ended in the middle of this turn; what it was doing may be half done."
_UNREAD = "openhands-acp ended before the model had read this. Send it again."
_AT_WORK = (
    "This session is {owner}. It is in the middle of this turn there; open the session again to see what came of it."
)


class Session(Protocol):
    transcript: Transcript
    entries: list[Entry]

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...


def close_calls(session: Session, cause: str) -> None:
    """Tell of each call that is open how far it came, as far as that is known."""
    for tool_call_id, call in list(session.transcript.open_calls.items()):
        outcome = "while it ran; what it did is unknown" if call.has_started else "before it ran"
        error = f"{cause} {outcome}{call.hint}"
        # Of one that was only announced, this is all that a replay will know.
        card = call.card if call.action_id is None else None
        session.emit(AgentErrorEvent(tool_call_id, call.tool_name, error, call.shown, card))


def close_what_a_crash_left_open(session: Session, owner: str) -> None:
    """Close what nobody is at work on any more; where `owner` is, say who that is, and leave it to them."""
    if not owner:
        for tool_call_id, call in list(session.transcript.open_calls.items()):
            session.emit(AgentErrorEvent(tool_call_id, call.tool_name, f"{_CUT_SHORT}{call.hint}"))
    if (turn_id := session.transcript.turn_id) is None:
        return
    if unread := _unread(session.entries):
        # Not for the model: hooks may have been about to look at it.
        session.emit(NoticeEvent(session.new_id(), "user", plain_text(unread)))
        if session.transcript.title is None and (title := title_of(unread)):
            session.emit(ConversationStateUpdateEvent("title", title))
    if owner:
        session.emit(NoticeEvent(session.new_id(), "text", _AT_WORK.format(owner=owner)))
        return
    if not _was_told(session.entries):
        session.emit(NoticeEvent(session.new_id(), "text", _UNREAD if unread else _CRASHED))
    session.emit(TurnEnded(turn_id, "end_turn"))


def _unread(entries: Sequence[Entry]) -> tuple[Part, ...]:
    """Return what began the last turn, if that had not come to read it."""
    for entry in reversed(entries):
        match entry.event:
            case MessageEvent(role="user") | NoticeEvent(channel="user"):
                return ()
            case TurnStarted(prompt=prompt):
                return prompt
            case _:
                pass
    return ()


def _was_told(entries: Sequence[Entry]) -> bool:
    """Tell whether whoever closed this was cut short, too, after its last word; the last entry is of now."""
    return any(isinstance(e.event, NoticeEvent) and e.event.text in (_CRASHED, _UNREAD) for e in entries[-2:])
