"""The methods of ACP 1 after `initialize`, one function each: what it changes, it changes in receive order.

Translates between the wire and sessions; what a session is made of, the backend knows.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

import anyio
import anyio.to_thread

from openhands_acp.acp.clients import Client
from openhands_acp.acp.connection import auth_methods
from openhands_acp.acp.content import to_prompt
from openhands_acp.acp.editor import EditorFiles, EditorPermissions
from openhands_acp.acp.options import Options
from openhands_acp.acp.schema import Authenticate, NewSession, OfSession, Prompt, SetConfigOption, SetMode, read
from openhands_acp.acp.updates import Projector, State, Update
from openhands_acp.engine.commands import COMMANDS
from openhands_acp.engine.events import ConversationStarted, Event
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Files, Permissions
from openhands_acp.engine.session import Session
from openhands_acp.rpc.errors import INVALID_PARAMS, RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Call, Peer, Reply, done

AUTH_REQUIRED = -32000
NOT_FOUND = -32002

_ANNOUNCE_DELAY = 0.05
"""Seconds after the answer to session/new: Zed drops what comes before it has registered the session (zed#60199)."""


class NotConfigured(Exception):
    """There is no usable model. `reason` in a few words, `details` what to set."""

    def __init__(self, reason: str, details: str) -> None:
        super().__init__(details)
        self.reason = reason
        self.details = details


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a new session begins with."""

    mode: str
    model: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditorPorts:
    """A session's doors that lead to the client."""

    files: Callable[[Files], Files]
    """Puts the editor in front of a disk."""
    permissions: Permissions
    publish: Callable[[Event], None]
    drained: Callable[[], Awaitable[None]]


class Backend(Protocol):
    """What sessions are made of; given by the composition root."""

    def defaults(self) -> Defaults:
        """Read the settings anew. Raises NotConfigured."""
        ...

    def open_session(self, started: ConversationStarted, editor: EditorPorts) -> Session: ...

    async def warm_up(self) -> None:
        """Do what the first prompt would otherwise wait for. Takes seconds the first time."""
        ...

    async def close_session(self, session: Session) -> None:
        """Free what the session holds. Bounded."""
        ...


@dataclass(slots=True)
class _Open:
    """A session and how this client sees it."""

    session: Session
    models: tuple[str, ...]
    mcp_servers: tuple[JsonObject, ...] = ()
    """As the client named them; not connected yet."""

    def options(self) -> Options:
        return Options(self.session.mode, self.session.model, self.models)


class Agent:
    """One connection's side of the protocol."""

    def __init__(self, peer: Peer, client: Client, backend: Backend) -> None:
        self._peer = peer
        self._client = client
        self._backend = backend
        self._sessions: dict[str, _Open] = {}

    def authenticate(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        method = read(Authenticate, params).methodId
        known = [known["id"] for known in auth_methods(self._client)]
        if method not in known:
            raise RpcError(INVALID_PARAMS, f"there is no auth method {method!r}; there is {', '.join(known)}")
        self._defaults()
        return done({})

    # ---------------------------------------------------------------- sessions

    def new_session(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(NewSession, params)
        roots = (
            _folder("cwd", request.cwd),
            *(_folder("additionalDirectories", d) for d in request.additionalDirectories or ()),
        )
        defaults = self._defaults()
        session_id = str(uuid4())
        started = ConversationStarted(session_id, roots, defaults.mode, defaults.model)
        editor = self._editor_ports(session_id, roots)
        servers = tuple(request.mcpServers or ())
        opened = _Open(self._backend.open_session(started, editor), defaults.models, servers)
        self._sessions[session_id] = opened
        options = opened.options()
        result = {"sessionId": session_id, "modes": options.modes(), "configOptions": options.config_options()}
        return done(result, lambda: self._announce(session_id))

    def prompt(self, call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(Prompt, params)
        session = self._session(request.sessionId).session
        if not request.prompt:
            raise RpcError(INVALID_PARAMS, "prompt: must not be empty")
        # In receive order: a cancel in the same chunk must find the turn already there.
        answer = session.begin(to_prompt(request.prompt))
        call.on_cancel = session.cancel
        return _prompt_reply(session, answer)

    def cancel(self, params: JsonObject) -> None:
        self._session(read(OfSession, params).sessionId).session.cancel()

    def set_mode(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(SetMode, params)
        opened = self._session(request.sessionId)
        opened.session.set_option("mode", opened.options().check("mode", request.modeId))
        return done({})

    def set_config_option(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(SetConfigOption, params)
        opened = self._session(request.sessionId)
        opened.session.set_option(request.configId, opened.options().check(request.configId, request.value))
        return done({"configOptions": opened.options().config_options()})

    def close_session(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        session = self._session(read(OfSession, params).sessionId).session
        del self._sessions[session.id]
        session.cancel()
        return self._closed(session)

    async def close(self) -> None:
        """Free every session: the connection is over."""
        for opened in list(self._sessions.values()):
            await self._backend.close_session(opened.session)

    # ---------------------------------------------------------------- inside

    async def _closed(self, session: Session) -> Reply:
        await session.finished()
        await self._backend.close_session(session)
        return Reply({})

    async def _announce(self, session_id: str) -> None:
        await self._peer.outbox.flushed()
        await anyio.sleep(_ANNOUNCE_DELAY)
        commands = [
            {"name": command.name, "description": command.description}
            | ({"input": {"hint": command.hint}} if command.hint else {})
            for command in COMMANDS
        ]
        if session_id in self._sessions:
            update = {"sessionUpdate": "available_commands_update", "availableCommands": commands}
            self._peer.outbox.put(Update(session_id, update))
        await self._backend.warm_up()

    def _editor_ports(self, session_id: str, roots: tuple[AbsPath, ...]) -> EditorPorts:
        def state() -> State:
            opened = self._sessions[session_id]
            options = opened.options()
            return State(options.mode, options.config_options(), opened.session.transcript.cost_usd)

        client, ask = self._client, self._peer.request
        return EditorPorts(
            files=lambda disk: EditorFiles(session_id, roots, client, ask, disk),
            permissions=EditorPermissions(session_id, ask),
            publish=Projector(session_id, self._peer.outbox.put, state).publish,
            drained=self._peer.outbox.drained,
        )

    def _session(self, session_id: str) -> _Open:
        if session_id not in self._sessions:
            raise RpcError(NOT_FOUND, message="Session not found", details=f"no session {session_id[:100]!r} is open")
        return self._sessions[session_id]

    def _defaults(self) -> Defaults:
        try:
            return self._backend.defaults()
        except NotConfigured as missing:
            data = {"reason": missing.reason, "details": missing.details}
            raise RpcError(AUTH_REQUIRED, message=f"Authentication required: {missing.reason}", data=data) from missing


def _folder(name: str, path: str) -> AbsPath:
    if not os.path.isabs(path):
        raise RpcError(INVALID_PARAMS, f"{name}: must be an absolute path, not {path!r}")
    if not os.path.isdir(path):
        raise RpcError(INVALID_PARAMS, f"{name}: {path!r} is not a folder that exists")
    return AbsPath(os.path.normpath(path))


async def _prompt_reply(session: Session, answer: Awaitable[str]) -> Reply:
    async def saved() -> None:
        # After the answer, and in a thread: nobody waits for the disk, the other sessions least of all.
        await anyio.to_thread.run_sync(session.sync)

    return Reply({"stopReason": await answer}, saved)
