"""Events to `session/update`: the one projector, for live turns and for replay.

Rules of this file: a call is announced by `tool_call` once, and only then updated, with nothing but
what changed; a message's text is sent once, however it arrives (in deltas, whole, or both); nothing
is sent for events that a client has no place for. Replay differs in one thing: the person's own
words are sent too, which live clients show by themselves (clients.md rules 4, 7 and section 1).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never, cast

from openhands_acp.acp.content import locations_to_wire, part_to_wire, shown_to_wire
from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    Card,
    Channel,
    ConversationErrorEvent,
    ConversationStarted,
    ConversationStateUpdateEvent,
    Event,
    InterruptEvent,
    MessageDelta,
    MessageEvent,
    NoticeEvent,
    ObservationEvent,
    PermissionDecided,
    PlanUpdated,
    Shown,
    ShownText,
    SystemPromptEvent,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    UsageEvent,
    UserRejectObservation,
)
from openhands_acp.engine.messages import Text, plain_text
from openhands_acp.rpc.outbox import Outgoing

_CHUNK_KIND: dict[Channel, str] = {
    "text": "agent_message_chunk",
    "thought": "agent_thought_chunk",
    "user": "user_message_chunk",
}
_JOINED = 16_000
"""Characters that chunks are joined up to: lines stay small, some clients read them with a limit."""


@dataclass(slots=True)
class ChunkUpdate:
    """A piece of a message. Takes in the pieces that follow while the client is slow."""

    session_id: str
    kind: str
    message_id: str
    pieces: list[str]
    size: int

    def to_wire(self) -> dict[str, Any]:
        content = {"type": "text", "text": "".join(self.pieces)}
        return _update(self.session_id, {"sessionUpdate": self.kind, "messageId": self.message_id, "content": content})

    def absorb(self, following: Outgoing) -> bool:
        if (
            not isinstance(following, ChunkUpdate)
            or following.message_id != self.message_id
            or following.session_id != self.session_id
            or self.size > _JOINED
        ):
            return False
        self.pieces += following.pieces
        self.size += following.size
        return True


@dataclass(slots=True)
class CallUpdate:
    """New values of a call's fields. A later one of the same call replaces what it repeats."""

    session_id: str
    fields: dict[str, Any]

    def to_wire(self) -> dict[str, Any]:
        return _update(self.session_id, {"sessionUpdate": "tool_call_update", **self.fields})

    def absorb(self, following: Outgoing) -> bool:
        if (
            not isinstance(following, CallUpdate)
            or following.session_id != self.session_id
            or following.fields["toolCallId"] != self.fields["toolCallId"]
        ):
            return False
        self.fields.update(following.fields)
        return True


@dataclass(frozen=True, slots=True)
class Update:
    """Any other update: stands alone."""

    session_id: str
    update: dict[str, Any]

    def to_wire(self) -> dict[str, Any]:
        return _update(self.session_id, self.update)

    def absorb(self, following: Outgoing) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class State:
    """What updates tell of a session besides its events."""

    mode: str
    config_options: list[dict[str, Any]]
    cost_usd: float | None
    """Of all its model calls; None is unknown."""


