"""The sessions of one connection: opened, taken up again, told again, closed.

Knows how a client sees a session; what it is made of and where it is kept, the backend knows.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from openhands_acp.acp.calls import Update
from openhands_acp.acp.clients import Client
from openhands_acp.acp.copying import copied_up_to
from openhands_acp.acp.doors import EditorPorts, Line, editor_ports
from openhands_acp.acp.mcp_channel import McpChannel
from openhands_acp.acp.opened import Opened
from openhands_acp.acp.options import commands_to_wire
from openhands_acp.acp.replay import Replay
from openhands_acp.acp.updates import Projector, State
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.events import ConversationStarted, Entry, SystemPromptEvent, TurnStarted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.session import Session
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.usage.cost import Spending
from openhands_acp.rpc.errors import RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Peer

logger = logging.getLogger(__name__)

NOT_FOUND = -32002


class NotConfigured(Exception):
    """There is no usable model. `reason` in a few words, `details` what to set."""

    def __init__(self, reason: str, details: str) -> None:
        super().__init__(details)
        self.reason = reason
        self.details = details


class NotKept(Exception):
    """There is no such session, or none that can be read; the message says why."""


def cannot_be_opened(reason: NotKept) -> RpcError:
    # Some clients show a person nothing but the message.
    return RpcError(NOT_FOUND, message=f"The session cannot be opened: {reason}", details=str(reason))


class BadCursor(Exception):
    """A cursor that was not given out."""


class InUse(Exception):
    """Another process owns the session; the message says which, and what to do."""


class OnlyRead(Exception):
    """The session is OpenHands' own, which is never written; the message says where it is."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a new session begins with."""

    mode: str
    model: str
    titles: bool = False
    """Whether the model may be asked for a title after the first turn."""
    thought_level: str = "default"


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation from the disk. `origin` is the backend's own mark of where it may be continued."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    """What was wrong with it, in sentences."""
    origin: object = None
    owner: str = ""
    """Who is in the middle of a turn of it, in another process, in words; empty if nobody is."""
    folded: Transcript | None = None
    """What the entries come to, if it is known already."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Name the tools that it was told of last; empty if it never was."""
        prompts = [entry.event for entry in self.entries if isinstance(entry.event, SystemPromptEvent)]
        return prompts[-1].tools if prompts else ()


@dataclass(frozen=True, slots=True)
class Listed:
    session_id: str
    roots: tuple[AbsPath, ...]
    title: str | None
    updated_at: datetime
    messages: int | None
    """None where nobody has counted them."""


