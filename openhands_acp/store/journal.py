"""One session's events on disk: append-only JSONL in a folder of its own.

Rules of this file: a record is one `write`, so it is there whole or as a torn last line, never in
between; nothing already written is touched; a disk that fails costs one notice, never the session.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from openhands_acp.engine.events import Entry, TurnStarted
from openhands_acp.store.codec import to_json

JOURNAL_NAME = "journal.jsonl"


class FileJournal:
    """Holds back its first records until a turn starts: an untouched session leaves no trace."""

    def __init__(self, folder: Path, on_failure: Callable[[str], None]) -> None:
        """`on_failure` is told once, in a sentence, that the session goes on in memory only."""
        self._path = folder / JOURNAL_NAME
        self._on_failure = on_failure
        self._fd: int | None = None
        self._held: list[bytes] = []
        self._has_failed = False

    def append(self, entry: Entry) -> None:
        if self._has_failed:
            return
        line = json.dumps(to_json(entry), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if self._fd is None:
            self._held.append(line + b"\n")
            if not isinstance(entry.event, TurnStarted):
                return
            line = b"".join(self._held)[:-1]
            self._held.clear()
        try:
            self._write(line + b"\n")
        except OSError as error:
            self._fail(error)

    def sync(self) -> None:
        fd = self._fd
        if fd is None or self._has_failed:
            return
        try:
            os.fsync(fd)
        except OSError as error:
            # Called from a thread, so the session may have been closed meanwhile.
            if self._fd is not None:
                self._fail(error)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._has_failed = True

    def _write(self, data: bytes) -> None:
        if self._fd is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if os.write(self._fd, data) != len(data):
            raise OSError(28, "the record was cut short", str(self._path))

    def _fail(self, error: OSError) -> None:
        self._has_failed = True
        self._on_failure(
            f"This session cannot be saved: {error.strerror} ({self._path}). It goes on, but only in memory."
        )
