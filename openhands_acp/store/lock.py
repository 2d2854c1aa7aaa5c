"""Who owns a session: a lock of the operating system, which dies with the process that holds it.

Knows processes and a file; nothing of what the file stands for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path

from openhands_acp.engine.ports import Taken

if sys.platform != "win32":
    import fcntl

BINARY = getattr(os, "O_BINARY", 0)
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)

_FAR = 1 << 30
"""Where Windows locks a byte: beyond the text, which others may read."""
MOMENT = 0.2
"""Seconds in which others have looked, and an owner has said who it is, however busy the machine: both are one step."""
AGAIN = 0.001
"""Seconds between two tries."""


class Lock:
    """Owned from the moment it is made until `release`, and by one of a process's objects at a time."""

    def __init__(self, path: Path) -> None:
        """Raises Taken, and OSError where locks or files cannot be had."""
        about = _about_us()
        self._fd = _locked(path)
        # On a full disk it is locked all the same, and only says less.
        with suppress(OSError):
            os.write(self._fd, about)
            os.ftruncate(self._fd, len(about))

    def release(self) -> None:
        """Give it up; more than once does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                # The next owner is not to be taken for this one, before it has said who it is.
                os.ftruncate(fd, 0)
            # By name and not only by closing: a child that is just being started holds a copy until its `exec`.
            unlock(fd)
            os.close(fd)


def owner_of(path: Path) -> str:
    """Say who owns what this file is the lock of, in the middle of a sentence; empty if nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY | BINARY | NOFOLLOW)
    except OSError:
        return ""
    try:
        return "" if _is_free(fd) else _owner(fd)
    except OSError:
        # Locks cannot be had here, so nobody has one.
        return ""
    finally:
        os.close(fd)


def _locked(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | BINARY | NOFOLLOW, 0o600)
        try:
            _lock(fd)
            if is_still_there(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        # Deleted between the two steps: a lock on a file that nobody finds keeps nobody out.
        os.close(fd)


def _lock(fd: int) -> None:
    """Raises Taken."""
    until = time.monotonic() + MOMENT
    while not try_lock(fd):
        if not _is_free(fd) or time.monotonic() > until:
            raise Taken(f"this session is {_owner(fd)}; close it there, then send this again")
        time.sleep(AGAIN)


def _is_free(fd: int) -> bool:
    """Tell whether nobody owns it. Whoever looks has it for a moment, and shares it with others who do."""
    if sys.platform == "win32":
        if not try_lock(fd):
            return False
    else:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    unlock(fd)
    return True


def is_still_there(fd: int, path: Path) -> bool:
    """Tell whether an open file is the one that is found at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def try_lock(fd: int) -> bool:
    """Lock an open file unless somebody else has it; tell whether it worked."""
    if sys.platform == "win32":
        windows = import_module("msvcrt")
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            windows.locking(fd, windows.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share_lock(fd: int) -> None:
    """Wait until nobody has an open file for themselves, and keep it so; on Windows, do not bother."""
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_SH)


def unlock(fd: int) -> None:
    """Give up the lock of an open file."""
    if sys.platform == "win32":
        windows = import_module("msvcrt")
        os.lseek(fd, _FAR, os.SEEK_SET)
        windows.locking(fd, windows.LK_UNLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _about_us() -> bytes:
    program = Path(sys.argv[0] if sys.argv else "")
    about = {
        "pid": os.getpid(),
        "program": program.parent.name if program.name == "__main__.py" else program.name,
        "parent": _name_of(os.getppid()),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    return json.dumps(about).encode()


def _name_of(pid: int) -> str:
    """Return the name of a process where the system tells it in a file: an editor's, for a person to recognise."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _owner(fd: int) -> str:
    until = time.monotonic() + MOMENT
    while not (owner := _named(_content(fd))):
        if time.monotonic() > until:
            return "open in another process"
        time.sleep(AGAIN)
    return owner


def _content(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    return os.read(fd, 4096)


def _named(content: bytes) -> str:
    """Word what an owner wrote; empty if it has yet to do so, or could not."""
    try:
        about = json.loads(content)
        pid, program, parent = int(about["pid"]), str(about["program"]), str(about["parent"])
        since = datetime.fromisoformat(about["since"])
    except (ValueError, KeyError, TypeError):
        return ""
    if pid == os.getpid():
        return "already open in this window"
    names = [program] if program else []
    names += [f"started by {parent}"] if parent else []
    named = f" ({', '.join(names)})" if names else ""
    return f"open in another window: process {pid}{named} has had it since {since:%Y-%m-%d %H:%M}"
