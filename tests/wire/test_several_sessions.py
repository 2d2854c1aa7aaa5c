"""Several sessions of one process, at work at the same time: none has anything of another's."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.harness.mcp_servers import plain
from tests.harness.process import Server, eventually, line_of, prompt, with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Call, Reply, Text
from tests.wire.lived import say, tree

pytestmark = pytest.mark.slow

NAMES = ("ann", "ben")
COMMANDS = ["cd inner && export WHO=$(cat ../name)", "mkdir $WHO", "mkdir one", "mkdir two"]
TELL = 'plain: tell {"variable": "GREETING"}'


def script(body: dict[str, Any]) -> Reply:
    """Do the same in each session, step by step."""
    done = [message["content"] for message in body["messages"] if message["role"] == "tool"]
    if len(done) < len(COMMANDS):
        return [Call("terminal", {"command": COMMANDS[len(done)]})]
    return [Call("plain__tell", {"variable": "GREETING"})] if len(done) == len(COMMANDS) else [Text(done[-1])]


def test_sessions_at_work_at_the_same_time_share_nothing(tmp_path: Path) -> None:
    with Provider(script=script) as provider, Server(tmp_path / "home", **with_provider(provider.url)) as server:
        server.initialize()
        ids = {name: opened(server, tmp_path / name) for name in NAMES}
        requests = {server.put("session/prompt", prompt(ids[name], "go")) for name in NAMES}
        asked: dict[str, list[str]] = defaultdict(list)
        said: dict[str, str] = defaultdict(str)
        while requests:
            message = server.message()
            params = message.get("params", {})
            if message.get("method") == "session/request_permission":
                asked[params["sessionId"]].append(params["toolCall"]["title"])
                # The first person allows for good what the second wants to see each time.
                kinds = ("allow_always", "allow_once") if params["sessionId"] == ids["ann"] else ("allow_once",)
                chosen = next(o["optionId"] for kind in kinds for o in params["options"] if o["kind"] == kind)
                answer = {"outcome": {"outcome": "selected", "optionId": chosen}}
                server.send(line_of({"jsonrpc": "2.0", "id": message["id"], "result": answer}))
            elif params.get("update", {}).get("sessionUpdate") == "agent_message_chunk":
                said[params["sessionId"]] += params["update"]["content"]["text"]
            elif "method" not in message:
                assert message["result"] == {"stopReason": "end_turn"}
                requests.remove(message["id"])
        assert asked[ids["ann"]] == [*COMMANDS[:-1], TELL]
        assert asked[ids["ben"]] == [*COMMANDS, TELL]
        # The working folder of the process is nobody's.
        assert os.readlink(f"/proc/{server.process.pid}/cwd") == str(tmp_path / "home")
    for name in NAMES:
        assert set(tree(tmp_path / name)) == {"name", "inner", f"inner/{name}", "inner/one", "inner/two"}
        assert said[ids[name]] == f"good day, {name}; []; {name}"


def opened(server: Server, folder: Path) -> str:
    """Open a session in a folder of its own, with a server of the same name and another environment."""
    (folder / "inner").mkdir(parents=True)
    (folder / "name").write_text(folder.name)
    env = [{"name": "GREETING", "value": f"good day, {folder.name}"}]
    tools = {"name": "plain", "command": sys.executable, "args": [plain.__file__], "env": env}
    session_id = server.ask("session/new", {"cwd": str(folder), "mcpServers": [tools]})["result"]["sessionId"]
    # A busy machine may take longer than a first prompt waits.
    eventually(lambda: "| ready |" in say(server, session_id, "/mcp")[1])
    return session_id
