"""Closes the calls that are open when a turn, or the process in the middle of one, ends: told, and never done again."""

from __future__ import annotations

from typing import Protocol

from openhands_acp.engine.events import AgentErrorEvent, Event, NoticeEvent, TurnEnded
from openhands_acp.engine.transcript import Transcript

_CUT_SHORT = "interrupted when openhands-acp ended; whether it ran, and how far, is unknown: look before you repeat it"
_CRASHED = "openhands-acp ended in the middle of this turn; what it was doing may be half done."


class Session(Protocol):
    transcript: Transcript

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...


def close_calls(session: Session, cause: str) -> None:
    """Tell of each call that is open how far it came, as far as that is known."""
    for tool_call_id, call in list(session.transcript.open_calls.items()):
        outcome = "while it ran; what it did is unknown" if call.has_started else "before it ran"
        session.emit(AgentErrorEvent(tool_call_id, call.tool_name, f"{cause} {outcome}{call.hint}", call.shown))


def close_what_a_crash_left_open(session: Session) -> None:
    for tool_call_id, call in list(session.transcript.open_calls.items()):
        session.emit(AgentErrorEvent(tool_call_id, call.tool_name, f"{_CUT_SHORT}{call.hint}"))
    if session.transcript.turn_id is not None:
        session.emit(NoticeEvent(session.new_id(), "text", _CRASHED))
        session.emit(TurnEnded(session.transcript.turn_id, "end_turn"))
