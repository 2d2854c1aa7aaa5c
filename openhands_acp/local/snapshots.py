"""Earlier states of a session's folders, kept outside of them (`Snapshots`).

Knows the order of what is done, which one thread does; how files are looked at, kept and put back is
beside it, in `snapshot_scan`, `snapshot_store` and `snapshot_restore`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Event
from typing import Literal, TypeVar

import anyio
import anyio.to_thread

from openhands_acp.engine.checkpoints.snapshots import Change, FileState, Snapshot, SnapshotError, Tell
from openhands_acp.engine.paths import AbsPath
from openhands_acp.local.snapshot_restore import Restoring
from openhands_acp.local.snapshot_scan import Look, Stopped
from openhands_acp.local.snapshot_store import (
    BLOB,
    FILE,
    FOLDER,
    LEFT_OUT,
    LINK,
    NAME,
    TREE,
    Member,
    Store,
    as_tree,
    read_tree,
)

_INTERVAL = 0.5
"""Seconds between two words about how far a snapshot is."""
_CLOSING = 1.0
"""Seconds that the database has to be closed in; what is written is safe without."""
_MARK = ".session"
"""What follows a session's id in the name of an empty file: this database has states of it."""
_OLD = 30 * 86_400
"""Seconds after which a folder's database goes that nobody used."""

_FOLDER = "snapshots"

T = TypeVar("T")


class LocalSnapshots:
    """The states of one session's folders. Makes nothing on the disk before the first is taken."""

    def __init__(self, folder: Path, session_id: str, roots: tuple[AbsPath, ...]) -> None:
        self._folder = folder
        self._session_id = session_id
        self._roots = _outermost(roots)
        self._thread = ThreadPoolExecutor(1, "snapshots")
        self._stop = Event()
        self._store: Store | None = None

    def begin(self, touched: Iterable[AbsPath] | None = None) -> LocalTaking:
        progress = Progress(self._stop)
        paths = None if touched is None else tuple(touched)
        return LocalTaking(self._submit(lambda: self._take(progress, paths)), progress)

    async def changes(self, before: str, after: str) -> tuple[Change, ...]:
        return await _result(self._submit(lambda: tuple(self._changes(before, after))))

    async def content(self, state: FileState) -> bytes:
        return await _result(self._submit(lambda: self._opened().get(BLOB, bytes.fromhex(state.content))))

    async def restore(self, wanted: Mapping[AbsPath, FileState | None]) -> dict[AbsPath, str]:
        def content(state: FileState) -> bytes:
            return self._opened().get(BLOB, bytes.fromhex(state.content))

        return await _result(self._submit(lambda: Restoring(self._roots, content).restore(wanted)))

    async def close(self) -> None:
        """Stop what is being done, and let go of the database. Bounded."""
        self._stop.set()
        with suppress(RuntimeError):
            closing = self._thread.submit(self._close)
            self._thread.shutdown(wait=False)
            await anyio.to_thread.run_sync(wait, [closing], _CLOSING)

    # ---------------------------------------------------------------- in the thread

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        try:
            return self._thread.submit(work)
        except RuntimeError as error:
            raise SnapshotError("the session is closed") from error

    def _take(self, progress: Progress, touched: tuple[AbsPath, ...] | None) -> Snapshot:
        for root in self._roots:
            _check(root)
        store = self._opened()
        store.check_space()
        is_whole = True
        # Our own files are no part of a project, wherever they are.
        skipped = frozenset((os.fsencode(self._folder), os.fsencode(self._folder.resolve())))
        only = None if touched is None else _folders_of(touched)
        try:
            members: list[Member] = []
            for root in self._roots:
                look = Look(os.fsencode(root), store, skipped, progress.count, only)
                members.append(Member(FOLDER, 0, look.tree(), os.fsencode(root)))
                is_whole = is_whole and look.is_whole
            state = store.put(TREE, as_tree(members))
            store.hold(self._session_id, state)
            store.commit()
            (self._place() / f"{self._session_id}{_MARK}").touch()
        except BaseException:
            store.undo_uncommitted()
            raise
        with suppress(SnapshotError):
            # Later than the state itself, which is kept whatever happens to this.
            if store.prune():
                _remove_old(self._folder, self._place())
        return Snapshot(state.hex(), is_whole)

    def _changes(self, before: str, after: str) -> Iterator[Change]:
        old, new = ({m.name: m for m in self._tree(bytes.fromhex(state))} for state in (before, after))
        if not old.keys() & new.keys():
            raise SnapshotError("it was kept for another folder")
        for root in sorted(old.keys() & new.keys()):
            yield from self._between(root, old[root].key, new[root].key)

    def _between(self, path: bytes, before: bytes | None, after: bytes | None) -> Iterator[Change]:
        """Compare two trees; None is an empty one."""
        if before == after:
            return
        old, new = ({m.name: m for m in self._tree(tree)} if tree else {} for tree in (before, after))
        for name in sorted(old.keys() | new.keys()):
            one, other, inner = old.get(name), new.get(name), os.path.join(path, name)
            if one == other:
                continue
            states = _state(one), _state(other)
            if states[0] != states[1]:
                yield Change(AbsPath(os.fsdecode(inner)), *states)
            if LEFT_OUT not in (one and one.kind, other and other.kind):
                yield from self._between(inner, _folder(one), _folder(other))

    def _tree(self, key: bytes) -> Iterator[Member]:
        return read_tree(self._opened().get(TREE, key))

    def _opened(self) -> Store:
        if self._stop.is_set():
            raise Stopped
        if self._store is None:
            self._store = Store(self._place())
        return self._store

    def _place(self) -> Path:
        return _place(self._folder, self._roots[0])

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


