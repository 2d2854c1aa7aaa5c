"""One session's events on disk: what is written, when, and what happens where it cannot be."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openhands_acp.engine.events import (
    ConversationStarted,
    ConversationStateUpdateEvent,
    Durable,
    Entry,
    MessageEvent,
    NoticeEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.messages import Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Taken
from openhands_acp.store.codec import from_json
from openhands_acp.store.journal import LOCK_NAME, FileJournal
from openhands_acp.store.reading import JOURNAL_NAME, Stored, read_journal
from tests.store.examples import ENTRIES


def entry(event: Durable) -> Entry:
    return Entry("id", datetime(2026, 1, 1, tzinfo=UTC), event)


STARTED = entry(ConversationStarted("s", (AbsPath("/w"),), "plan", "m"))
TURN = [entry(TurnStarted("t")), entry(NoticeEvent("n", "text", "é\n\ud800")), entry(TurnEnded("t", "end_turn"))]


def written(folder: Path, entries: list[Entry], after: Stored | None = None) -> FileJournal:
    journal = FileJournal(folder, pytest.fail, after)
    journal.claim()
    for each in entries:
        journal.append(each)
    return journal


def test_an_untouched_session_leaves_no_trace(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    journal.append(STARTED)
    journal.append(entry(ConversationStateUpdateEvent("mode", "plan")))
    journal.sync()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_everything_is_there_in_order_once_a_turn_has_started(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    journal.append(STARTED)
    journal.claim()
    for each in TURN:
        journal.append(each)
    journal.sync()
    path = tmp_path / "s" / JOURNAL_NAME
    lines = path.read_text("utf-8", "surrogatepass").splitlines()
    assert [from_json(json.loads(line)) for line in lines] == [STARTED, *TURN]
    assert [oct(each.stat().st_mode & 0o077) for each in (path, path.parent)] == ["0o0", "0o0"]
    journal.close()


def test_the_turns_of_a_copied_conversation_are_written_with_the_first_of_its_own(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    for each in [STARTED, *TURN, STARTED]:
        journal.append(each)
    assert list(tmp_path.iterdir()) == []
    journal.claim()
    journal.append(TURN[0])
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, STARTED, TURN[0]]
    journal.close()


def test_entries_from_elsewhere_are_written_first(tmp_path: Path) -> None:
    written(tmp_path / "s", TURN, Stored([STARTED, *TURN], (), 0)).close()
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, *TURN]


def test_a_session_that_is_taken_up_again_is_continued_from_its_next_turn_on(tmp_path: Path) -> None:
    written(tmp_path / "s", [STARTED, *TURN]).close()
    before = (tmp_path / "s" / JOURNAL_NAME).read_bytes()
    journal = FileJournal(tmp_path / "s", pytest.fail, read_journal(tmp_path / "s"))
    journal.append(STARTED)
    journal.claim()
    assert (tmp_path / "s" / JOURNAL_NAME).read_bytes() == before
    for each in TURN:
        journal.append(each)
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, STARTED, *TURN]
    journal.close()


# ---------------------------------------------------------------- who may write


def test_who_read_it_before_it_went_on_may_not_write(tmp_path: Path) -> None:
    written(tmp_path / "s", [STARTED, *TURN]).close()
    stored = read_journal(tmp_path / "s")
    written(tmp_path / "s", TURN, stored).close()
    late = FileJournal(tmp_path / "s", pytest.fail, stored)
    for _ in range(2):
        with pytest.raises(Taken, match="went on in another window; open it again"):
            late.claim()
    late.close()
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, *TURN]


def test_a_session_of_this_process_is_free_once_it_is_closed(tmp_path: Path) -> None:
    first = written(tmp_path / "s", [STARTED, *TURN])
    first.claim()
    second = FileJournal(tmp_path / "s", pytest.fail, read_journal(tmp_path / "s"))
    with pytest.raises(Taken, match="already open in this window"):
        second.claim()
    first.close()
    second.claim()
    second.close()


def test_a_session_that_was_deleted_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    written(tmp_path / "s", [STARTED, *TURN]).close()
    stored = read_journal(tmp_path / "s")
    for name in (JOURNAL_NAME, LOCK_NAME):
        (tmp_path / "s" / name).unlink()
    (tmp_path / "s").rmdir()
    journal = FileJournal(tmp_path / "s", pytest.fail, stored)
    with pytest.raises(Taken, match="was deleted in another window"):
        journal.claim()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("torn", [b'{"v":1,"ki', b"\0" * 100, b"\0" * 100 + b"\n", b"[]\n"])
def test_a_torn_end_is_cut_off_by_who_goes_on(tmp_path: Path, torn: bytes) -> None:
    written(tmp_path / "s", [STARTED, *TURN]).close()
    path = tmp_path / "s" / JOURNAL_NAME
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    stored = read_journal(tmp_path / "s")
    journal = FileJournal(tmp_path / "s", pytest.fail, stored)
    journal.claim()
    assert path.read_bytes() == whole
    assert (stored.size, len(stored.notes)) == (len(whole), 1)
    assert str(len(torn)) in stored.notes[0]
    journal.close()


def test_a_folder_that_is_a_link_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s").symlink_to(tmp_path / "elsewhere")
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    journal.claim()
    for each in [STARTED, *TURN]:
        journal.append(each)
    assert (list((tmp_path / "elsewhere").iterdir()), len(told)) == ([], 1)


# ---------------------------------------------------------------- a disk that fails


@pytest.mark.parametrize("where", ["home", "home/acp", "home/acp/sessions", "home/acp/sessions/s"])
def test_a_place_that_cannot_be_written_to_is_told_once(tmp_path: Path, where: str) -> None:
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text("a file where the folder should be")
    told: list[str] = []
    journal = FileJournal(tmp_path / "home/acp/sessions/s", told.append)
    for each in [STARTED, *TURN, *TURN]:
        journal.claim()
        journal.append(each)
        journal.sync()
    journal.close()
    assert len(told) == 1
    assert "cannot be saved: " in told[0]
    assert "only in memory" in told[0]


@contextmanager
def full_disk(size: int) -> Generator[None]:
    """Let no file of this process grow beyond `size`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("text", ["short", "long" * 20_000], ids=["record", "blob"])
