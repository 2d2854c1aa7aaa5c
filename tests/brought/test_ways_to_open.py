"""Whichever way a session is opened, it has the servers that the editor names then, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.brought.test_servers import backend, given, offered
from tests.harness.check import agent
from tests.harness.model import say

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("method", ["session/load", "session/resume", "session/fork"])
async def test_it_has_the_servers_that_are_named(root: Path, tmp_path: Path, method: str, is_open: bool) -> None:
    made = backend(tmp_path, [say("One.")], [say("Two.")])
    async with agent(root, backend=made, mcp_servers=[given("mine")]) as running:
        await running.prompt("hi")
        if not is_open:
            await running.editor.request("session/close", sessionId=running.session_id)
        opened = await running.editor.request(
            method, sessionId=running.session_id, cwd=str(root), mcpServers=[given("yours")]
        )
        running.session_id = opened.get("sessionId", running.session_id)
        await running.prompt("and now?")
        assert [offered(running, request) for request in range(2)] == [["mine__tell"], ["yours__tell"]]
