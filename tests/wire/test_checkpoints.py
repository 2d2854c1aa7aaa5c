"""Earlier states of the files outlive the process, and do not keep it alive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.process import PATIENCE, Server, environment, eventually, line_of, prompt
from tests.harness.trees import tree_of
from tests.wire.lived import OPTIONS, begin, live_through, project, say, take_up

SNAPSHOTS = ".openhands/acp/snapshots"


def test_undo_in_another_process(tmp_path: Path) -> None:
    lived = live_through(tmp_path / "home", tmp_path / "project")
    after = tree_of(lived.folder)
    with lived.process() as server:
        server.initialize()
        take_up(server, lived.session_id, lived.folder)
        assert "Undid" in say(server, lived.session_id, "/undo")[1]
        assert tree_of(lived.folder) == tree_of(project(tmp_path / "fresh"))
        say(server, lived.session_id, "/redo")
        assert tree_of(lived.folder) == after


def test_a_turn_that_a_kill_cut_short_can_be_undone(tmp_path: Path) -> None:
    folder, home = project(tmp_path / "project"), tmp_path / "home"
    before = tree_of(folder)
    with Server(home, *OPTIONS) as server:
        server.initialize()
        session_id, _ = begin(server, folder, "echo made > made; rm -f *.py; echo > done; sleep 100")
        eventually((folder / "done").exists)
        server.process.kill()
        server.process.wait()
    with Server(home, *OPTIONS) as server:
        server.initialize()
        take_up(server, session_id, folder)
        request = server.put("session/prompt", prompt(session_id, "/undo"))
        question = server.until(_is_question)[-1]
        outcome = {"outcome": "selected", "optionId": "allow_once"}
        server.send(line_of({"jsonrpc": "2.0", "id": question["id"], "result": {"outcome": outcome}}))
        server.answer(request)
        assert tree_of(folder) == before


def _is_question(message: dict[str, Any]) -> bool:
    return message.get("method") == "session/request_permission"


def test_nothing_is_kept_before_the_first_prompt_nor_after_the_session_is_deleted(tmp_path: Path) -> None:
    folder, home = project(tmp_path / "project"), tmp_path / "home"
    with Server(home, *OPTIONS) as server:
        server.initialize()
        server.new_session(folder)
        assert not (home / SNAPSHOTS).exists()
        session_id, request = begin(server, folder)
        server.answer(request)
        assert len(list((home / SNAPSHOTS).iterdir())) == 1
        server.ask("session/delete", {"sessionId": session_id})
        assert list((home / SNAPSHOTS).iterdir()) == []


def test_nothing_is_kept_of_a_session_that_is_deleted_in_a_terminal(tmp_path: Path) -> None:
    folder, home = project(tmp_path / "project"), tmp_path / "home"
    with Server(home, *OPTIONS) as server:
        server.initialize()
        session_id, request = begin(server, folder)
        server.answer(request)
    assert len(list((home / SNAPSHOTS).iterdir())) == 1
    words = [sys.executable, "-m", "openhands_acp", "sessions", "delete", "--yes", session_id]
    subprocess.run(words, env=environment(home), check=True, capture_output=True, timeout=PATIENCE)
    assert list((home / SNAPSHOTS).iterdir()) == []


def end_of_input(server: Server) -> None:
    server.close_stdin()


def terminated(server: Server) -> None:
    server.process.terminate()


@pytest.mark.parametrize("end", [end_of_input, terminated])
def test_it_ends_while_it_looks_at_the_files_for_the_first_time(tmp_path: Path, end: Callable[[Server], None]) -> None:
    folder, home = project(tmp_path / "project"), tmp_path / "home"
    for number in range(20_000):
        (folder / str(number)).write_text(f"{number}\n" * 100)
    with Server(home, *OPTIONS) as server:
        server.initialize()
        begin(server, folder)
        eventually(lambda: any((home / SNAPSHOTS).rglob("*.db")))
        assert server.ends_at_once(end)
        assert (server.process.returncode, "Traceback" in server.log()) == (0, False)
