"""All sessions of a disk: listed, deleted, and reached by nothing but their ids."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.events import (
    ConversationStarted,
    ConversationStateUpdateEvent,
    Durable,
    Entry,
    MessageEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.messages import Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.index import INDEX_NAME
from openhands_acp.store.library import Library, NoSuchSession, UnreadableSession
from openhands_acp.store.listing import PAGE, BadCursor, Summary
from openhands_acp.store.reading import JOURNAL_NAME
from tests.harness.waiting import PATIENCE
from tests.store.examples import BEGAN


def id_of(number: int) -> str:
    return str(UUID(int=number << 64 | 0xABCDEF))


def write(library: Library, number: int, root: str = "/w", title: str | None = None) -> Summary:
    """Keep a session of one turn with `number` messages, and say how a list shows it."""
    updated_at = BEGAN + timedelta(seconds=number)
    conversation: list[Durable] = [
        ConversationStarted(id_of(number), (AbsPath(root), AbsPath("/x")), "ask", "m"),
        TurnStarted("t"),
        *[MessageEvent("m", "user", (Text("hi"),))] * number,
        *([ConversationStateUpdateEvent("title", title)] if title else []),
        TurnEnded("t", "end_turn"),
    ]
    journal = library.journal(id_of(number), pytest.fail)
    journal.claim()
    for event in conversation:
        journal.append(Entry(str(uuid4()), updated_at, event))
    journal.sync()
    journal.close()
    return Summary(id_of(number), (AbsPath(root), AbsPath("/x")), title, updated_at, number)


def listed(library: Library, cwd: str | None = None) -> list[Summary]:
    pages: list[Summary] = []
    cursor: str | None = None
    while True:
        page, cursor = library.page(cwd, cursor)
        pages += page
        if cursor is None:
            return pages


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "sessions")


# ---------------------------------------------------------------- ids

NO_IDS = [
    "",
    ".",
    "..",
    "../x",
    "/etc",
    "a\0b",
    INDEX_NAME,
    id_of(1).replace("-", ""),
    id_of(1).upper(),
    f" {id_of(1)}",
    f"{id_of(1)}\n",
    f"{id_of(1)}/..",
    "{" + id_of(1) + "}",
    "٠" * 8 + id_of(1)[8:],
]


@pytest.mark.parametrize("session_id", NO_IDS)
def test_what_is_no_id_reaches_no_file(library: Library, session_id: str) -> None:
    write(library, 1)
    before = sorted((library._folder).rglob("*"))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(NoSuchSession):
        library.read(session_id)
    with pytest.raises(NoSuchSession):
        library.delete(session_id)
    with pytest.raises(NoSuchSession):
        library.journal(session_id, pytest.fail)
    assert sorted((library._folder).rglob("*")) == before  # pyright: ignore[reportPrivateUsage]


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_text_but_an_id_is_one(text: str) -> None:
    with pytest.raises(NoSuchSession):
        Library(Path("/nowhere")).read(text)


# ---------------------------------------------------------------- lists


def test_there_is_nothing_to_list_where_nothing_is_kept(library: Library) -> None:
    assert library.page(None, None) == ([], None)
    assert library.page("/w", None) == ([], None)
    assert not library._folder.exists()  # pyright: ignore[reportPrivateUsage]


def test_a_list_is_newest_first_by_pages_and_by_folder(library: Library) -> None:
    kept = [
        write(library, number, f"/w{number % 2}", f"é {number}" if number % 3 else None)
        for number in range(PAGE * 2 + 30)
    ]
    kept.reverse()
    assert listed(library) == kept
    assert listed(library, "/w1") == [summary for summary in kept if summary.roots[0] == "/w1"]
    assert listed(library, "/w1/") == listed(library, "/w1")
    assert (listed(library, "/w"), listed(library, "/x")) == ([], [])
    page, cursor = library.page(None, None)
    assert (page, cursor is None) == (kept[:PAGE], False)


def test_a_page_does_not_move_when_something_new_is_said(library: Library) -> None:
    kept = [write(library, number) for number in range(1, PAGE + 11)][::-1]
    first, cursor = library.page(None, None)
    write(library, 500)
    library.delete(first[-1].session_id)
    assert library.page(None, cursor) == (kept[PAGE:], None)


def test_two_of_the_same_moment_are_both_listed(library: Library) -> None:
    for number in range(PAGE * 2):
        journal = library.journal(id_of(number), pytest.fail)
        journal.claim()
        for event in (ConversationStarted(id_of(number), (AbsPath("/w"),), "ask", "m"), TurnStarted("t")):
            journal.append(Entry("e", BEGAN, event))
        journal.close()
    assert len({summary.session_id for summary in listed(library)}) == PAGE * 2


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "0", "bm8gY3Vyc29yIGF0IGFsbA=="])
def test_a_cursor_that_was_not_given_out_is_refused(library: Library, cursor: str) -> None:
    with pytest.raises(BadCursor):
        library.page(None, cursor)


def test_a_cursor_is_of_its_own_list(library: Library) -> None:
    for number in range(PAGE + 1):
        write(library, number)
    _, cursor = library.page("/w", None)
    assert cursor is not None
    for cwd, wrong in ((None, cursor), ("/x", cursor), ("/w", f"{cursor[:-6]}AAAA{cursor[-2:]}")):
        with pytest.raises(BadCursor):
            library.page(cwd, wrong)


def test_the_last_word_counts(library: Library) -> None:
    write(library, 1, title="first")
    stored = library.read(id_of(1))
    journal = library.journal(id_of(1), pytest.fail, stored)
    journal.claim()
    later = BEGAN + timedelta(days=1)
    for event in (
        ConversationStarted(id_of(1), (AbsPath("/moved"),), "ask", "m"),
        TurnStarted("t"),
        MessageEvent("m", "assistant", (Text("yes"),)),
        ConversationStateUpdateEvent("mode", "plan"),
        ConversationStateUpdateEvent("title", "second"),
    ):
        journal.append(Entry("e", later, event))
    summary = Summary(id_of(1), (AbsPath("/moved"),), "second", later, 2)
    assert library.page(None, None)[0] == [summary]
    journal.sync()
    assert library.page(None, None)[0] == [summary]
    journal.close()
    assert (library.page(None, None)[0], library.page("/w", None)[0]) == ([summary], [])


# ---------------------------------------------------------------- the index is only a memory


@pytest.mark.parametrize("harm", ["gone", "empty", "torn", "junk", "folder", "link", "old"])
def test_whatever_happens_to_the_index_the_list_is_right(library: Library, tmp_path: Path, harm: str) -> None:
    kept = [write(library, number, title=str(number)) for number in range(1, 6)]
    index = tmp_path / "sessions" / INDEX_NAME
    data = index.read_bytes()
    index.unlink()
    match harm:
        case "empty":
            index.write_bytes(b"")
        case "torn":
            index.write_bytes(data[:-40])
        case "junk":
            index.write_bytes(b"\xff\0[]\n[5]\n" + data.replace(b'"', b"'", 40) + b'["' + b"x" * 100 + b"]\n")
        case "folder":
            index.mkdir()
        case "link":
            (tmp_path / "elsewhere").write_text("mine")
            index.symlink_to(tmp_path / "elsewhere")
        case "old":
            index.write_bytes(data[: len(data) // 2])
        case _:
            pass
    assert listed(library) == kept[::-1]
    write(library, 6)
    assert [summary.messages for summary in listed(library)] == [6, 5, 4, 3, 2, 1]
    assert harm != "link" or (tmp_path / "elsewhere").read_text() == "mine"


def test_a_line_that_never_reached_the_disk_is_made_up_for(library: Library, tmp_path: Path) -> None:
    write(library, 1)
    index = tmp_path / "sessions" / INDEX_NAME
    before = index.read_bytes()
    journal = library.journal(id_of(1), pytest.fail, library.read(id_of(1)))
    journal.claim()
    for event in (TurnStarted("t"), MessageEvent("m", "user", (Text("hi"),))):
        journal.append(Entry("e", BEGAN + timedelta(days=1), event))
    journal.close()
    index.write_bytes(before)
    for _ in range(2):
        summaries = library.page(None, None)[0]
        assert [(summary.messages, summary.updated_at) for summary in summaries] == [(2, BEGAN + timedelta(days=1))]
    assert len(index.read_bytes().split()) == len(before.split()) + 1


@pytest.mark.parametrize("at", range(5))
def test_a_torn_line_costs_no_other(library: Library, tmp_path: Path, at: int) -> None:
    write(library, 1)
    index = tmp_path / "sessions" / INDEX_NAME
    index.write_bytes(index.read_bytes()[: -1 - at * 20])
    kept = write(library, 2)
    assert listed(library)[0] == kept
    assert [summary.messages for summary in listed(library)] == [2, 1]


def test_the_index_is_not_asked_about_the_rest_and_stays_short(library: Library, tmp_path: Path) -> None:
    kept = write(library, 1, title="x" * 5000)
    for _ in range(50):
        journal = library.journal(id_of(1), pytest.fail, library.read(id_of(1)))
        journal.claim()
        journal.close()
    kept_too = [write(library, number) for number in range(2, 5)]
    shutil.rmtree(tmp_path / "sessions" / kept_too.pop().session_id.replace("-", ""))
    lines = (tmp_path / "sessions" / INDEX_NAME).read_bytes().split()
    assert (len(lines) > 100, max(map(len, lines)) < 4096) == (True, True)
    assert listed(library) == [*kept_too[::-1], kept]
    assert len((tmp_path / "sessions" / INDEX_NAME).read_bytes().split()) == 3
    assert sorted(os.listdir(tmp_path / "sessions"))[-2:] == [INDEX_NAME, "index.lock"]
    assert listed(library) == [*kept_too[::-1], kept]


def test_many_writers_and_readers_at_once_lose_nothing(library: Library) -> None:
    def work(number: int) -> None:
        write(library, number, title=str(number))
        library.page(None, None)
        for _ in range(5):
            journal = library.journal(id_of(number), pytest.fail, library.read(id_of(number)))
            journal.claim()
            journal.close()
        library.page(None, None)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(1, 40)))
    assert [(summary.title, summary.messages) for summary in listed(library)] == [
        (str(number), number) for number in range(39, 0, -1)
    ]
    records = [json.loads(line) for line in (library._folder / INDEX_NAME).read_bytes().split()]  # pyright: ignore[reportPrivateUsage]
    assert {record[0] for record in records} == {id_of(number).replace("-", "") for number in range(1, 40)}


def test_what_is_no_session_is_not_listed(library: Library, tmp_path: Path) -> None:
    kept = write(library, 1)
    folder = tmp_path / "sessions"
    for number in range(2, 9):
        write(library, number)
    place = {number: folder / id_of(number).replace("-", "") for number in range(1, 9)}
    (place[2] / JOURNAL_NAME).unlink()
    (place[3] / JOURNAL_NAME).write_bytes(b'{"v":99,"kind":"ConversationStarted"}\n')
    (place[4] / JOURNAL_NAME).unlink()
    (place[4] / JOURNAL_NAME).symlink_to(place[1] / JOURNAL_NAME)
    shutil.move(place[5], tmp_path / "away")
    place[5].symlink_to(tmp_path / "away")
    shutil.rmtree(place[6])
    place[6].write_text("a file")
    place[7].rename(folder / "notes")
    shutil.rmtree(place[8])
    (folder / INDEX_NAME).unlink()
    (folder / ("f" * 32)).mkdir()
    assert listed(library) == [kept]
    for number in (2, 4, 5, 6, 7, 8):
        with pytest.raises(NoSuchSession):
            library.read(id_of(number))
    library.delete(id_of(5))
    assert (tmp_path / "away" / JOURNAL_NAME).exists()


def test_what_belongs_to_another_user_is_left_alone(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    write(library, 1)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert listed(library) == []
    with pytest.raises(UnreadableSession, match="belongs to another user"):
        library.read(id_of(1))
    with pytest.raises(UnreadableSession, match="belongs to another user"):
        library.delete(id_of(1))
    monkeypatch.undo()
    assert len(listed(library)) == 1


# ---------------------------------------------------------------- deleting


def test_a_deleted_session_is_gone_with_all_that_was_kept_and_may_be_deleted_again(library: Library) -> None:
    write(library, 1)
    kept = write(library, 2)
    for _ in range(2):
        library.delete(id_of(1))
    with pytest.raises(NoSuchSession):
        library.read(id_of(1))
    assert listed(library) == [kept]
    assert not (library._folder / id_of(1).replace("-", "")).exists()  # pyright: ignore[reportPrivateUsage]


def test_what_a_broken_deletion_left_can_be_deleted(library: Library, tmp_path: Path) -> None:
    write(library, 1)
    folder = tmp_path / "sessions" / id_of(1).replace("-", "")
    (folder / JOURNAL_NAME).unlink()
    library.delete(id_of(1))
    assert not folder.exists()


def test_many_who_delete_the_same_at_once_are_done_with_it(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    # However busy this machine is, none of them is taken for an owner that stays.
    monkeypatch.setattr("openhands_acp.store.library.MOMENT", PATIENCE)
    numbers = range(1, 31)
    for number in numbers:
        write(library, number)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(library.delete, [id_of(number) for number in numbers for _ in range(4)]))
    assert listed(library) == []
    assert [library.has(id_of(number)) for number in numbers] == [False] * 30


def test_nothing_that_a_session_links_to_is_deleted_with_it(library: Library, tmp_path: Path) -> None:
    write(library, 1)
    folder = tmp_path / "sessions" / id_of(1).replace("-", "")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.txt").write_text("mine")
    (folder / "output").mkdir()
    for link in (folder / "blobs", folder / "output/link", folder / "output/file"):
        link.symlink_to(tmp_path / "mine" if link.name != "file" else tmp_path / "mine/a.txt")
    library.delete(id_of(1))
    assert (folder.exists(), (tmp_path / "mine/a.txt").read_text()) == (False, "mine")
