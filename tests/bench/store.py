"""Sessions on the disk: what an event costs to keep, a session to read, and a list of ten thousand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import anyio

from openhands_acp.archive import Archive
from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.events import (
    ConversationStarted,
    ConversationStateUpdateEvent,
    Durable,
    Entry,
    MessageEvent,
    ObservationEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.messages import Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.journal import FileJournal
from openhands_acp.store.library import Library
from openhands_acp.store.listing import PAGE
from openhands_acp.store.reading import JOURNAL_NAME, read_journal
from tests.bench.conversations import complain, conversation, keep
from tests.bench.figures import REPEATS, Figure, at_most, holds, milliseconds, told
from tests.store.conversations import write_layout

_FEW, _MANY = 10, 100_000
_EACH = 2_000
"""Events between two looks at the clock."""
_LONG = 2_000
_SESSIONS, _THEIRS = 10_000, 2_000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def store(home: Path) -> list[Figure]:
    with TemporaryDirectory(dir=home) as folder:
        return [*_appending(Path(folder) / "a"), *_reading(Path(folder) / "b"), *_listing(Path(folder) / "c")]


def _appending(folder: Path) -> list[Figure]:
    """Compare the cost at both lengths in turns, so that the machine's noise falls on both alike."""
    short, long = _begun(folder, _FEW), _begun(folder, _MANY)
    few = [_seconds(short) for _ in range(REPEATS)]
    many = [_seconds(long) for _ in range(REPEATS)]
    for _ in range(REPEATS):
        few.append(_seconds(_begun(folder, _FEW)))
        many.append(_seconds(long))
    ratio = median(many) / median(few)
    each = f"{median(many) / _EACH * 1e6:.0f} µs against {median(few) / _EACH * 1e6:.0f}"
    long.close()
    began = time.perf_counter()
    stored = read_journal(max(folder.glob(f"*/{JOURNAL_NAME}"), key=_size_of).parent)
    seconds = time.perf_counter() - began
    return [
        at_most(f"appending an event at {_MANY:,} against at {_FEW}", ratio, 1.2, "x", each),
        told(f"reading all {len(stored.entries):,} of that ({stored.size / 1e6:.0f} MB)", f"{seconds:.1f} s"),
    ]


def _size_of(path: Path) -> int:
    return path.stat().st_size


def _begun(folder: Path, events: int) -> FileJournal:
    session_id = str(uuid4())
    journal = Library(folder).journal(session_id, complain)
    journal.claim()
    journal.append(_entry(ConversationStarted(session_id, (AbsPath("/w"),), "ask", "m")))
    journal.append(_entry(TurnStarted("t")))
    for _ in range(events - 2):
        journal.append(_OBSERVATION)
    return journal


def _seconds(journal: FileJournal) -> float:
    began = time.perf_counter()
    for _ in range(_EACH):
        journal.append(_OBSERVATION)
    return time.perf_counter() - began


def _reading(home: Path) -> list[Figure]:
    session_id = str(uuid4())
    kept = keep(home, session_id, conversation(home, _LONG))
    library = Library(home / "acp" / "sessions")
    what = f"reading a session of {kept.events:,} events ({library.read(session_id).size / 1e6:.1f} MB)"
    # Loading has 300 ms in all; the rest of them is for the fold and the replay.
    return [milliseconds(what, _timed(lambda: library.read(session_id)), 150)]


def _listing(folder: Path) -> list[Figure]:
    for number in range(_SESSIONS):
        _keep(Library(folder), number)
    # A new library each time: nothing is remembered between two lists.
    everything = _timed(lambda: Library(folder).page(None, None))
    in_one = _timed(lambda: Library(folder).page("/w/3", None))
    page, cursor = Library(folder).page("/w/3", None)
    is_right = [summary.messages for summary in page] == [1] * PAGE and cursor is not None
    beside = _beside_theirs(folder)
    (folder / "index.jsonl").unlink()
    began = time.perf_counter()
    again, _ = Library(folder).page("/w/3", None)
    without = time.perf_counter() - began
    return [
        milliseconds(f"first page of {_SESSIONS:,} sessions", everything, 100),
        milliseconds(f"first page of those of one folder, of {_SESSIONS:,}", in_one, 100),
        beside,
        told("the same when the index was lost", f"{without * 1e3:.0f} ms, once"),
        holds("titles, times and counts are right, with and without", "yes", "yes", is_so=is_right and again == page),
    ]


def _beside_theirs(folder: Path) -> Figure:
    """List them with conversations that OpenHands keeps, each in a folder of its own."""
    theirs = folder.parent / "theirs"
    for number in range(_THEIRS):
        session_id = str(UUID(int=number << 64 | 2))
        words = {"role": "user", "content": [{"type": "text", "text": f"mend the thing number {number}"}]}
        event = {"kind": "MessageEvent", "id": session_id, "timestamp": _NOW.isoformat(), "source": "user"}
        state = {"id": session_id, "workspace": {"kind": "LocalWorkspace", "working_dir": "/w/3"}}
        write_layout(theirs, session_id, [event | {"llm_message": words}], state)
    first = _timed(lambda: anyio.run(Archive(folder, theirs).listed, None, None))
    return milliseconds(f"first page of all, with {_THEIRS:,} of OpenHands' beside them", first, 100)


def _keep(library: Library, number: int) -> None:
    """Keep a session with its files as they are once it is closed; syncing ten thousand would take minutes."""
    session_id = str(UUID(int=number << 64 | 1))
    journal = library.journal(session_id, complain)
    journal.claim()
    events: list[Durable] = [
        ConversationStarted(session_id, (AbsPath(f"/w/{number % 10}"),), "ask", "m"),
        TurnStarted("t"),
        MessageEvent("m", "user", (Text("mend it"),)),
        ConversationStateUpdateEvent("title", f"mend the thing number {number}"),
        TurnEnded("t", "end_turn"),
    ]
    for event in events:
        journal.append(Entry(str(number), _NOW + timedelta(seconds=number), event))
    journal.close()


def _timed(act: Callable[[], object]) -> list[float]:
    seconds: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return seconds


def _entry(event: Durable) -> Entry:
    return Entry(str(uuid4()), _NOW, event)


_OUTPUT = json.dumps({"line": "x" * 60}) * 10
_OBSERVATION = _entry(ObservationEvent("c", "a", "terminal", _OUTPUT, False, (ShownText(_OUTPUT),)))
