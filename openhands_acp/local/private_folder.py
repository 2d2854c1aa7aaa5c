"""A folder of this process alone, that goes with it: at its end, or with the next one if it was killed.

Its owner holds a lock in it, which the system frees with the process; a folder whose lock is free is nobody's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl

_PREFIX = "openhands-acp-"
_LOCK = "lock"
_YOUNG = 60.0
"""Seconds for whoever makes one to take its lock."""


class PrivateFolder:
    """Made at once, on a system with POSIX; `close` removes it, and so does the collector."""

    def __init__(self) -> None:
        place = _place()
        _sweep(place)
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        lock = os.open(os.path.join(self.path, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._remove: weakref.finalize[Any, PrivateFolder] = weakref.finalize(self, _removed, self.path, lock)

    def close(self) -> None:
        self._remove()


def _place() -> str:
    # In memory where there is such a place: what is kept there may be secret, and it is faster.
    places = (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")
    return next((place for place in places if place and os.access(place, os.W_OK | os.X_OK)), tempfile.gettempdir())


def _sweep(place: str) -> None:
    """Remove what a process left that was killed. Never fails."""
    with contextlib.suppress(OSError):
        for folder in Path(place).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    status = folder.lstat()
    if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _YOUNG:
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        # Raises OSError while its owner lives.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def _removed(path: str, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)
