"""A server of the client's own, as a transport of FastMCP: its messages travel in those of our own connection.

Does not know how they are spelt there. Nothing imports this before FastMCP has been imported.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import anyio
import mcp_types
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastmcp.client.transports import ClientTransport
from mcp import ClientSession
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED

from openhands_acp.engine.messages import JsonObject
from openhands_acp.mcp.reading import answer_in

_OVER: JsonObject = {"error": {"code": CONNECTION_CLOSED, "message": "the connection is over"}}
_FAREWELL = 1.0
"""Seconds for the client to say that it has taken a connection's end in."""


class Channel(Protocol):
    """The client's servers (`acp.mcp_channel.McpChannel`)."""

    async def connect(self, server_id: str, listener: OverAcpTransport, /) -> str:
        """Return the connection's id. Raises ConnectionError."""
        ...

    async def ask(self, connection_id: str, method: str, params: JsonObject | None, /) -> JsonObject: ...
    def tell(self, connection_id: str, method: str, params: JsonObject | None, /) -> None: ...
    async def disconnect(self, connection_id: str, /) -> None: ...


@ClientTransport.register
class OverAcpTransport:
    """One connection; it cannot be used a second time."""

    legacy_only = True
    """What comes from the server unasked is part of the older protocol."""

    def __init__(self, server_id: str, channel: Channel) -> None:
        self._server_id = server_id
        self._channel = channel
        self._connection_id = ""
        self._asked: dict[mcp_types.RequestId, anyio.CancelScope] = {}
        """Requests of ours that are under way."""
        self._open: dict[str, _Answer] = {}
        """Requests of the server's, by the ids that they have on our side."""
        self._last_id = 0
        self._incoming: MemoryObjectSendStream[SessionMessage | Exception] | None = None

    @asynccontextmanager
    async def connect_session(
        self, *, transport_options: object = None, **session_kwargs: Any
    ) -> AsyncGenerator[ClientSession]:
        """Connect. Raises ConnectionError."""
        # Without bound: neither our reader nor whoever cancels a call may have to wait.
        incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](math.inf)
        outgoing, sent = anyio.create_memory_object_stream[SessionMessage](math.inf)
        self._incoming = incoming
        try:
            self._connection_id = await self._channel.connect(self._server_id, self)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._speak, sent, tasks)
                async with ClientSession(received, outgoing, **session_kwargs) as session:
                    yield session
                tasks.cancel_scope.cancel()
        finally:
            for stream in (incoming, received, outgoing, sent):
                stream.close()
            for answer in self._open.values():
                answer.give(_OVER)
            with anyio.move_on_after(_FAREWELL, shield=True):
                await self._channel.disconnect(self._connection_id)

    async def close(self) -> None:
        """There is nothing but the session to close."""

    def get_session_id(self) -> None:
        """There is no such thing here."""

    # ---------------------------------------------------------------- the server speaks

    async def asked(self, method: str, params: JsonObject | None) -> JsonObject:
        self._last_id += 1
        request_id, answer = f"acp-{self._last_id}", _Answer()
        request = mcp_types.JSONRPCRequest(jsonrpc="2.0", id=request_id, method=method, params=cast("Any", params))
        if not self._receive(request):
            return _OVER
        self._open[request_id] = answer
        try:
            return await answer.wait()
        finally:
            del self._open[request_id]

    def told(self, method: str, params: JsonObject | None) -> None:
        self._receive(mcp_types.JSONRPCNotification(jsonrpc="2.0", method=method, params=cast("Any", params)))

    def _receive(self, message: mcp_types.JSONRPCMessage) -> bool:
        """Tell whether there was somebody to take it: the client may still speak while the connection ends."""
        try:
            if self._incoming is not None:
                self._incoming.send_nowait(SessionMessage(message))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return False
        return self._incoming is not None

    # ---------------------------------------------------------------- we speak

    async def _speak(self, messages: MemoryObjectReceiveStream[SessionMessage], tasks: TaskGroup) -> None:
        async for each in messages:
            match each.message:
                case mcp_types.JSONRPCRequest() as request:
                    self._asked[request.id] = anyio.CancelScope()
                    tasks.start_soon(self._ask, request)
                case mcp_types.JSONRPCNotification(method=method, params=params):
                    self._channel.tell(self._connection_id, method, params)
                    cancelled = (params or {}).get("requestId")
                    if method == "notifications/cancelled" and cancelled in self._asked:
                        self._asked[cancelled].cancel()
                case mcp_types.JSONRPCResponse(id=request_id, result=result):
                    self._answer(request_id, {"result": result})
                case mcp_types.JSONRPCError(id=request_id, error=error):
                    self._answer(request_id, {"error": error.model_dump(mode="json", exclude_none=True)})

    async def _ask(self, request: mcp_types.JSONRPCRequest) -> None:
        try:
            with self._asked[request.id]:
                answer = await self._channel.ask(self._connection_id, request.method, request.params)
                message = answer_in({"jsonrpc": "2.0", "id": request.id, **answer})
                assert message is not None, "it has an id, and a result or an error"
                self._receive(message)
        finally:
            del self._asked[request.id]

    def _answer(self, request_id: mcp_types.RequestId | None, answer: JsonObject) -> None:
        if (waiting := self._open.get(str(request_id))) is not None:
            waiting.give(answer)


@dataclass(slots=True)
class _Answer:
    """Of ours to a request of the server's."""

    _value: JsonObject = field(default_factory=dict[str, Any])
    _is_there: anyio.Event = field(default_factory=anyio.Event)

    def give(self, value: JsonObject) -> None:
        self._value = value
        self._is_there.set()

    async def wait(self) -> JsonObject:
        await self._is_there.wait()
        return self._value
