"""The end of a turn, which hooks may put off: what they miss goes back to the model, a few times.

Does not know how hooks are run, nor how a turn is.
"""

from __future__ import annotations

from typing import Protocol

from openhands_acp.engine import critic
from openhands_acp.engine.events import NoticeEvent, StopReason
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.usage.limits import affords

MOST = 5
"""How often a turn is sent back."""


class Session(critic.Session, hooking.Session, Protocol):
    pass


async def take_watched_turn(session: Session) -> StopReason:
    """Take the turn, and go on with what hooks send back. Raises TurnError."""
    items = session.transcript.items
    last = items[-1] if items else None
    stop = await critic.take_judged_turn(session)
    if not session.transcript.items or session.transcript.items[-1] is last:
        # Of a prompt that nobody read.
        return stop
    for number in range(1, MOST + 1):
        if stop != "end_turn" or not affords(session):
            return stop
        if not (reason := await hooking.stopped(session, again=number > 1)):
            return stop
        text = f"A hook sends this back ({number} of {MOST}): {reason}"
        told = f"(A hook does not let you stop yet: {reason})"
        session.emit(NoticeEvent(session.new_id(), "text", text, told))
        stop = await critic.take_judged_turn(session)
    return stop
