"""Servers on the web that refuse, forget or go away: what is said of them, and what is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.engine.servers.door import RemoteFailure
from openhands_acp.mcp.config import ServerConfig, Transport
from tests.harness.mcp import called, served
from tests.harness.mcp_servers.web import WebServer
from tests.harness.waiting import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize(
    ("status", "shown", "reason"),
    [
        (401, "needs_login", "answers 401 (Unauthorized)"),
        (403, "failed", "answers 403 (Forbidden)"),
        (404, "failed", "answers 404 (Not Found)"),
        (500, "failed", "answers 500 (Internal Server Error)"),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(
    status: int, shown: str, reason: str, transport: Transport, tmp_path: Path
) -> None:
    with WebServer(refuses=status) as web:
        async with served([_named(web, transport)], tmp_path) as servers:
            (state,) = servers.states()
            assert (state.status, state.error) == (shown, f"{web.url} {reason}")


async def test_a_server_that_has_forgotten_us_is_connected_again(tmp_path: Path) -> None:
    with WebServer() as web:
        async with served([_named(web)], tmp_path, pauses=(0.01,)) as servers:
            assert (await called(servers, "echo")).text == "echo"
            web.sessions.clear()
            with pytest.raises(RemoteFailure, match="the connection was lost"):
                await called(servers, "echo")
            await servers.ready()
            assert (await called(servers, "echo")).text == "echo"


async def test_a_server_that_is_down_keeps_its_tools_until_nobody_expects_it_back(tmp_path: Path) -> None:
    async with served([], tmp_path, pauses=(0.01,)) as servers:
        with WebServer() as web:
            servers.configure([_named(web)])
            await servers.ready()
            tools = servers.tools()
            assert [tool.spec.name for tool in tools] == ["web__echo"]
        with pytest.raises(RemoteFailure, match="the connection was lost"):
            await called(servers, "echo")
        assert servers.tools() is tools
        await until(lambda: not servers.tools())
        (state,) = servers.states()
        assert (state.status, state.error) == (
            "failed",
            f"{web.url} cannot be reached: All connection attempts failed",
        )


def _named(web: WebServer, transport: Transport = "http") -> ServerConfig:
    return ServerConfig("web", "a test", transport, url=web.url)
