"""What a session is given: its doors to the world, and what it begins with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.events import Entry, Event, SystemPromptEvent
from openhands_acp.engine.guidance.trust import Trust, TrustsEverything
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, Journal, Permissions, Terminals
from openhands_acp.engine.subagents.bounds import UNBOUND, Bounds
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.usage.budget import Critic, Limits
from openhands_acp.engine.waiting import Persistence, Waiting

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without.
    from openhands_acp.engine.checkpoints.snapshots import Snapshots
    from openhands_acp.engine.guidance.inventory import AgentDefinition, Instruction, Inventory
    from openhands_acp.engine.hands import World
    from openhands_acp.engine.hooks.definitions import Hooks
    from openhands_acp.engine.person.door import Person
    from openhands_acp.engine.servers.door import Servers
    from openhands_acp.engine.servers.remote_requests import RemoteRequests
    from openhands_acp.engine.tool import Tool
    from openhands_acp.engine.toolbox import Kit
    from openhands_acp.engine.upkeep import Upkeep


async def _nothing() -> Inventory:
    from openhands_acp.engine.guidance.inventory import NOTHING

    return NOTHING


def _nobody() -> Person:
    from openhands_acp.engine.person.door import Nobody

    return Nobody()


def _no_servers() -> Servers:
    from openhands_acp.engine.servers.door import NoServers

    return NoServers()


def _no_hooks() -> Hooks:
    from openhands_acp.engine.hooks.definitions import NoHooks

    return NoHooks()


def _no_upkeep() -> Upkeep:
    from openhands_acp.engine.upkeep import NoUpkeep

    return NoUpkeep()


@dataclass(frozen=True, slots=True)
class KeptSubagent:
    """Where a sub-agent's conversation is kept, and what was said in it so far."""

    journal: Journal
    history: tuple[Entry, ...] = ()
    close: Callable[[], None] = lambda: None
    """To be called when nobody writes to the journal any more."""
    open_subagent: OpenSubagent | None = None
    """Opens those of its own sub-agents."""


MakeTools: TypeAlias = "Callable[[Inventory], tuple[Tool, ...]]"
"""Makes the tools that come with the program, for what people wrote down."""

OpenSubagent: TypeAlias = Callable[[str], Awaitable[KeptSubagent]]
"""By the id of a task; raises LookupError, with the reason, where it is kept and cannot be read."""


OpenOwnServers: TypeAlias = "Callable[[AgentDefinition], AbstractAsyncContextManager[Servers]]"


async def _no_rules(_paths: tuple[AbsPath, ...]) -> tuple[Instruction, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Ports:
    """A session's doors to the world."""

    open_llm: Callable[[str, str, str], Awaitable[LLM]]
    """Opens the model of this name at this thought level, or the one set for this purpose.

    Waits while its library is still being loaded.
    """
    open_world: Callable[[], World]
    """Opens files, terminals and search, at the first turn."""
    permissions: Permissions
    journal: Journal
    publish: Callable[[Event], None]
    drained: Callable[[], Awaitable[None]]
    describe: Callable[[], Awaitable[SystemPromptEvent]]
    """Writes the prompt, at the first turn."""
    choices: Choices
    """The models that there are."""
    behind: Callable[[str], str] = lambda choice: choice
    """Returns the model behind a choice, which may be a profile's name."""
    open_snapshots: Callable[[], Snapshots] | None = None
    """Opens what keeps earlier states of the files, at the first turn; None: nothing does."""
    outputs: AbsPath | None = None
    """The folder of the session's own where its terminals put long outputs: reading there never asks."""
    keep: Callable[[AbsPath, str, str], Awaitable[KeptOutput | None]] | None = None
    """Puts a text into a file of a folder, under a name; None where the disk refuses."""
    open_servers: Callable[[], Servers] = _no_servers
    """Opens the MCP servers, the same each time: shared with the session's sub-agents, as all that follows of them."""
    open_kit: Callable[[], Kit] | None = None
    """Returns the one that makes tools of what servers offer, once they do; None: theirs are not used."""
    open_own_servers: OpenOwnServers | None = None
    """Connects the servers that a sub-agent's definition brings, until it is left; None: they are not used."""
    open_requests: Callable[[], RemoteRequests | None] = lambda: None
    """Opens that through which the servers ask for what they want; None: they get nothing."""
    open_person: Callable[[], Person] = _nobody
    """Opens the one who fills in forms and visits pages."""
    look_around: Callable[[], Awaitable[Inventory]] = _nothing
    """Reads what people wrote down, anew where it changed; called at the beginning of each turn."""
    rules_near: Callable[[tuple[AbsPath, ...]], Awaitable[tuple[Instruction, ...]]] = _no_rules
    """Reads the rules of the folders that files are in, anew where they changed."""
    trust: Trust = field(default_factory=TrustsEverything)
    """Who says which of that may run."""
    open_hooks: Callable[[], Hooks] = _no_hooks
    """Opens what runs the hooks that the inventory names."""
    open_upkeep: Callable[[], Upkeep] = _no_upkeep
    offer: Callable[[], None] = lambda: None
    """Tells the client of slash commands, if there are others than it was told of."""
    bounds: Bounds = UNBOUND
    """Of a sub-agent's session, which works for another."""
    open_subagent: OpenSubagent | None = None
    """Opens what its sub-agents say and do; None: that is forgotten."""
    open_terminals: Callable[[], Terminals] | None = None
    """Opens a shell for a sub-agent, who ends it; None: it has the session's own."""
    windows: dict[str, int] = field(default_factory=dict[str, int])
    """Tokens that models can read, as their refusals told. Shared by the sessions of one process."""
    waiting: Waiting = field(default_factory=Waiting)
    """Shared by the sessions of one process."""
    new_id: Callable[[], str] = lambda: str(uuid4())
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a session begins with besides its doors."""

    limits: Limits
    """Those that count where `limits_of` has none."""
    history: tuple[Entry, ...] = ()
    """Of a conversation that is taken up again. Nothing in it is run."""
    persistence: Persistence = field(default_factory=Persistence)
    critic: Critic | None = None
    """None: nobody judges finished work."""
    limits_of: Mapping[str, Limits] = field(default_factory=dict[str, Limits])
    """Those that count while a choice is the session's model."""
    owner: str = ""
    """Who is in the middle of a turn of it, in another process, in words: what is open there is not ours to close."""
    folded: Transcript | None = None
    """What `history` comes to, if somebody knows already: of a long one it takes a while to say."""


def folded(history: Iterable[Entry]) -> Transcript:
    transcript = Transcript()
    for entry in history:
        transcript.apply(entry.event, entry.id)
    return transcript
