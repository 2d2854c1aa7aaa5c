"""A second look at what a turn did, which may send it back (`[critic]`, off by default)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openhands_acp.engine import turn
from openhands_acp.engine.events import NoticeEvent, StopReason
from openhands_acp.engine.items import Item, Step
from openhands_acp.engine.judging import Verdict, judged, since
from openhands_acp.engine.messages import UserMessage, plain_text
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage.budget import Critic
from openhands_acp.engine.usage.limits import affords


class Session(turn.Session, Protocol):
    critic: Critic | None


async def take_judged_turn(session: Session) -> StopReason:
    """Take the turn, and go on with what the critic misses in it, as often as the settings say. Raises TurnError."""
    items = session.transcript.items
    last = items[-1] if items else None
    stop = await turn.take_turn(session)
    if session.critic is None:
        return stop
    for number in range(1, session.critic.max_rounds + 1):
        work = since(session.transcript.items, last)
        if stop != "end_turn" or not _has_acted(work) or not affords(session):
            return stop
        verdict = await _judged(session, work)
        if verdict is None or _is_good(verdict, session.critic.threshold):
            return stop
        text = f"The critic sends this back ({number} of {session.critic.max_rounds}): {verdict.missing}"
        told = f"(Somebody looked over what you did. Still missing: {verdict.missing})"
        session.emit(NoticeEvent(session.new_id(), "text", text, told))
        stop = await turn.take_turn(session)
    return stop


def _has_acted(work: Sequence[Item]) -> bool:
    """Tell whether there is anything to judge: a talk is not."""
    return any(isinstance(item, Step) and item.calls for item in work)


async def _judged(session: Session, work: Sequence[Item]) -> Verdict | None:
    objective = "\n\n".join(plain_text(item.parts) for item in work if isinstance(item, UserMessage))
    try:
        return await judged(session, "critic", objective, work)
    except TurnError as error:
        # The work is done whether anybody judges it or not.
        session.emit(NoticeEvent(session.new_id(), "text", f"The critic could not be asked: {error.detail}"))
        return None


def _is_good(verdict: Verdict, threshold: float) -> bool:
    good = verdict.is_complete if verdict.score is None else verdict.score >= threshold
    return good or not verdict.missing
