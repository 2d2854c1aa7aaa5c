"""Helps a model out of a circle: it is told, then the person is asked, then the turn ends with the reason.

Knows what `stuck` found; knows nothing of how that is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openhands_acp.engine.events import NoticeEvent, ResponseDropped
from openhands_acp.engine.person import questions
from openhands_acp.engine.ports import Option
from openhands_acp.engine.respond import Response
from openhands_acp.engine.stuck import REMEMBERED, Finding, Said, Step, judged, made, only_announces
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.waiting import Waiting, in_words

_ADVICE = "Tell it what to do differently, or choose another model; it goes on from here."


class Session(questions.Session, Protocol):
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to."""

    text: str
    """As the model reads it."""
    has_failed: bool = True
    ends_turn: bool = False


@dataclass(slots=True)
class Course:
    """What the model did since the person last spoke."""

    session: Session
    steps: list[Step] = field(default_factory=list[Step])
    has_asked: bool = False

    def begin(self) -> None:
        """The person spoke: what was before is no circle any more."""
        self.steps, self.has_asked = [], False

    async def corrected(self, response: Response, outcomes: Sequence[Outcome]) -> bool:
        """Take one step; tell whether the model is to be asked again even if it made no call. Raises TurnError."""
        self.steps = [*self.steps[1 - REMEMBERED :], _step(response, outcomes)]
        finding = judged(self.steps)
        if self.steps[-1].said in ("thoughts", "refrain"):
            # A model that reads it learns from it, and some providers refuse thoughts alone.
            self.session.emit(ResponseDropped(response.response_id))
        if finding is None:
            return False
        match finding.remedy:
            case "again":
                seconds = self.session.waiting.after(1, None)
                self._say(f"{finding.what}. Asking again in {in_words(seconds)}.")
                await self.session.waiting.pause(seconds)
            case "nudge":
                self._say(f"{finding.what}.", f"({finding.advice})")
            case "ask":
                await self._ask(finding)
            case "end":
                raise _stuck(finding)
        return True

    async def _ask(self, finding: Finding) -> None:
        # Once: a client that answers for the person must not keep it going for ever.
        if self.has_asked:
            raise _stuck(finding)
        go_on = Option("allow_once", "Go on", is_deliberate=True)
        options = (Option("reject_once", "Stop here"), go_on)
        answer = await questions.ask(self.session, "The agent gets nowhere: go on?", f"{finding.what}.", options)
        if answer != "allow_once":
            raise _stuck(finding)
        self.steps, self.has_asked = [], True

    def _say(self, text: str, told: str | None = None) -> None:
        self.session.emit(NoticeEvent(self.session.new_id(), "text", text, told))


def _stuck(finding: Finding) -> TurnError:
    return TurnError("stuck", f"{finding.what}. The turn was ended. {_ADVICE}")


def _step(response: Response, outcomes: Sequence[Outcome]) -> Step:
    calls = tuple(
        [
            made(call.tool_name, call.arguments, call.written, outcome.text, has_failed=outcome.has_failed)
            for call, outcome in zip(response.calls, outcomes, strict=True)
        ]
    )
    return Step(calls, _said(response))


def _said(response: Response) -> Said:
    if response.calls:
        return "malformed" if all(call.problem for call in response.calls) else "something"
    if response.is_refrain:
        return "refrain"
    if response.finish.reason == "refusal":
        return "something"
    if response.is_empty:
        return "thoughts" if response.has_thought else "nothing"
    if response.finish.reason == "length":
        return "cut"
    return "plan" if only_announces(response.text) else "something"
