"""The process is killed in the middle of its work: what was told is kept, and nothing is done a second time.

`test_crash_sweep` does so at every message.
"""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.process import Server, eventually, processes_with, prompt
from tests.turns.test_replay import client_model
from tests.wire.lived import COMMAND, MARK, OPTIONS, Lived, begin, project, say, take_up, tree, updates_in
from tests.wire.scripted import begin_command
from tests.wire.test_end import TREE

pytestmark = pytest.mark.slow

MESSAGES = 165
"""Of the turn, about: pieces of text are joined when they come fast."""


@pytest.mark.parametrize("number", [MESSAGES // 4, MESSAGES * 3 // 4])
def test_a_kill_after_any_message_leaves_a_session_that_goes_on(tmp_path: Path, number: int) -> None:
    lived, open_calls = killed_after(number, tmp_path)
    before = tree(lived.folder)
    with lived.process() as server:
        server.initialize()
        answer, told = take_up(server, lived.session_id, lived.folder)
        live, replayed = client_model(lived.updates), client_model(told)
        assert "result" in answer
        assert {call["status"] for call in replayed["calls"].values()} <= {"completed", "failed"}
        # What the client saw as done is told as it was; what it saw begin is there, and closed.
        for call_id, call in live["calls"].items():
            if call_id not in open_calls:
                assert replayed["calls"][call_id] == call
        assert (say(server, lived.session_id)[0], server.log()) == ("end_turn", "")
    assert tree(lived.folder) == before
    with lived.process() as server:
        server.initialize()
        _, again = take_up(server, lived.session_id, lived.folder)
        assert client_model(again)["calls"] == replayed["calls"]
        assert server.log() == ""


def test_a_question_that_nobody_answered_is_not_asked_again(tmp_path: Path) -> None:
    lived = Lived(tmp_path / "home", project(tmp_path / "project"), "", [])
    with Server(lived.home, "--model", "scripted/demo") as server:
        server.initialize()
        session_id, _ = begin(server, lived.folder)
        server.until(lambda message: message.get("method") == "session/request_permission")
        server.process.kill()
    with Server(lived.home, "--model", "scripted/demo") as server:
        server.initialize()
        _, told = take_up(server, session_id, lived.folder)
        assert [call["status"] for call in client_model(told)["calls"].values()][-1] == "failed"
        assert say(server, session_id)[0] == "end_turn"
        asked = [line for line in server.passed if b"request_permission" in line]
        assert (asked, (lived.folder / MARK).exists()) == ([], False)


def test_what_was_typed_is_told_again_though_the_turn_had_not_come_to_it(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", project(tmp_path / "project")
    (home / ".openhands").mkdir(parents=True)
    wait = {"type": "command", "command": "touch begun; sleep 100"}
    hooks = {"hooks": {"UserPromptSubmit": [{"hooks": [wait]}]}}
    (home / ".openhands/hooks.json").write_text(json.dumps(hooks))
    with Server(home, *OPTIONS) as server:
        server.initialize()
        session_id = server.new_session(folder)
        server.put("session/prompt", prompt(session_id, "a long story"))
        eventually((folder / "begun").exists)
        server.process.kill()
        server.process.wait()
    (home / ".openhands/hooks.json").unlink()
    with Server(home, *OPTIONS) as server:
        server.initialize()
        for _ in range(2):
            _, told = take_up(server, session_id, folder)
            chunks = [update["content"]["text"] for update in told if "chunk" in update["sessionUpdate"]]
            assert chunks[:2] == [
                "a long story",
                "openhands-acp ended before the model had read this. Send it again.",
            ]
            assert say(server, session_id, "/mode")[0] == "end_turn"
        [listed] = server.ask("session/list")["result"]["sessions"]
        assert listed["title"] == "a long story"


def test_what_a_command_started_dies_with_a_server_that_is_killed(tmp_path: Path) -> None:
    # An editor that is closed kills its agent like that, with its process group: Zed does.
    mark = uuid4().hex
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve") as server:
        server.initialize()
        begin_command(server, tmp_path, TREE.format(mark=mark))
        eventually(lambda: len(processes_with(mark)) == 4)
        server.process.kill()
        eventually(lambda: processes_with(mark) == [])


def killed_after(number: int, place: Path) -> tuple[Lived, set[str]]:
    """Kill a server after so many messages of a turn; return what it left, and the calls that it left open."""
    mark = uuid4().hex
    folder = project(place / "project")
    with Server(place / "home", *OPTIONS) as server:
        server.initialize()
        session_id, request_id = begin(server, folder, f": {mark}; {COMMAND}")
        seen = [server.until(lambda message: "available_commands" not in str(message))[-1]]
        while len(seen) < number and seen[-1].get("id") != request_id:
            seen.append(server.message())
        server.process.kill()
        server.process.wait()
    # Nobody was left to end a command that ran.
    eventually(lambda: processes_with(mark) == [])
    updates = updates_in(seen)
    calls = client_model(updates)["calls"]
    is_open = {call_id for call_id, call in calls.items() if call["status"] not in ("completed", "failed")}
    return Lived(place / "home", folder, session_id, updates), is_open
