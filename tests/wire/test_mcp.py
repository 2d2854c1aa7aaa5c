"""A real server of ours with a real one of tools: what the provider is told of, in each request, and what comes of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.mcp_servers import plain
from tests.harness.process import SETTINGS, Server, eventually, with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Call, Reply, Text
from tests.wire.lived import say

_ENVIRONMENT = [{"name": "GREETING", "value": "good day"}]
_SERVER = {"name": "plain", "command": sys.executable, "args": [plain.__file__], "env": _ENVIRONMENT}
_DEAD: dict[str, Any] = {"name": "dead", "command": "/nowhere/mcp-server", "args": [], "env": []}


def script(body: dict[str, Any]) -> Reply:
    """Use the tool once for each prompt."""
    is_asked = body["messages"][-1]["role"] == "user"
    return [Call("plain__tell", {"variable": "GREETING"})] if is_asked else [Text(body["messages"][-1]["content"])]


@pytest.mark.slow
def test_the_provider_is_told_of_the_editors_tools_in_every_request_also_when_taken_up_again(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    project.mkdir()
    (home / SETTINGS).parent.mkdir(parents=True)
    (home / SETTINGS).write_text('titles = false\nlocal_servers = []\nmode = "always-approve"\n')
    where: dict[str, Any] = {"cwd": str(project), "mcpServers": [_SERVER, _DEAD]}
    with Provider(script=script) as provider, Server(home, **with_provider(provider.url)) as server:
        server.initialize()
        session_id = server.ask("session/new", where)["result"]["sessionId"]
        first, second = _used(server, session_id), say(server, session_id, "again")[1]
        server.ask("session/close", {"sessionId": session_id})
        assert "result" in server.ask("session/load", {"sessionId": session_id, **where})
        third = _used(server, session_id)
        told = [[tool["function"]["name"] for tool in request.body["tools"]] for request in provider.requests]
        schemas = [tool["function"]["parameters"] for tool in provider.requests[0].body["tools"]]
    assert told == [told[0]] * 6
    assert told[0][-1] == "plain__tell"
    assert schemas[-1] == {"type": "object", "properties": {"variable": {"type": "string"}}, "required": ["variable"]}
    assert [text.count("good day; []; project") for text in (first, second, third)] == [1, 1, 1]
    assert [text.count("`dead`") for text in (first, second, third)] == [1, 0, 1]


def _used(server: Server, session_id: str) -> str:
    """Prompt once the server of tools is there: a busy machine may take longer than a first prompt waits."""
    eventually(lambda: _are_settled(say(server, session_id, "/mcp")[1]))
    return say(server, session_id, "greet me")[1]


def _are_settled(said: str) -> bool:
    return "| `plain` | the editor | ready | 1 |" in said and "| `dead` | the editor | failed |" in said
