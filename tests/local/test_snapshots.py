"""Earlier states of folders, kept and brought back."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.checkpoints.snapshots import FileState, SnapshotError
from openhands_acp.engine.paths import AbsPath
from openhands_acp.local import snapshot_scan, snapshot_store
from openhands_acp.local.snapshot_store import NAME, Store
from openhands_acp.local.snapshots import LocalSnapshots, forget_session
from tests.harness.trees import DEEDS, Deed, tree_of
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def snapshots_of(root: Path, home: Path, session: str = "s") -> AsyncGenerator[LocalSnapshots]:
    opened = LocalSnapshots(home, session, (AbsPath(str(root)),))
    try:
        yield opened
    finally:
        await opened.close()


async def take(snapshots: LocalSnapshots) -> str:
    with anyio.fail_after(PATIENCE):
        return (await snapshots.begin().done()).id


async def changed(snapshots: LocalSnapshots, before: str, after: str) -> dict[AbsPath, FileState | None]:
    return {change.path: change.before for change in await snapshots.changes(before, after)}


async def go_back(snapshots: LocalSnapshots, before: str, after: str) -> dict[AbsPath, str]:
    return await snapshots.restore(await changed(snapshots, before, after))


@settings(max_examples=80, deadline=None)
@given(st.lists(DEEDS, max_size=12), st.lists(DEEDS, max_size=12))
def test_what_was_is_brought_back_byte_for_byte_and_so_is_what_came_after(first: list[Deed], then: list[Deed]) -> None:
    async def go(root: Path, home: Path) -> None:
        for deed in first:
            deed.do(root)
        async with snapshots_of(root, home) as snapshots:
            state, before = tree_of(root), await take(snapshots)
            for deed in then:
                deed.do(root)
            later, after = tree_of(root), await take(snapshots)
            assert (state == later) == (before == after)
            assert await go_back(snapshots, before, after) == {}
            assert tree_of(root) == state
            assert await take(snapshots) == before
            assert await go_back(snapshots, after, before) == {}
            assert tree_of(root) == later
            assert await take(snapshots) == after

    # In memory where that is to be had: the database waits for the disk at each state, which is nothing of this.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory() as folder, TemporaryDirectory(dir=memory) as home:
        anyio.run(go, Path(folder), Path(home))


async def test_nothing_is_there_before_the_first_snapshot(tmp_path: Path) -> None:
    async with snapshots_of(tmp_path, tmp_path / "home"):
        assert list(tmp_path.iterdir()) == []


async def test_a_file_that_changes_within_a_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        states: list[str] = []
        for content in range(20):
            # The same size, and most often the same time as far as the clock can tell.
            (root / "a").write_text(f"{content:04}")
            states.append(await take(snapshots))
        assert len(set(states)) == 20


async def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "w"
    (root / "sub").mkdir(parents=True)
    for number in range(50):
        (root / f"sub/{number}").write_text(str(number))
    # As on a disk with an exact clock, once its moment is over.
    monkeypatch.setattr(snapshot_scan, "_TICK", 0)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        first = await take(snapshots)
        read: list[bytes] = []
        content = vars(snapshot_scan)["_content"]

        def watched(path: bytes, record: bytes) -> object:
            read.append(path)
            return content(path, record)

        monkeypatch.setattr(snapshot_scan, "_content", watched)
        assert await take(snapshots) == first
        (root / "sub/7").write_text("new")
        assert await take(snapshots) != first
        assert read == [os.fsencode(root / "sub/7")]


async def test_only_where_something_was_touched_is_looked_at_again(tmp_path: Path) -> None:
    root = tmp_path / "w"
    for name in ("one/in/a", "two/a", "three/a"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("1")
    (root / "link").symlink_to("three")
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before = await take(snapshots)
        for name in ("one/in/a", "one/in/new", "two/a", "three/a"):
            (root / name).write_text("2")
        touched = [AbsPath(str(root / name)) for name in ("one/in/a", "one/in/new", "link/a")]
        after = (await snapshots.begin(touched).done()).id
        names = [os.path.relpath(path, root) for path in await changed(snapshots, before, after)]
        assert names == ["one/in/a", "one/in/new", "three/a"]
        assert (await snapshots.begin([]).done()).id == after
        assert list(await changed(snapshots, after, await take(snapshots))) == [str(root / "two/a")]


async def test_version_control_keeps_its_own(tmp_path: Path) -> None:
    root = tmp_path / "w"
    for folder in (".git", "nested/.git", "submodule"):
        (root / folder).mkdir(parents=True)
        (root / folder / "HEAD").write_text("ref")
    (root / "submodule/.git").write_text("gitdir: ../.git/modules/submodule")
    (root / "nested/code.py").write_text("1")
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before = await take(snapshots)
        for path in (".git/HEAD", "nested/.git/HEAD", "submodule/.git"):
            (root / path).write_text("changed")
        (root / "nested/code.py").write_text("2")
        after = await take(snapshots)
        assert list(await changed(snapshots, before, after)) == [str(root / "nested/code.py")]
        assert await go_back(snapshots, before, after) == {}
        assert ((root / "nested/code.py").read_text(), (root / ".git/HEAD").read_text()) == ("1", "changed")


def _fill(folder: Path, files: int) -> None:
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / str(number)).touch()


async def test_what_is_too_large_is_left_out_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_scan, "_IGNORED_FILES", 10)
    monkeypatch.setattr(snapshot_scan, "LARGE", 1000)
    root = tmp_path / "w"
    _fill(root / "src", 20)
    _fill(root / "a/node_modules/x", 20)
    _fill(root / "data", 20)
    _fill(root / "own/data", 20)
    _fill(root / "dist", 5)
    (root / ".gitignore").write_text("# ours\n/data/\n*.log\n")
    (root / "large").write_bytes(bytes(1001))
    os.mkfifo(root / "pipe")
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before = await take(snapshots)
        for path in ("src/1", "a/node_modules/x/1", "data/1", "own/data/1", "dist/1", "large", "pipe"):
            (root / path).unlink()
        (root / "larger").write_bytes(bytes(2000))
        after = await take(snapshots)
        kinds = {
            os.path.relpath(change.path, root): [state and state.kind for state in (change.before, change.after)]
            for change in await snapshots.changes(before, after)
        }
        assert kinds == {
            "dist/1": ["file", None],
            "large": ["left_out", None],
            "larger": [None, "left_out"],
            "own/data/1": ["file", None],
            "pipe": ["left_out", None],
            "src/1": ["file", None],
        }


async def test_what_one_look_cannot_read_is_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for number in range(6):
        (root / str(number)).write_bytes(bytes(100))
    monkeypatch.setattr(snapshot_scan, "_NEW_BYTES", 250)
    monkeypatch.setattr(snapshot_scan, "_TICK", 0)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        taken = [await snapshots.begin().done() for _ in range(3)]
        assert [snapshot.is_whole for snapshot in taken] == [False, True, True]
        left_out = [c.before and c.before.kind for c in await snapshots.changes(taken[0].id, taken[1].id)]
        assert left_out == ["left_out"] * 3
        assert taken[1].id == taken[2].id


async def test_a_link_in_the_way_leads_nothing_out_of_the_project(tmp_path: Path) -> None:
    root, outside = tmp_path / "w", tmp_path / "outside"
    (root / "src").mkdir(parents=True)
    outside.mkdir()
    (root / "src/a").write_text("mine")
    (outside / "a").write_text("theirs")
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before = await take(snapshots)
        (root / "src/a").unlink()
        (root / "src").rmdir()
        (root / "src").symlink_to(outside)
        after = await take(snapshots)
        wanted = await changed(snapshots, before, after)
        path, other = AbsPath(str(root / "src/a")), AbsPath(str(outside / "a"))
        only_inside = {path: wanted[path], other: wanted[path]}
        assert await snapshots.restore(only_inside) == {
            path: "a link stands where its folder was",
            other: "it is outside the project",
        }
        assert (outside / "a").read_text() == "theirs"
        assert await snapshots.restore(wanted) == {}
        assert ((outside / "a").read_text(), (root / "src/a").read_text()) == ("theirs", "mine")


async def test_a_project_that_was_removed_comes_back(tmp_path: Path) -> None:
    root = tmp_path / "w"
    _fill(root / "src", 3)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before, state = await take(snapshots), tree_of(root)
        shutil.rmtree(root)
        assert await go_back(snapshots, before, await take(snapshots)) == {}
        assert tree_of(root) == state


async def test_what_is_damaged_is_not_brought_back(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_text(name * 1000)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before = await take(snapshots)
        for name in ("a", "b"):
            (root / name).write_text("")
        after = await take(snapshots)
        wanted = await changed(snapshots, before, after)
        of_a = wanted[AbsPath(str(root / "a"))]
        assert of_a is not None
        [database] = (tmp_path / "h").rglob(NAME)
        with closing(sqlite3.connect(database)) as db, db:
            db.execute("update objects set data = x'00' where id = ?", [bytes.fromhex(of_a.content)])
        reason = "a part of this checkpoint is damaged"
        assert await snapshots.restore(wanted) == {AbsPath(str(root / "a")): reason}
        assert ((root / "a").read_text(), (root / "b").read_text()) == ("", "b" * 1000)


def test_windows_that_open_at_the_same_moment_all_get_in(tmp_path: Path) -> None:
    for round_ in range(40):
        together = threading.Barrier(4)

        def opened(folder: Path = tmp_path / str(round_), together: threading.Barrier = together) -> None:
            together.wait(10)
            Store(folder).close()

        with ThreadPoolExecutor(4) as threads:
            for window in [threads.submit(opened) for _ in range(4)]:
                window.result(30)


async def test_two_windows_share_what_they_keep(tmp_path: Path) -> None:
    root = tmp_path / "w"
    _fill(root / "src", 300)
    async with snapshots_of(root, tmp_path / "h", "one") as one, snapshots_of(root, tmp_path / "h", "two") as two:
        states: list[str] = []

        async def go(snapshots: LocalSnapshots) -> None:
            states.extend([await take(snapshots) for _ in range(5)])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go, one)
            tasks.start_soon(go, two)
        assert (len(states), len(set(states))) == (10, 1)
        (root / "src/1").write_text("by one")
        assert await go_back(two, states[0], await take(one)) == {}
        assert (root / "src/1").read_text() == ""


_TAKER = """
import anyio, sys
from pathlib import Path
from openhands_acp.local.snapshots import LocalSnapshots
async def main():
    snapshots = LocalSnapshots(Path(sys.argv[2]), "killed", (sys.argv[1],))
    print("go", flush=True)
    await snapshots.begin().done()
    print("done", flush=True)
    await snapshots.close()
