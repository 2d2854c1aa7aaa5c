"""`/goal`: work, have it judged, and go on with what is missing, until it is done or has been tried often enough."""

from __future__ import annotations

from typing import Protocol

from openhands_acp.engine.checkpoints.keeping import Checkpoints
from openhands_acp.engine.events import NoticeEvent
from openhands_acp.engine.judging import judged, since
from openhands_acp.engine.titles import cleaned
from openhands_acp.engine.turn import Session as TurnSession
from openhands_acp.engine.turn import take_turn
from openhands_acp.engine.usage.limits import checked

ROUNDS = 10

_USAGE = (
    f"Write the goal after the command: `/goal TEXT`. The agent works until it is reached, {ROUNDS} rounds at most; a "
    "model judges after each."
)
_WORK = "(Work until this is reached and you have seen that it is. Do not ask whether to go on.)"
_UNREAD = "the judgement could not be read; look yourself at what is not done"
_GIVEN_UP = {
    "max_turn_requests": "its steps are used up",
    "max_tokens": "an answer was too long for the model",
    "refusal": "the model refused",
    "cancelled": "you stopped it",
}


class Session(TurnSession, Protocol):
    @property
    def checkpoints(self) -> Checkpoints: ...

    def set_option(self, key: str, value: str) -> None: ...


async def goal(session: Session, objective: str) -> str:
    """Work towards it, and say what came of it. Raises TurnError."""
    if not objective:
        return _USAGE
    if session.transcript.title is None:
        session.set_option("title", cleaned(objective))
    session.checkpoints.begin(cleaned(objective))
    try:
        return await _pursued(session, objective)
    finally:
        await session.checkpoints.end()


async def _pursued(session: Session, objective: str) -> str:
    items = session.transcript.items
    last = items[-1] if items else None
    missing = ""
    for number in range(1, ROUNDS + 1):
        head = f"Round {number} of {ROUNDS}"
        if number == 1:
            _say(session, f"{head}.", f"{objective}\n\n{_WORK}")
        else:
            _say(session, f"{head}: still missing: {missing}", f"(It is not done yet. Still missing: {missing})")
        stop = await take_turn(session)
        if stop == "end_turn":
            stop = await checked(session) or "end_turn"
        if stop != "end_turn":
            return f"The goal is not reached: {_GIVEN_UP[stop]}."
        verdict = await judged(session, "goal", objective, since(session.transcript.items, last))
        if verdict is not None and verdict.is_complete:
            return f"The goal is reached, in {number} {'round' if number == 1 else 'rounds'}."
        missing = (verdict.missing if verdict else "") or _UNREAD
    return f"The goal is not reached in {ROUNDS} rounds. Still missing: {missing}"


def _say(session: Session, text: str, told: str) -> None:
    session.emit(NoticeEvent(session.new_id(), "text", text, told))
