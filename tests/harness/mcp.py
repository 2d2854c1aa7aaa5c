"""MCP servers for tests: real programs, and the session's door to them for as long as a test lasts."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person.door import Form, Link, Nobody, Person, Reply
from openhands_acp.engine.servers.door import RemoteResult, RemoteTool, Sample
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.programs import LocalPrograms
from openhands_acp.mcp.client import McpServers
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import ServerDoors
from tests.harness.waiting import PATIENCE

SERVERS = Path(__file__).parent / "mcp_servers"


def everyday(**more: Any) -> ServerConfig:
    """Configure the server that FastMCP runs, as a program."""
    return program("everyday", SERVERS / "everyday.py", **more)


def misbehaving(way: str, *args: str, **more: Any) -> ServerConfig:
    return program("odd", SERVERS / "misbehaving.py", way, *args, **more)


def program(name: str, script: Path, *args: str, **more: Any) -> ServerConfig:
    return ServerConfig(name, "a test", "stdio", sys.executable, (str(script), *args), **more)


@asynccontextmanager
async def served(
    configs: Sequence[ServerConfig],
    root: Path,
    person: Person | None = None,
    sample: Sample | None = None,
    *,
    pauses: tuple[float, ...] = (),
    breath: float = 0.01,
) -> AsyncGenerator[McpServers]:
    """Run the servers, and wait until each is connected or has failed."""
    doors = ServerDoors(
        (AbsPath(str(root)),),
        LocalPrograms(LoginEnvironment()),
        person or Nobody(),
        sample,
        first_wait=PATIENCE,
        breath=breath,
        pauses=pauses,
    )
    servers = McpServers(doors)
    servers.configure(configs)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(servers.run)
            await servers.ready()
            yield servers
            tasks.cancel_scope.cancel()


class Told:
    """Takes progress."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def __call__(self, words: str) -> None:
        self.words.append(words)


async def called(servers: McpServers, tool: str, arguments: dict[str, Any] | None = None) -> RemoteResult:
    return await servers.call(named(servers, tool), arguments or {}, Told())


class Clerk:
    """A person who fills in every form, and visits every page."""

    def __init__(self, reply: Reply) -> None:
        self.reply: Reply = reply
        self.asked: list[Form | Link] = []
        self.done: list[str] = []
        self.pick = Nobody().pick

    async def fill(self, form: Form) -> Reply:
        self.asked.append(form)
        return self.reply

    async def visit(self, link: Link) -> Reply:
        self.asked.append(link)
        return self.reply

    def visited(self, link_id: str) -> None:
        self.done.append(link_id)

    @property
    def forms(self) -> list[Form]:
        return [asked for asked in self.asked if isinstance(asked, Form)]


def named(servers: McpServers, tool: str) -> RemoteTool:
    return next(each for each in servers.tools() if each.name == tool)


def free_ports(count: int) -> list[int]:
    """Find ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
