"""One session's events on disk: what is written, when, and what happens where it cannot be."""

from __future__ import annotations

import json
import os
import re
import shutil
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
from tests.harness.full_disk import full_disk
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


def live(journal: FileJournal, entries: list[Entry]) -> None:
    """Live through some entries as a session does."""
    for each in entries:
        if isinstance(each.event, TurnStarted):
            journal.claim()
        journal.append(each)
        if isinstance(each.event, TurnEnded):
            journal.sync()


FAILED = r"This session cannot be saved: .* \(.*\)\."
AGAIN = r"This session is saved again, with all that was said meanwhile\."


def are_told(told: list[str], *patterns: str) -> bool:
    return len(told) == len(patterns) and all(map(re.match, patterns, told))


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
    assert re.fullmatch(rf"{FAILED} It goes on in memory, and each turn tries again to save all of it\.", told[0])


def test_a_place_that_is_mended_gets_all_that_was_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where the folder should be")
    told: list[str] = []
    journal = FileJournal(home / "s", told.append)
    live(journal, [STARTED, *TURN])
    home.unlink()
    live(journal, TURN)
    assert read_journal(home / "s").entries == [STARTED, *TURN, *TURN]
    assert are_told(told, FAILED, AGAIN)
    journal.close()


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
            live(journal, [TURN[0], entry(MessageEvent("m", "user", (Text(text),))), TURN[2]])
        journal.close()
    assert are_told(told, FAILED)
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
        live(journal, [STARTED, *TURN])
        journal.close()
    assert are_told(told, FAILED)
    assert (tmp_path / "s" / JOURNAL_NAME).read_bytes() == b""


def test_a_copy_that_a_full_disk_does_not_take_whole_is_not_begun(tmp_path: Path) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append, Stored([STARTED, *TURN * 20], (), 0))
    with full_disk(1000):
        journal.claim()
        assert (tmp_path / "s" / JOURNAL_NAME).read_bytes() == b""
    journal.close()
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN * 20]
    assert are_told(told, FAILED)


@pytest.mark.parametrize("text", ["short", "long" * 20_000], ids=["record", "blob"])
def test_what_a_full_disk_did_not_take_is_saved_when_there_is_room(tmp_path: Path, text: str) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    turn = [TURN[0], entry(MessageEvent("m", "user", (Text(text),))), TURN[2]]
    live(journal, [STARTED, *TURN])
    for _ in range(2):
        with full_disk((tmp_path / "s" / JOURNAL_NAME).stat().st_size + 60):
            live(journal, turn)
            live(journal, turn)
        live(journal, TURN)
    assert are_told(told, FAILED, AGAIN, FAILED, AGAIN)
    lived = [*turn, *turn, *TURN]
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, *lived, *lived]
    journal.close()


def test_what_a_full_disk_did_not_take_is_saved_when_the_session_ends(tmp_path: Path) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    with full_disk(60):
        live(journal, [STARTED, *TURN])
    journal.close()
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN]
    # Nobody is there to be told of it.
    assert are_told(told, FAILED)


def test_a_turn_that_begins_when_there_is_room_is_saved_as_it_goes(tmp_path: Path) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    with full_disk(60):
        live(journal, [STARTED, *TURN])
    live(journal, TURN[:2])
    # Were it killed now, nothing of it would be lost.
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, *TURN[:2]]
    assert are_told(told, FAILED)
    live(journal, TURN[2:])
    assert are_told(told, FAILED, AGAIN)
    journal.close()


def test_what_the_disk_took_and_lost_is_never_said_to_be_saved(tmp_path: Path) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    journal.claim()
    for each in [STARTED, TURN[0], entry(MessageEvent("m", "user", (Text("long" * 20_000),)))]:
        journal.append(each)
    (blob,) = (tmp_path / "s" / "blobs").iterdir()
    blob.unlink()
    journal.sync()
    live(journal, [TURN[2], *TURN])
    assert are_told(told, FAILED)
    # What comes after it is written all the same.
    assert read_journal(tmp_path / "s").entries[-4:] == [TURN[2], *TURN]
    journal.close()


def test_a_session_that_is_in_memory_only_goes_on_whoever_has_its_journal(tmp_path: Path) -> None:
    written(tmp_path / "s", [STARTED, *TURN]).close()
    stored = read_journal(tmp_path / "s")
    (tmp_path / "s").rename(tmp_path / "away")
    (tmp_path / "s").write_text("no folder")
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append, stored)
    live(journal, TURN)
    (tmp_path / "s").unlink()
    (tmp_path / "away").rename(tmp_path / "s")
    other = written(tmp_path / "s", TURN, stored)
    live(journal, TURN)
    other.close()
    live(journal, TURN)
    journal.close()
    assert are_told(told, FAILED)
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, *TURN]


# ---------------------------------------------------------------- files that are taken away


def test_a_session_whose_folder_is_removed_while_it_is_open_says_so_once(tmp_path: Path) -> None:
    told: list[str] = []
    journal = FileJournal(tmp_path / "s", told.append)
    live(journal, [STARTED, *TURN])
    shutil.rmtree(tmp_path / "s")
    for _ in range(2):
        live(journal, TURN)
    journal.close()
    removed = (
        r"This session cannot be saved any more: its file was removed \(.*\)\. It goes on in memory, and `/fork` .*"
    )
    assert are_told(told, removed)
    # Whoever removed it meant it.
    assert not (tmp_path / "s").exists()


def test_nobody_writes_beside_an_owner_whose_lock_was_tidied_away(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "s", pytest.fail)
    live(journal, [STARTED, *TURN])
    (tmp_path / "s" / LOCK_NAME).unlink()
    other = FileJournal(tmp_path / "s", pytest.fail, read_journal(tmp_path / "s"))
    with pytest.raises(Taken, match="is being written in another window; close it there"):
        other.claim()
    live(journal, TURN)
    journal.close()
    assert read_journal(tmp_path / "s").entries == [STARTED, *TURN, *TURN]
    again = FileJournal(tmp_path / "s", pytest.fail, read_journal(tmp_path / "s"))
    again.claim()
    again.close()


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
