"""Everything that can happen in a conversation: one closed union, and nothing about who listens.

Durable events are journalled and folded; live ones are only published, and a durable event that
contains them always follows. Names and fields follow OpenHands' published events where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from openhands_acp.engine.cards import Card, KeptOutput, Location, Shown
from openhands_acp.engine.checkpoints.events import CheckpointTaken
from openhands_acp.engine.guidance.events import SkillActivated
from openhands_acp.engine.messages import Image, JsonObject, JsonValue, Part
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged

Source: TypeAlias = Literal["user", "agent", "environment", "hook"]
Channel: TypeAlias = Literal["text", "thought", "user"]
StopReason: TypeAlias = Literal["end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"]
Risk: TypeAlias = Literal["LOW", "MEDIUM", "HIGH", "UNKNOWN"]
RejectionSource: TypeAlias = Literal["user", "mode", "hook"]


@dataclass(frozen=True, slots=True)
class PlanEntry:
    content: str
    status: Literal["pending", "in_progress", "completed"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, and the money if the price is known (None is unknown, never zero)."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """Of `input_tokens`, those that the provider had in its cache."""
    cost_usd: float | None = None
    cache_write_tokens: int = 0
    """Of `input_tokens`, those that the provider put into its cache."""
    reasoning_tokens: int = 0
    """Of `output_tokens`, those that were thought."""


# ---------------------------------------------------------------- durable


@dataclass(frozen=True, slots=True)
class ConversationStarted:
    """Always the first event, and told again each time that somebody takes the conversation up."""

    session_id: str
    roots: tuple[AbsPath, ...]
    """Folders the session works in; the first is where commands run."""
    mode: str
    model: str
    thought_level: str = "default"
    """How much the model is asked to think; "default" leaves it to the provider."""


@dataclass(frozen=True, slots=True)
class SystemPromptEvent:
    """The prompt of this session: `static` never changes, `dynamic` was true when it began."""

    static: str
    dynamic: str
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """A message that the model reads: the person's, or the model's own text of one response."""

    message_id: str
    role: Literal["user", "assistant"]
    content: tuple[Part, ...]
    response_id: str | None = None
    """Joins the model's text with the `ActionEvent`s of the same response."""


@dataclass(frozen=True, slots=True)
class ThoughtEvent:
    """The model's reasoning in one response, whole.

    `blocks` is what the provider wants back verbatim (signatures and all); opaque here.
    """

    message_id: str
    response_id: str
    text: str
    blocks: JsonValue = None


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """The model called a tool. `card` is None for calls that show themselves otherwise (plan, thought)."""

    tool_call_id: str
    """Ours, unique in the session."""
    provider_call_id: str
    """The provider's, sent back to it as it came; providers reuse them across turns."""
    tool_name: str
    arguments: str
    """JSON text exactly as the model wrote it."""
    response_id: str
    security_risk: Risk
    card: Card | None
    mended: str | None = None
    """JSON text of what is run and the model reads again, if that is not what it wrote."""


@dataclass(frozen=True, slots=True)
class ObservationEvent:
    """What a call that ran came to: `text` for the model, `shown` and `raw_output` for the person."""

    tool_call_id: str
    action_id: str
    tool_name: str
    text: str
    is_error: bool = False
    shown: tuple[Shown, ...] = ()
    locations: tuple[Location, ...] = ()
    raw_output: JsonObject | None = None
    images: tuple[Image, ...] = ()
    """What the model looks at besides `text`, if it can; the person is shown them too."""
    output: KeptOutput | None = None
    """Where all of it is, if `text` is only a part; `text` names the file, too."""


@dataclass(frozen=True, slots=True)
class UserRejectObservation:
    """The person, the mode or a hook said no. The model reads the reason; the turn goes on."""

    tool_call_id: str
    action_id: str
    tool_name: str
    rejection_reason: str
    rejection_source: RejectionSource = "user"
    shown: tuple[Shown, ...] = ()
    """What was asked for; empty: no more than the call's card said."""


@dataclass(frozen=True, slots=True)
class AgentErrorEvent:
    """A call that never ran (bad arguments, unknown tool), failed as a tool, or was cut short."""

    tool_call_id: str
    tool_name: str
    error: str
    shown: tuple[Shown, ...] = ()
    """What the person saw of it last; empty: no more than the call's card said."""
    card: Card | None = None
    """Set where no other durable event has it: of a question that was not answered."""


@dataclass(frozen=True, slots=True)
class PermissionDecided:
    tool_call_id: str
    option: Literal["allow_once", "allow_always", "allow_widely", "reject_once", "cancelled"]
    rule: str | None = None
    """What "always" now covers in this session (see `policy`)."""
    revoked: tuple[str, ...] = ()
    """Rules that count no more."""


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """Something the person is shown and the model does not read; on "user", what they typed themselves."""

    message_id: str
    channel: Channel
    text: str
    told: str | None = None
    """What the model reads of it, in the person's voice; None: nothing."""


