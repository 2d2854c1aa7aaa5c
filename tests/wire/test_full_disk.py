"""A disk that is full while the server runs: one notice, the session goes on, and is saved once there is room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openhands_acp.engine.events import MessageEvent
from openhands_acp.engine.messages import plain_text
from openhands_acp.store.library import Library
from tests.harness.full_disk import full_disk
from tests.harness.process import Server
from tests.wire.lived import OPTIONS, SESSIONS, say

pytestmark = pytest.mark.slow


def test_a_full_disk_costs_one_notice_and_nothing_that_was_said(tmp_path: Path) -> None:
    project, sessions = tmp_path / "project", tmp_path / "home" / SESSIONS
    project.mkdir()
    with Server(tmp_path / "home", *OPTIONS) as server:
        server.initialize()
        session_id = server.new_session(project)
        said = [say(server, session_id, "one")[1]]
        with full_disk(0, server.process.pid):
            said += [say(server, session_id, text)[1] for text in ("two", "three")]
            assert users(sessions, session_id) == ["one"]
        said += [say(server, session_id, text)[1] for text in ("four", "five")]
        assert [("cannot be saved" in text, "is saved again" in text) for text in said] == [
            (False, False),
            (True, False),
            (False, False),
            (False, True),
            (False, False),
        ]
        place = re.escape(str(sessions / session_id.replace("-", "") / "journal.jsonl"))
        assert re.search(
            rf"This session cannot be saved: .* \({place}\)\. It goes on in memory, and each turn", said[1]
        )
        server.process.kill()
        server.process.wait()
    assert users(sessions, session_id) == ["one", "two", "three", "four", "five"]


def users(sessions: Path, session_id: str) -> list[str]:
    """What is kept of what the person said."""
    events = [entry.event for entry in Library(sessions).read(session_id).entries]
    return [plain_text(event.content) for event in events if isinstance(event, MessageEvent) and event.role == "user"]
