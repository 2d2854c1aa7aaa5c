"""A sub-agent through the whole server: killed with it in the middle of its work, and gone on with by the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness import replies
from tests.harness.process import CANARY, Server, eventually, prompt
from tests.harness.provider import Provider
from tests.turns.test_replay import client_model
from tests.wire.lived import take_up, updates_in

pytestmark = pytest.mark.slow

EXPLORER = ["file_editor", "grep", "glob", "think", "finish"]
VIEW = {"command": "view", "path": "notes.txt"}


def served(home: Path, provider: Provider) -> Server:
    return Server(home, LLM_MODEL="openai/large", LLM_BASE_URL=provider.url, LLM_API_KEY=CANARY)


def offered(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", ())]


def test_what_a_killed_process_had_it_do_the_next_one_goes_on_with(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/notes.txt").write_text("The release is on Friday.\n")
    begun = [
        [replies.Call("task", {"prompt": "When is the release?", "subagent_type": "code-explorer"})],
        [replies.Call("file_editor", VIEW)],
        [replies.Text("On "), replies.Stall()],
    ]
    with Provider(*begun) as provider, served(tmp_path / "home", provider) as server:
        server.initialize()
        session_id = server.new_session(tmp_path / "project")
        server.put("session/prompt", prompt(session_id, "Find out."))
        live = updates_in(server.until(lambda message: str(message).endswith("- Read notes.txt'}}]}}}")))
        eventually(lambda: len(provider.requests) == 3)
        server.process.kill()
        server.process.wait()
    assert [offered(body)[-1:] + offered(body)[:1] for body in requests(provider)[:1]] == [["task", "terminal"]]
    assert [offered(body) for body in requests(provider)[1:]] == [EXPLORER] * 2
    gone_on = [
        [replies.Call("task", {"prompt": "Go on.", "resume": "task_00000001"})],
        [replies.Text("On Friday.")],
        [replies.Text("It is on Friday.")],
    ]
    with Provider(*gone_on) as provider, served(tmp_path / "home", provider) as server:
        server.initialize()
        _, told = take_up(server, session_id, tmp_path / "project")
        assert [call["status"] for call in client_model(told)["calls"].values()] == ["failed"]
        assert client_model(live)["calls"].keys() == client_model(told)["calls"].keys()
        server.answer(server.put("session/prompt", prompt(session_id, "And?")))
    first, second, third = requests(provider)
    assert "task_00000001" in str(first["messages"])
    # It remembers what it had read.
    assert ("The release is on Friday." in str(second["messages"]), offered(second)) == (True, EXPLORER)
    assert third["messages"][-1]["content"].endswith("On Friday.")


def requests(provider: Provider) -> list[dict[str, Any]]:
    return [request.body for request in provider.requests]
