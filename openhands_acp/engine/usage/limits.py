"""Whether a model may be asked once more: at a limit the person is, and without an answer the turn stops.

Every call of a model is preceded by `checked`, or, where the call could as well not be made, by `affords`; so is each
attempt at one, which goes back to `checked` where a failed one, or something else meanwhile, has reached a limit.
"""

from __future__ import annotations

from typing import Protocol

from openhands_acp.engine.events import NoticeEvent, StopReason
from openhands_acp.engine.person import questions
from openhands_acp.engine.ports import Answer, Option
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.usage.budget import Limits, Reached, in_words, more_in_words, reached, setting
from openhands_acp.engine.usage.cost import rule_to_raise


class Payer(Protocol):
    """Whose money it is."""

    transcript: Transcript

    @property
    def limits(self) -> Limits:
        """Those that count with the model that the session has at this moment."""
        ...

    def exhausted(self) -> str | None:
        """Say why no model may be asked, whatever the session's own limits are; None: one may."""
        ...


class Session(Payer, questions.Session, Protocol):
    pass


def affords(session: Payer) -> bool:
    """Tell whether a model may be asked for what nobody waits for: nobody is asked for more."""
    return session.exhausted() is None and reached(session.limits, session.transcript.spending) is None


async def checked(session: Session) -> StopReason | None:
    """Return why the turn ends before its next call of a model; None: it does not.

    Asks the person whether to go on. Raises TurnError with the reason in words.
    """
    if (why := session.exhausted()) is not None:
        # Whoever it works for asks the person, once for all that work for it.
        raise TurnError("quota", f"Stopped: {why}.")
    while (it := reached(session.limits, session.transcript.spending)) is not None:
        # What they allow is an event: the next look finds the limit raised.
        if await _ask(session, it) in ("allow_once", "allow_always"):
            continue
        reason = f"{in_words(it)}. To go on, send a prompt and allow more, or raise {setting(it)}."
        if it.what != "steps":
            raise TurnError("quota", f"Stopped: {reason[0].lower()}{reason[1:]}")
        session.emit(NoticeEvent(session.new_id(), "text", f"Stopped: {reason[0].lower()}{reason[1:]}"))
        return "max_turn_requests"
    return None


async def _ask(session: Session, it: Reached) -> Answer:
    always = Option("allow_always", "Go on without this limit in this session", is_deliberate=True)
    once = Option("allow_once", f"Go on for {more_in_words(it)}", is_deliberate=True)
    # What cannot be counted cannot be allowed as much again.
    more = (always,) if it.what == "price" else (once, always)
    rules = {
        "allow_once": rule_to_raise(it.scope, it.what, it.raised),
        "allow_always": rule_to_raise(it.scope, it.what, None),
    }
    # To stop comes first, because clients that answer for the person take what comes first.
    stop = Option("reject_once", "Stop here")
    why = f"{in_words(it)}. The limit is {setting(it)}."
    return await questions.ask(session, f"{in_words(it)}: go on?", why, (stop, *more), rules)
