"""A disk that takes no more, without filling one: what this process, or another, writes beyond a size is refused."""

from __future__ import annotations

import os
import resource
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def full_disk(size: int, pid: int | None = None) -> Generator[None]:
    """Let no file of the process grow beyond `size`."""
    pid = os.getpid() if pid is None else pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
