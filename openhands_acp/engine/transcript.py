"""The state of a conversation as the fold of its events. Knows no ports and does nothing.

Loading a session is folding its journal; live, the same fold also follows what is still streaming.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from openhands_acp.engine.cards import Card, Shown
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
    Live,
    MessageDelta,
    MessageEvent,
    NoticeEvent,
    ObservationEvent,
    PermissionDecided,
    PlanEntry,
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
from openhands_acp.engine.items import (
    Guidance,
    Item,
    Step,
    condensed,
    is_over,
    messages_of,
    weight_of,
    weight_of_call,
    weight_of_item,
    weight_of_json,
    weight_of_result,
)
from openhands_acp.engine.messages import (
    CallMade,
    Image,
    Message,
    SystemMessage,
    Text,
    UserMessage,
    plain_text,
    without_images,
)
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.engine.usage.cost import Spending

_STOPPED = UserMessage((Text("(I stopped you here. Leave what was under way, unless I ask for it again.)"),))
"""Else a model takes up what it was told to stop, beside what it is asked next."""


@dataclass(slots=True)
class OpenCall:
    """A call without a result."""

    tool_name: str
    action_id: str | None = None
    """None while its arguments are still streaming."""
    card: Card | None = None
    announced: CallDelta | None = None
    """As it was last, while no durable event tells of it."""
    has_started: bool = False
    shown: tuple[Shown, ...] = ()
    """What its card shows since it runs."""
    hint: str = ""
    """For the model, if it is cut short."""


@dataclass(slots=True)
class PartialMessage:
    channel: Channel
    pieces: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a provider said that it read and wrote, and how much that was."""

    tokens: int
    weight: int
    """Of all items; prompt and tools come on top."""