@dataclass(slots=True)
class Projector:
    session_id: str
    put: Callable[[Outgoing], None]
    state: Callable[[], State]
    """The session's, with the event that is being published already in it."""
    is_replay: bool = False
    _sent: dict[str, int] = field(default_factory=dict[str, int])
    """Characters of each message that are out."""
    _calls: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Fields of each announced call, as the client has them."""
    _asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    """Content of each open call as its arguments gave it."""
    _last_chunk: tuple[Channel, str] | None = None
    """Set while nothing but one message was sent: another of its kind needs a gap."""

    def publish(self, event: Event) -> None:
        match event:
            case MessageDelta():
                self._sent[event.message_id] = self._sent.get(event.message_id, 0) + len(event.text)
                self._chunk(event.channel, event.message_id, event.text)
            case MessageEvent(role="user"):
                self._user_message(event)
            case MessageEvent():
                self._rest("text", event.message_id, plain_text(event.content))
            case ThoughtEvent():
                self._rest("thought", event.message_id, event.text)
            case NoticeEvent():
                self._rest(event.channel, event.message_id, event.text)
            case ConversationErrorEvent():
                self._rest("text", event.message_id, event.detail)
            case _:
                self._publish_call(event)

    def _publish_call(self, event: Any) -> None:
        match event:
            case CallDelta():
                self._call(event.tool_call_id, self._card(event.card, event.tool_name))
            case ActionEvent():
                if event.card is not None:
                    fields = self._card(event.card, event.tool_name)
                    self._asked[event.tool_call_id] = fields["content"]
                    self._call(event.tool_call_id, fields | {"rawInput": _raw_input(event.arguments)})
            case CallProgress():
                shown = {} if event.shown is None else {"content": shown_to_wire(event.shown)}
                self._result(event.tool_call_id, {"status": "in_progress"} | shown)
            case ObservationEvent():
                self._observed(event)
            case UserRejectObservation():
                # The reason is for the model; a person who said no knows theirs.
                is_mode = event.rejection_source == "mode"
                reason = f"Not done: {event.rejection_reason}" if is_mode else "Rejected"
                self._failed(event.tool_call_id, reason, event.shown)
            case AgentErrorEvent():
                self._failed(event.tool_call_id, event.error, event.shown)
            case _:
                self._publish_state(event)

    def _publish_state(
        self,
        event: ConversationStarted
        | SystemPromptEvent
        | PermissionDecided
        | PlanUpdated
        | TurnStarted
        | TurnEnded
        | InterruptEvent
        | ConversationStateUpdateEvent
        | UsageEvent,
    ) -> None:
        match event:
            case PlanUpdated():
                entries = [
                    {"content": entry.content, "priority": "medium", "status": entry.status} for entry in event.entries
                ]
                self._put({"sessionUpdate": "plan", "entries": entries})
            case ConversationStateUpdateEvent(key="title"):
                self._put({"sessionUpdate": "session_info_update", "title": event.value})
            case ConversationStateUpdateEvent():
                state = self.state()
                if event.key == "mode":
                    self._put({"sessionUpdate": "current_mode_update", "currentModeId": state.mode})
                self._put({"sessionUpdate": "config_option_update", "configOptions": state.config_options})
            case UsageEvent():
                self._usage(event)
            case (
                ConversationStarted()
                | SystemPromptEvent()
                | PermissionDecided()
                | TurnStarted()
                | TurnEnded()
                | InterruptEvent()
            ):
                pass
            case _:
                assert_never(event)

    # ---------------------------------------------------------------- messages

    def _rest(self, channel: Channel, message_id: str, text: str) -> None:
        sent = self._sent.pop(message_id, 0)
        if channel == "user" and not self.is_replay:
            # The client shows it by itself.
            self._last_chunk = None
            return
        if rest := text[sent:]:
            self._chunk(channel, message_id, rest)

    def _user_message(self, event: MessageEvent) -> None:
        if self.is_replay:
            for part in event.content:
                if isinstance(part, Text):
                    self._chunk("user", event.message_id, part.text)
                else:
                    update = {"sessionUpdate": "user_message_chunk", "messageId": event.message_id}
                    self._put(update | {"content": part_to_wire(part)})
        self._last_chunk = None

    def _chunk(self, channel: Channel, message_id: str, text: str) -> None:
        if (
            self._last_chunk is not None
            and self._last_chunk != (channel, message_id)
            and self._last_chunk[0] == channel
        ):
            # Clients that ignore `messageId` would run the two together.
            text = "\n\n" + text
        self._last_chunk = (channel, message_id)
        self.put(ChunkUpdate(self.session_id, _CHUNK_KIND[channel], message_id, [text], len(text)))

    # ---------------------------------------------------------------- calls

    def _card(self, card: Card, tool_name: str) -> dict[str, Any]:
        return {
            "title": card.title,
            "name": tool_name,
            "kind": card.kind,
            "locations": locations_to_wire(card.locations),
            "content": shown_to_wire(card.shown),
        }

    def _call(self, call_id: str, fields: dict[str, Any]) -> None:
        if call_id in self._calls:
            return self._result(call_id, fields)
        known = {"toolCallId": call_id, "status": "pending", **fields}
        self._calls[call_id] = known
        return self._put({"sessionUpdate": "tool_call", **known})

    def _result(self, call_id: str, fields: dict[str, Any]) -> None:
        known = self._calls.get(call_id)
        if known is None:
            return
        changed = {name: value for name, value in fields.items() if known.get(name) != value}
        if not changed:
            return
        known.update(changed)
        # The status always: a client takes an update without one for the end of the call (clients.md section 3).
        self._last_chunk = None
        self.put(CallUpdate(self.session_id, {"toolCallId": call_id, "status": known["status"], **changed}))

    def _observed(self, event: ObservationEvent) -> None:
        shown = event.shown or (ShownText(event.text),)
        fields: dict[str, Any] = {
            "status": "failed" if event.is_error else "completed",
            "content": shown_to_wire(shown),
        }
        if event.locations:
            fields["locations"] = locations_to_wire(event.locations)
        if event.raw_output is not None:
            fields["rawOutput"] = event.raw_output
        self._result(event.tool_call_id, fields)
        self._calls.pop(event.tool_call_id, None)
        self._asked.pop(event.tool_call_id, None)

    def _failed(self, call_id: str, reason: str, shown: tuple[Shown, ...]) -> None:
        # Not what the client has: part of that was live only, and a replay has to come to the same.
        before = shown_to_wire(shown) or self._asked.pop(call_id, [])
        content = [*before, *shown_to_wire([ShownText(reason)])]
        self._result(call_id, {"status": "failed", "content": content, "rawOutput": {"error": reason}})
        self._calls.pop(call_id, None)

    # ---------------------------------------------------------------- the rest

    def _usage(self, event: UsageEvent) -> None:
        if event.context_window is None:
            # The protocol wants a size, and an invented one would show a false gauge.
            return
        update: dict[str, Any] = {
            "sessionUpdate": "usage_update",
            "used": event.usage.input_tokens + event.usage.output_tokens,
            "size": event.context_window,
        }
        if (cost := self.state().cost_usd) is not None:
            update["cost"] = {"amount": round(cost, 6), "currency": "USD"}
        self.put(Update(self.session_id, update))

    def _put(self, update: dict[str, Any]) -> None:
        self._last_chunk = None
        self.put(Update(self.session_id, update))


def _update(session_id: str, update: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": session_id, "update": update}}


def _raw_input(arguments: str) -> Any:
    """Return what the model wrote, as JSON where it is."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {"arguments": arguments}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"arguments": arguments}
