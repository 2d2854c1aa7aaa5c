"""Looking at every file of a folder, and keeping what is not kept yet.

A file whose size, times, number and mode are those of last time is taken for unchanged, unless it had
only just been written then: the clock of a disk is coarse, and it may have changed again within its tick.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from openhands_acp.engine.checkpoints.snapshots import SnapshotError
from openhands_acp.local.snapshot_store import (
    BLOB,
    FILE,
    FOLDER,
    ID,
    LEFT_OUT,
    LINK,
    TREE,
    FolderRecord,
    Member,
    Store,
    as_tree,
)

LARGE = 10_000_000
"""Bytes of a file that is still kept."""
_IGNORED_FILES, _IGNORED_BYTES = 2_000, 20_000_000
"""What an ignored folder may hold to be kept all the same."""
_ALL_IGNORED_FILES = 20_000
"""What all of them may."""
_NEW_BYTES, _NEW_SECONDS = 1_000_000_000, 90.0
"""What one look may read; the rest is for the next."""
_MOST = 1_000_000
"""Files; beyond, it is no project."""
_DEEP = 200
_TICK = 2_000_000_000
"""Nanoseconds that the coarsest clock of a disk takes for one moment (FAT)."""

_OWN = frozenset((b".git", b".hg", b".svn", b".jj"))
"""Version control's own, which is its own to bring back."""
_IGNORED = frozenset(
    b"""
    node_modules .venv venv target build dist out .tox .nox __pycache__ .cache .mypy_cache .pytest_cache .ruff_cache
    .gradle .next .nuxt .svelte-kit .turbo .parcel-cache .terraform Pods DerivedData bower_components .hypothesis
    .direnv .idea .vs coverage htmlcov
    """.split()
)
_NONE = bytes(ID)
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_SEEN = struct.Struct("<IqqqQ")
_PLAIN = re.compile(rb"[^\s*?\[\]!#\\][^*?\[\]\\]*")


class Stopped(Exception):
    """The session is over: nobody needs this snapshot."""


