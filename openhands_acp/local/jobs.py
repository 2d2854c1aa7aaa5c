"""Commands that nobody follows at the moment: a thread each reads on, so that none ever waits for a reader.

Knows when one has to end, and nothing of patience or of the model.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from openhands_acp.local.output_log import OutputLog
from openhands_acp.local.processes import Process

UNREAD = 1 << 20
"""Characters that are kept for whoever looks next; of more, the latest."""
_PAUSE_AFTER = 1 << 16
_PAUSE = 0.005
"""Seconds after so many characters: what nobody looks at may not keep the machine busy."""
_LONGEST_WAIT = 3600.0


class Ready(Protocol):
    @property
    def output(self) -> bool: ...

    @property
    def ended(self) -> bool: ...


class Readable(Protocol):
    """A command as far as a thread needs it."""

    is_open: bool

    def wait(self, seconds: float) -> Ready: ...

    def wake(self) -> None: ...

    def read(self) -> tuple[str, int]: ...

    def ignore_end(self) -> None: ...


class Unread:
    """Output that nobody has seen yet, the latest of it."""

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        self._held = self._gone = 0

    def add(self, text: str) -> None:
        if not text:
            return
        self._pieces.append(text)
        self._held += len(text)
        while self._held > UNREAD and len(self._pieces) > 1:
            first = self._pieces.popleft()
            self._held -= len(first)
            self._gone += len(first)

    def take(self) -> list[str]:
        """Return it, once."""
        pieces = [f"[… {self._gone:,} characters left out …]\n", *self._pieces] if self._gone else list(self._pieces)
        self._pieces.clear()
        self._held = self._gone = 0
        return pieces


class Minder:
    """Reads one command in a thread until it is told to stop, and ends it when its time is over."""

    def __init__(self, shell: Readable, log: OutputLog, ends_at: float, end: Callable[[], set[Process]]) -> None:
        self.unread = Unread()
        self.ended_at: float | None = None
        """When it was seen to have ended, by `time.monotonic`."""
        self.timed_out = False
        self.found: set[Process] = set()
        """What it ended when its time was over."""
        self._shell = shell
        self._log = log
        self._ends_at = ends_at
        self._end = end
        self._stop = False
        self._thread = threading.Thread(target=self._mind, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make it let go, and wait until it has: as long as reading one block takes, or ending the command."""
        self._stop = True
        self._shell.wake()
        self._thread.join()

    def _mind(self) -> None:
        read_since_pause = 0
        while not self._stop and (self._shell.is_open or self.ended_at is None):
            if self.ended_at is None and time.monotonic() >= self._ends_at:
                self.found = self._end()
                self.timed_out = True
                self._shell.ignore_end()
                self.ended_at = time.monotonic()
            left = self._ends_at - time.monotonic() if self.ended_at is None else _LONGEST_WAIT
            ready = self._shell.wait(max(0.0, min(left, _LONGEST_WAIT)))
            if ready.output:
                text, _ = self._shell.read()
                self.unread.add(text)
                self._log.add(text)
                read_since_pause += len(text)
            elif ready.ended and self.ended_at is None:
                self.ended_at = time.monotonic()
                self._shell.ignore_end()
            if read_since_pause >= _PAUSE_AFTER:
                read_since_pause = 0
                # In a thread of its own, for the others: a command that floods would keep the interpreter's lock.
                time.sleep(_PAUSE)