def test_a_full_disk_is_told_once_and_what_was_saved_can_be_read(tmp_path: Path, text: str) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    journal.claim()
    for each in [STARTED, *TURN]:
        journal.append(each)
    size = (tmp_path / "s" / JOURNAL_NAME).stat().st_size
    with full_disk(size + 60):
        for _ in range(3):
            journal.append(entry(MessageEvent("m", "user", (Text(text),))))
            journal.sync()
    journal.close()
    assert len(told) == 1
    stored = read_journal(tmp_path / "s")
    assert (stored.entries, stored.size) == ([STARTED, *TURN], size)
    written(tmp_path / "s", TURN, stored).close()
    assert read_journal(tmp_path / "s") == Stored(
        [STARTED, *TURN, *TURN], (), (tmp_path / "s" / JOURNAL_NAME).stat().st_size
    )


def test_a_disk_that_is_full_from_the_start_costs_one_notice(tmp_path: Path) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    with full_disk(0):
        journal.claim()
        for each in [STARTED, *TURN]:
            journal.append(each)
        journal.sync()
    journal.close()
    assert len(told) == 1
    assert (tmp_path / "s" / JOURNAL_NAME).read_bytes() == b""


# ---------------------------------------------------------------- cost


@pytest.mark.parametrize("size", [10, 3000])
def test_appending_never_reads_or_rewrites(tmp_path: Path, size: int) -> None:
    journal = written(tmp_path / "s", [STARTED, *TURN * size])
    path = tmp_path / "s" / JOURNAL_NAME
    before = path.stat().st_size
    inode = path.stat().st_ino
    index = (tmp_path / "index.jsonl").read_bytes()
    journal.append(TURN[0])
    assert path.stat().st_ino == inode
    assert path.stat().st_size - before == len(path.read_bytes().splitlines()[-1]) + 1
    assert sorted(os.listdir(path.parent)) == [JOURNAL_NAME, LOCK_NAME]
    assert (tmp_path / "index.jsonl").read_bytes() == index
    journal.close()


def test_every_kind_of_event_comes_back(tmp_path: Path) -> None:
    written(tmp_path / "s", ENTRIES).close()
    assert read_journal(tmp_path / "s").entries == ENTRIES
