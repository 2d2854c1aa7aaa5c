"""A client that never closes a session: it kills the agent's process, starts another, and loads from its tree.

As the ACP Client for VS Code does with each new conversation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.llm.scripted import CORRECTION, PROGRAM, task
from tests.harness.editor import Answerer, allowed
from tests.harness.process import Server, line_of, prompt
from tests.turns.test_replay import client_model
from tests.wire.lived import COMMAND, project, take_up, updates_in
from tests.wire.others import VSCODE, read_file, write_file

pytestmark = pytest.mark.slow

ANSWERS: dict[str, Answerer] = {
    "session/request_permission": lambda _params: allowed(),
    "fs/read_text_file": read_file,
    "fs/write_text_file": write_file,
}


def spawn(home: Path) -> Server:
    server = Server(home, "--model", "scripted/demo")
    server.ask("initialize", {"protocolVersion": 1, **VSCODE})
    return server


def serve(server: Server, is_last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Answer what is asked; return what came up to the last, which is not answered."""
    told = [server.message()]
    while not is_last(told[-1]):
        if "id" in told[-1] and "method" in told[-1]:
            result = ANSWERS[told[-1]["method"]](told[-1]["params"])
            server.send(line_of({"jsonrpc": "2.0", "id": told[-1]["id"], "result": result}))
        told.append(server.message())
    return told


def test_what_was_killed_in_mid_turn_is_in_the_tree_and_goes_on(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", project(tmp_path / "project")
    with spawn(home) as server:
        session_id = server.new_session(folder)
        server.put("session/prompt", prompt(session_id, task(COMMAND)))
        told = serve(server, lambda message: message.get("method") == "session/request_permission")
        server.process.kill()
    with spawn(home) as server:
        # A conversation is begun before anybody looks at the tree.
        server.new_session(folder)
        [listed] = server.ask("session/list", {"cwd": str(folder)})["result"]["sessions"]
        assert (listed["sessionId"], listed["title"]) == (session_id, _title(updates_in(told)))
        answer, again = take_up(server, session_id, folder)
        assert answer["result"]["modes"]["currentModeId"] == "always-ask"
        asked_for = told[-1]["params"]["toolCall"]["toolCallId"]
        assert client_model(again)["calls"][asked_for]["status"] == "failed"
        for method, params in (("set_mode", {"modeId": "accept-edits"}), ("set_model", {"modelId": "scripted/demo"})):
            server.ask(f"session/{method}", {"sessionId": session_id, **params})
        request_id = server.put("session/prompt", prompt(session_id, task(COMMAND)))
        *_, end = serve(server, lambda message: message.get("id") == request_id)
        assert (end["result"]["stopReason"], CORRECTION in (folder / PROGRAM).read_text()) == ("end_turn", True)


def _title(updates: list[dict[str, Any]]) -> str:
    return client_model(updates)["state"]["session_info_update"]["title"]
