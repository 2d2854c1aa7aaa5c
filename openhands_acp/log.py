"""The log: to stderr, which an editor may never read, or to a file.

Knows no other file of ours: whatever happens, writing a line here neither waits nor fails.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from pathlib import Path

_PIECE = 512
"""Bytes that a pipe takes whole once it is writable: POSIX's least PIPE_BUF."""


class LossyStderr:
    """Stderr as a stream that drops what nobody takes.

    A client that never reads our stderr (Toad, clients.md rule 15) would otherwise stop us when the
    pipe is full, and SIGTERM could not end a process that waits in a log line.
    """

    def write(self, text: str) -> int:
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while rest and _takes_more():
                rest = rest[os.write(2, rest[:_PIECE]) :]
        except OSError:
            # Closed: there is nobody to tell.
            pass
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def log_to(file: Path | None) -> None:
    """Send everything that is logged, and Python's own warnings, to `file` or to stderr."""
    handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler(LossyStderr())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if file else logging.WARNING, handlers=[handler])
    logging.captureWarnings(capture=True)
    # A record that cannot be written is not worth a traceback on the same stream.
    logging.raiseExceptions = False


def _takes_more() -> bool:
    return sys.platform == "win32" or bool(select.select((), (2,), (), 0)[1])
