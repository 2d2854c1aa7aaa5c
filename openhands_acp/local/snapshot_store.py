"""What snapshots are kept in: contents under their hashes, in one database for each folder that is worked in.

Knows bytes, hashes and who needs them; knows neither files nor what a tree looks like but for its members.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from openhands_acp.engine.checkpoints.snapshots import SnapshotError

ID = 16
"""Bytes of an id."""
BLOB, TREE = b"blob", b"tree"
"""What an object is: equal bytes of two kinds have two ids."""
FILE, LINK, FOLDER, LEFT_OUT = b"f", b"l", b"d", b"x"
"""What a member of a tree is."""

NAME = "snapshots.db"
_SCHEMA = """
create table if not exists objects (id blob primary key, packed integer not null, added integer not null, data blob);
create table if not exists folders (path blob primary key, seen blob, ids blob, tree blob) without rowid;
create table if not exists refs (session text not null, state blob not null, added integer not null,
                                 primary key (session, state)) without rowid;
create table if not exists facts (name text primary key, value integer not null) without rowid;
"""
_PATIENCE = 20.0
"""Seconds to wait for another window that is writing to the same database; it writes in short pieces."""
_LOOK_AGAIN = 0.005
"""Seconds between two attempts at what SQLite refuses at once, whatever its timeout; in a thread, so nobody waits."""
_PIECE = 8_000_000
"""Bytes after which what was written is committed, so that other windows get their turn."""
_TURN = 0.5
"""Seconds after which it is, however little was written."""
_DAY = 86_400
_AGE = 30 * _DAY
"""Seconds that a state is kept."""
_YOUNG = 3600
"""Seconds in which a content without a state may belong to one that is just being taken."""
_LARGE = 2_000_000_000
"""Bytes of one database, beyond which the older half of its states goes."""
_SPARE = 300_000_000
"""Bytes that stay free on the disk."""


@dataclass(frozen=True, slots=True)
class FolderRecord:
    """A folder as it was last seen, so that only what changed is read again."""

    seen: bytes
    """What told its members apart then."""
    ids: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Member:
    """What a tree says of one name in a folder."""

    kind: bytes
    mode: int
    key: bytes
    name: bytes


class Store:
    """One database. Every method may raise SnapshotError; used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._db = _opened(folder)
        except (OSError, sqlite3.Error) as error:
            raise _failed(folder, error) from error
        self._written = 0
        self._has_begun = False
        self._begun = 0.0

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.close()

    def put(self, kind: bytes, data: bytes) -> bytes:
        """Keep `data`; return its id. Lost with the process unless `commit` follows."""
        key = id_of(kind, data)
        now = int(time.time())
        if self._changed("update objects set added = ? where id = ?", now, key):
            return key
        packed = _packed(data) if kind == BLOB else zlib.compress(data, 1)
        stored = packed if len(packed) < len(data) else data
        self._changed("insert into objects values (?, ?, ?, ?)", key, len(stored) < len(data), now, stored)
        self._written += len(stored)
        if self._written > _PIECE:
            self.commit()
        return key

    def get(self, kind: bytes, key: bytes) -> bytes:
        row = self._one("select packed, data from objects where id = ?", key)
        if row is None:
            raise SnapshotError("a part of this checkpoint is no longer kept")
        try:
            data = zlib.decompress(row[1]) if row[0] else bytes(row[1])
        except zlib.error:
            data = b""
        if id_of(kind, data) != key:
            raise SnapshotError("a part of this checkpoint is damaged")
        return data

    def folders(self, root: bytes) -> dict[bytes, FolderRecord]:
        """Return what was last seen of a folder and all below it."""
        rows = self._all("select * from folders where path = ? or (path > ? and path < ?)", root, *_below(root))
        return {path: FolderRecord(seen, ids, tree) for path, seen, ids, tree in rows}

    def note(self, path: bytes, record: FolderRecord) -> None:
        self._changed("insert or replace into folders values (?, ?, ?, ?)", path, record.seen, record.ids, record.tree)

    def forget_folders(self, paths: Iterable[bytes]) -> None:
        for path in paths:
            self._changed("delete from folders where path = ?", path)

    def hold(self, session: str, state: bytes) -> None:
        """Keep what belongs to `state` for as long as the session is kept."""
        self._changed("insert or replace into refs values (?, ?, ?)", session, state, int(time.time()))

    def commit(self) -> None:
        if self._has_begun:
            self._run("commit")
            self._has_begun, self._written = False, 0

    def undo_uncommitted(self) -> None:
        if self._has_begun:
            self._has_begun, self._written = False, 0
            with suppress(sqlite3.Error):
                self._db.execute("rollback")

    def check_space(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < _SPARE:
            raise SnapshotError(f"only {free // 1_000_000} MB are free on the disk of {self._folder}")

    # ---------------------------------------------------------------- what goes

    def prune(self) -> bool:
        """Let go of what is old or too much, once a day; tell whether it was time."""
        now = int(time.time())
        row = self._one("select value from facts where name = 'pruned'")
        if row is not None and now - row[0] < _DAY and self._size() < _LARGE:
            return False
        self._changed("insert or replace into facts values ('pruned', ?)", now)
        self._changed("delete from refs where added < ?", now - _AGE)
        if self._size() >= _LARGE:
            middle = "select added from refs order by added limit 1 offset (select count(*) / 2 from refs)"
            self._changed(f"delete from refs where added < ({middle})")
        self.commit()
        self._sweep(now - _YOUNG)
        return True

    def forget_session(self, session: str) -> bool:
        """Let go of a session's states; tell whether nobody needs this database any more."""
        if not self._changed("delete from refs where session = ?", session):
            return False
        self.commit()
        if self._one("select 1 from refs limit 1") is None:
            return True
        self._sweep(int(time.time()) - _YOUNG)
        return False

    def _sweep(self, before: int) -> None:
        needed = set(self._needed())
        rows = self._all("select id from objects where added < ?", before)
        for (key,) in rows:
            if key not in needed:
                self._changed("delete from objects where id = ?", key)
        self.commit()
        # Each row that is fetched frees a page.
        self._all("pragma incremental_vacuum")

    def _needed(self) -> Iterator[bytes]:
        """Name every object that a state, or what was last seen, is made of."""
        trees = [tree for (tree,) in self._all("select tree from folders")]
        for (ids,) in self._all("select ids from folders"):
            yield from (ids[at + 1 : at + 1 + ID] for at in range(0, len(ids), 1 + ID))
        trees += [state for (state,) in self._all("select state from refs")]
        known: set[bytes] = set()
        while trees:
            tree = trees.pop()
            if tree in known:
                continue
            known.add(tree)
            yield tree
            with suppress(SnapshotError):
                for member in read_tree(self.get(TREE, tree)):
                    if member.kind == FOLDER:
                        trees.append(member.key)
                    else:
                        yield member.key

    def _size(self) -> int:
        pages, free, size = (self._one(f"pragma {name}") for name in ("page_count", "freelist_count", "page_size"))
        return (pages[0] - free[0]) * size[0] if pages and free and size else 0

    # ---------------------------------------------------------------- the database

    def _changed(self, statement: str, *values: object) -> int:
        if self._has_begun and time.monotonic() - self._begun > _TURN:
            self.commit()
        if not self._has_begun:
            self._run("begin immediate")
            self._has_begun, self._begun = True, time.monotonic()
        return self._run(statement, *values).rowcount

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        return self._run(statement, *values).fetchone()

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(statement, *values).fetchall()

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise _failed(self._folder, error) from error


def id_of(kind: bytes, data: bytes) -> bytes:
    return blake2b(data, digest_size=ID, person=kind).digest()


def as_tree(members: Iterable[Member]) -> bytes:
    """Spell a folder; the order of its members is the caller's, and always the same."""
    return b"".join(
        [member.kind + member.mode.to_bytes(2, "little") + member.key + member.name + b"\0" for member in members]
    )


def read_tree(data: bytes) -> Iterator[Member]:
    at = 0
    while at < len(data):
        start = at + 3 + ID
        end = data.index(b"\0", start)
        mode = int.from_bytes(data[at + 1 : at + 3], "little")
        yield Member(data[at : at + 1], mode, data[at + 3 : start], data[start:end])
        at = end + 1


def _opened(folder: Path) -> sqlite3.Connection:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / NAME
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        # Damaged, and so useless: better to begin anew than never to undo again.
        path.replace(path.with_suffix(".damaged"))
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    # Transactions are begun and ended by hand. One thread at a time uses it, but not always the one that opened it.
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        db.execute("pragma auto_vacuum = incremental")
        _make_shared(db)
        # What a power cut costs is the last states, never the database.
        db.execute("pragma synchronous = normal")
        db.execute("pragma journal_size_limit = 16000000")
        db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _make_shared(db: sqlite3.Connection) -> None:
    """Switch to the journal that several can use; patiently, since of two that do so at once SQLite refuses one."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            return


def _below(path: bytes) -> tuple[bytes, bytes]:
    separator = os.fsencode(os.sep)
    start = path.rstrip(separator) + separator
    # The character after the separator comes after everything that begins with it.
    return start, start[:-1] + bytes((start[-1] + 1,))


def _packed(data: bytes) -> bytes:
    """Return `data` compressed, or as it is where its first part says that this is in vain."""
    sample = data[:4096]
    if len(data) < 128 or len(zlib.compress(sample, 1)) > len(sample) * 0.9:
        return data
    return zlib.compress(data, 1)


def _failed(folder: Path, error: Exception) -> SnapshotError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SnapshotError(f"{reason} ({folder})")
