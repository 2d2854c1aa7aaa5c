"""What a sub-agent does and asks, told in the session that it works for: with its name, in the card of its task.

Rules of this file: whatever the client is asked belongs to a call that it knows, so a step that asks has a card of
its own first; so has one that changes a file, for that is to be seen as a change. Everything else is a line. What a
sub-agent's models cost, and what the person allows it for good, is the session's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from openhands_acp.engine.cards import Card, Shown, ShownDiff, ShownText
from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    CommandPlaced,
    ConversationErrorEvent,
    Event,
    MessageEvent,
    NoticeEvent,
    ObservationEvent,
    PermissionDecided,
    QuestionAnswered,
    UsageEvent,
    UserRejectObservation,
)
from openhands_acp.engine.messages import plain_text
from openhands_acp.engine.permission.policy import server_of
from openhands_acp.engine.person.door import Form, Link, Person, Pick, Picked, Reply
from openhands_acp.engine.ports import Answer, Permissions, Question
from openhands_acp.engine.subagents.course import Course, bounded
from openhands_acp.engine.subagents.events import SubagentStep


class Session(Protocol):
    """The one that it works for."""

    def emit(self, event: Event) -> str: ...


@dataclass(slots=True)
class _Call:
    tool_name: str
    card: Card
    is_own: bool = False


@dataclass(slots=True)
class View:
    """One sub-agent at work, as its session sees it. `take` is what its own session publishes to."""

    session: Session
    tool_call_id: str
    """Of its task."""
    course: Course
    own_servers: frozenset[str] = frozenset()
    """Those that its definition brings, by name."""
    failure: str = ""
    """Why its turn ended, in words, if it failed."""
    _calls: dict[str, _Call] = field(default_factory=dict[str, _Call])

    def take(self, event: Event) -> None:
        match event:
            case CallDelta() | ActionEvent():
                self._announced(event)
            case CallProgress() | CommandPlaced():
                self._progressed(event)
            case ObservationEvent() | UserRejectObservation() | AgentErrorEvent():
                self._over(event)
            case SubagentStep():
                # Of one that works for this one.
                self.session.emit(replace(event, card=self.named(event.card)))
            case QuestionAnswered():
                self._calls.pop(event.tool_call_id, None)
                self.course.state(event.tool_call_id, "completed")
                self.session.emit(replace(event, card=self.named(event.card)))
            case PermissionDecided():
                # What a server of its own may do is no business of another's of that name.
                is_its_own = event.rule is not None and server_of(event.rule) in self.own_servers
                self.session.emit(replace(event, rule=None) if is_its_own else event)
            case UsageEvent():
                self.course.used.add(event.usage)
                self.session.emit(UsageEvent(event.usage, event.model, None, "subagent"))
            case MessageEvent(role="assistant") | NoticeEvent(channel="text") | ConversationErrorEvent():
                self._said(event)
            case _:
                return
        self.tell()

    def tell(self) -> None:
        self.session.emit(CallProgress(self.tool_call_id, self.course.shown()))

    def named(self, card: Card) -> Card:
        return replace(card, title=f"{self.course.agent}: {card.title}")

    def asks(self, call_id: str, card: Card) -> None:
        """Show a call in a card of its own, because the person is asked about it."""
        known = self._calls.setdefault(call_id, _Call("question", card))
        self._show(call_id, replace(known, card=card), is_own=True)
        self.course.step(call_id, card)
        self.course.state(call_id, "waiting")
        self.tell()

    def answered(self, call_id: str) -> None:
        self.course.state(call_id, "running")
        self.tell()

    # ---------------------------------------------------------------- calls

    def _announced(self, event: CallDelta | ActionEvent) -> None:
        if isinstance(event, ActionEvent) and event.tool_name == "finish":
            self.course.said(_last_word(event.mended or event.arguments))
        if event.card is None:
            return
        if isinstance(event, CallDelta) and event.within:
            self.session.emit(replace(event, card=self.named(event.card)))
            return
        known = self._calls.setdefault(event.tool_call_id, _Call(event.tool_name, event.card))
        known.card = event.card
        self._show(event.tool_call_id, known, is_own=known.is_own)
        self.course.step(event.tool_call_id, event.card)

    def _show(self, call_id: str, call: _Call, *, is_own: bool) -> None:
        self._calls[call_id].is_own = is_own
        card = self.named(call.card)
        self.session.emit(CallDelta(call_id, call.tool_name, card, self.tool_call_id, is_own))

    def _progressed(self, event: CallProgress | CommandPlaced) -> None:
        call = self._calls.get(event.tool_call_id)
        if call is not None and not call.is_own and _is_to_be_seen(event):
            self._show(event.tool_call_id, call, is_own=True)
        if isinstance(event, CallProgress):
            self.course.progress(event.shown or ())
        self.session.emit(event)

    def _over(self, event: ObservationEvent | UserRejectObservation | AgentErrorEvent) -> None:
        call = self._calls.pop(event.tool_call_id, None)
        if call is None:
            return
        is_done = isinstance(event, ObservationEvent) and not event.is_error
        status: Literal["completed", "failed"] = "completed" if is_done else "failed"
        self.course.state(event.tool_call_id, status)
        shown = bounded(_shown(event, call.card))
        self.session.emit(
            SubagentStep(
                event.tool_call_id,
                self.tool_call_id,
                call.tool_name,
                self.named(call.card),
                status,
                shown,
                call.is_own,
            )
        )

    def _said(self, event: MessageEvent | NoticeEvent | ConversationErrorEvent) -> None:
        match event:
            case MessageEvent():
                self.course.said(plain_text(event.content))
            case NoticeEvent(told=str()):
                # News of the session's as well, where the person is told of it.
                pass
            case NoticeEvent():
                # The tool `finish` says again what it was called with.
                self.course.notice = "" if event.text.strip() == self.course.answer else event.text
            case ConversationErrorEvent():
                self.failure = event.detail


def _is_to_be_seen(event: CallProgress | CommandPlaced) -> bool:
    # A terminal of the client's is shown before anything waits for it; a change is shown as one.
    return isinstance(event, CommandPlaced) or any(isinstance(item, ShownDiff) for item in event.shown or ())


def _shown(event: ObservationEvent | UserRejectObservation | AgentErrorEvent, card: Card) -> tuple[Shown, ...]:
    match event:
        case ObservationEvent():
            return event.shown or (ShownText(event.text),)
        case UserRejectObservation():
            is_persons = event.rejection_source == "user"
            reason = "Rejected" if is_persons else f"Not done: {event.rejection_reason}"
            return (*(event.shown or card.shown), ShownText(reason))
        case AgentErrorEvent():
            return (*(event.shown or card.shown), ShownText(event.error))


def _last_word(arguments: str) -> str:
    try:
        return str(json.loads(arguments)["message"])
    except (ValueError, LookupError, TypeError):
        return ""


# ---------------------------------------------------------------- questions


@dataclass(frozen=True, slots=True)
class NamedPermissions:
    """Asks whoever the session asks, with the sub-agent's name in front (`Permissions`)."""

    permissions: Permissions
    view: View

    async def ask(self, question: Question) -> Answer:
        self.view.asks(question.tool_call_id, question.card)
        try:
            return await self.permissions.ask(replace(question, card=self.view.named(question.card)))
        finally:
            self.view.answered(question.tool_call_id)


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """The session's person, who is told which sub-agent asks (`Person`)."""

    person: Person
    view: View

    async def fill(self, form: Form) -> Reply:
        # Its task is the call that the client knows.
        return await self.person.fill(replace(form, asker=self._asker(form.asker), tool_call_id=self.view.tool_call_id))

    async def pick(self, pick: Pick) -> Picked | Literal["dismissed", "unable"]:
        self.view.asks(pick.tool_call_id, pick.card)
        try:
            return await self.person.pick(replace(pick, card=self.view.named(pick.card)))
        finally:
            self.view.answered(pick.tool_call_id)

    async def visit(self, link: Link) -> Reply:
        return await self.person.visit(replace(link, asker=self._asker(link.asker)))

    def visited(self, link_id: str) -> None:
        self.person.visited(link_id)

    def _asker(self, asker: str) -> str:
        return f"{self.view.course.agent}: {asker}" if asker else self.view.course.agent