@dataclass(slots=True)
class Transcript:
    system: SystemMessage | None = None
    tools: tuple[str, ...] = ()
    """Those that the model knows, by name and in their order."""
    roots: tuple[AbsPath, ...] = ()
    title: str | None = None
    mode: str | None = None
    mode_before_plan: str | None = None
    """Which the session had before it was told to plan; None if it began so."""
    model: str | None = None
    thought_level: str | None = None
    plan: tuple[PlanEntry, ...] = ()
    rules: set[str] = field(default_factory=set[str])
    """What the person allowed for the whole session (see `policy`)."""
    active: dict[str, str] = field(default_factory=dict[str, str])
    """Skills and folders' rules that the model has the text of, by name."""
    tasks: dict[str, str] = field(default_factory=dict[str, str])
    """Sub-agents that were at work: by their ids, the names of their definitions."""
    turn_id: str | None = None
    """The turn that started and has not ended."""
    spending: Spending = field(default_factory=Spending)
    open_calls: dict[str, OpenCall] = field(default_factory=dict[str, OpenCall])
    partial: dict[str, PartialMessage] = field(default_factory=dict[str, PartialMessage])
    first_prompt: UserMessage | None = None
    items: list[Item] = field(default_factory=list[Item])
    """The conversation as a model reads it, without the prompt."""
    weight: int = 0
    """Of all items together (`weight_of_item`)."""
    counted: Counted | None = None
    """By the provider, at the last answer in this conversation."""
    _told: list[Message] = field(default_factory=list[Message], compare=False, repr=False)
    """Of the first items, to which nothing is added any more."""
    _told_unseen: list[Message] = field(default_factory=list[Message], compare=False, repr=False)
    """The same for a model that sees no images."""
    _settled: int = field(default=0, compare=False, repr=False)
    """How many these are."""
    _steps: dict[str, Step] = field(default_factory=dict[str, Step])
    """By the model's answers."""
    _step_of_call: dict[str, Step] = field(default_factory=dict[str, Step])

    def history(self, *, with_images: bool = True) -> list[Message]:
        """Return the conversation as a model reads it: each call followed by its result, in call order.

        Without images there is a sentence in the place of each.
        """
        items = self.items
        while self._settled + 1 < len(items) and is_over(items[self._settled]):
            # Once: else each step of a long conversation would cost as much as all before it.
            messages = messages_of(items[self._settled])
            self._told += messages
            self._told_unseen += without_images(messages)
            self._settled += 1
        rest = [message for item in items[self._settled :] for message in messages_of(item)]
        told, rest = (self._told, rest) if with_images else (self._told_unseen, without_images(rest))
        return [*([self.system] if self.system else []), *told, *rest]

    def apply(self, event: Event, entry_id: str) -> None:
        """Take in one event; `entry_id` is empty for a live one."""
        self.spending.apply(event)
        match event:
            case (
                MessageDelta() | CallDelta() | CallProgress() | CommandOutput() | CommandPlaced() | CompactionProgress()
            ):
                self._apply_live(event)
            case MessageEvent() | ThoughtEvent() | NoticeEvent() | ActionEvent():
                self._apply_message(event, entry_id)
            case (
                ObservationEvent()
                | UserRejectObservation()
                | AgentErrorEvent()
                | CheckpointTaken()
                | QuestionAnswered()
                | SubagentStarted()
                | SubagentStep()
            ):
                self._apply_call(event)
            case (
                SystemPromptEvent()
                | ToolsChanged()
                | UsageEvent()
                | ResponseDropped()
                | Condensation()
                | SkillActivated()
            ):
                self._apply_reading(event)
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
                call.card, call.announced = event.card, event
            case CallProgress():
                if call := self.open_calls.get(event.tool_call_id):
                    call.has_started = True
                    call.shown = event.shown or call.shown
            case CommandOutput() | CommandPlaced() | CompactionProgress():
                pass
            case _:
                assert_never(event)

    def _apply_message(self, event: MessageEvent | ThoughtEvent | NoticeEvent | ActionEvent, entry_id: str) -> None:
        match event:
            case MessageEvent(role="user"):
                self._add(UserMessage(event.content))
            case MessageEvent():
                self.partial.pop(event.message_id, None)
                text = plain_text(event.content)
                self._step(event.response_id or event.message_id).text += text
                self.weight += weight_of(text)
            case ThoughtEvent():
                self.partial.pop(event.message_id, None)
                step = self._step(event.response_id)
                self.weight += weight_of_json(event.blocks) - weight_of_json(step.blocks)
                step.thought, step.blocks = event.text, event.blocks
            case NoticeEvent():
                self.partial.pop(event.message_id, None)
                if event.told is not None:
                    self._add(UserMessage((Text(event.told),)))
            case ActionEvent():
                step = self._step(event.response_id)
                made = CallMade(event.provider_call_id, event.tool_name, event.mended or event.arguments)
                step.calls[event.tool_call_id] = made
                self._step_of_call[event.tool_call_id] = step
                self.weight += weight_of_call(made)
                call = self.open_calls.setdefault(event.tool_call_id, OpenCall(event.tool_name))
                call.action_id, call.card, call.announced = entry_id, event.card, None
            case _:
                assert_never(event)

    def _apply_call(
        self,
        event: ObservationEvent
        | UserRejectObservation
        | AgentErrorEvent
        | CheckpointTaken
        | QuestionAnswered
        | SubagentStarted
        | SubagentStep,
    ) -> None:
        match event:
            case ObservationEvent():
                self._close(event.tool_call_id, event.text, event.images)
            case UserRejectObservation():
                self._close(event.tool_call_id, f"Rejected: {event.rejection_reason}")
            case AgentErrorEvent():
                self._close(event.tool_call_id, f"Error: {event.error}")
            case CheckpointTaken():
                self.open_calls.pop(event.tool_call_id, None)
                if event.told is not None:
                    self._add(UserMessage((Text(event.told),)))
            case QuestionAnswered() | SubagentStep():
                self.open_calls.pop(event.tool_call_id, None)
            case SubagentStarted():
                self.tasks[event.task_id] = event.agent
                if call := self.open_calls.get(event.tool_call_id):
                    call.hint = f"; `resume` {event.task_id!r} goes on with it"
            case _:
                assert_never(event)

    def _apply_state(
        self,
        event: ConversationStarted
        | PermissionDecided
        | PlanUpdated
        | TurnStarted
        | TurnEnded
        | InterruptEvent
        | ConversationErrorEvent
        | ConversationStateUpdateEvent,
    ) -> None:
        match event:
            case ConversationStarted():
                self._start(event)
            case PermissionDecided():
                self.rules |= {event.rule} if event.rule else set[str]()
                self.rules -= set(event.revoked)
            case PlanUpdated():
                self.plan = event.entries
            case TurnStarted():
                self.turn_id = event.turn_id
            case TurnEnded():
                self.turn_id = None
                if event.stop_reason == "cancelled":
                    self._add(_STOPPED)
            case ConversationStateUpdateEvent():
                if (event.key, event.value) == ("mode", "plan"):
                    self.mode_before_plan = self.mode
                setattr(self, event.key, event.value)
            case InterruptEvent() | ConversationErrorEvent():
                pass
            case _:
                assert_never(event)

    def _apply_reading(
        self, event: SystemPromptEvent | ToolsChanged | UsageEvent | ResponseDropped | Condensation | SkillActivated
    ) -> None:
        match event:
            case SystemPromptEvent():
                self.system, self.tools = SystemMessage(event.static, event.dynamic), event.tools
            case ToolsChanged():
                self.tools = event.tools
            case UsageEvent():
                self._count(event)
            case ResponseDropped():
                self._drop(event.response_id)
            case Condensation():
                self._condense(event)
            case SkillActivated():
                self.active[event.name] = event.text
                self._add(Guidance(event.name, event.text))
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
        step = self._step_of_call.get(tool_call_id)
        if step is not None and tool_call_id not in step.results:
            step.results[tool_call_id] = result, images
            self.weight += weight_of_result(result, images)

    def _add(self, item: UserMessage | Guidance) -> None:
        if isinstance(item, UserMessage):
            self.first_prompt = self.first_prompt or item
        self.items.append(item)
        self.weight += weight_of_item(item)

    def _step(self, response_id: str) -> Step:
        step = self._steps.get(response_id)
        if step is None:
            step = self._steps[response_id] = Step()
            self.items.append(step)
        elif step is not self.items[-1]:
            self._unsettle()
        return step

    def _unsettle(self) -> None:
        self._told, self._told_unseen, self._settled = [], [], 0

    def _drop(self, response_id: str) -> None:
        if (step := self._steps.pop(response_id, None)) is not None:
            self.items = [item for item in self.items if item is not step]
            self._unsettle()
            self._step_of_call = {key: each for key, each in self._step_of_call.items() if each is not step}
            self.weight -= weight_of_item(step)

    def _count(self, event: UsageEvent) -> None:
        if event.purpose != "agent":
            return
        tokens = event.usage.input_tokens + event.usage.output_tokens
        last = self.items[-1] if self.items else None
        if isinstance(last, Step) and last.blocks is None:
            # Thoughts that are not sent back fill nothing.
            tokens -= event.usage.reasoning_tokens
        self.counted = Counted(tokens, self.weight)

    def _condense(self, event: Condensation) -> None:
        self.items = condensed(self.items, event.until, event.kept, event.summary, event.shortened)
        self.active = {item.name: item.text for item in self.items if isinstance(item, Guidance)}
        self._unsettle()
        steps = [item for item in self.items if isinstance(item, Step)]
        self._step_of_call = {tool_call_id: step for step in steps for tool_call_id in step.calls}
        # Later events belong to answers that are still to come.
        self._steps.clear()
        self.weight = sum(map(weight_of_item, self.items))
