"""One answer of the model, however many attempts it takes, and if need be from another model.

Rules of this file: nothing is waited for in silence; what a failed attempt said is taken out of what models
read (`ResponseDropped`) before the next one, while the person keeps seeing it; each attempt asks the
session anew which model that is, and whether it can be paid for: one that failed may have cost something, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Protocol

from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    Entry,
    MessageEvent,
    NoticeEvent,
    ResponseDropped,
    ThoughtEvent,
    UsageEvent,
)
from openhands_acp.engine.person import questions
from openhands_acp.engine.ports import LLM, Option
from openhands_acp.engine.respond import Conversation, Response, respond
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage import limits
from openhands_acp.engine.usage.cost import BROKEN_OFF
from openhands_acp.engine.waiting import Persistence, Waiting, in_words

_ASKED_FROM = 60.0
"""Seconds of waiting from which on the person is asked."""
_DELIBERATE_FROM = 600.0
"""Seconds from which on only a person may choose to wait, and no client that answers for them."""
_LONGEST = 6 * 3600.0
"""Seconds beyond which nobody would wait in front of a turn."""
_SHORT = 240
"""Characters of a failure that is not the end."""
_FALLS_BACK = ("quota", "model")
"""What no wait helps against, but another model."""
_LAST_SENTENCE = re.compile(r"(?P<cause>.*[.!?…]) (?P<advice>\S.*)", re.DOTALL)
_BROKEN_OFF = "the answer broke off before this call was whole; nothing was run"


class Overflow(Exception):
    """A model could not read all of the conversation, and said so."""

    def __init__(self, llm: LLM, choice: str | None, error: TurnError) -> None:
        super().__init__(error.detail)
        self.llm = llm
        self.choice = choice
        """What it was asked as, in the place of the session's own model; None: it is that one."""
        self.error = error


class Session(Conversation, limits.Session, Protocol):
    entries: list[Entry]
    waiting: Waiting
    persistence: Persistence

    async def open_llm(self, purpose: str = "agent", model: str | None = None) -> LLM: ...


async def answered(session: Session) -> Response | None:
    """Ask the session's model, then its fallbacks, until one has answered. Raises TurnError and Overflow.

    A fallback answers this once; the next call of the turn asks the session's own model first. None: a limit is
    reached, of which the person is to be asked (`limits.checked`) before anything more is spent.
    """
    others = [name for name in dict.fromkeys(session.persistence.fallback) if name != session.transcript.model]
    errors: list[TurnError] = []
    for name, following in zip((None, *others), (*others, None), strict=True):
        outcome = await _Attempts(session, name, following).made()
        if not isinstance(outcome, TurnError):
            return outcome
        errors.append(outcome)
    raise errors[0] if len(errors) == 1 else _all_failed(errors)


