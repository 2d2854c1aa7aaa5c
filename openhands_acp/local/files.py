"""The local disk as the `Files` port: exact bytes, atomic writes, links and modes kept.

Knows neither who asks nor whether they may.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from anyio import to_thread

from openhands_acp.engine.paths import AbsPath, MadeFolders
from openhands_acp.engine.ports import DirEntry, FileChanged, TextFile, UnreadableFile
from openhands_acp.local import charsets
from openhands_acp.local.text import decode, decode_as, encode

R = TypeVar("R")

LIMIT = 10 * 1024 * 1024
_QUICK = 256 * 1024
"""Files up to this size take less time than the way to a worker thread and back."""
_ANY_WRITE_BIT = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_CANNOT_REPLACE = (errno.EACCES, errno.EPERM, errno.EBUSY)
"""The folder is read-only, the owner is somebody else, or the file itself is a mount point."""


class LocalFiles:
    """`Files` on this machine's disk. A link is followed: its target is read and written."""

    def __init__(self) -> None:
        self._folders = MadeFolders()

    async def read(self, path: AbsPath) -> TextFile:
        source = Path(path)
        data = await _in_time(_size(source), lambda: _read(source))
        return replace(await _text_file(data), mode=_mode(source))

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        data = encode(file)
        expected = None if replaces is None else encode(replaces)
        # One call from comparing to replacing: nothing of ours can come between.
        found = await _in_time(len(data), lambda: self._write(_real(path), data, expected, file.mode))
        if found != expected:
            raise FileChanged(path, None if found is None else await _text_file(found))
        return file

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        expected = encode(replaces)
        found = await _in_time(len(expected), lambda: self._remove(_real(path), expected))
        if found != expected:
            raise FileChanged(path, None if found is None else await _text_file(found))

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        source = Path(path)
        return await _in_time(_size(source), lambda: _read(source, limit))

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        return await to_thread.run_sync(_entries, Path(path), abandon_on_cancel=True)

    def _write(self, path: Path, data: bytes, expected: bytes | None, mode: int | None) -> bytes | None:
        """Write if the file is `expected`; return what it was."""
        found = _read_if_there(path)
        if found != expected:
            return found
        if found is not None:
            _refuse_read_only(path)
            _replace(path, data)
            return found
        self._folders.make_for(str(path))
        try:
            _create(path, data, mode)
        except FileExistsError:
            return _read(path)
        except OSError:
            self._folders.remove_for(str(path))
            raise
        return None

    def _remove(self, path: Path, expected: bytes) -> bytes | None:
        found = _read_if_there(path)
        if found == expected:
            path.unlink()
            self._folders.remove_for(str(path))
        return found


async def _in_time(size: int, work: Callable[[], R]) -> R:
    """Do `work` here if `size` bytes are few, else in a worker thread. Never abandoned half done."""
    return work() if size <= _QUICK else await to_thread.run_sync(work)


async def _text_file(data: bytes) -> TextFile:
    file = decode(data)
    if file is None:
        file = decode_as(data, await to_thread.run_sync(charsets.guess, data))
    return file


def _real(path: AbsPath) -> Path:
    # `realpath`, because `Path.resolve` raises RuntimeError for a loop of links before Python 3.13.
    return Path(os.path.realpath(path))


# ---------------------------------------------------------------- reading


def _size(path: Path) -> int:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        # Opening a pipe or a device could wait for ever.
        raise UnreadableFile("not a regular file: a device, pipe or socket cannot be read or edited as text")
    return status.st_size


def _mode(path: Path) -> int | None:
    # Not what lets a program run as its owner: that was given to another file.
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except OSError:
        return None


def _read(path: Path, limit: int = LIMIT) -> bytes:
    size = _size(path)
    if size <= limit:
        with path.open("rb") as stream:
            # The size is not believed: files in /proc say 0, logs grow.
            data = stream.read(limit + 1)
        if len(data) <= limit:
            return data
        size = len(data)
    allowed = f"{limit / 1024 / 1024:g}MB"
    raise UnreadableFile(f"File is too large ({size / 1024 / 1024:.1f} MB). Maximum allowed size is {allowed}.")


def _read_if_there(path: Path) -> bytes | None:
    try:
        return _read(path)
    except FileNotFoundError:
        return None


def _entries(path: Path) -> list[DirEntry]:
    with os.scandir(path) as scan:
        return sorted((DirEntry(entry.name, entry.is_dir()) for entry in scan), key=lambda entry: entry.name)


# ---------------------------------------------------------------- writing


def _create(path: Path, data: bytes, mode: int | None) -> None:
    # Not by way of a temporary file: only an exclusive open cannot overwrite somebody's new file.
    with path.open("xb") as stream:
        try:
            stream.write(data)
            stream.flush()
            if mode is not None:
                path.chmod(mode)
        except OSError:
            path.unlink()
            raise


def _refuse_read_only(path: Path) -> None:
    """Raise for a file without any write bit, which replacing would get round, and root would not notice."""
    if not path.stat().st_mode & _ANY_WRITE_BIT or not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only", str(path))


def _replace(path: Path, data: bytes) -> None:
    status = path.stat()
    if status.st_nlink > 1:
        # Its other names must go on naming the same file.
        _overwrite(path, data)
        return
    try:
        _replace_atomically(path, data, status)
    except OSError as error:
        if error.errno not in _CANNOT_REPLACE:
            raise
        _overwrite(path, data)


def _replace_atomically(path: Path, data: bytes, status: os.stat_result) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".openhands-", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        _dress(temporary, path, status)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _dress(temporary: Path, path: Path, status: os.stat_result) -> None:
    """Give the new file the owner, mode and extended attributes of the old."""
    if sys.platform != "win32":
        made = temporary.stat()
        if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
            os.chown(temporary, status.st_uid, status.st_gid)
    if sys.platform == "linux":
        # Best effort: file systems and security modules differ in what they let through.
        with suppress(OSError):
            for attribute in os.listxattr(path):
                os.setxattr(temporary, attribute, os.getxattr(path, attribute))
    # Last, because changing the owner clears some bits.
    temporary.chmod(stat.S_IMODE(status.st_mode))


def _overwrite(path: Path, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.write(data)
        stream.truncate()