@dataclass(slots=True)
class Look:
    """One look at one root. Made anew for each."""

    root: bytes
    store: Store
    skipped: frozenset[bytes]
    """Folders that are not looked into: where the snapshots themselves are."""
    count: Callable[[int], None]
    """Is told how many more files were seen. Raises Stopped."""
    only: frozenset[bytes] | None = None
    """Folders that are looked at; what is known of any other counts. None: all are."""
    is_whole: bool = True
    _known: dict[bytes, FolderRecord] = field(default_factory=dict[bytes, FolderRecord])
    _visited: set[bytes] = field(default_factory=set[bytes])
    _ignored_names: frozenset[bytes] = _IGNORED
    _ignored_paths: frozenset[bytes] = frozenset()
    _files: int = 0
    _ignored_files: int = 0
    _new_bytes: int = 0
    _until: float = 0.0

    def tree(self) -> bytes:
        """Return the id of the tree of all that is kept. Raises SnapshotError and Stopped."""
        self._until = time.monotonic() + _NEW_SECONDS
        self._known = self.store.folders(self.root)
        self._read_ignore_file()
        if not os.path.lexists(self.root):
            # Removed with all that was in it, which can be brought back.
            return self.store.put(TREE, b"")
        tree = self._folder(self.root, 0)
        if tree is None:
            raise SnapshotError(f"{os.fsdecode(self.root)} cannot be read")
        if self.only is None:
            self.store.forget_folders(path for path in self._known if path not in self._visited)
        return tree

    def _folder(self, path: bytes, depth: int) -> bytes | None:
        """Keep one folder and all in it; None if it cannot be read."""
        known = self._known.get(path)
        if self.only is not None and known is not None and path not in self.only:
            return known.tree
        try:
            with os.scandir(path) as found:
                now = _looked_at(sorted(found, key=attrgetter("name")))
        except OSError:
            return None
        self._files += len(now.entries)
        self.count(len(now.entries))
        if self._files > _MOST:
            raise SnapshotError(f"there are more than {_MOST:,} files in {os.fsdecode(self.root)}")
        self._visited.add(path)
        seen = b"\0".join(now.records)
        if known is None or known.seen != seen:
            return self._changed_folder(path, depth, known, now)
        ids = known.ids
        for number in now.folders:
            at = number * (1 + ID)
            kind_and_id = self._subfolder(now.entries[number], depth)
            if ids[at : at + 1 + ID] != kind_and_id:
                ids = ids[:at] + kind_and_id + ids[at + 1 + ID :]
        return known.tree if ids == known.ids else self._keep(path, seen, ids)

    def _changed_folder(self, path: bytes, depth: int, known: FolderRecord | None, now: _Seen) -> bytes:
        before = _by_name(known) if known else {}
        records: list[bytes] = []
        ids: list[bytes] = []
        folders = set(now.folders)
        for number, (entry, named) in enumerate(zip(now.entries, now.records, strict=True)):
            record = named[: _SEEN.size]
            old = before.get(entry.name)
            if number in folders:
                kind_and_id = self._subfolder(entry, depth)
            elif old is not None and old[0] == record:
                kind_and_id = old[1]
            else:
                record, kind_and_id = self._file(entry, record)
            records.append(record + entry.name)
            ids.append(kind_and_id)
        return self._keep(path, b"\0".join(records), b"".join(ids))

    def _keep(self, path: bytes, seen: bytes, ids: bytes) -> bytes:
        members: list[Member] = []
        for number, (name, record) in enumerate(_split(seen)):
            at = number * (1 + ID)
            kind, key = ids[at : at + 1], ids[at + 1 : at + 1 + ID]
            mode = 0 if kind in (LEFT_OUT, LINK) else stat.S_IMODE(_mode_of(record))
            members.append(Member(kind, mode, key, name))
        tree = self.store.put(TREE, as_tree(members))
        self.store.note(path, FolderRecord(seen, ids, tree))
        return tree

    # ---------------------------------------------------------------- members

    def _subfolder(self, entry: os.DirEntry[bytes], depth: int) -> bytes:
        if entry.name in _OWN or depth >= _DEEP or entry.path in self.skipped:
            return LEFT_OUT + _NONE
        if (entry.name in self._ignored_names or entry.path in self._ignored_paths) and not self._is_small(entry.path):
            return LEFT_OUT + _NONE
        tree = self._folder(entry.path, depth + 1)
        return LEFT_OUT + _NONE if tree is None else FOLDER + tree

    def _file(self, entry: os.DirEntry[bytes], seen: bytes) -> tuple[bytes, bytes]:
        """Keep a file that is new or changed; return what it looked like, and what it is in the tree."""
        mode = _mode_of(seen)
        if entry.name in _OWN:
            return seen, LEFT_OUT + _NONE
        if stat.S_ISLNK(mode):
            try:
                target = os.readlink(entry.path)
            except OSError:
                return _never(seen), LEFT_OUT + _NONE
            is_recent = _is_recent(seen, time.time_ns())
            return _never(seen) if is_recent else seen, LINK + self.store.put(BLOB, target)
        size: int = _SEEN.unpack(seen)[1]
        if not stat.S_ISREG(mode) or size > LARGE:
            return seen, LEFT_OUT + _NONE
        if self._new_bytes > _NEW_BYTES or time.monotonic() > self._until:
            self.is_whole = False
            return _never(seen), LEFT_OUT + _NONE
        data, is_sure = _content(entry.path, seen)
        if data is None:
            return _never(seen), LEFT_OUT + _NONE
        self.count(0)
        self._new_bytes += len(data)
        return seen if is_sure else _never(seen), FILE + self.store.put(BLOB, data)

    # ---------------------------------------------------------------- what is ignored

    def _is_small(self, path: bytes) -> bool:
        """Tell whether an ignored folder is small enough to be kept; it is looked at no further than to know."""
        files = size = 0
        folders = [path]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        files += 1
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        else:
                            size += entry.stat(follow_symlinks=False).st_size
                        if files > _IGNORED_FILES or size > _IGNORED_BYTES:
                            return False
            except OSError:
                continue
        self._ignored_files += files
        return self._ignored_files <= _ALL_IGNORED_FILES

    def _read_ignore_file(self) -> None:
        """Take the plain names from the root's ignore file: patterns would cost more than they are worth here."""
        try:
            fd = os.open(os.path.join(self.root, b".gitignore"), os.O_RDONLY | _FLAGS)
            with os.fdopen(fd, "rb") as file:
                lines = file.read(100_000).splitlines()
        except OSError:
            return
        plain = {line.strip() for line in lines if _PLAIN.fullmatch(line.strip())}
        self._ignored_names |= {line.rstrip(b"/") for line in plain if b"/" not in line.rstrip(b"/")}
        anchored = {line.strip(b"/") for line in plain if b"/" in line.rstrip(b"/")}
        self._ignored_paths = frozenset(os.path.join(self.root, line) for line in anchored)