@dataclass(slots=True)
class Progress:
    """How far a snapshot is, told by its thread."""

    stop: Event
    files: int = 0

    def count(self, files: int) -> None:
        self.files += files
        if self.stop.is_set():
            raise Stopped


@dataclass(frozen=True, slots=True)
class LocalTaking:
    """A snapshot that is being taken (`Taking`)."""

    future: Future[Snapshot]
    progress: Progress

    async def done(self, tell: Tell | None = None) -> Snapshot:
        while not self.future.done():
            await anyio.to_thread.run_sync(wait, [self.future], _INTERVAL, abandon_on_cancel=True)
            if tell is not None and not self.future.done():
                await tell(self.progress.files)
        return await _result(self.future)


def forget_session(folder: Path, session_id: str) -> None:
    """Let go of all states of a session that is deleted. Never fails: what is left goes by its age."""
    for place in _places(folder):
        with suppress(SnapshotError, OSError):
            # By the names that are there: whatever it is called, nothing else is touched.
            marks = [path for path in place.iterdir() if path.name == f"{session_id}{_MARK}"]
            if not marks:
                continue
            store = Store(place)
            try:
                is_needless = store.forget_session(session_id)
            finally:
                store.close()
            marks[0].unlink()
            if is_needless:
                shutil.rmtree(place)


async def _result(future: Future[T]) -> T:
    if not future.done():
        await anyio.to_thread.run_sync(wait, [future], abandon_on_cancel=True)
    try:
        return future.result()
    except OSError as error:
        raise SnapshotError(str(error)) from error
    except (Stopped, CancelledError) as error:
        raise SnapshotError("the session is closed") from error


def _remove_old(folder: Path, ours: Path) -> None:
    """Remove the databases of folders in which nobody has worked for long."""
    for place in _places(folder):
        with suppress(OSError):
            if place != ours and time.time() - max(file.stat().st_mtime for file in place.iterdir()) > _OLD:
                shutil.rmtree(place)


def _places(folder: Path) -> list[Path]:
    try:
        return [place for place in (folder / _FOLDER).iterdir() if (place / NAME).is_file()]
    except OSError:
        return []


def _place(folder: Path, root: AbsPath) -> Path:
    return folder / _FOLDER / blake2b(os.fsencode(root), digest_size=12).hexdigest()


def _outermost(roots: tuple[AbsPath, ...]) -> tuple[AbsPath, ...]:
    """Leave out the roots that lie in another one; the first stays the first if it does not."""
    unique = list(dict.fromkeys(roots))
    return tuple(
        root
        for root in unique
        if not any(root != other and root.startswith(other.rstrip(os.sep) + os.sep) for other in unique)
    )


def _folders_of(paths: Iterable[AbsPath]) -> frozenset[bytes]:
    """Return every folder that one of these paths is in, also where a link leads to it."""
    folders: set[str] = set()
    for path in paths:
        for there in (path, os.path.realpath(path)):
            folder = os.path.dirname(there)
            while folder not in folders:
                folders.add(folder)
                folder = os.path.dirname(folder)
    return frozenset(map(os.fsencode, folders))


def _check(root: AbsPath) -> None:
    if os.path.dirname(root) == root or os.path.realpath(root) == os.path.realpath(os.path.expanduser("~")):
        raise SnapshotError(f"{root} is not a project's folder")


_KINDS: dict[bytes, Literal["file", "link", "folder", "left_out"]] = {
    FILE: "file",
    LINK: "link",
    FOLDER: "folder",
    LEFT_OUT: "left_out",
}


def _state(member: Member | None) -> FileState | None:
    if member is None:
        return None
    kind = _KINDS[member.kind]
    return FileState(kind, member.mode, member.key.hex() if kind in ("file", "link") else "")


def _folder(member: Member | None) -> bytes | None:
    return member.key if member is not None and member.kind == FOLDER else None
