"""Events to `session/update`: the one projector, for live turns and for replay.

Rules of this file: a message's text is sent once, however it arrives (in deltas, whole, or both);
nothing is sent for events that a client has no place for; what is sent of calls, `calls` knows. Replay
differs in one thing: the person's own words are sent too, which live clients show by themselves
(clients.md rules 4, 7 and section 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from openhands_acp.acp.calls import Calls, Update, session_update
from openhands_acp.acp.clients import Client
from openhands_acp.acp.content import attached_to_wire
from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    Channel,
    CheckpointTaken,
    CommandOutput,
    CommandPlaced,
    CompactionProgress,
    Condensation,
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
    QuestionAnswered,
    ResponseDropped,
    SystemPromptEvent,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    UsageEvent,
    UserRejectObservation,
)
from openhands_acp.engine.guidance.events import SkillActivated
from openhands_acp.engine.messages import Text, plain_text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.engine.usage.cost import Spending
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
        return session_update(
            self.session_id, {"sessionUpdate": self.kind, "messageId": self.message_id, "content": content}
        )

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


@dataclass(frozen=True, slots=True)
class State:
    """What updates tell of a session besides its events."""

    mode: str
    config_options: Callable[[], list[dict[str, Any]]]
    spending: Spending


@dataclass(slots=True)
class Projector:
    session_id: str
    put: Callable[[Outgoing], None]
    state: Callable[[], State]
    """The session's, with the event that is being published already in it, and no later one."""
    client: Client = field(default_factory=Client)
    is_replay: bool = False
    draws: AbsPath | None = None
    """Set where the client displays terminals that we feed: the folder that commands run in."""
    _sent: dict[str, int] = field(default_factory=dict[str, int])
    """Characters of each message that are out."""
    _last_chunk: tuple[Channel, str] | None = None
    """Set while nothing but one message was sent: another of its kind needs a gap."""
    _began: bool = False
    """A turn did, and what it was begun with is not taken in yet."""
    _calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self._calls = Calls(self.session_id, self._tell, self.draws, nests=self.client.nests_calls)

    def shows_own_terminals(self) -> None:
        """From now on commands run in terminals of the client's: none that we feed is announced."""
        self._calls.draws = None

    def goes_on_from(self, replay: Projector) -> None:
        """From now on the client knows no more of what is under way than it was told by `replay`."""
        self._sent, self._last_chunk, self._began = replay._sent, replay._last_chunk, replay._began
        self._calls = replace(replay._calls, put=self._tell, draws=self._calls.draws)

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
            case (
                CallDelta()
                | ActionEvent()
                | CallProgress()
                | CommandOutput()
                | CommandPlaced()
                | ObservationEvent()
                | UserRejectObservation()
                | AgentErrorEvent()
                | CheckpointTaken()
                | QuestionAnswered()
                | SubagentStep()
            ):
                self._calls.publish(event)
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
        | UsageEvent
        | ResponseDropped
        | Condensation
        | SkillActivated
        | ToolsChanged
        | SubagentStarted
        | CompactionProgress,
    ) -> None:
        match event:
            case TurnStarted():
                self._last_chunk, self._began = None, True
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
                self._put({"sessionUpdate": "config_option_update", "configOptions": state.config_options()})
            case UsageEvent():
                self._usage()
            case Condensation():
                summary = [{"type": "text", "text": event.summary}] if event.summary else []
                self._compaction(event.compaction_id, "completed", {"summary": summary} if summary else {})
                self._usage()
            case CompactionProgress():
                error = {"error": event.error} if event.status == "failed" else {}
                self._compaction(event.compaction_id, event.status, error)
            case (
                ConversationStarted()
                | SystemPromptEvent()
                | PermissionDecided()
                | TurnEnded()
                | InterruptEvent()
                | ResponseDropped()
                | SkillActivated()
                | ToolsChanged()
                | SubagentStarted()
            ):
                pass
            case _:
                assert_never(event)

    # ---------------------------------------------------------------- messages

    def _rest(self, channel: Channel, message_id: str, text: str) -> None:
        sent = self._sent.pop(message_id, 0)
        if channel == "user" and not self.is_replay:
            # The client shows it by itself.
            self._person_spoke()
            return
        if rest := text[sent:]:
            self._chunk(channel, message_id, rest)

    def _user_message(self, event: MessageEvent) -> None:
        if self.is_replay:
            for part in event.content:
                if isinstance(part, Text) and part.link is None:
                    self._chunk("user", event.message_id, part.text)
                else:
                    update = {"sessionUpdate": "user_message_chunk", "messageId": event.message_id}
                    self._put(update | {"content": attached_to_wire(part)})
        self._person_spoke()

    def _person_spoke(self) -> None:
        """Take it that two messages are apart, because the person's words stand in between."""
        if not (self._began or self.is_replay):
            self._last_chunk = None
        # What a turn is begun with stands where it began, though it is taken in later.
        self._began = False

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

    # ---------------------------------------------------------------- the rest

    def _compaction(self, compaction_id: str, status: str, more: dict[str, Any]) -> None:
        if self.client.shows_compactions:
            self._put({"sessionUpdate": "compaction_update", "compactionId": compaction_id, "status": status} | more)

    def _usage(self) -> None:
        spending = self.state().spending
        if spending.context is None or spending.window is None:
            # The protocol wants both, and invented ones would show a false gauge (session-usage RFD).
            return
        update: dict[str, Any] = {
            "sessionUpdate": "usage_update",
            "used": spending.context,
            "size": spending.window,
        }
        if (cost := spending.session.cost_usd) is not None:
            update["cost"] = {"amount": round(cost, 6), "currency": "USD"}
        self.put(Update(self.session_id, update))

    def _put(self, update: dict[str, Any]) -> None:
        self._tell(Update(self.session_id, update))

    def _tell(self, item: Outgoing) -> None:
        self._last_chunk = None
        self.put(item)
