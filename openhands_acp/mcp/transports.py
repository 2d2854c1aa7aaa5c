"""The way to a server, as FastMCP wants it: one transport for each connection, with what is known of its failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never, cast

import httpx2
from fastmcp.client.transports import ClientTransport, SSETransport, StreamableHttpTransport

from openhands_acp.engine.programs import Program
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import Login, ServerDoors, start
from openhands_acp.mcp.failures import METHOD_NOT_ALLOWED, NOT_FOUND, UNAUTHORIZED, answered
from openhands_acp.mcp.stdio import StdioTransport

_CONNECT = 30.0
"""Seconds for one http connection to come about; how long an answer may take, whoever waits for it decides."""


@dataclass(frozen=True, slots=True)
class Way:
    transport: ClientTransport
    why: Callable[[], str]
    """Says what the transport knows of a failure, better than what was raised; empty: nothing."""
    wants_login: Callable[[], bool] = lambda: False
    """Tells whether it was refused for want of a login."""
    is_forgotten: Callable[[], bool] = lambda: False
    """Tells whether the server knows this connection no more."""


async def way_to(
    config: ServerConfig, doors: ServerDoors, login: Login, lost: Callable[[], None], started: Program | None
) -> Way:
    """Make the way to a server, through its program if that runs already. `lost` is told when the server has gone."""
    match config.transport:
        case "stdio":
            stdio = StdioTransport(lambda: start(config, doors), started, lost)
            # Registered as one, which no type checker sees.
            return Way(cast("ClientTransport", stdio), stdio.why)
        case "http" | "sse":
            seen = _Responses()
            kind = StreamableHttpTransport if config.transport == "http" else SSETransport
            auth = None if doors.authorize is None else await doors.authorize(config, login)
            web = kind(config.url, dict(config.headers), auth=auth, httpx_client_factory=seen.client)
            return Way(web, seen.why, seen.wants_login, seen.is_forgotten)
        case "acp":
            assert doors.over_acp is not None, "whoever takes such servers in has a way to them"
            return Way(doors.over_acp(config), str)
        case _:
            assert_never(config.transport)


@dataclass(slots=True)
class _Responses:
    """The last refusal by http of one connection: the library tells no more of it than that there was one."""

    refusal: httpx2.Response | None = None

    def client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
        *,
        follow_redirects: bool = True,
    ) -> httpx2.AsyncClient:
        """Make a client, as FastMCP asks for it."""
        return httpx2.AsyncClient(
            headers=headers,
            timeout=timeout or httpx2.Timeout(_CONNECT, read=None),
            auth=auth,
            follow_redirects=follow_redirects,
            event_hooks={"response": [self._see]},
        )

    def why(self) -> str:
        return "" if self.refusal is None else answered(self.refusal.status_code, str(self.refusal.url))

    def wants_login(self) -> bool:
        return self.refusal is not None and self.refusal.status_code == UNAUTHORIZED

    def is_forgotten(self) -> bool:
        # The protocol has it so, where there was a connection.
        return self.refusal is not None and self.refusal.status_code == NOT_FOUND

    async def _see(self, response: httpx2.Response) -> None:
        # A server without a stream of its own says so by 405, which is no failure. Whoever logs in, sees 401 first.
        if response.status_code != METHOD_NOT_ALLOWED:
            self.refusal = response if response.is_error else None
