"""The MCP servers that a sub-agent's definition brings: read, connected while it works, and ended with it.

A part of the composition. Knows what such servers may be told of the environment; does not know whom to trust.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from openhands_acp.engine.guidance.inventory import AgentDefinition
from openhands_acp.mcp.client import McpServers
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp_files import read_field
from openhands_acp.providers import KEY_NAMES

PLUGIN_VARIABLES = ("CLAUDE_PLUGIN_ROOT", "OPENHANDS_PLUGIN_ROOT")
"""By which a plugin's files name its folder."""


def own_servers(definition: AgentDefinition, environ: Mapping[str, str], home: Path) -> tuple[ServerConfig, ...]:
    """Read what a definition brings. What is not the person's own is not told the keys of model providers."""
    assert definition.path is not None
    folder = definition.folder or str(home)
    known = {name: value for name, value in environ.items() if definition.origin == "user" or name not in KEY_NAMES}
    if definition.origin == "plugin":
        known |= dict.fromkeys(PLUGIN_VARIABLES, folder)
    return read_field(Path(definition.path), definition.line, definition.servers, known, Path(folder))


@asynccontextmanager
async def kept_connected(servers: McpServers, tasks: TaskGroup, farewell: float) -> AsyncGenerator[McpServers]:
    """Keep servers connected until this is left, by a task of a group that outlives it; wait for their end so long."""
    scope, ended = anyio.CancelScope(), anyio.Event()

    async def run() -> None:
        try:
            with scope:
                await servers.run()
        finally:
            ended.set()

    # In a group of its own, what is raised meanwhile would come out as a group, too.
    tasks.start_soon(run)
    try:
        yield servers
    finally:
        scope.cancel()
        with anyio.move_on_after(farewell, shield=True):
            await ended.wait()
