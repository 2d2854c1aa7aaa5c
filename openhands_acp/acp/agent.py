"""The methods of ACP 1 after `initialize`, one function each: what it changes, it changes in receive order.

Translates between the wire and sessions; what a session is made of, the backend knows.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import anyio.to_thread

from openhands_acp.acp.clients import Client
from openhands_acp.acp.connection import auth_methods
from openhands_acp.acp.content import to_prompt
from openhands_acp.acp.opened import Opened
from openhands_acp.acp.schema import (
    Authenticate,
    KeptSession,
    ListSessions,
    NewSession,
    OfSession,
    Prompt,
    SetConfigOption,
    SetMode,
    read,
)
from openhands_acp.acp.sessions import (
    NOT_FOUND,
    Backend,
    BadCursor,
    Defaults,
    InUse,
    Listed,
    NotConfigured,
    NotKept,
    OnlyRead,
    Place,
    Sessions,
    cannot_be_opened,
)
from openhands_acp.engine.choices import Refused
from openhands_acp.engine.events import Condensation, ConversationStateUpdateEvent, Durable, Entry, UsageEvent
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Taken
from openhands_acp.engine.session import Session, Turn
from openhands_acp.engine.usage.cost import Used
from openhands_acp.rpc.errors import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Call, Peer, Reply, done

AUTH_REQUIRED = -32000

_MOVED = "; if the project was moved, `openhands-acp --resume {}` goes on with the session in its new place"
_ANNOUNCE_DELAY = 0.05
"""Seconds after the answer to session/new: Zed drops what comes before it has registered the session (zed#60199)."""


class Agent:
    """One connection's side of the protocol."""

    def __init__(self, peer: Peer, client: Client, backend: Backend) -> None:
        self._peer = peer
        self._client = client
        self._backend = backend
        self._sessions = Sessions(peer, client, backend)

    def authenticate(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        method = read(Authenticate, params).methodId
        known = [known["id"] for known in auth_methods(self._client)]
        if method not in known:
            raise RpcError(INVALID_PARAMS, f"there is no auth method {method!r}; there is {', '.join(known)}")
        self._defaults()
        return done({})

    # ---------------------------------------------------------------- sessions

    async def new_session(self, call: Call, params: JsonObject) -> Reply:
        request = read(NewSession, params)
        place, defaults = _place(request), self._defaults()
        try:
            wanted = await self._backend.to_resume(place.roots[0])
        except NotKept as reason:
            raise cannot_be_opened(reason) from reason
        if wanted:
            async with call.carried_through():
                opened = await self._sessions.take_up(wanted, place, defaults)
        else:
            opened = self._sessions.open(place, defaults)
        session = opened.session
        result = {"sessionId": session.id, **opened.described()}
        # As it is now: a prompt may come before it is told, and is not to be told twice.
        history = tuple(session.entries) if wanted else ()
        return Reply(result, lambda: self._announce(session, lambda: history))

    async def load_session(self, call: Call, params: JsonObject) -> Reply:
        opened = await self._taken_up(call, read(KeptSession, params))
        # Before the answer: the protocol has the client wait for it.
        await self._sessions.replay(opened.session)
        if self._sessions[opened.session.id] is not opened:
            # Closed while it was told, and opened anew: who asked for that is told all of it.
            raise RpcError(NOT_FOUND, "it was opened elsewhere meanwhile", message="Session not found")
        return Reply(opened.described(), lambda: self._announce(opened.session))

    async def resume_session(self, call: Call, params: JsonObject) -> Reply:
        opened = await self._taken_up(call, read(KeptSession, params))
        session = opened.session
        return Reply(opened.described(), lambda: self._announce(session, lambda: _standing(session)))

    async def fork_session(self, call: Call, params: JsonObject) -> Reply:
        request = read(KeptSession, params)
        message_id = _members(request.meta).get("messageId")
        up_to = str(message_id) if message_id is not None else None
        place, defaults = _place(request), self._defaults()
        async with call.carried_through():
            opened = await self._sessions.fork(request.sessionId, up_to, place, defaults)
        session = opened.session
        result = {"sessionId": session.id, **opened.described()}
        return Reply(result, lambda: self._announce(session, lambda: _standing(session)))

    async def list_sessions(self, _call: Call, params: JsonObject) -> Reply:
        request = read(ListSessions, params)
        if request.cwd is not None and not os.path.isabs(request.cwd):
            raise RpcError(INVALID_PARAMS, f"cwd: must be an absolute path, not {request.cwd!r}")
        try:
            page, cursor = await self._backend.listed(request.cwd, request.cursor)
        except BadCursor as error:
            raise RpcError(INVALID_PARAMS, "cursor: not one that was given out") from error
        return Reply({"sessions": [_info(listed) for listed in page]} | ({"nextCursor": cursor} if cursor else {}))

    async def delete_session(self, call: Call, params: JsonObject) -> Reply:
        session_id = read(OfSession, params).sessionId
        try:
            async with call.carried_through(), self._sessions.alone(session_id):
                await self._sessions.closed(session_id)
                if session_id in self._sessions:
                    # Before it is closed here: what another process owns stays open to look at.
                    session = self._sessions[session_id].session
                    if not self._backend.has_gone_on(session):
                        session.claim()
                        await self._sessions.closing(session_id)
                await self._backend.delete(session_id)
                if session_id in self._sessions:
                    await self._sessions.closing(session_id)
        except (InUse, Taken) as error:
            raise RpcError(INVALID_REQUEST, str(error), message="The session is in use") from error
        except OnlyRead as error:
            raise RpcError(INVALID_REQUEST, str(error), message="The session is OpenHands' own") from error
        except OSError as error:
            reason = f"{error.strerror or error} ({error.filename})"
            raise RpcError(INTERNAL_ERROR, reason, message=f"The session cannot be deleted: {reason}") from error
        return Reply({})

    def prompt(self, call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(Prompt, params)
        opened = self._sessions[request.sessionId]
        session = opened.session
        if not request.prompt:
            raise RpcError(INVALID_PARAMS, "prompt: must not be empty")
        is_first = session.turn is None
        if is_first:
            opened.put_title_off()
            self._backend.asked_by(session.id, _members(request.meta))
        if opened.replay is not None:
            opened.replay.finish()
        # In receive order: a cancel in the same chunk must find the turn already there.
        answer = session.begin(to_prompt(request.prompt))
        call.on_cancel = session.cancel
        # A prompt that steers a turn shares its answer, but what the turn used is told once.
        turn = session.turn if is_first and self._client.reads_turn_usage else None
        return _prompt_reply(opened, answer, turn)

    async def mcp_message(self, _call: Call, params: JsonObject) -> Reply:
        return Reply(await self._sessions.mcp.asked(params))

    def mcp_notification(self, params: JsonObject) -> None:
        self._sessions.mcp.told(params)

    def cancel(self, params: JsonObject) -> None:
        self._sessions[read(OfSession, params).sessionId].session.cancel()

    def set_mode(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(SetMode, params)
        opened = self._sessions[request.sessionId]
        opened.session.set_option("mode", opened.options().check("mode", request.modeId))
        return done({})

    def set_config_option(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        request = read(SetConfigOption, params)
        opened = self._sessions[request.sessionId]
        if request.configId == "model" and isinstance(request.value, str):
            return self._set_model(opened, request.value)
        opened.session.set_option(request.configId, opened.options().check(request.configId, request.value))
        return done({"configOptions": opened.options().config_options()})

    def close_session(self, call: Call, params: JsonObject) -> Awaitable[Reply]:
        # Stopped in receive order; what has to wait is waited for in the request's task, and cannot be taken back.
        call.on_cancel = _nothing
        return _after(self._sessions.closing(read(OfSession, params).sessionId))

    async def close(self) -> None:
        """Free every session: the connection is over."""
        await self._sessions.close_all()

    # ---------------------------------------------------------------- inside

    async def _taken_up(self, call: Call, request: KeptSession) -> Opened:
        place, defaults = _place(request), self._defaults()
        # What it is to be opened in place of is not left half closed.
        async with call.carried_through():
            return await self._sessions.take_up(request.sessionId, place, defaults)

    def _set_model(self, opened: Opened, model: str) -> Awaitable[Reply]:
        try:
            if self._backend.choices.listed(model) is None:
                return self._look_up_model(opened, model)
        except Refused as refused:
            raise _not_a_choice(model, str(refused)) from refused
        # In receive order: a prompt in the same chunk goes to the new one.
        opened.session.set_option("model", model)
        return done({"configOptions": opened.options().config_options()})

    async def _look_up_model(self, opened: Opened, model: str) -> Reply:
        """Set a model that is not on the list, which may not be whole yet."""
        try:
            choice = await self._backend.choices.look_up(model)
        except Refused as refused:
            raise _not_a_choice(model, str(refused)) from refused
        if not choice.is_listed:
            offered = ", ".join(each.value for each in self._backend.choices.offered())
            raise _not_a_choice(model, f"its provider is not known to have it; these can be chosen: {offered}")
        opened.session.set_option("model", choice.value)
        return Reply({"configOptions": opened.options().config_options()})

    async def _announce(self, session: Session, history: Callable[[], tuple[Entry, ...]] = tuple) -> None:
        await self._peer.outbox.flushed()
        await anyio.sleep(_ANNOUNCE_DELAY)
        await self._sessions.replay(session, history())
        self._sessions.announced(session)
        async with anyio.create_task_group() as tasks:
            # At the same time: what is imported takes seconds, and servers take theirs to start.
            tasks.start_soon(self._backend.warm_up, self._sessions.offer)
            await self._sessions.serve(session)

    def _defaults(self) -> Defaults:
        try:
            return self._backend.defaults()
        except NotConfigured as missing:
            data = {"reason": missing.reason, "details": missing.details}
            raise RpcError(AUTH_REQUIRED, message=f"Authentication required: {missing.reason}", data=data) from missing


def _not_a_choice(model: str, reason: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"model cannot be {model[:200]!r}: {reason}")


def _standing(session: Session) -> tuple[Entry, ...]:
    """What is told again of a session whose history is not: else it has neither title nor usage in the client."""
    titles = [entry for entry in session.entries if _is_title(entry.event)]
    usages = [entry for entry in session.entries if isinstance(entry.event, UsageEvent | Condensation)]
    return (*titles[-1:], *usages[-1:])


def _members(meta: object) -> dict[str, Any]:
    """Return what is in a `_meta`; whatever is no object has nothing in it."""
    return cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}


def _is_title(event: Durable) -> bool:
    return isinstance(event, ConversationStateUpdateEvent) and event.key == "title"


def _place(request: NewSession | KeptSession) -> Place:
    others = [_folder("additionalDirectories", folder) for folder in request.additionalDirectories or ()]
    moved = _MOVED.format(request.sessionId[:100]) if isinstance(request, KeptSession) else ""
    return Place((_folder("cwd", request.cwd, moved), *others), tuple(request.mcpServers or ()))


def _info(listed: Listed) -> dict[str, Any]:
    """`SessionInfo`."""
    root, *others = listed.roots or (AbsPath("/"),)
    info: dict[str, Any] = {
        "sessionId": listed.session_id,
        "cwd": root,
        "updatedAt": listed.updated_at.isoformat(),
    }
    if listed.messages is not None:
        info["_meta"] = {"messageCount": listed.messages}
    if others:
        info["additionalDirectories"] = others
    if listed.title:
        info["title"] = listed.title
    return info


def _folder(name: str, path: str, otherwise: str = "") -> AbsPath:
    if not os.path.isabs(path):
        raise RpcError(INVALID_PARAMS, f"{name}: must be an absolute path, not {path!r}")
    if not os.path.isdir(path):
        details = f"{name}: {path!r} is not a folder that exists{otherwise}"
        # Some clients show a person nothing but the message.
        raise RpcError(INVALID_PARAMS, details, message=f"There is no folder {path!r}")
    return AbsPath(os.path.normpath(path))


def _nothing() -> None:
    pass


async def _after(work: Awaitable[None]) -> Reply:
    await work
    return Reply({})


async def _prompt_reply(opened: Opened, answer: Awaitable[str], turn: Turn | None) -> Reply:
    async def saved() -> None:
        # After the answer, and in a thread: nobody waits for the disk, the other sessions least of all.
        await anyio.to_thread.run_sync(opened.session.sync)
        if opened.titles:
            await opened.entitle()

    reply: dict[str, Any] = {"stopReason": await answer}
    if turn is not None and turn.spent is not None and turn.spent.whole.tokens:
        reply["usage"] = _usage(turn.spent.whole)
    return Reply(reply, saved)


def _usage(used: Used) -> dict[str, Any]:
    """`Usage`, which is not stable yet: here of the turn, each token in one of its members, so that they add up."""
    fresh = used.input_tokens - used.cached_tokens - used.cache_write_tokens
    return {
        "totalTokens": used.tokens,
        "inputTokens": max(fresh, 0),
        "outputTokens": max(used.output_tokens - used.reasoning_tokens, 0),
        "thoughtTokens": used.reasoning_tokens,
        "cachedReadTokens": used.cached_tokens,
        "cachedWriteTokens": used.cache_write_tokens,
    }