class _Attempts:
    """The attempts with one model, or whichever is the session's own at the moment."""

    def __init__(self, session: Session, name: str | None, following: str | None) -> None:
        self.session = session
        self.name = name
        self.following = following
        """The model that is asked when this one fails."""
        self.model = ""
        self.count = 0

    async def made(self) -> Response | TurnError | None:
        """Return the answer, or the failure after which others may be asked; None: a limit is reached.

        Raises TurnError after any other failure, and Overflow.
        """
        session = self.session
        while True:
            llm = await session.open_llm(model=self.name)
            if llm.model != self.model:
                # The person chose another one meanwhile: what was counted is not its doing.
                self.model, self.count = llm.model, 0
            self.count += 1
            await self._rest()
            if not limits.affords(session):
                return None
            begun = len(session.entries)
            try:
                response = await respond(session, llm)
            except TurnError as error:
                if error.spent is not None:
                    session.emit(UsageEvent(error.spent, self.model, None, BROKEN_OFF))
                if error.code == "context":
                    raise Overflow(llm, self.name, error) from error
                if await self._is_over(error, session.entries[begun:]):
                    return _tried(error, self.count)
            else:
                session.waiting.answered(self.model)
                return response

    async def _rest(self) -> None:
        """Leave a provider alone that told another session to."""
        if (seconds := self.session.waiting.rest(self.model)) > 0:
            self._say(f"The provider of {self.model} wants to be left alone for {in_words(seconds)}; waiting.")
            await self.session.waiting.pause(seconds)

    async def _is_over(self, error: TurnError, said: Sequence[Entry]) -> bool:
        """Wait for the next attempt; tell whether there is to be none with this model. Raises TurnError."""
        if not error.can_retry and error.code not in _FALLS_BACK:
            raise error
        waiting, most = self.session.waiting, self.session.persistence.retries
        if self.following is not None and waiting.is_given_up(self.model):
            return self._fall_back(f"{self.model} still does not answer; asking {self.following}.", error, said)
        can_wait = error.can_retry or error.wait is not None
        going_on = f"{_short(error)} Going on with {self.following} for this answer."
        if not can_wait or self.count > most or (error.wait or 0) > _LONGEST:
            return self._fall_back(going_on, error, said)
        seconds = waiting.after(self.count, error.wait)
        if error.code == "rate_limit":
            # Others are kept from asking, but not from asking the person whether to wait.
            waiting.is_busy(self.model, min(seconds, _ASKED_FROM))
        if seconds > _ASKED_FROM and not await self._may_wait(error, seconds):
            return self._fall_back(going_on, error, said)
        begins = "The answer begins anew in" if dropped(self.session, said) else "Trying again in"
        self._say(f"{_short(error)} {begins} {in_words(seconds)} ({self.count} of {most}).")
        await waiting.pause(seconds)
        return False

    def _fall_back(self, notice: str, error: TurnError, said: Sequence[Entry]) -> Literal[True]:
        self.session.waiting.gave_up(self.model, error.wait)
        if self.following is not None:
            dropped(self.session, said)
            self._say(notice)
        return True

    async def _may_wait(self, error: TurnError, seconds: float) -> bool:
        """Ask the person; False: they want the next model. Raises TurnError if they want neither."""
        is_deliberate = seconds > _DELIBERATE_FROM
        wait = Option("allow_once", f"Wait {in_words(seconds)}", is_deliberate)
        switch = Option("allow_always", f"Go on with {self.following} for this answer", is_deliberate)
        ways = (wait,) if self.following is None else (wait, switch)
        stop = Option("reject_once", "Stop here")
        # Clients that answer for the person take what comes first.
        options = (stop, *ways) if is_deliberate else (*ways, stop)
        title = f"{self.model} cannot answer for {in_words(seconds)}: wait?"
        match await questions.ask(self.session, title, _short(error), options):
            case "allow_once":
                return True
            case "allow_always":
                return False
            case _:
                raise error

    def _say(self, text: str) -> None:
        self.session.emit(NoticeEvent(self.session.new_id(), "text", text))


def dropped(session: Conversation, said: Sequence[Entry]) -> bool:
    """Take an answer out of what models read, closing the cards of its calls; tell whether there was any of it."""
    ids: dict[str, None] = {}
    for entry in said:
        match entry.event:
            case ActionEvent() as call:
                if call.tool_call_id in session.transcript.open_calls:
                    session.emit(AgentErrorEvent(call.tool_call_id, call.tool_name, _BROKEN_OFF))
                ids[call.response_id] = None
            case ThoughtEvent(response_id=response_id) | MessageEvent(role="assistant", response_id=str(response_id)):
                ids[response_id] = None
            case _:
                pass
    for response_id in ids:
        session.emit(ResponseDropped(response_id))
    return bool(ids)


def _short(error: TurnError) -> str:
    """Return the cause without the advice, which is for a turn that ends."""
    cause = _parts(error)[0]
    return cause if len(cause) <= _SHORT else f"{cause[:_SHORT].rpartition(' ')[0]}…"


def _tried(error: TurnError, times: int) -> TurnError:
    cause, advice = _parts(error)
    if times == 1 or not advice:
        return error
    return TurnError(error.code, f"{cause} It was tried {times} times. {advice}")


def _parts(error: TurnError) -> tuple[str, str]:
    """Part what happened from what to do, which is the last sentence."""
    found = _LAST_SENTENCE.fullmatch(error.detail)
    return (found["cause"], found["advice"]) if found else (error.detail, "")


def _all_failed(errors: Sequence[TurnError]) -> TurnError:
    causes = " ".join([_short(error) for error in errors])
    advice = "Choose another model, or send the prompt again later."
    return TurnError(errors[0].code, f"None of {len(errors)} models answered. {causes} {advice}")
