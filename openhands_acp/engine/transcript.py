"""The state of a conversation as the fold of its events. Knows no ports and does nothing.

Loading a session is folding its journal; live, the same fold also follows what is still streaming.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    Card,
    Channel,
    CheckpointTaken,
    CommandOutput,
    CommandPlaced,
    ConversationErrorEvent,
    ConversationStarted,
    ConversationStateUpdateEvent,
    Event,
    InterruptEvent,
    Live,
    MessageDelta,
    MessageEvent,
    NoticeEvent,
    ObservationEvent,
    PermissionDecided,
    PlanEntry,
    PlanUpdated,
    Shown,
    SystemPromptEvent,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    UsageEvent,
    UserRejectObservation,
)
from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    JsonValue,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
    plain_text,
)
from openhands_acp.engine.paths import AbsPath

_STOPPED = UserMessage((Text("(I stopped you here. Leave what was under way, unless I ask for it again.)"),))
"""Else a model takes up what it was told to stop, beside what it is asked next."""


@dataclass(slots=True)
class OpenCall:
    """A call without a result."""

    tool_name: str
    action_id: str | None = None
    """None while its arguments are still streaming."""
    card: Card | None = None
    has_started: bool = False
    shown: tuple[Shown, ...] = ()
    """What its card shows since it runs."""


@dataclass(slots=True)
class PartialMessage:
    channel: Channel
    pieces: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(slots=True)
class _Response:
    """One answer of the model, put together from events that need not be neighbours."""

    text: str = ""
    thought: str = ""
    blocks: JsonValue = None
    calls: dict[str, CallMade] = field(default_factory=dict[str, CallMade])
    results: dict[str, tuple[str, tuple[Image, ...]]] = field(default_factory=dict[str, tuple[str, tuple[Image, ...]]])


@dataclass(slots=True)
class Transcript:
    system: SystemMessage | None = None
    roots: tuple[AbsPath, ...] = ()
    title: str | None = None
    mode: str | None = None
    model: str | None = None
    thought_level: str | None = None
    plan: tuple[PlanEntry, ...] = ()
    rules: set[str] = field(default_factory=set[str])
    """What the person allowed for the whole session (see `policy`)."""
    turn_id: str | None = None
    """The turn that started and has not ended."""
    cost_usd: float | None = 0.0
    """Of all model calls; None once the price of one was unknown."""
    open_calls: dict[str, OpenCall] = field(default_factory=dict[str, OpenCall])
    partial: dict[str, PartialMessage] = field(default_factory=dict[str, PartialMessage])
    _items: list[UserMessage | _Response] = field(default_factory=list[UserMessage | _Response])
    _responses: dict[str, _Response] = field(default_factory=dict[str, _Response])
    _response_of_call: dict[str, _Response] = field(default_factory=dict[str, _Response])

    def history(self) -> list[Message]:
        """Return the conversation as a model reads it: each call followed by its result, in call order."""
        messages: list[Message] = [self.system] if self.system else []
        for item in self._items:
            if isinstance(item, UserMessage):
                messages.append(item)
                continue
            messages.append(AssistantMessage(item.text, tuple(item.calls.values()), item.thought, item.blocks))
            messages += [
                ToolMessage(call.id, call.name, *item.results[key])
                for key, call in item.calls.items()
                if key in item.results
            ]
        return messages

    @property
    def first_prompt(self) -> UserMessage | None:
        return next((item for item in self._items if isinstance(item, UserMessage)), None)

    def apply(self, event: Event, entry_id: str) -> None:
        """Take in one event; `entry_id` is empty for a live one."""
        match event:
            case MessageDelta() | CallDelta() | CallProgress() | CommandOutput() | CommandPlaced():
                self._apply_live(event)
            case MessageEvent() | ThoughtEvent() | ActionEvent():
                self._apply_message(event, entry_id)
            case ObservationEvent():
                self._close(event.tool_call_id, event.text, event.images)
            case UserRejectObservation():
                self._close(event.tool_call_id, f"Rejected: {event.rejection_reason}")
            case AgentErrorEvent():
                self._close(event.tool_call_id, f"Error: {event.error}")
            case CheckpointTaken():
                self.open_calls.pop(event.tool_call_id, None)
                self._items += [UserMessage((Text(event.told),))] if event.told is not None else []
            case _:
                self._apply_state(event)

    def _apply_live(self, event: Live) -> None:
        match event:
            case MessageDelta():
                partial = self.partial.get(event.message_id)
                if partial is None:
                    partial = self.partial[event.message_id] = PartialMessage(event.channel)
                partial.pieces.append(event.text)
            case CallDelta():
                call = self.open_calls.setdefault(event.tool_call_id, OpenCall(event.tool_name))
                call.card = event.card
            case CallProgress():
                if call := self.open_calls.get(event.tool_call_id):
                    call.has_started = True
                    call.shown = event.shown or call.shown
            case CommandOutput() | CommandPlaced():
                pass
            case _:
                assert_never(event)

    def _apply_message(self, event: MessageEvent | ThoughtEvent | ActionEvent, entry_id: str) -> None:
        match event:
            case MessageEvent(role="user"):
                self._items.append(UserMessage(event.content))
            case MessageEvent():
                self.partial.pop(event.message_id, None)
                self._response(event.response_id or event.message_id).text += plain_text(event.content)
            case ThoughtEvent():
                self.partial.pop(event.message_id, None)
                response = self._response(event.response_id)
                response.thought, response.blocks = event.text, event.blocks
            case ActionEvent():
                response = self._response(event.response_id)
                made = CallMade(event.provider_call_id, event.tool_name, event.arguments)
                response.calls[event.tool_call_id] = made
                self._response_of_call[event.tool_call_id] = response
                call = self.open_calls.setdefault(event.tool_call_id, OpenCall(event.tool_name))
                call.action_id, call.card = entry_id, event.card
            case _:
                assert_never(event)

    def _apply_state(
        self,
        event: ConversationStarted
        | SystemPromptEvent
        | PermissionDecided
        | NoticeEvent
        | PlanUpdated
        | TurnStarted
        | TurnEnded
        | InterruptEvent
        | ConversationErrorEvent
        | ConversationStateUpdateEvent
        | UsageEvent,
    ) -> None:
        match event:
            case ConversationStarted():
                self._start(event)
            case SystemPromptEvent():
                self.system = SystemMessage(event.static, event.dynamic)
            case PermissionDecided():
                self.rules |= {event.rule} if event.rule else set[str]()
            case PlanUpdated():
                self.plan = event.entries
            case TurnStarted():
                self.turn_id = event.turn_id
            case TurnEnded():
                self.turn_id = None
                self._items += [_STOPPED] if event.stop_reason == "cancelled" else []
            case ConversationStateUpdateEvent():
                setattr(self, event.key, event.value)
            case UsageEvent():
                self.cost_usd = _sum(self.cost_usd, event.usage.cost_usd)
            case NoticeEvent() | InterruptEvent() | ConversationErrorEvent():
                pass
            case _:
                assert_never(event)

    def _start(self, event: ConversationStarted) -> None:
        if self.roots not in ((), event.roots):
            # The prompt names the folder: it is written anew for another one.
            self.system = None
        self.roots, self.mode, self.model = event.roots, event.mode, event.model
        self.thought_level = event.thought_level

    def _close(self, tool_call_id: str, result: str, images: tuple[Image, ...] = ()) -> None:
        self.open_calls.pop(tool_call_id, None)
        if response := self._response_of_call.get(tool_call_id):
            response.results.setdefault(tool_call_id, (result, images))

    def _response(self, response_id: str) -> _Response:
        response = self._responses.get(response_id)
        if response is None:
            response = self._responses[response_id] = _Response()
            self._items.append(response)
        return response


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
