"""What a tool is, and the hands it is given: every handle in them asks before it acts.

Knows neither how arguments are validated nor which tools exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from openhands_acp.engine.cards import Card, KeptOutput, Location, Shown
from openhands_acp.engine.events import PlanEntry, RejectionSource, Usage
from openhands_acp.engine.messages import Image, JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Files, Terminals, ToolSpec

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without.
    from openhands_acp.engine.browser import Browser
    from openhands_acp.engine.person.door import Form, Reply
    from openhands_acp.engine.person.planning import Decision
    from openhands_acp.engine.search import Search
    from openhands_acp.engine.servers.door import Servers
    from openhands_acp.engine.web import Web

T = TypeVar("T")


class ToolError(Exception):
    """The model reads it: what failed, and what to do next. Lower case, no full stop."""


class TurnError(Exception):
    """The person reads it in the chat, and the turn ends: cause and next step, as a sentence."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        can_retry: bool = False,
        wait: float | None = None,
        window: int | None = None,
        spent: Usage | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        """One of: auth, quota, rate_limit, context, model, content_filter, network, timeout, request, stuck,
        internal."""
        self.detail = detail
        self.can_retry = can_retry
        """The same request may well succeed later."""
        self.wait = wait
        """Seconds that the provider asked to be left alone; None if it did not say."""
        self.window = window
        """Tokens that the model can read, if the failure said so."""
        self.spent = spent
        """What the provider will have charged for the part of an answer that came, estimated; None: there was none."""


class Rejected(Exception):
    """Raised by a guarded handle, or round a call, when the person, the mode or a hook says no. Tools let it pass."""

    def __init__(self, reason: str, source: RejectionSource = "user", shown: tuple[Shown, ...] = ()) -> None:
        super().__init__(reason)
        self.shown = shown
        self.reason = reason
        """The model reads it."""
        self.source: RejectionSource = source


@dataclass(frozen=True, slots=True)
class ToolResult:
    text: str
    """What the model reads."""
    shown: tuple[Shown, ...] = ()
    """What the person sees; empty shows `text`."""
    locations: tuple[Location, ...] = ()
    raw_output: JsonObject | None = None
    is_error: bool = False
    ends_turn: bool = False
    images: tuple[Image, ...] = ()
    """For the model, if it sees images (else it is told that it does not), and for the person."""
    output: KeptOutput | None = None
    """Where all of what `text` is a part of is kept."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a sub-agent is asked to do."""

    agent: str
    """The name of its definition."""
    prompt: str
    description: str = ""
    """For the person, in a few words."""
    resume: str | None = None
    """The id of a task whose conversation goes on, with the same sub-agent."""


class Hands(Protocol):
    """All that one call may touch. A new one is made for each call."""

    @property
    def root(self) -> AbsPath:
        """Where relative paths start and commands run."""
        ...

    @property
    def roots(self) -> tuple[AbsPath, ...]:
        """All folders that are the project's; `root` is the first."""
        ...

    @property
    def files(self) -> Files: ...

    @property
    def terminals(self) -> Terminals: ...

    @property
    def search(self) -> Search: ...

    @property
    def servers(self) -> Servers:
        """Servers of others, which are asked for like all else."""
        ...

    @property
    def web(self) -> Web: ...

    @property
    def browser(self) -> Browser: ...

    def intend(self, whole: Card) -> None:
        """Say what the call is about to do to several files: whoever is asked is asked once, and shown all of it.

        Counts for each change that is shown exactly as it is then made.
        """
        ...

    async def progress(self, *shown: Shown) -> None:
        """Replace what the call's card shows while it runs. Waits while the editor is behind."""
        ...

    async def output(self, data: str) -> None:
        """Give what a command printed, as it came, to a client that draws a terminal; others show `progress`.

        Waits while the editor is behind.
        """
        ...

    async def keep(self, text: str) -> KeptOutput | None:
        """Put a result that is too long to be read at once into a file that may be read unasked; None: no place."""
        ...

    async def follow(self, skill: str) -> str:
        """Have the model told a skill's text, from its next step on; return what to say of it. Raises ToolError."""
        ...

    def say(self, text: str) -> None:
        """Show the person text that the model need not read again."""
        ...

    def think(self, text: str) -> None:
        """Show the person a thought."""
        ...

    def plan(self, entries: tuple[PlanEntry, ...]) -> None: ...

    async def ask(self, form: Form) -> Reply:
        """Have a form filled in, or its one choice made where the client has no forms. Waits for the person."""
        ...

    async def choose(self, form: Form) -> Reply:
        """Have the one choice of a form made with buttons, also by a client that has forms. Waits for the person."""
        ...

    async def leave_plan_mode(self, title: str) -> Decision:
        """Ask the person whether the plan that was said is carried out, and in which mode, which then counts."""
        ...

    async def delegate(self, errand: Errand) -> ToolResult:
        """Have a sub-agent do this, and wait for what comes of it. Raises ToolError."""
        ...

    def recall(self, what: type[T]) -> T:
        """Return this session's one `what`, made by calling it the first time."""
        ...


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `Any` below is the parsed arguments, whose type only the tool's own file knows."""

    spec: ToolSpec
    parse: Callable[[JsonObject], Any]
    """Validate; raises ToolError that names the field and the reason."""
    run: Callable[[Any, Hands], Awaitable[ToolResult]]
    card: Callable[[Any, AbsPath], Card | None]
    """Present parsed arguments; the path is the session's root. None: the tool shows itself otherwise."""
    announce: Card | None = None
    """What the call shows as soon as its name is known; None: it never has a card."""
    sketch: Callable[[str, AbsPath], Card | None] = field(default=lambda _arguments, _root: None)
    """Present arguments that are still streaming (a prefix of JSON). None: nothing to tell yet."""
    is_read_only: Callable[[Any], bool] = field(default=lambda _args: False)
    """Read-only calls of one batch run side by side."""
