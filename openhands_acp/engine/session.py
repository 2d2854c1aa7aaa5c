"""One conversation: its state, its turn, and the one way anything comes out of it.

Rules of this file: `emit` journals, folds and publishes one event and never waits, so journal order
is fold order is wire order. Whatever ends a turn, `_settle` closes what the fold says is open, then
the turn's end is told, then the turn is over: all without an await in between.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio

from openhands_acp.engine.attachments import FileLink, PromptPart, as_text, opened
from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.commands import find
from openhands_acp.engine.cost import Bill
from openhands_acp.engine.events import (
    LIVE,
    AgentErrorEvent,
    ConversationErrorEvent,
    ConversationStarted,
    ConversationStateUpdateEvent,
    Entry,
    Event,
    InterruptEvent,
    MessageEvent,
    NoticeEvent,
    StopReason,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.inventory import NOTHING
from openhands_acp.engine.messages import Part, Text
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.ports import LLM, Files, Permissions, Taken
from openhands_acp.engine.session_ports import Beginning, Ports
from openhands_acp.engine.titles import title_of
from openhands_acp.engine.tool import Hands, Tool, TurnError
from openhands_acp.engine.transcript import Transcript

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without, and `Backend.warm_up` loads them beforehand.
    from openhands_acp.engine.call import CallRequest
    from openhands_acp.engine.checkpoints import Checkpoints
    from openhands_acp.engine.hands import World

logger = logging.getLogger(__name__)

_BUG = (
    "A bug in openhands-acp stopped this turn; the session goes on with your next prompt. Its log (stderr, or the file "
    "of --log-file) has the details: please report them."
)

_CUT_SHORT = "interrupted when openhands-acp ended; whether it ran, and how far, is unknown: look before you repeat it"
_CRASHED = "openhands-acp ended in the middle of this turn; what it was doing may be half done."

T = TypeVar("T")
Prompt = tuple[PromptPart, ...]


@dataclass(slots=True)
class Turn:
    id: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    prompts: list[Prompt] = field(default_factory=list[Prompt])
    """Not yet in the history; those that come while the turn runs are taken up at its next step."""
    stop_reason: StopReason = "cancelled"
    spent: Bill | None = None
    """What it came to, once it is over."""


class Session:
    def __init__(
        self, started: ConversationStarted, ports: Ports, tools: Callable[[], tuple[Tool, ...]], beginning: Beginning
    ) -> None:
        self.id = started.session_id
        self.root, self.roots = started.roots[0], started.roots
        self._tools = cache(tools)
        self.limits = beginning.limits
        self.critic = beginning.critic
        self.persistence = beginning.persistence
        self.waiting, self.windows, self.outputs = ports.waiting, ports.windows, ports.outputs
        self.servers, self.person = ports.servers, ports.person
        self.inventory = NOTHING
        """What people wrote down, as it was when the turn began."""
        self.transcript = Transcript()
        self.entries: list[Entry] = []
        """All durable events so far: what a replay tells."""
        self.turn: Turn | None = None
        self.drained = ports.drained
        self.new_id = ports.new_id
        self._ports = ports
        self._checkpoints: Checkpoints | None = None
        self._recalled: dict[type, Any] = {}
        for entry in beginning.history:
            self.entries.append(entry)
            self.transcript.apply(entry.event, entry.id)
        self._is_told = False
        """What happens before anybody was given the session is for its replay only."""
        self.emit(self._taken_up(started))
        self._close_what_a_crash_left_open()
        self._is_told = True

    # ---------------------------------------------------------------- what comes out

    def emit(self, event: Event) -> str:
        """Journal, fold and publish one event; return its id, empty for a live one.

        Never waits, so nothing can cancel it half done. Call `drained` before pulling more input.
        """
        entry_id = ""
        if not isinstance(event, LIVE):
            entry_id = self.new_id()
            self.entries.append(Entry(entry_id, self._ports.now(), event))
            self._ports.journal.append(self.entries[-1])
        self.transcript.apply(event, entry_id)
        if self._is_told:
            self._ports.publish(event)
        return entry_id

    # ---------------------------------------------------------------- what comes in

    def begin(self, prompt: Prompt) -> Awaitable[StopReason]:
        """Take a prompt, in receive order, and return its answer to wait for.

        While a turn runs, the prompt steers it: it joins the history at the turn's next step, and
        both prompts are answered when the turn ends.
        """
        if self.turn is not None and _command_in(prompt):
            return self._afterwards(self.turn, prompt)
        if self.turn is not None:
            self.turn.prompts.append(prompt)
            return self._joined(self.turn)
        try:
            self.claim()
        except Taken as taken:
            return self._refused(str(taken))
        self.turn = Turn(self.new_id(), prompts=[prompt])
        self.emit(TurnStarted(self.turn.id))
        return self._run(self.turn)

    def cancel(self) -> None:
        """End the running turn, if there is one."""
        if self.turn is not None and not self.turn.scope.cancel_called:
            self.emit(InterruptEvent())
            self.turn.scope.cancel()

    def set_option(self, key: str, value: str) -> None:
        """Set mode, model or title; a mode counts from the next question on, a model from its next call."""
        if getattr(self.transcript, key) != value:
            self.emit(ConversationStateUpdateEvent(cast("Any", key), value))

    def claim(self) -> None:
        """Become the one who writes this session. Raises Taken."""
        self._ports.journal.claim()

    async def finished(self) -> None:
        """Wait until no turn runs."""
        if self.turn is not None:
            await self.turn.done.wait()

    def sync(self) -> None:
        self._ports.journal.sync()

    @property
    def mode(self) -> Mode:
        return cast("Mode", self.transcript.mode)  # Set when the session is made, from the table of modes.

    @property
    def model(self) -> str:
        return self.transcript.model or ""

    @property
    def thought_level(self) -> str:
        return self.transcript.thought_level or "default"

    @property
    def choices(self) -> Choices:
        return self._ports.choices

    @property
    def files(self) -> Files:
        return self.world.files

    @property
    def permissions(self) -> Permissions:
        return self._ports.permissions

    # ---------------------------------------------------------------- for the turn

    @cached_property
    def world(self) -> World:
        return self._ports.open_world()

    @property
    def tools(self) -> dict[str, Tool]:
        """By their names. Made when the first turn wants them: a session that nobody prompts does without."""
        return {tool.spec.name: tool for tool in self._tools()}

    async def prepare(self) -> None:
        """Look at what people wrote down; write the prompt, at the session's first turn."""
        self.inventory = await self._ports.look_around()
        if self.transcript.system is None:
            self.emit(await self._ports.describe())

    async def open_llm(self, purpose: str = "agent", model: str | None = None) -> LLM:
        """Open the session's model, or `model`, as it is asked for this purpose."""
        level = self.thought_level if purpose == "agent" else "default"
        return await self._ports.open_llm(model or self.model, level, purpose)

    async def keep_output(self, name: str, text: str) -> KeptOutput | None:
        """Put a text into a file that the agent may read unasked; None if there is no place for it."""
        keep = self._ports.keep
        return None if self.outputs is None or keep is None else await keep(self.outputs, name, text)

    async def take_prompts(self) -> bool:
        """Put waiting prompts into the history; tell whether there were any."""
        assert self.turn is not None
        taken = False
        while self.turn.prompts:
            prompt = self.turn.prompts[0]
            parts = tuple([await opened(part, self.files) for part in prompt])
            self.turn.prompts.pop(0)
            self._say_as_user(parts)
            taken = True
        return taken

    @property
    def checkpoints(self) -> Checkpoints:
        from openhands_acp.engine.checkpoints import Checkpoints

        self._checkpoints = self._checkpoints or Checkpoints(self, self._ports.open_snapshots)
        return self._checkpoints

    def hands(self, call: CallRequest) -> Hands:
        from openhands_acp.engine.hands import Doors, hands_for

        return hands_for(self, call, Doors(self.world, self.checkpoints, self.permissions, self.outputs))

    def recall(self, what: type[T]) -> T:
        return self._recalled.setdefault(what, what())

    # ---------------------------------------------------------------- inside

    async def _run(self, turn: Turn) -> StopReason:
        failure: TurnError | None = None
        try:
            with turn.scope:
                turn.stop_reason = await self._work(turn)
        except TurnError as error:
            failure = error
        except Exception:
            logger.exception("in session %s", self.id)
            failure = TurnError("internal", _BUG)
        finally:
            self._settle(turn, failure)
        return turn.stop_reason

    async def _work(self, turn: Turn) -> StopReason:
        from openhands_acp.engine.command_bodies import BODIES
        from openhands_acp.engine.critic import take_judged_turn
        from openhands_acp.engine.guard import Dismissed

        if (typed := _command_in(turn.prompts[0])) and (found := find(typed)):
            turn.prompts.pop(0)
            command, argument = found
            self.emit(NoticeEvent(self.new_id(), "user", typed))
            try:
                if said := await BODIES[command.name](self, argument):
                    self.emit(NoticeEvent(self.new_id(), "text", said))
            except Dismissed:
                self.cancel()
            if not turn.prompts:
                return "end_turn"
        self.checkpoints.begin(_title_in(turn.prompts[0]))
        try:
            return await take_judged_turn(self)
        finally:
            await self.checkpoints.end()

    async def _refused(self, sentence: str) -> StopReason:
        # Only published: the journal is somebody else's to write.
        self._ports.publish(NoticeEvent(self.new_id(), "text", f"{sentence[:1].upper()}{sentence[1:]}."))
        return "end_turn"

    def _taken_up(self, started: ConversationStarted) -> ConversationStarted:
        """Go on with the options that the conversation had; the folders are those of now."""
        kept = self.transcript
        return replace(
            started,
            mode=kept.mode or started.mode,
            model=kept.model or started.model,
            thought_level=kept.thought_level or started.thought_level,
        )

    def _close_what_a_crash_left_open(self) -> None:
        for tool_call_id, call in list(self.transcript.open_calls.items()):
            self.emit(AgentErrorEvent(tool_call_id, call.tool_name, _CUT_SHORT))
        if self.transcript.turn_id is not None:
            self.emit(NoticeEvent(self.new_id(), "text", _CRASHED))
            self.emit(TurnEnded(self.transcript.turn_id, "end_turn"))

    async def _afterwards(self, turn: Turn, prompt: Prompt) -> StopReason:
        """A command is about the session, not for the model: it waits until the turn is over."""
        await turn.done.wait()
        return "cancelled" if turn.stop_reason == "cancelled" else await self.begin(prompt)

    async def _joined(self, turn: Turn) -> StopReason:
        await turn.done.wait()
        return turn.stop_reason

    def _settle(self, turn: Turn, failure: TurnError | None) -> None:
        """Close everything that is open. No await: nothing can come in between."""
        for prompt in turn.prompts:
            self._say_as_user(tuple(as_text(part) if isinstance(part, FileLink) else part for part in prompt))
        cause = "the turn failed" if failure else "the person stopped the turn"
        for tool_call_id, call in list(self.transcript.open_calls.items()):
            outcome = "while it ran; what it did is unknown" if call.has_started else "before it ran"
            self.emit(AgentErrorEvent(tool_call_id, call.tool_name, f"{cause} {outcome}", call.shown))
        if turn.scope.cancel_called:
            # Even if the work came to its end in the same moment: the client was promised this answer.
            turn.stop_reason = "cancelled"
        elif failure is not None:
            turn.stop_reason = "end_turn"
            self.emit(ConversationErrorEvent(self.new_id(), failure.code, failure.detail))
        self.emit(TurnEnded(turn.id, turn.stop_reason))
        turn.spent = self.transcript.spending.turn
        self.turn = None
        turn.done.set()

    def _say_as_user(self, parts: tuple[Part, ...]) -> None:
        self.emit(MessageEvent(self.new_id(), "user", parts))
        if self.transcript.title is None and (title := title_of(parts)):
            self.emit(ConversationStateUpdateEvent("title", title))


def _command_in(prompt: Prompt) -> str | None:
    """Return what was typed if it is a command and nothing else."""
    match prompt:
        case (Text(text),) if find(text):
            return text
        case _:
            return None


def _title_in(prompt: Prompt) -> str:
    return title_of(tuple([part for part in prompt if isinstance(part, Text)])) or "a prompt without text"