@dataclass(slots=True)
class _Seen:
    """What is in a folder now."""

    entries: list[os.DirEntry[bytes]]
    records: list[bytes]
    """What tells a member from what it was: of a folder only its mode, the rest is told by its own members."""
    folders: list[int]
    """Which of the entries are folders."""


def _looked_at(found: Iterable[os.DirEntry[bytes]]) -> _Seen:
    # The one loop that every file costs: written for speed.
    seen = _Seen([], [], [])
    entries, records, pack = seen.entries, seen.records, _SEEN.pack
    for entry in found:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            # Gone since it was listed.
            continue
        mode = status.st_mode
        if mode & 0o170000 == stat.S_IFDIR:
            seen.folders.append(len(entries))
            records.append(pack(mode, 0, 0, 0, 0) + entry.name)
        else:
            times = status.st_mtime_ns, status.st_ctime_ns
            records.append(pack(mode, status.st_size, *times, status.st_ino) + entry.name)
        entries.append(entry)
    return seen


def _split(seen: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the records in what was seen of a folder, with the names apart."""
    at = 0
    while at < len(seen):
        end = seen.find(b"\0", at + _SEEN.size)
        end = len(seen) if end < 0 else end
        yield seen[at + _SEEN.size : end], seen[at : at + _SEEN.size]
        at = end + 1


def _by_name(known: FolderRecord) -> dict[bytes, tuple[bytes, bytes]]:
    return {
        name: (record, known.ids[number * (1 + ID) : (number + 1) * (1 + ID)])
        for number, (name, record) in enumerate(_split(known.seen))
    }


def _mode_of(record: bytes) -> int:
    return int.from_bytes(record[:4], "little")


def _never(record: bytes) -> bytes:
    """Change a record so that no file looks like it: it is read again the next time."""
    mode, size, written, _changed, number = _SEEN.unpack(record)
    return _SEEN.pack(mode, size, written, 0, number)


def _is_recent(record: bytes, now: int) -> bool:
    _mode, _size, written, changed, _number = _SEEN.unpack(record)
    return max(written, changed) + _TICK > now


def _content(path: bytes, record: bytes) -> tuple[bytes | None, bool]:
    """Read a file; tell also whether it is known to be still what `record` says."""
    now = time.time_ns()
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return None, False
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None, False
        try:
            data = file.read(LARGE + 1)
            after = os.fstat(fd)
        except OSError:
            return None, False
    if len(data) > LARGE:
        return None, False
    now_seen = _SEEN.pack(after.st_mode, after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino)
    is_same = now_seen == record or sys.platform == "win32"
    return data, is_same and len(data) == after.st_size and not _is_recent(record, now)
