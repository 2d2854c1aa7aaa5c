"""Two windows of editors, each with a process of its own, and one session: one is at work in it, the other looks on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.llm.scripted import task
from tests.harness.process import Server, eventually, prompt
from tests.turns.test_replay import client_model
from tests.wire.lived import OPTIONS, Lived, project, say, take_up, tree, updates_in

pytestmark = pytest.mark.slow

LONG = "echo > begun; until [ -e go ]; do sleep 0.05; done; echo ran >> runs.txt"
CRASHED = "ended in the middle of this turn"


@dataclass(frozen=True, slots=True)
class AtWork:
    """A window in the middle of a turn, and another that has read the session."""

    first: Server
    second: Server
    lived: Lived
    request_id: str
    """Of the prompt in the first."""

    def taken_up(self) -> dict[str, Any]:
        """Have the second read the session; return what it then knows."""
        answer, told = take_up(self.second, self.lived.session_id, self.lived.folder)
        assert "result" in answer
        return client_model(told)

    def said(self) -> str:
        """Return what comes of a prompt in the second: sentences."""
        reason, sentence = say(self.second, self.lived.session_id)
        assert reason == "end_turn"
        return sentence


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[AtWork]:
    home, folder = tmp_path / "home", project(tmp_path / "project")
    with Server(home, *OPTIONS) as first, Server(home, *OPTIONS) as second:
        for server in (first, second):
            server.initialize()
        session_id = first.new_session(folder)
        request_id = first.put("session/prompt", prompt(session_id, task(LONG)))
        eventually((folder / "begun").exists)
        yield AtWork(first, second, Lived(home, folder, session_id, []), request_id)


def test_a_turn_that_runs_in_another_window_is_told_as_one_that_runs(at_work: AtWork) -> None:
    before = tree(at_work.lived.kept)
    # Whatever that one does meanwhile, or does not.
    at_work.first.process.send_signal(signal.SIGSTOP)
    seen = at_work.taken_up()
    *_, sentence = seen["messages"].values()
    assert f"open in another window: process {at_work.first.process.pid}" in sentence
    assert CRASHED not in str(seen)
    *done, running = [call["status"] for call in seen["calls"].values()]
    assert (set(done), running) == ({"completed"}, "pending")
    assert f"process {at_work.first.process.pid}" in at_work.said()
    # Whoever looks on writes nothing, not even in words of its own.
    assert tree(at_work.lived.kept) == before
    at_work.first.process.send_signal(signal.SIGCONT)


def test_what_came_of_it_is_seen_when_it_is_opened_again(at_work: AtWork) -> None:
    at_work.taken_up()
    (at_work.lived.folder / "go").touch()
    *live, answer = at_work.first.answer(at_work.request_id)
    assert answer["result"] == {"stopReason": "end_turn"}
    # The one that was at work still has it, and nobody else may write, whatever they have read.
    assert f"process {at_work.first.process.pid}" in at_work.said()
    at_work.first.close_stdin()
    at_work.first.rest()
    before = at_work.lived.journal.read_bytes()
    assert "open it again" in at_work.said()
    assert at_work.lived.journal.read_bytes() == before
    seen = at_work.taken_up()
    assert seen["calls"] == client_model(updates_in(live))["calls"]
    assert seen["order"] == client_model(updates_in(live))["order"]
    assert "window" not in at_work.said()
    assert at_work.lived.journal.read_bytes().startswith(before)


def test_a_turn_whose_window_is_killed_is_closed_by_who_opens_it_again(at_work: AtWork) -> None:
    at_work.taken_up()
    at_work.first.process.kill()
    at_work.first.process.wait()
    before = at_work.lived.journal.read_bytes()
    # It has not been told what became of the turn that it saw running.
    assert ("open it again" in at_work.said(), at_work.lived.journal.read_bytes()) == (True, before)
    for _ in range(2):
        seen = at_work.taken_up()
        assert [call["status"] for call in seen["calls"].values()][-1] == "failed"
        assert str(seen["messages"]).count(CRASHED) == 1
    assert "window" not in at_work.said()
    after = at_work.lived.journal.read_bytes()
    assert (after.startswith(before), after.count(CRASHED.encode())) == (True, 1)
    assert not (at_work.lived.folder / "runs.txt").exists()
