"""How long a first prompt waits for all servers: no longer than is set, however long one of them takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person.door import Nobody
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.programs import LocalPrograms
from openhands_acp.mcp.client import McpServers
from openhands_acp.mcp.doors import FIRST_WAIT, ServerDoors
from tests.harness.mcp import misbehaving
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def test_a_server_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    assert FIRST_WAIT == 5
    root = AbsPath(str(tmp_path))
    doors = ServerDoors((root,), LocalPrograms(LoginEnvironment()), Nobody(), None, first_wait=0.2)
    servers = McpServers(doors)
    servers.configure([replace(misbehaving("never answers"), connect_timeout=PATIENCE)])
    with anyio.fail_after(PATIENCE / 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(servers.run)
            await servers.ready()
            assert [state.status for state in servers.states()] == ["connecting"]
            tasks.cancel_scope.cancel()
