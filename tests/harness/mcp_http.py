"""MCP servers over http in this process, on a port of this machine; with a login, if wanted."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from fastmcp.server.dependencies import get_http_headers
from mcp.server.auth.settings import ClientRegistrationOptions

from tests.harness.waiting import until


def listening() -> tuple[socket.socket, str]:
    """Open a port; return it with its address."""
    port = socket.create_server(("127.0.0.1", 0))
    return port, f"http://127.0.0.1:{port.getsockname()[1]}"


def login_at(address: str) -> InMemoryOAuthProvider:
    """Log everybody in who has a browser."""
    return InMemoryOAuthProvider(
        base_url=address, client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=["read"])
    )


@asynccontextmanager
async def serving(
    port: socket.socket,
    transport: Literal["http", "sse"] = "http",
    login: InMemoryOAuthProvider | None = None,
) -> AsyncGenerator[None]:
    """Serve one tool (`header`, which tells a header of its request) at `/mcp`, or `/sse`."""
    server = FastMCP("far", auth=login)

    @server.tool
    def header(wanted: str) -> str:
        """Tell a header of this request."""
        return get_http_headers(include_all=True).get(wanted.lower(), "none")

    app = server.http_app(transport=transport)
    config = uvicorn.Config(
        app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1, ws="none", timeout_keep_alive=1
    )
    http = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.serve, [port])
        await until(lambda: http.started)
        yield
        http.should_exit = True
