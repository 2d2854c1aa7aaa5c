"""A conversation as a person reads it: events joined into what is shown, before it is known how.

Pure. A call comes where it ended, with its outcome; what only a model reads is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, assert_never

from openhands_acp.engine import events
from openhands_acp.engine.cards import Card, Shown, ShownText
from openhands_acp.engine.events import Entry, PlanEntry
from openhands_acp.engine.messages import Image, Part, Text, plain_text
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.engine.usage.cost import Bill, Spending
from openhands_acp.sessions.scenes import (
    Amount,
    Asked,
    Attached,
    Began,
    Called,
    Ended,
    Failed,
    Planned,
    Said,
    Scene,
    Status,
    Stopped,
    Summed,
    Thought,
    Totals,
)

_DECISIONS = {
    "allow_once": "allowed once",
    "allow_always": "allowed for the session",
    "allow_widely": "allowed for the session",
    "reject_once": "rejected",
    "cancelled": "question closed",
}
_NO_RESULT = "There is no result of this call."
_ATTACHED = re.compile(
    r'<(file|folder|resource) (?:path|uri)="([^"\n]*)"(?: lines="([\d-]+)")?>\n(.*)\n</\1>', re.DOTALL
)
"""A part of a prompt that stands for what was attached (`engine.attachments`, `acp.content`)."""

Subagents: TypeAlias = Mapping[str, Sequence[Entry]]
"""What sub-agents said, by their places in the folder of the session that they worked for."""
_NONE: Subagents = {}


def scenes(entries: Sequence[Entry], subagents: Subagents = _NONE) -> Iterator[Scene]:
    telling = _Telling(subagents, _last_calls(entries))
    for entry in entries:
        yield from telling.take(entry)
    if telling.unread:
        yield Asked(tuple(map(_part, telling.unread)))
    for action in telling.open.values():
        if action.card is not None:
            yield Called(action.card, "pending", (*action.card.shown, _plain(_NO_RESULT)))


def totals(entries: Sequence[Entry]) -> Totals:
    spending, choices = Spending(), _Choices()
    for entry in entries:
        spending.apply(entry.event)
        choices.take(entry.event)
    began = entries[0].timestamp if entries else None
    return Totals(choices.model, choices.mode, began, _amount(spending.session))


def _amount(bill: Bill) -> Amount:
    return Amount(bill.whole.input_tokens, bill.whole.output_tokens, bill.cost_usd)


@dataclass(slots=True)
class _Choices:
    """What the person chose for the session, as it is by now."""

    model: str = ""
    mode: str = ""
    thought_level: str = "default"

    def take(self, event: events.Durable) -> None:
        match event:
            case events.ConversationStarted():
                self.mode, self.model = event.mode or self.mode, event.model or self.model
                self.thought_level = event.thought_level
            case events.ConversationStateUpdateEvent(key="mode", value=value):
                self.mode = value
            case events.ConversationStateUpdateEvent(key="model", value=value):
                self.model = value
            case events.ConversationStateUpdateEvent(key="thought_level", value=value):
                self.thought_level = value
            case _:
                pass

    def in_words(self) -> tuple[str, ...]:
        return self.model, self.mode, "" if self.thought_level == "default" else f"thinking {self.thought_level}"


def _last_calls(entries: Sequence[Entry]) -> dict[str, str]:
    """Return by its call of `task` each sub-agent that was at work; one that was gone on with by the last of them."""
    started = [entry.event for entry in entries if isinstance(entry.event, SubagentStarted)]
    return {call_id: task_id for task_id, call_id in {each.task_id: each.tool_call_id for each in started}.items()}


@dataclass(slots=True)
class _Telling:
    subagents: Subagents
    tasks: Mapping[str, str]
    """Sub-agents by the calls that tell of them."""
    open: dict[str, events.ActionEvent] = field(default_factory=dict[str, events.ActionEvent])
    unread: tuple[Part, ...] = ()
    """What the last turn began with, if it has not come to read it."""
    _decisions: dict[str, str] = field(default_factory=dict[str, str])
    _plan: tuple[PlanEntry, ...] = ()
    _turns: int = 0
    _since: datetime | None = None
    """When the turn began that runs."""
    _spending: Spending = field(default_factory=Spending)
    _choices: _Choices = field(default_factory=_Choices)
    _told: tuple[str, ...] = ()
    """What was chosen, as the last turn began with it."""

    def take(self, entry: Entry) -> Iterator[Scene]:
        event = entry.event
        self._spending.apply(event)
        self._choices.take(event)
        match event:
            case events.TurnStarted():
                self.unread = event.prompt
                yield self._began(entry.timestamp)
            case events.TurnEnded():
                yield from self._ended(event, entry.timestamp)
            case _:
                yield from self._take(event)

    def _began(self, at: datetime) -> Began:
        chosen = self._choices.in_words()
        before, self._told = self._told or ("",) * len(chosen), chosen
        self._turns, self._since = self._turns + 1, at
        news = tuple(now for now, then in zip(chosen, before, strict=True) if now not in ("", then))
        return Began(self._turns, at, news)

    def _ended(self, event: events.TurnEnded, at: datetime) -> Iterator[Scene]:
        if event.stop_reason == "cancelled":
            yield Stopped()
        used = _amount(self._spending.turn)
        if self._since is not None and (used.input_tokens or used.output_tokens):
            yield Ended(at - self._since, used)
        self._since = None

    def _take(self, event: events.Durable) -> Iterator[Scene]:
        match event:
            case events.MessageEvent(role="user"):
                self.unread = ()
                yield Asked(tuple(map(_part, event.content)))
            case events.MessageEvent():
                yield from _said(plain_text(event.content))
            case events.ThoughtEvent(text=text) | events.NoticeEvent(channel="thought", text=text):
                yield from _thought(text)
            case events.NoticeEvent(channel="user"):
                self.unread = ()
                yield Asked((Text(event.text),))
            case events.NoticeEvent():
                yield from _said(event.text)
            case events.PlanUpdated():
                yield Planned(event.entries, self._plan)
                self._plan = event.entries
            case events.ConversationErrorEvent():
                yield Failed(event.detail)
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
                shown = event.shown or (_plain(event.text),)
                yield from self._called(event.tool_call_id, status, shown, event.images)
            case events.UserRejectObservation():
                yield from self._failed(event.tool_call_id, event.shown, self._no(event))
            case events.AgentErrorEvent():
                yield from self._failed(event.tool_call_id, event.shown, event.error)
            case events.Condensation():
                yield from [Summed(event.summary)] if event.summary.strip() else []
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
        yield from self._called(call_id, "failed", (*(shown or asked), *([_plain(reason)] if reason else [])))

    def _called(
        self, call_id: str, status: Status, shown: tuple[Shown, ...], images: tuple[Image, ...] = ()
    ) -> Iterator[Scene]:
        action = self.open.pop(call_id, None)
        # Calls without a card show themselves otherwise: as a plan, a thought, a last word.
        if action is not None and action.card is not None:
            yield Called(action.card, status, shown, self._decisions.pop(call_id, ""), images, self._inner(call_id))

    def _inner(self, call_id: str) -> tuple[Scene, ...]:
        place = f"subagents/{self.tasks[call_id]}" if call_id in self.tasks else ""
        said = self.subagents.get(place)
        if said is None:
            return ()
        deeper = {
            each.removeprefix(f"{place}/"): theirs
            for each, theirs in self.subagents.items()
            if each.startswith(f"{place}/")
        }
        return tuple(scene for scene in scenes(said, deeper) if not isinstance(scene, Began | Ended))


def _part(part: Part) -> Part | Attached:
    match part:
        case Text(text) if found := _ATTACHED.fullmatch(text.strip()):
            return Attached(found[2] + (f":{found[3]}" if found[3] else ""), found[4])
        case _:
            return part


def _plain(text: str) -> ShownText:
    """Show what is no Markdown letter for letter."""
    return ShownText(fenced(text))


def _said(text: str) -> Iterator[Scene]:
    if text.strip():
        yield Said(text)


def _thought(text: str) -> Iterator[Scene]:
    if text.strip():
        yield Thought(text)
