"""`openhands-acp` at a pseudo-terminal, and the person in front of it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.harness.waiting import PATIENCE

# The child must be the terminal's own session, or Ctrl-C and the hidden question would not reach it.
_TAKE_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "openhands_acp", *sys.argv[1:]])
"""


class Terminal:
    """Every wait is bounded."""

    def __init__(self, home: Path, *words: str) -> None:
        self.shown = ""
        self._seen = 0
        self._master, slave = pty.openpty()
        environ = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
        environ |= {"OPENHANDS_PERSISTENCE_DIR": str(home), "TERM": "dumb", "COLUMNS": "300"}
        environ.pop("LLM_MODEL", None)
        self._child = subprocess.Popen(
            [sys.executable, "-c", _TAKE_THE_TERMINAL, *words],
            env=environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.wait()
        os.close(self._master)

    def answer(self, question: str, text: str) -> str:
        """Wait for `question`, then type; return what was shown since the last answer."""
        self._read_until(lambda: question in self.shown[self._seen :])
        shown = self.shown[self._seen :]
        self._seen = len(self.shown)
        os.write(self._master, f"{text}\n".encode())
        return shown

    def answer_hidden(self, question: str, text: str) -> None:
        """Type once the echo is off: what is typed before that, the program throws away."""
        self._read_until(lambda: question in self.shown[self._seen :] and not self._echoes())
        self.answer(question, text)

    def wait(self) -> int:
        self._read_until(lambda: self._child.poll() is not None)
        self._read()
        return self._child.returncode

    def _echoes(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def _read_until(self, is_done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_done():
            assert time.monotonic() < end, self.shown
            self._read()

    def _read(self) -> None:
        ready, _, _ = select.select([self._master], [], [], 0.02)
        try:
            self.shown += os.read(self._master, 65536).decode() if ready else ""
        except OSError:
            # The child has closed its end: all has been read.
            return
