"""The whole output of one command in a file that can be searched, once there is more than a model is shown.

Knows nothing of processes. A disk that fails costs the file, never the command.
"""

from __future__ import annotations

import logging
import os
from hashlib import sha256
from pathlib import Path

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import SHOWN
from openhands_acp.engine.screen import Cleaner

logger = logging.getLogger(__name__)

LARGEST = 64 << 20
"""Bytes; what comes after is left out, and said to be."""
_FULL = "\n[… the output went on; this file holds no more …]\n"


class OutputLog:
    """Takes the output as it comes; the file is made when it is needed, and never if `place` is None."""

    def __init__(self, place: Path | None) -> None:
        self._place = place
        # One line that can be overwritten: what is in a file is there for good.
        self._cleaner = Cleaner(rows=0)
        self._early: list[str] = []
        self._size = 0
        self._is_closed = False
        self._file: int | None = None
        """Its descriptor."""
        self._hash = sha256()
        self._bytes = 0

    @property
    def path(self) -> AbsPath | None:
        """The file, if there is one."""
        return AbsPath(str(self._place)) if self._file is not None and self._place is not None else None

    @property
    def kept(self) -> KeptOutput | None:
        """The file as it is now, if there is one; for good once it is closed."""
        return KeptOutput(self.path, self._hash.hexdigest(), self._bytes) if self.path is not None else None

    def add(self, text: str) -> None:
        if self._place is not None and self._size < LARGEST:
            self._write(self._cleaner.feed(text))

    def begin(self) -> None:
        """Make the file now, for output that somebody will want to look up."""
        if self._file is None and self._place is not None:
            self._open(self._place)

    def close(self) -> None:
        """Write what is left. The file stays, and so does `path`."""
        if self._place is not None and self._size < LARGEST:
            self._write(self._cleaner.finish())
        if self._file is not None and not self._is_closed:
            os.close(self._file)
            self._is_closed = True

    def _write(self, text: str) -> None:
        if not text:
            return
        self._size += len(text)
        if self._file is None:
            self._early.append(text)
            if self._size > SHOWN:
                self.begin()
        else:
            self._put(self._file, text)
        if self._size >= LARGEST and self._file is not None:
            self._put(self._file, _FULL)

    def _open(self, place: Path) -> None:
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            self._give_up(error)
            return
        self._put(self._file, "".join(self._early))
        self._early.clear()

    def _put(self, file: int, text: str) -> None:
        try:
            data = memoryview(text.encode(errors="replace"))
            self._hash.update(data)
            self._bytes += len(data)
            while data:
                data = data[os.write(file, data) :]
        except OSError as error:
            os.close(file)
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        logger.warning("the output of a command is not kept in %s: %s", self._place, error)
        self._place = self._file = None
        self._early.clear()
