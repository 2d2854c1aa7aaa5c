"""Two windows and one session: other processes own it, die, and take turns."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openhands_acp.engine.events import ConversationStarted, Entry, MessageEvent
from openhands_acp.engine.messages import Text
from openhands_acp.engine.ports import Taken
from openhands_acp.store import lock
from openhands_acp.store.library import Library
from tests.harness.process import ROOT
from tests.harness.waiting import PATIENCE
from tests.store.examples import BEGAN, ENTRIES, SESSION_ID
from tests.store.owner import NOTICES


def window(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.owner", str(folder), SESSION_ID, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def library_with_a_session(folder: Path) -> Library:
    library = Library(folder)
    journal = library.journal(SESSION_ID, pytest.fail)
    journal.claim()
    for entry in ENTRIES:
        journal.append(entry)
    journal.close()
    return library


def test_who_comes_second_reads_and_is_told_who_writes(tmp_path: Path) -> None:
    library = library_with_a_session(tmp_path)
    with window(tmp_path, "hold") as process:
        assert said(process) == "mine"
        stored = library.read(SESSION_ID)
        journal = library.journal(SESSION_ID, pytest.fail, stored)
        with pytest.raises(Taken) as taken:
            journal.claim()
        with pytest.raises(Taken):
            library.delete(SESSION_ID)
        shape = rf"this session is open in another window: process {process.pid} \(owner\.py.*\) has had it since \d{{4}}-.*; close it there.*"
        assert (stored.entries, bool(re.fullmatch(shape, str(taken.value)))) == (ENTRIES, True)
        process.communicate("\n", timeout=PATIENCE)
    journal.claim()
    journal.close()
    library.delete(SESSION_ID)


@pytest.mark.parametrize("what", ["hold", "hold-with-child"])
def test_a_session_is_free_when_its_owner_dies_whatever_it_left_running(tmp_path: Path, what: str) -> None:
    library = library_with_a_session(tmp_path)
    with window(tmp_path, what) as process:
        answer = said(process)
        process.kill()
        process.wait(PATIENCE)
        journal = library.journal(SESSION_ID, pytest.fail, library.read(SESSION_ID))
        journal.claim()
        journal.append(ENTRIES[1])
        assert library.read(SESSION_ID).entries == [*ENTRIES, ENTRIES[1]]
        journal.close()
    if what == "hold-with-child":
        os.kill(int(answer), signal.SIGKILL)


def test_whoever_only_looks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # However busy the machine is.
    monkeypatch.setattr(lock, "MOMENT", PATIENCE)
    path = tmp_path / "lock"
    with path.open("w") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        assert lock.owner_of(path) == ""
        done = threading.Timer(0.01, lambda: fcntl.flock(looks, fcntl.LOCK_UN))
        done.start()
        mine = lock.Lock(path)
        done.join()
    assert lock.owner_of(path) == "already open in this window"
    mine.release()
    assert lock.owner_of(path) == ""


def test_a_list_knows_what_was_written_by_who_was_killed(tmp_path: Path) -> None:
    library = library_with_a_session(tmp_path)
    assert [summary.messages for summary in library.page(None, None)[0]] == [2]
    journal = library.journal(SESSION_ID, pytest.fail, library.read(SESSION_ID))
    journal.claim()
    journal.append(ENTRIES[1])
    journal.append(Entry("e", BEGAN, MessageEvent("m", "user", (Text("more"),))))
    # As long as it is open, and so if its owner is gone without a word.
    assert [(summary.messages, summary.updated_at) for summary in library.page(None, None)[0]] == [(3, BEGAN)]
    journal.close()
    assert [summary.messages for summary in library.page(None, None)[0]] == [3]


def test_turns_of_many_windows_never_mix(tmp_path: Path) -> None:
    windows, count = ["red", "green", "blue"], 4
    processes = [window(tmp_path, "turns", name, str(count)) for name in windows]
    for process in processes:
        with process:
            assert (process.communicate(timeout=PATIENCE)[0], process.returncode) == ("", 0)
    stored = Library(tmp_path).read(SESSION_ID)
    each = NOTICES + 3
    turns = [stored.entries[start : start + each] for start in range(0, len(stored.entries), each)]
    names: list[str] = []
    for turn in turns:
        started = turn[0].event
        assert isinstance(started, ConversationStarted)
        assert [entry.id for entry in turn] == ["e", "e", *map(str, range(NOTICES)), "e"]
        assert {getattr(entry.event, "turn_id", started.model) for entry in turn} == {started.model}
        names.append(started.model)
    assert (sorted(names), stored.notes) == (sorted(windows * count), ())
    assert [summary.session_id for summary in Library(tmp_path).page("/w", None)[0]] == [SESSION_ID]
