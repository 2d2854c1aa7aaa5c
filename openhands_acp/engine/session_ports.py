"""What a session is given: its doors to the world, and what it begins with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from openhands_acp.engine.budget import Critic, Limits
from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.events import Entry, Event, SystemPromptEvent
from openhands_acp.engine.inventory import NOTHING, Inventory
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person import Nobody, Person
from openhands_acp.engine.ports import LLM, Journal, Permissions
from openhands_acp.engine.servers import NoServers, Servers
from openhands_acp.engine.waiting import Persistence, Waiting

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without.
    from openhands_acp.engine.hands import World
    from openhands_acp.engine.snapshots import Snapshots


async def _nothing() -> Inventory:
    return NOTHING


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
    open_snapshots: Callable[[], Snapshots] | None = None
    """Opens what keeps earlier states of the files, at the first turn; None: nothing does."""
    outputs: AbsPath | None = None
    """The folder of the session's own where its terminals put long outputs: reading there never asks."""
    keep: Callable[[AbsPath, str, str], Awaitable[KeptOutput | None]] | None = None
    """Puts a text into a file of a folder, under a name; None where the disk refuses."""
    servers: Servers = field(default_factory=NoServers)
    """Shared with the session's sub-agents."""
    person: Person = field(default_factory=Nobody)
    look_around: Callable[[], Awaitable[Inventory]] = _nothing
    """Reads what people wrote down, anew where it changed; called at the beginning of each turn."""
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
    history: tuple[Entry, ...] = ()
    """Of a conversation that is taken up again. Nothing in it is run."""
    persistence: Persistence = field(default_factory=Persistence)
    critic: Critic | None = None
    """None: nobody judges finished work."""
