"""Pages of two stores in one list: whatever comes, goes and changes meanwhile, what nobody touches is told once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.events import ConversationStarted, Entry, TurnStarted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.library import Library
from openhands_acp.store.listing import PAGE, IsIn, Key, Listing, Summary, anywhere, key_of, only_in, page_of
from openhands_acp.store.openhands import newest
from tests.store.conversations import write_layout
from tests.store.examples import BEGAN

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def summary_of(number: int, second: int) -> Summary:
    return Summary(str(UUID(int=number)), (AbsPath("/w"),), None, NOW + timedelta(seconds=second), 1)


def listing(sessions: dict[int, int]) -> Listing:
    """List sessions by the second in which each was written to last."""

    def newest_of(_is_in: IsIn, start: Key | None) -> Iterator[tuple[Key, Summary]]:
        summaries = [summary_of(number, second) for number, second in sessions.items()]
        keyed = [(key_of(summary.updated_at, UUID(summary.session_id).hex), summary) for summary in summaries]
        yield from sorted((each for each in keyed if start is None or each[0] < start), reverse=True)

    return newest_of


SECONDS = st.integers(0, 200)


@given(
    st.dictionaries(st.integers(0, 80), SECONDS),
    st.dictionaries(st.integers(100, 180), SECONDS),
    st.lists(st.dictionaries(st.integers(0, 180), st.none() | st.integers(201, 400), max_size=10), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_what_nobody_touches_is_told_once_and_in_its_order(
    ours: dict[int, int], theirs: dict[int, int], changes: list[dict[int, int | None]]
) -> None:
    untouched = {**ours, **theirs}
    told: list[Summary] = []
    cursor: str | None = None
    while True:
        page, cursor = page_of(None, cursor, [listing(ours), listing(theirs)])
        assert len(page) == PAGE or (len(page) < PAGE and cursor is None)
        told += page
        if cursor is None:
            break
        # Before the next page some are written to, some are new, and some are deleted.
        for number, second in (changes.pop() if changes else {}).items():
            untouched.pop(number, None)
            place = ours if number < 100 else theirs
            if second is None:
                place.pop(number, None)
            else:
                place[number] = second
    expected = [summary_of(number, second) for number, second in untouched.items()]
    assert [summary for summary in told if summary in expected] == sorted(
        expected, key=lambda summary: key_of(summary.updated_at, UUID(summary.session_id).hex), reverse=True
    )
    assert len({summary.session_id for summary in told}) == len(told)


def test_a_folder_is_the_same_however_it_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real, link = str(tmp_path / "real"), str(tmp_path / "link")
    for asked in (real, link, f"{real}/", f"{link}/.", f"{link}/inner/..", f"{tmp_path}//real"):
        is_in = only_in(asked)
        assert [is_in(root) for root in (real, link, f"{real}/inner", str(tmp_path), "")] == [
            True,
            True,
            False,
            False,
            False,
        ]
    # What is not there has no other name, and what cannot be there none at all.
    assert (only_in("/nowhere")("/nowhere"), only_in("/nowhere")(real), only_in("/a\0b")(real)) == (True, False, False)
    assert only_in(None) is anywhere


@pytest.mark.parametrize("root", ["/w", '/w "quoted" \\ back', "/wé", "/w\n", "/" + "long/" * 2000])
def test_whatever_a_folder_is_called_its_sessions_are_found_by_it(tmp_path: Path, root: str) -> None:
    library = Library(tmp_path / "sessions")
    for number, folder in enumerate((root, "/other")):
        session_id = str(UUID(int=number))
        journal = library.journal(session_id, pytest.fail)
        journal.claim()
        for event in (ConversationStarted(session_id, (AbsPath(folder),), "ask", "m"), TurnStarted("t")):
            journal.append(Entry("e", BEGAN, event))
        journal.close()
    for _ in range(2):
        assert [summary.session_id for summary in library.page(root, None)[0]] == [str(UUID(int=0))]


def test_no_more_is_read_of_openhands_than_a_page_shows(tmp_path: Path) -> None:
    for number in range(PAGE * 2):
        session_id = str(UUID(int=number))
        write_layout(tmp_path, session_id, [], {"workspace": {"working_dir": f"/w{number % 2}"}})
        place = tmp_path / UUID(session_id).hex
        (place / "events" / "event-00000-a0000000.json").write_text("{}")
        os.utime(place / "events", (number, number))
    library = Library(tmp_path / "none")
    read: list[str] = []

    def theirs(is_in: IsIn, start: Key | None) -> Iterator[tuple[Key, Summary]]:
        for key, summary in newest(tmp_path, is_in, start):
            read.append(summary.session_id)
            yield key, summary

    page, cursor = library.page(None, None, theirs)
    assert (len(page), len(read), cursor is None) == (PAGE, PAGE + 1, False)
    assert library.page(None, cursor, partial(newest, tmp_path)) == (
        [each for _, each in newest(tmp_path)][PAGE:],
        None,
    )
    assert [each.roots for each in library.page("/w1", None, theirs)[0]] == [("/w1",)] * PAGE
