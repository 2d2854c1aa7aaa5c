"""All MCP servers of one session, as the engine's door to them (`Servers`).

They are connected side by side, and none of them is waited for but by `ready` and `retry`. Imports no MCP library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio

from openhands_acp.engine.messages import JsonObject, Part
from openhands_acp.engine.servers.door import (
    Progress,
    RemoteFailure,
    RemotePrompt,
    RemoteResource,
    RemoteResult,
    RemoteTool,
    ServerState,
)
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import ServerDoors
from openhands_acp.mcp.supervise import Supervised


class McpServers:
    """`configure` says which, at any time; they are connected while `run` runs."""

    def __init__(self, doors: ServerDoors) -> None:
        self._doors = doors
        self._servers: dict[str, Supervised] = {}
        self._begun: set[Supervised] = set()
        self._is_running = False
        self._configured = anyio.Event()
        self._places: dict[str, int] = {}
        self._tools: tuple[RemoteTool, ...] = ()

    def configure(self, configs: Sequence[ServerConfig]) -> None:
        """Take these servers for those that there are; one whose configuration is the same stays as it is.

        Of two with one name the first counts.
        """
        before = self._servers
        self._servers = {}
        for config in configs:
            if config.name in self._servers:
                continue
            there = before.get(config.name)
            if there is None or there.config != config:
                there = Supervised(config, self._doors, self._changed)
            self._servers[config.name] = there
        for gone in set(before.values()) - set(self._servers.values()):
            gone.scope.cancel()
        self._changed()
        self._configured.set()

    async def run(self) -> None:
        """Keep the servers connected until cancelled, which ends all their processes, bounded."""
        async with anyio.create_task_group() as tasks:
            while True:
                begun = [server for server in self._servers.values() if server not in self._begun]
                self._begun |= set(begun)
                self._begun &= set(self._servers.values())
                for server in begun:
                    tasks.start_soon(server.run)
                self._configured = anyio.Event()
                await self._configured.wait()

    def _changed(self) -> None:
        offered = [tool for server in self._servers.values() for tool in server.tools]
        for tool in offered:
            self._places.setdefault(tool.spec.name, len(self._places))
        tools = tuple(sorted(offered, key=lambda tool: self._places[tool.spec.name]))
        if tools != self._tools:
            self._tools = tools
        self._doors.changed()

    # ---------------------------------------------------------------- what there is

    def tools(self) -> tuple[RemoteTool, ...]:
        """Return the tools that are there now, by first appearance: the same object while they are the same."""
        return self._tools

    def states(self) -> tuple[ServerState, ...]:
        return tuple(server.state for server in self._servers.values())

    def prompts(self) -> tuple[RemotePrompt, ...]:
        return tuple(prompt for server in self._servers.values() for prompt in server.prompts)

    def resources(self) -> tuple[RemoteResource, ...]:
        return tuple(resource for server in self._servers.values() for resource in server.resources)

    async def ready(self) -> None:
        await self._settle(tuple(self._servers.values()))

    async def retry(self, name: str | None = None) -> None:
        if name is not None and name not in self._servers:
            raise LookupError(name)
        failed = [server for server in self._servers.values() if server.state.status in ("failed", "needs_login")]
        chosen = failed if name is None else [self._servers[name]]
        for server in chosen:
            server.connect_again()
        await self._settle(chosen)

    async def _settle(self, servers: Sequence[Supervised]) -> None:
        with anyio.move_on_after(self._doors.first_wait):
            for server in servers:
                await server.settled()

    # ---------------------------------------------------------------- use

    async def call(self, tool: RemoteTool, arguments: JsonObject, progress: Progress) -> RemoteResult:
        return await self._server(tool.server).call(tool.name, arguments, progress)

    async def prompt(self, prompt: RemotePrompt, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        return await self._server(prompt.server).prompt(prompt.name, arguments)

    async def read(self, server: str, uri: str) -> RemoteResult:
        return await self._server(server).read(uri)

    def _server(self, name: str) -> Supervised:
        if name not in self._servers:
            raise RemoteFailure(f"there is no server {name!r} any more")
        return self._servers[name]
