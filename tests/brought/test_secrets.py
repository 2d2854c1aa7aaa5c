"""What servers are given to get in with is masked wherever the wire is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.harness.backend import connected, home
from tests.harness.waiting import until

pytestmark = pytest.mark.anyio

# Nobody listens there.
_FAR: dict[str, Any] = {
    "type": "http",
    "name": "far",
    "url": "http://me:canary-1@127.0.0.1:9/mcp?api_key=canary-2&page=plain",
    "headers": [{"name": "Authorization", "value": "Bearer canary-3"}],
}
_NEAR: dict[str, Any] = {
    "name": "near",
    "command": "/no/such/program",
    "args": [],
    "env": [{"name": "NEAR_TOKEN", "value": "canary-4"}, {"name": "COLOUR", "value": "plain"}],
}
_BAD: dict[str, Any] = {"type": "http", "name": "bad", "url": "http://[bad", "headers": []}


async def test_all_that_a_server_is_given_to_get_in_with_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch)
    monkeypatch.setenv("LLM_MODEL", "openai/fake")
    monkeypatch.setenv("LLM_API_KEY", "a-key-of-no-one")
    learnt: set[str] = set()
    with anyio.fail_after(120):
        async with connected(learnt.add) as editor:
            await editor.request("session/new", cwd=str(tmp_path), mcpServers=[_FAR, _NEAR, _BAD])
            secrets = {"canary-1", "canary-2", "Bearer canary-3", "canary-3", "canary-4"}
            await until(lambda: secrets <= learnt)
    assert "plain" not in learnt
