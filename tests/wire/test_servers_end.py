"""However a session ends, its MCP servers end with it, also those that hear no signal and what they started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.mcp_servers import misbehaving
from tests.harness.process import Server, children_of, eventually, processes_with
from tests.wire.lived import say

# A client that is not us: it starts the server on its own pipes, and can be killed while we hold them open.
CLIENT = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"]


def session_closed(server: Server, session_id: str) -> None:
    assert server.ask("session/close", {"sessionId": session_id})["result"] == {}


def end_of_input(server: Server, _session_id: str) -> None:
    server.close_stdin()


def terminated(server: Server, _session_id: str) -> None:
    (ours,) = children_of(server.process.pid)
    os.kill(ours, signal.SIGTERM)


def killed(server: Server, _session_id: str) -> None:
    (ours,) = children_of(server.process.pid)
    os.kill(ours, signal.SIGKILL)


def client_killed(server: Server, _session_id: str) -> None:
    server.process.kill()


@pytest.mark.parametrize("way", [end_of_input, killed, client_killed])
def test_a_server_that_hears_nothing_ends(way: Callable[[Server, str], None], tmp_path: Path) -> None:
    mark = uuid4().hex
    with Server(tmp_path, "--model", "scripted/demo", launcher=CLIENT) as server:
        server.initialize()
        session_id = _with_server(server, tmp_path, mark)
        eventually(lambda: len(processes_with(mark)) == 2)
        way(server, session_id)
        eventually(lambda: not processes_with(mark))


@pytest.mark.slow
@pytest.mark.parametrize("way", [session_closed, terminated, killed])
def test_a_server_that_hears_nothing_ends_when_it_is_connected(
    way: Callable[[Server, str], None], tmp_path: Path
) -> None:
    mark = uuid4().hex
    with Server(tmp_path, "--model", "scripted/demo", launcher=CLIENT) as server:
        server.initialize()
        session_id = _with_server(server, tmp_path, mark)
        eventually(lambda: "| `deaf` | the editor | ready |" in say(server, session_id, "/mcp")[1])
        way(server, session_id)
        eventually(lambda: not processes_with(mark))


def _with_server(server: Server, cwd: Path, mark: str) -> str:
    args = [misbehaving.__file__, "ignores signals", mark]
    deaf = {"name": "deaf", "command": sys.executable, "args": args, "env": []}
    return server.ask("session/new", {"cwd": str(cwd), "mcpServers": [deaf]})["result"]["sessionId"]
