"""What a session makes tools of servers with (`toolbox.Kit`): loaded only where there is a server that has any."""

from __future__ import annotations

from collections.abc import Sequence

from openhands_acp.engine.servers.door import RemoteTool
from openhands_acp.engine.tool import Tool
from openhands_acp.tools.read_resource import read_resource
from openhands_acp.tools.remote import remote_tool
from openhands_acp.tools.tool_search import tool_search


class RemoteKit:
    """One for a session and its sub-agents: reading a schema takes milliseconds."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[RemoteTool, Tool]] = {}

    def made(self, tool: RemoteTool) -> Tool:
        before, made = self._made.get(tool.spec.name, (None, None))
        if made is None or before != tool:
            made = remote_tool(tool)
            self._made[tool.spec.name] = tool, made
        return made

    def search(self, servers: Sequence[str]) -> Tool:
        return tool_search(servers)

    def reading(self) -> Tool:
        return read_resource()
