"""One conversation: its state, its turn, and the one way anything comes out of it.

Rules of this file: `emit` journals, folds and publishes one event and never waits, so journal order
is fold order is wire order. Whatever ends a turn, `_settle` closes what the fold says is open, then
the turn's end is told, then the turn is over: all without an await in between.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from openhands_acp.engine.attachments import as_typed, opened
from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.closing import close_calls, close_what_a_crash_left_open
from openhands_acp.engine.commands.table import COMMANDS, SlashCommand, is_call
from openhands_acp.engine.events import (
    LIVE,
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
from openhands_acp.engine.messages import Part, plain_text
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.ports import LLM, Files, Permissions, Taken
from openhands_acp.engine.session_ports import Beginning, MakeTools, Ports, folded
from openhands_acp.engine.titles import title_of
from openhands_acp.engine.tool import Errand, Hands, Tool, ToolResult, TurnError
from openhands_acp.engine.turns import Prompt, Turn
from openhands_acp.engine.usage.budget import Limits

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without, and `Backend.warm_up` loads them beforehand.
    from openhands_acp.engine.call import CallRequest
    from openhands_acp.engine.checkpoints.keeping import Checkpoints
    from openhands_acp.engine.commands.expansions import Expansion
    from openhands_acp.engine.guidance.inventory import Inventory
    from openhands_acp.engine.guidance.trust import Trust
    from openhands_acp.engine.hands import World
    from openhands_acp.engine.person.door import Person
    from openhands_acp.engine.servers.door import Servers
    from openhands_acp.engine.toolbox import Toolbox
    from openhands_acp.engine.upkeep import Upkeep

logger = logging.getLogger(__name__)

_BUG = (
    "A bug in openhands-acp stopped this turn; the session goes on with your next prompt. Its log (stderr, or the file "
    "of --log-file) has the details: please report them."
)

T = TypeVar("T")


class Session:
    def __init__(self, started: ConversationStarted, ports: Ports, tools: MakeTools, beginning: Beginning) -> None:
        self.id = started.session_id
        self.root, self.roots = started.roots[0], started.roots
        self._tools = tools
        self._limits, self._limits_of = beginning.limits, beginning.limits_of
        self.critic = beginning.critic
        self.persistence = beginning.persistence
        self.waiting, self.windows, self.outputs = ports.waiting, ports.windows, ports.outputs
        self._inventory: Inventory | None = None
        self.transcript = beginning.folded or folded(beginning.history)
        self.entries = list(beginning.history)
        """All durable events so far: what a replay tells."""
        self.turn: Turn | None = None
        self.drained = ports.drained
        self.new_id = ports.new_id
        self.ports = ports
        """A sub-agent's session has most of them, too."""
        self._checkpoints: Checkpoints | None = None
        self._toolbox: Toolbox | None = None
        self.waits_for_servers = True
        self._recalled: dict[type, Any] = {}
        self._stops = 0
        self._is_told = False
        """What happens before anybody was given the session is for its replay only."""
        self.emit(self._taken_up(started))
        close_what_a_crash_left_open(self, beginning.owner)
        self._is_told = True

    # ---------------------------------------------------------------- what comes out

    def emit(self, event: Event) -> str:
        """Journal, fold and publish one event; return its id, empty for a live one.

        Never waits, so nothing can cancel it half done. Call `drained` before pulling more input.
        """
        entry_id = ""
        if not isinstance(event, LIVE):
            entry_id = self.new_id()
            self.entries.append(Entry(entry_id, self.ports.now(), event))
            self.ports.journal.append(self.entries[-1])
        self.transcript.apply(event, entry_id)
        if self._is_told:
            self.ports.publish(event)
        return entry_id

    # ---------------------------------------------------------------- what comes in

    def begin(self, prompt: Prompt) -> Awaitable[StopReason]:
        """Take a prompt, in receive order, and return its answer to wait for.

        While a turn runs, the prompt steers it: it joins the history at the turn's next step, and
        both prompts are answered when the turn ends.
        """
        if self.turn is not None and is_call(prompt, self.commands):
            self.turn.commands.append(prompt)
            return self._afterwards(self.turn, prompt, self._stops)
        if self.turn is not None:
            self.turn.prompts.append(prompt)
            return self.turn.ended()
        try:
            self.claim()
        except Taken as taken:
            return self._refused(str(taken))
        self.turn = Turn(self.new_id(), prompts=[prompt])
        self.emit(TurnStarted(self.turn.id, as_typed(prompt)))
        return self._run(self.turn)

    def cancel(self) -> None:
        """End the running turn, if there is one, and carry out none of the commands that wait for its end."""
        self._stops += 1
        if self.turn is not None and not self.turn.scope.cancel_called:
            self.emit(InterruptEvent())
            self.turn.scope.cancel()

    def set_option(self, key: str, value: str) -> None:
        """Set mode, model or title; a mode counts from the next question on, a model from its next call."""
        if getattr(self.transcript, key) != value:
            self.emit(ConversationStateUpdateEvent(cast("Any", key), value))

    def claim(self) -> None:
        """Become the one who writes this session. Raises Taken."""
        self.ports.journal.claim()

    async def finished(self) -> None:
        """Wait until no turn runs."""
        if self.turn is not None:
            await self.turn.done.wait()

    def sync(self) -> None:
        self.ports.journal.sync()

    @property
    def mode(self) -> Mode:
        # Set when the session is made, from the table of modes.
        return self.ports.bounds.within(cast("Mode", self.transcript.mode))

    @property
    def rules(self) -> Collection[str]:
        return {*self.ports.bounds.rules(), *self.transcript.rules}

    def exhausted(self) -> str | None:
        return self.ports.bounds.exhausted()

    @property
    def model(self) -> str:
        return self.transcript.model or ""

    @property
    def limits(self) -> Limits:
        return self._limits_of.get(self.model, self._limits)

    @property
    def model_behind(self) -> str:
        """The model itself: the session's may be the name of a profile."""
        return self.ports.behind(self.model)

    @property
    def thought_level(self) -> str:
        return self.transcript.thought_level or "default"

    @property
    def choices(self) -> Choices:
        return self.ports.choices

    @property
    def files(self) -> Files:
        return self.world.files

    @property
    def permissions(self) -> Permissions:
        return self.ports.permissions

    @property
    def upkeep(self) -> Upkeep:
        return self.ports.open_upkeep()

    @property
    def trust(self) -> Trust:
        return self.ports.trust

    # ---------------------------------------------------------------- for the turn

    @property
    def servers(self) -> Servers:
        return self.ports.open_servers()

    @cached_property
    def world(self) -> World:
        return self.ports.open_world()

    @property
    def person(self) -> Person:
        return self.ports.open_person()

    @property
    def inventory(self) -> Inventory:
        """What people wrote down, as it was when the turn began."""
        if self._inventory is None:
            from openhands_acp.engine.guidance.inventory import NOTHING

            self._inventory = NOTHING
        return self._inventory

    @property
    def toolbox(self) -> Toolbox:
        """Made when the first turn wants it: a session that nobody prompts does without."""
        if self._toolbox is None:
            from openhands_acp.engine.toolbox import Found, Toolbox

            kit, allows = self.ports.open_kit, self.ports.bounds.tools
            self._toolbox = Toolbox(lambda: self._tools(self.inventory), self.servers, kit, self.recall(Found), allows)
        return self._toolbox

    @property
    def tools(self) -> dict[str, Tool]:
        """By their names; others only after `toolbox.renew`."""
        return self.toolbox.tools

    @property
    def commands(self) -> tuple[SlashCommand, ...]:
        """All slash commands that there are now."""
        return (*COMMANDS, *(each.command for each in self.expansions.values()))

    @property
    def expansions(self) -> Mapping[str, Expansion]:
        """Those of them that people and servers brought along, by their names."""
        prompts = self.servers.prompts()
        if self._inventory is None and not prompts:
            return {}
        from openhands_acp.engine.commands.expansions import expansions

        return expansions(self.inventory, prompts)

    async def look_around(self) -> None:
        """Look anew at what people wrote down; the client is told which commands came and went."""
        self._inventory = await self.ports.look_around()
        self.ports.offer()

    async def prepare(self) -> None:
        from openhands_acp.engine.preparing import prepared

        await prepared(self)

    async def open_llm(self, purpose: str = "agent", model: str | None = None) -> LLM:
        """Open the session's model, or `model`, as it is asked for this purpose."""
        level = self.thought_level if purpose == "agent" else "default"
        return await self.ports.open_llm(model or self.model, level, purpose)

    async def keep_output(self, name: str, text: str) -> KeptOutput | None:
        """Put a text into a file that the agent may read unasked; None if there is no place for it."""
        keep = self.ports.keep
        return None if self.outputs is None or keep is None else await keep(self.outputs, name, text)

    async def take_prompts(self) -> bool:
        """Put waiting prompts into the history; tell whether there were any."""
        from openhands_acp.engine.guidance import telling as guidance
        from openhands_acp.engine.hooks import hooking
        from openhands_acp.engine.person import planning

        assert self.turn is not None
        taken = self.turn.was_refused = False
        while self.turn.prompts:
            prompt = self.turn.prompts[0]
            parts = tuple([await opened(part, self.files) for part in prompt])
            if not await hooking.admitted(self, parts):
                continue
            guidance.before_prompt(self, prompt)
            self._say_as_user(parts)
            taken = True
        if taken and not self.ports.bounds.depth:
            planning.tell(self, self.recall(planning.Told))
        return taken

    @property
    def checkpoints(self) -> Checkpoints:
        from openhands_acp.engine.checkpoints.keeping import Checkpoints

        self._checkpoints = self._checkpoints or Checkpoints(self, self.ports.open_snapshots)
        return self._checkpoints

    def hands(self, call: CallRequest) -> Hands:
        from openhands_acp.engine.hands import Doors, hands_for

        return hands_for(self, call, Doors(self.world, self.checkpoints, self.permissions, self.outputs))

    async def delegate(self, tool_call_id: str, errand: Errand) -> ToolResult:
        """Have a sub-agent do this for a call. Raises ToolError."""
        from openhands_acp.engine.subagents.tasks import delegated

        return await delegated(self, tool_call_id, errand)

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
        from openhands_acp.engine.commands.obeying import obeyed
        from openhands_acp.engine.hooks.stopping import take_watched_turn

        try:
            title = await obeyed(self, turn.prompts)
            if title is None:
                return "end_turn"
            self.checkpoints.begin(title)
            return await take_watched_turn(self)
        finally:
            await self.checkpoints.end()

    async def _refused(self, sentence: str) -> StopReason:
        # Only published: the journal is somebody else's to write.
        self.ports.publish(NoticeEvent(self.new_id(), "text", f"{sentence[:1].upper()}{sentence[1:]}."))
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

    async def _afterwards(self, turn: Turn, prompt: Prompt, stops: int) -> StopReason:
        """A command is about the session, not for the model: it waits until the turn is over."""
        if await turn.ended() == "cancelled":
            return "cancelled"
        if self._stops == stops:
            return await self.begin(prompt)
        self.emit(NoticeEvent(self.new_id(), "user", plain_text(as_typed(prompt))))
        return "cancelled"

    def _settle(self, turn: Turn, failure: TurnError | None) -> None:
        """Close everything that is open. No await: nothing can come in between."""
        for prompt in (*turn.prompts, *(turn.commands if turn.scope.cancel_called else ())):
            parts = as_typed(prompt)
            if turn.is_watched or prompt in turn.commands:
                self.emit(NoticeEvent(self.new_id(), "user", plain_text(parts)))
            else:
                self._say_as_user(parts)
        close_calls(self, "the turn failed" if failure else "the person stopped the turn")
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
