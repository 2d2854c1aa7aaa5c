"""A plugin's server is started once the project that brings it along is trusted, and finds what is beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import pytest

from openhands_acp.store.trusted import Trusted
from tests.harness.check import TestBackend, agent
from tests.harness.editor import allowed, rejected
from tests.harness.model import ScriptedModel, say
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).parents[1] / "harness/mcp_servers/plain.py"


@pytest.mark.parametrize(("answer", "is_there"), [("deliberate_allow_once", True), ("reject_once", False)])
async def test_a_projects_plugin_brings_a_server_along_once_it_is_trusted(
    tmp_path: Path, answer: str, is_there: bool
) -> None:
    plugin = tmp_path / "project/.openhands/plugins/notes"
    (plugin / ".claude-plugin").mkdir(parents=True)
    (plugin / "server.py").write_text(SERVER.read_text())
    server = {"command": sys.executable, "args": ["${CLAUDE_PLUGIN_ROOT}/server.py"]}
    (plugin / ".claude-plugin/plugin.json").write_text(json.dumps({"mcpServers": {"notes": server}}))
    backend = TestBackend(
        ScriptedModel([[say("Hi.")], [say("Again.")]]),
        home=tmp_path / "home",
        trust=Trusted(tmp_path / "home/trust.json"),
    )
    reply = rejected() if answer == "reject_once" else allowed(answer)
    async with agent(tmp_path / "project", backend=backend, permission=lambda _params: reply) as running:
        await running.prompt("hello")
        servers = backend.sessions[running.session_id].servers
        if is_there:
            # A first prompt waits no longer than 5 s for it, which a busy machine may need.
            with anyio.fail_after(PATIENCE):
                await until(lambda: bool(servers.tools()))
        await running.prompt("hello again")
        assert [state.name for state in servers.states()] == (["notes"] if is_there else [])
        names = [spec.name for spec in running.model.offered[-1]]
        assert ("notes__tell" in names) is is_there
