"""MCP servers of the client's own, reached through our connection (a draft: docs/rfds/mcp-over-acp.mdx).

Knows the three methods of it; what is said in them is passed on unread.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol, cast

from openhands_acp.acp.asking import member
from openhands_acp.rpc.errors import INVALID_PARAMS, RemoteError, RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Peer

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Our end of one connection to a server."""

    async def asked(self, method: str, params: JsonObject | None) -> JsonObject:
        """Answer a request of the server's: an object with its `result` or its `error`, as JSON-RPC has them."""
        ...

    def told(self, method: str, params: JsonObject | None) -> None:
        """Take in a notification of the server's. Never waits."""
        ...


class McpChannel:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._listeners: dict[str, Listener] = {}

    async def connect(self, server_id: str, listener: Listener) -> str:
        """Connect to a server that the client named; return the connection's id. Raises ConnectionError."""
        try:
            # The draft's text calls it `acpId`, its schema `serverId`.
            answer = await self._peer.request("mcp/connect", {"serverId": server_id, "acpId": server_id})
        except RemoteError as error:
            raise ConnectionError(f"the editor does not connect it: {error.details or error}") from error
        connection_id = member(answer, "connectionId")
        if not isinstance(connection_id, str):
            raise ConnectionError("the editor connected it, and did not say under which id")
        self._listeners[connection_id] = listener
        return connection_id

    async def ask(self, connection_id: str, method: str, params: JsonObject | None) -> JsonObject:
        """Ask a server. Returns an object with its `result` or its `error`; withdrawn when it is cancelled."""
        try:
            return {"result": await self._peer.request("mcp/message", _message(connection_id, method, params))}
        except RemoteError as error:
            return {"error": {"code": error.code, "message": error.details or str(error)}}

    def tell(self, connection_id: str, method: str, params: JsonObject | None) -> None:
        self._peer.notify("mcp/message", _message(connection_id, method, params))

    async def disconnect(self, connection_id: str) -> None:
        """End a connection. Never fails: a client that has ended it, too, is as good."""
        if self._listeners.pop(connection_id, None) is not None:
            try:
                await self._peer.request("mcp/disconnect", {"connectionId": connection_id})
            except RemoteError as error:
                logger.info("mcp/disconnect: %s", error)

    async def asked(self, params: JsonObject) -> JsonObject:
        """Answer `mcp/message` of the client. Raises RpcError."""
        listener, method, inner = self._read(params)
        answer: Mapping[str, Any] = await listener.asked(method, inner)
        if (error := answer.get("error")) is not None:
            raise RpcError(int(member(error, "code")), message=str(member(error, "message")))
        return answer["result"]

    def told(self, params: JsonObject) -> None:
        """Take in `mcp/message` of the client that wants no answer. Raises RpcError."""
        listener, method, inner = self._read(params)
        listener.told(method, inner)

    def _read(self, params: Mapping[str, Any]) -> tuple[Listener, str, JsonObject | None]:
        connection_id, method, inner = params.get("connectionId"), params.get("method"), params.get("params")
        if not isinstance(method, str) or not isinstance(inner, dict | None):
            raise RpcError(INVALID_PARAMS, "method must be text, and params an object")
        listener = self._listeners.get(connection_id) if isinstance(connection_id, str) else None
        if listener is None:
            raise RpcError(INVALID_PARAMS, f"connectionId: there is no connection {str(connection_id)[:100]!r}")
        return listener, method, cast("JsonObject | None", inner)


def _message(connection_id: str, method: str, params: JsonObject | None) -> JsonObject:
    message: dict[str, Any] = {"connectionId": connection_id, "method": method}
    return message if params is None else message | {"params": params}