class Backend(Protocol):
    """What sessions are made of, and where they are kept; given by the composition root."""

    def defaults(self) -> Defaults:
        """Read the settings anew. Raises NotConfigured."""
        ...

    @property
    def choices(self) -> Choices:
        """The models that can be chosen."""
        ...

    def thought_levels(self, model: str) -> tuple[str, ...]:
        """Return how much thinking a model can be asked for; none if it is not known to think."""
        ...

    def open_session(self, started: ConversationStarted, editor: EditorPorts, kept: Kept | None) -> Session: ...

    async def kept(self, session_id: str) -> Kept:
        """Read a session from the disk. Raises NotKept."""
        ...

    async def copied(self, entries: tuple[Entry, ...], session_id: str) -> Kept:
        """Return a conversation for a session of its own, to be opened as `session_id`: with its own files."""
        ...

    async def listed(self, cwd: str | None, cursor: str | None) -> tuple[list[Listed], str | None]:
        """Return a page, newest first, and the cursor of the next. Raises BadCursor."""
        ...

    async def delete(self, session_id: str) -> None:
        """Idempotent. Raises InUse and OnlyRead."""
        ...

    def has_gone_on(self, session: Session) -> bool:
        """Tell whether another process has continued what this one has open."""
        ...

    async def to_resume(self, cwd: str) -> str | None:
        """Return the session that the command line asked to continue, once. Raises NotKept."""
        ...

    def asked_by(self, session_id: str, meta: Mapping[str, Any]) -> None:
        """Take in the `_meta` of a prompt that begins a turn: where it comes from, if that is traced."""
        ...

    def name_servers(self, session: Session, mcp_servers: tuple[JsonObject, ...]) -> None:
        """Have a session that is open already have these MCP servers of the client's, and no others."""
        ...

    async def serve(self, session: Session) -> None:
        """Keep up what runs beside a session until it closes: its MCP servers. Called again, it returns at once."""
        ...

    async def warm_up(self, changed: Callable[[], None]) -> None:
        """Do what the first prompt would otherwise wait for, and find the models. Takes seconds the first time.

        `changed` is called whenever there may be more models to choose from.
        """
        ...

    async def close_session(self, session: Session) -> None:
        """Free what the session holds. Bounded."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """What a request says of where a session works."""

    roots: tuple[AbsPath, ...]
    mcp_servers: tuple[JsonObject, ...]


class Sessions:
    def __init__(self, peer: Peer, client: Client, backend: Backend) -> None:
        self._peer = peer
        self._client = client
        self._backend = backend
        self.mcp = McpChannel(peer)
        """To MCP servers of the client's own."""
        self._line = Line(client, peer, self.mcp, self.offer)
        self._open: dict[str, Opened] = {}
        self._alone = WeakValueDictionary[str, anyio.Lock]()

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._open and self._open[session_id].closed is None

    def __getitem__(self, session_id: str) -> Opened:
        """Return an open session. Raises RpcError."""
        if session_id not in self:
            details = f"no session {session_id[:100]!r} is open in this process: load or resume it first"
            raise RpcError(NOT_FOUND, details, message="Session not found: open it again, or begin a new one")
        return self._open[session_id]

    def open(self, place: Place, defaults: Defaults, session_id: str | None = None, kept: Kept | None = None) -> Opened:
        """Open a new session, or one that was kept, under this id."""
        session_id = session_id or str(uuid4())
        started = ConversationStarted(session_id, place.roots, defaults.mode, defaults.model, defaults.thought_level)
        ports = self._ports(session_id, place)
        session = self._backend.open_session(started, ports, kept)
        offered = self._backend.choices.offered()
        self._open[session_id] = Opened(
            session, ports.goes_on_from, offered, defaults.titles, self._backend.thought_levels
        )
        for note in kept.notes if kept else ():
            logger.warning("session %s: %s", session_id, note)
        return self._open[session_id]

    async def take_up(self, session_id: str, place: Place, defaults: Defaults) -> Opened:
        """Open a session again, in the folders of now. Raises RpcError."""
        async with self.alone(session_id):
            await self.closed(session_id)
            if (opened := self._open.get(session_id)) is not None:
                if self._is_current(opened, place):
                    self._backend.name_servers(opened.session, place.mcp_servers)
                    opened.session.waits_for_servers = True
                    return opened
                await self.closing(session_id)
            return self.open(place, defaults, session_id, await self._kept(session_id))

    async def fork(self, session_id: str, up_to: str | None, place: Place, defaults: Defaults) -> Opened:
        """Begin a new session with another's history, up to and with a message. Raises RpcError."""
        fork_id = str(uuid4())
        async with self.alone(session_id):
            opened = self._open.get(session_id)
            # Of what went on elsewhere, this process has only a part.
            if opened is not None and opened.closed is None and self._backend.has_gone_on(opened.session):
                opened = None
            entries = tuple(opened.session.entries) if opened else (await self._kept(session_id)).entries
            try:
                kept = await self._backend.copied(copied_up_to(entries, up_to), fork_id)
            except LookupError as unknown:
                raise RpcError(NOT_FOUND, message="Message not found", details=str(unknown)) from unknown
        opened = self.open(place, defaults, fork_id, kept)
        if any(isinstance(entry.event, TurnStarted) for entry in kept.entries):
            # Kept from now on, prompted or not: the client may come back to it in another process.
            await anyio.to_thread.run_sync(opened.session.claim)
        return opened

    async def replay(self, session: Session, entries: tuple[Entry, ...] | None = None) -> None:
        """Tell a session again, or only these events of it. Stops where the session is closed meanwhile."""
        while self._has(session) and (before := self._open[session.id].replay) is not None:
            await before.over.wait()
        if not self._has(session):
            return
        opened, spending = self._open[session.id], Spending()
        projector = Projector(
            session.id, self._peer.outbox.put, lambda: self._state(session.id, spending), self._client, is_replay=True
        )
        wanted = None if entries is None else {entry.id for entry in entries}
        opened.replay = replay = Replay(session, projector, spending, wanted, opened.goes_on_from)
        try:
            await replay.tell(self._peer.outbox.drained, lambda: self._has(session))
        finally:
            opened.replay = None
            replay.over.set()

    def announced(self, session: Session) -> None:
        """Tell a session from now on what can be chosen and called, beginning with all that its answer did not say."""
        if self._has(session):
            opened = self._open[session.id]
            opened.is_announced, opened.commands = True, ()
            self.offer()

    async def serve(self, session: Session) -> None:
        """Keep up what runs beside a session, until it closes."""
        if self._has(session):
            # Commands that people wrote down are told as soon as they are known.
            await session.look_around()
            await self._backend.serve(session)

    def offer(self) -> None:
        """Tell the client which commands and models each session has now, where that is news."""
        models = self._backend.choices.offered()
        for opened in self._open.values():
            if not opened.is_announced or opened.replay or opened.closed is not None:
                continue
            if opened.commands != (commands := opened.session.commands):
                opened.commands = commands
                self._tell(opened, "available_commands_update", availableCommands=commands_to_wire(commands))
            if opened.models != models:
                opened.models = models
                self._tell(opened, "config_option_update", configOptions=opened.options().config_options())

    def _tell(self, opened: Opened, kind: str, **members: Any) -> None:
        self._peer.outbox.put(Update(opened.session.id, {"sessionUpdate": kind, **members}))

    def alone(self, session_id: str) -> anyio.Lock:
        """Return what keeps others from taking up, copying or deleting the same session meanwhile."""
        return self._alone.setdefault(session_id, anyio.Lock())

    async def closed(self, session_id: str) -> None:
        """Wait until a session that is being closed is free."""
        while (opened := self._open.get(session_id)) is not None and opened.closed is not None:
            await opened.closed.wait()

    def closing(self, session_id: str) -> Awaitable[None]:
        """Stop its turn at once; return what frees it, to be carried through. Raises RpcError.

        What was said is kept.
        """
        opened = self[session_id]
        opened.closed = anyio.Event()
        opened.session.cancel()
        opened.put_title_off()
        return self._freed(opened, opened.closed)

    async def close_all(self) -> None:
        """Free every session: the connection is over, and its turns with it."""
        for opened in list(self._open.values()):
            await self._backend.close_session(opened.session)

    def _has(self, session: Session) -> bool:
        return session.id in self and self._open[session.id].session is session

    def _is_current(self, opened: Opened, place: Place) -> bool:
        return opened.session.roots == place.roots and not self._backend.has_gone_on(opened.session)

    async def _freed(self, opened: Opened, closed: anyio.Event) -> None:
        await opened.session.finished()
        try:
            await self._backend.close_session(opened.session)
        finally:
            del self._open[opened.session.id]
            closed.set()

    async def _kept(self, session_id: str) -> Kept:
        try:
            return await self._backend.kept(session_id)
        except NotKept as reason:
            raise cannot_be_opened(reason) from reason

    def _ports(self, session_id: str, place: Place) -> EditorPorts:
        return editor_ports(session_id, place.roots, place.mcp_servers, self._line, lambda: self._state(session_id))

    def _state(self, session_id: str, spending: Spending | None = None) -> State:
        opened = self._open[session_id]
        session = opened.session
        return State(session.mode, lambda: opened.options().config_options(), spending or session.transcript.spending)