anyio.run(main)
"""


def take_and_be_killed(root: Path, home: Path, after: float) -> None:
    taker = subprocess.Popen([sys.executable, "-c", _TAKER, str(root), str(home)], stdout=subprocess.PIPE)
    assert taker.stdout is not None
    with taker, taker.stdout:
        assert taker.stdout.readline() == b"go\n"
        with suppress(subprocess.TimeoutExpired):
            taker.wait(after)
        taker.send_signal(signal.SIGKILL)


async def test_killed_in_the_middle_it_can_still_be_read(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    for number in range(2000):
        (root / str(number)).write_bytes(os.urandom(3000))
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        (root / "first").write_text("1")
        for delay in (0.0, 0.02, 0.05, 0.1):
            take_and_be_killed(root, tmp_path / "h", delay)
        before, state = await take(snapshots), tree_of(root)
        (root / "first").unlink()
        (root / "7").write_bytes(b"")
        assert await go_back(snapshots, before, await take(snapshots)) == {}
        assert tree_of(root) == state


async def test_a_damaged_database_is_put_aside(tmp_path: Path) -> None:
    root = tmp_path / "w"
    _fill(root, 3)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        lost = await take(snapshots)
    [database] = (tmp_path / "h").rglob(NAME)
    database.write_bytes(b"nonsense" * 1000)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        now = await take(snapshots)
        assert now == lost
        (root / "1").write_text("x")
        assert list(await changed(snapshots, now, await take(snapshots))) == [str(root / "1")]


async def test_what_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (tmp_path / "file").touch()
    await refused(root, tmp_path / "file", "Not a directory")
    await refused(Path.home(), tmp_path / "h", "is not a project")
    monkeypatch.setattr(snapshot_store, "_SPARE", 1 << 60)
    await refused(root, tmp_path / "h", "MB are free")


async def refused(root: Path, home: Path, reason: str) -> None:
    async with snapshots_of(root, home) as snapshots:
        with pytest.raises(SnapshotError, match=reason):
            await take(snapshots)


async def test_a_full_disk_spoils_nothing(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "a").write_text("1")
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        before = await take(snapshots)
    [database] = (tmp_path / "h").rglob(NAME)
    with limited(database.parent) as store, pytest.raises(SnapshotError, match="full"):
        fill(store)
    (root / "a").write_text("2")
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        assert await go_back(snapshots, before, await take(snapshots)) == {}
    assert (root / "a").read_text() == "1"


def fill(store: Store) -> None:
    for _ in range(100):
        store.put(snapshot_store.BLOB, os.urandom(100_000))


@contextmanager
def limited(folder: Path) -> Generator[Store]:
    """A store on a disk that has room for a megabyte."""
    store = Store(folder)
    connection = store.__dict__["_db"]
    assert isinstance(connection, sqlite3.Connection)
    connection.execute("pragma max_page_count = 250")
    try:
        yield store
    finally:
        store.undo_uncommitted()
        store.close()


def kept_in(home: Path) -> int:
    [database] = home.rglob(NAME)
    with closing(sqlite3.connect(database)) as db:
        return db.execute("select sum(length(data)) from objects").fetchone()[0]


async def test_what_nobody_needs_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, home = tmp_path / "w", tmp_path / "h"
    root.mkdir()
    monkeypatch.setattr(snapshot_store, "_YOUNG", -1)
    async with snapshots_of(root, home, "one") as one, snapshots_of(root, home, "two") as two:
        (root / "a").write_bytes(os.urandom(100_000))
        of_one = await take(one)
        (root / "a").write_bytes(os.urandom(100_000))
        of_two = await take(two)
        assert len(await two.changes(of_one, of_two)) == 1
    size = kept_in(home)
    forget_session(home, "one")
    assert kept_in(home) < size - 90_000
    async with snapshots_of(root, home, "two") as two:
        with pytest.raises(SnapshotError, match="no longer kept"):
            await two.changes(of_one, of_two)
        assert await two.changes(of_two, of_two) == ()
    forget_session(home, "unknown")
    forget_session(home, "two")
    assert list((home / "snapshots").iterdir()) == []


async def test_old_states_go_by_their_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, home = tmp_path / "w", tmp_path / "h"
    root.mkdir()
    (root / "a").write_text("1")
    async with snapshots_of(root, home) as snapshots:
        old = await take(snapshots)
        (root / "a").write_text("2")
        # Two months on.
        month = 30 * 86_400
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 2 * month)
        new = await take(snapshots)
        with pytest.raises(SnapshotError, match="no longer kept"):
            await snapshots.changes(old, new)
        assert await go_back(snapshots, new, new) == {}


async def test_a_closed_session_keeps_nobody_waiting(tmp_path: Path) -> None:
    root = tmp_path / "w"
    _fill(root, 10)
    async with snapshots_of(root, tmp_path / "h") as snapshots:
        taking = snapshots.begin()
    with anyio.fail_after(PATIENCE):
        with suppress(SnapshotError):
            await taking.done()
        with pytest.raises(SnapshotError, match="closed"):
            await take(snapshots)


async def test_what_lies_outside_of_the_first_folder_is_kept_too(tmp_path: Path) -> None:
    for name in ("one", "two", "one/in"):
        (tmp_path / name).mkdir()
    roots = tuple(AbsPath(str(tmp_path / name)) for name in ("one", "two", "one/in"))
    snapshots = LocalSnapshots(tmp_path / "one/home", "s", roots)
    try:
        before = await take(snapshots)
        for root in roots:
            (Path(root) / "a").write_text("1")
        assert await take(snapshots) != before
        found = await changed(snapshots, before, await take(snapshots))
        assert found == {AbsPath(f"{root}/a"): None for root in roots}
    finally:
        await snapshots.close()
