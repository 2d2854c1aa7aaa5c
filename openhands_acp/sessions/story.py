"""A conversation as a person reads it: events joined into what is shown, before it is known how.

Pure. A call comes where it ended, with its outcome; what only a model reads is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from openhands_acp.engine import events
from openhands_acp.engine.cards import Card, Shown, ShownText
from openhands_acp.engine.events import Entry, PlanEntry
from openhands_acp.engine.messages import Image, Part, Text, plain_text
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.engine.usage.cost import Spending

Status: TypeAlias = Literal["completed", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person said."""

    parts: tuple[Part, ...]


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


Scene: TypeAlias = Asked | Said | Thought | Called | Planned | Failed | Stopped

_DECISIONS = {
    "allow_once": "allowed once",
    "allow_always": "allowed for the session",
    "allow_widely": "allowed for the session",
    "reject_once": "rejected",
    "cancelled": "question closed",
}
_NO_RESULT = "There is no result of this call."


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all model calls; `cost_usd` is None if the price of one is unknown."""

    model: str
    mode: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


def scenes(entries: Sequence[Entry]) -> Iterator[Scene]:
    telling = _Telling()
    for entry in entries:
        yield from telling.take(entry.event)
    for action in telling.open.values():
        if action.card is not None:
            yield Called(action.card, "pending", (*action.card.shown, ShownText(_NO_RESULT)))


def totals(entries: Sequence[Entry]) -> Totals:
    mode, model = "", ""
    spending = Spending()
    for entry in entries:
        spending.apply(entry.event)
        match entry.event:
            case events.ConversationStarted():
                mode, model = entry.event.mode or mode, entry.event.model or model
            case events.ConversationStateUpdateEvent(key="mode", value=value):
                mode = value
            case events.ConversationStateUpdateEvent(key="model", value=value):
                model = value
            case _:
                pass
    whole = spending.session.whole
    return Totals(model, mode, whole.input_tokens, whole.output_tokens, spending.session.cost_usd)


@dataclass(slots=True)
class _Telling:
    open: dict[str, events.ActionEvent] = field(default_factory=dict[str, events.ActionEvent])
    _decisions: dict[str, str] = field(default_factory=dict[str, str])
    _plan: tuple[PlanEntry, ...] = ()

    def take(self, event: events.Durable) -> Iterator[Scene]:
        match event:
            case events.MessageEvent(role="user"):
                yield Asked(event.content)
            case events.MessageEvent():
                yield from _said(plain_text(event.content))
            case events.ThoughtEvent(text=text) | events.NoticeEvent(channel="thought", text=text):
                yield from _thought(text)
            case events.NoticeEvent(channel="user"):
                yield Asked((Text(event.text),))
            case events.NoticeEvent():
                yield from _said(event.text)
            case events.PlanUpdated():
                yield Planned(event.entries, self._plan)
                self._plan = event.entries
            case events.ConversationErrorEvent():
                yield Failed(event.detail)
            case events.TurnEnded(stop_reason="cancelled"):
                yield Stopped()
            case events.CheckpointTaken() | events.QuestionAnswered() | SubagentStep():
                yield from self._take_card(event)
            case _:
                yield from self._take_call(event)

    def _take_card(self, event: events.CheckpointTaken | events.QuestionAnswered | SubagentStep) -> Iterator[Scene]:
        """Take what has a card of its own, and is over as soon as it is told."""
        match event:
            case events.CheckpointTaken(card=Card() as card):
                yield Called(card, "completed", card.shown, self._decisions.pop(event.tool_call_id, ""))
            case events.QuestionAnswered():
                shown = (*event.card.shown, ShownText(event.answer))
                yield Called(event.card, "completed", shown, self._decisions.pop(event.tool_call_id, ""))
            case SubagentStep(is_own=True):
                yield Called(event.card, event.status, event.shown, self._decisions.pop(event.tool_call_id, ""))
            case events.CheckpointTaken() | SubagentStep():
                pass
            case _:
                assert_never(event)

    def _take_call(
        self,
        event: events.ActionEvent
        | events.ObservationEvent
        | events.UserRejectObservation
        | events.AgentErrorEvent
        | events.PermissionDecided
        | events.ConversationStarted
        | events.SystemPromptEvent
        | ToolsChanged
        | events.TurnStarted
        | events.TurnEnded
        | events.InterruptEvent
        | events.ConversationStateUpdateEvent
        | events.UsageEvent
        | events.ResponseDropped
        | events.Condensation
        | events.SkillActivated
        | SubagentStarted,
    ) -> Iterator[Scene]:
        match event:
            case events.ActionEvent():
                self.open[event.tool_call_id] = event
            case events.PermissionDecided():
                self._decisions[event.tool_call_id] = _DECISIONS[event.option]
            case events.ObservationEvent():
                status: Status = "failed" if event.is_error else "completed"
                shown = event.shown or (ShownText(event.text),)
                yield from self._called(event.tool_call_id, status, shown, event.images)
            case events.UserRejectObservation():
                yield from self._failed(event.tool_call_id, event.shown, self._no(event))
            case events.AgentErrorEvent():
                yield from self._failed(event.tool_call_id, event.shown, event.error)
            case (
                events.ConversationStarted()
                | events.SystemPromptEvent()
                | ToolsChanged()
                | events.TurnStarted()
                | events.TurnEnded()
                | events.InterruptEvent()
                | events.ConversationStateUpdateEvent()
                | events.UsageEvent()
                | events.ResponseDropped()
                | events.Condensation()
                | events.SkillActivated()
                | SubagentStarted()
            ):
                pass
            case _:
                assert_never(event)

    def _no(self, event: events.UserRejectObservation) -> str:
        if event.rejection_source != "user":
            return f"Not done: {event.rejection_reason}"
        # Where the answer to a question is on record, the reason is only what the model was told.
        return "" if event.tool_call_id in self._decisions else f"Rejected: {event.rejection_reason}"

    def _failed(self, call_id: str, shown: tuple[Shown, ...], reason: str) -> Iterator[Scene]:
        action = self.open.get(call_id)
        asked = action.card.shown if action is not None and action.card is not None else ()
        yield from self._called(call_id, "failed", (*(shown or asked), ShownText(reason)))

    def _called(
        self, call_id: str, status: Status, shown: tuple[Shown, ...], images: tuple[Image, ...] = ()
    ) -> Iterator[Scene]:
        action = self.open.pop(call_id, None)
        # Calls without a card show themselves otherwise: as a plan, a thought, a last word.
        if action is not None and action.card is not None:
            yield Called(action.card, status, shown, self._decisions.pop(call_id, ""), images)


def _said(text: str) -> Iterator[Scene]:
    if text.strip():
        yield Said(text)


def _thought(text: str) -> Iterator[Scene]:
    if text.strip():
        yield Thought(text)
