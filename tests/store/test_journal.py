"""One session's events on disk."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openhands_acp.engine.events import (
    ConversationStarted,
    ConversationStateUpdateEvent,
    Durable,
    Entry,
    NoticeEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.codec import from_json
from openhands_acp.store.journal import JOURNAL_NAME, FileJournal


def entry(event: Durable) -> Entry:
    return Entry("id", datetime(2026, 1, 1, tzinfo=UTC), event)


STARTED = entry(ConversationStarted("s", (AbsPath("/w"),), "plan", "m"))
TURN = [entry(TurnStarted("t")), entry(NoticeEvent("n", "text", "é\n\ud800")), entry(TurnEnded("t", "end_turn"))]


def test_an_untouched_session_leaves_no_trace(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    journal.append(STARTED)
    journal.append(entry(ConversationStateUpdateEvent("mode", "plan")))
    journal.sync()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_everything_is_there_in_order_once_a_turn_has_started(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    for each in [STARTED, *TURN]:
        journal.append(each)
    journal.sync()
    path = tmp_path / "s" / JOURNAL_NAME
    lines = path.read_text("utf-8", "surrogatepass").splitlines()
    assert [from_json(json.loads(line)) for line in lines] == [STARTED, *TURN]
    assert path.stat().st_mode & 0o077 == 0
    journal.close()


def test_a_disk_that_fails_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file where the folder should be")
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    for each in [STARTED, *TURN, *TURN]:
        journal.append(each)
    journal.sync()
    assert len(told) == 1
    assert "cannot be saved" in told[0]


@pytest.mark.parametrize("size", [10, 3000])
def test_appending_never_reads_or_rewrites(tmp_path: Path, size: int) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    for each in [STARTED, *TURN * size]:
        journal.append(each)
    path = tmp_path / "s" / JOURNAL_NAME
    before = path.stat().st_size
    inode = path.stat().st_ino
    journal.append(TURN[0])
    assert path.stat().st_ino == inode
    assert path.stat().st_size - before == len(path.read_bytes().splitlines()[-1]) + 1
    assert os.listdir(path.parent) == [JOURNAL_NAME]
    journal.close()