@dataclass(frozen=True, slots=True)
class PlanUpdated:
    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True)
class TurnStarted:
    turn_id: str
    prompt: tuple[Part, ...] = ()
    """What began it, as it was typed: no other event has it before the turn comes to read it."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    turn_id: str
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class InterruptEvent:
    """The person stopped the turn."""


@dataclass(frozen=True, slots=True)
class ConversationErrorEvent:
    """The turn failed: `detail` is the sentence shown in the chat."""

    message_id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ConversationStateUpdateEvent:
    """A setting of the conversation changed; the last value counts."""

    key: Literal["title", "mode", "model", "thought_level"]
    value: str


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One model call was paid for."""

    usage: Usage
    model: str
    context_window: int | None
    """Tokens the session's model can read; None when nobody knows, or this is no news of it."""
    purpose: str = "agent"
    """What it was for: "agent" is the conversation itself; others (a title, say) do not fill its window."""


@dataclass(frozen=True, slots=True)
class ResponseDropped:
    """An answer of the model failed on its way and is asked for anew.

    What the person saw of it stays where it is; the model never reads it.
    """

    response_id: str


@dataclass(frozen=True, slots=True)
class Shortened:
    """What the model now reads of a call; None: as it was."""

    tool_call_id: str
    text: str | None
    """As its result."""
    arguments: str | None = None


@dataclass(frozen=True, slots=True)
class Condensation:
    """From now on the model reads less of what came before; the journal keeps all of it."""

    compaction_id: str
    stage: Literal["outputs", "summary", "cut"]
    """Old results of calls were left out; a model summed up what was; it was cut off."""
    tokens_before: int
    """Estimated, as `tokens_after`."""
    tokens_after: int
    until: int = 0
    """So many items of the history (`Transcript.items`), from its beginning, give way to `summary`."""
    kept: tuple[int, ...] = ()
    """Which of these stay in front of it, by position: what the person said."""
    summary: str = ""
    """The model reads it, and the person can."""
    shortened: tuple[Shortened, ...] = ()
    """Of calls that stay."""
    output: KeptOutput | None = None
    """Where all that was said and done since the last one can be read."""
    window: int | None = None
    """Tokens that the session's model can read, if that has just been learnt from its refusal."""


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """The person was asked how to go on, outside of any call of the model, which does not read it."""

    tool_call_id: str
    """Of the card that asked."""
    card: Card
    answer: str
    """In words."""


Durable: TypeAlias = (
    ConversationStarted
    | SystemPromptEvent
    | MessageEvent
    | ThoughtEvent
    | ActionEvent
    | ObservationEvent
    | UserRejectObservation
    | AgentErrorEvent
    | PermissionDecided
    | NoticeEvent
    | PlanUpdated
    | TurnStarted
    | TurnEnded
    | InterruptEvent
    | ConversationErrorEvent
    | ConversationStateUpdateEvent
    | UsageEvent
    | ResponseDropped
    | Condensation
    | QuestionAnswered
    | SkillActivated
    | SubagentStarted
    | SubagentStep
    | ToolsChanged
    | CheckpointTaken
)


# ---------------------------------------------------------------- live


@dataclass(frozen=True, slots=True)
class MessageDelta:
    """More text of a message or thought that is still being written."""

    message_id: str
    channel: Channel
    text: str


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A call whose arguments are still streaming, as far as it can be told."""

    tool_call_id: str
    tool_name: str
    card: Card
    within: str = ""
    """The call of `task` whose sub-agent makes it; empty: the session's own model does."""
    is_own: bool = True
    """It has a card of its own (`SubagentStep`)."""


@dataclass(frozen=True, slots=True)
class CallProgress:
    """A call is running; `shown` replaces what its card showed before (None leaves it)."""

    tool_call_id: str
    shown: tuple[Shown, ...] | None = None


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What a running command printed, control sequences and all, for a client that draws a terminal."""

    tool_call_id: str
    data: str


@dataclass(frozen=True, slots=True)
class CommandPlaced:
    """A running command has a terminal of the client's own, which shows its output there."""

    tool_call_id: str
    terminal_id: str


@dataclass(frozen=True, slots=True)
class CompactionProgress:
    """The conversation is being summed up, or that came to nothing; `Condensation` tells what it came to."""

    compaction_id: str
    status: Literal["in_progress", "failed", "cancelled"]
    error: str = ""
    """In words, if it failed."""


Live: TypeAlias = MessageDelta | CallDelta | CallProgress | CommandOutput | CommandPlaced | CompactionProgress
Event: TypeAlias = Durable | Live

LIVE = (MessageDelta, CallDelta, CallProgress, CommandOutput, CommandPlaced, CompactionProgress)


@dataclass(frozen=True, slots=True)
class Entry:
    """One durable event with its stamp: a line of the journal."""

    id: str
    timestamp: datetime
    """Aware, UTC."""
    event: Durable
