"""Standard input and output as a channel that nothing else in the process can touch."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from typing import Literal

import anyio
import anyio.to_thread

Tap = Callable[[Literal["in", "out"], bytes], None]
"""Sees all bytes of both directions, as they pass."""

_READ = 256 * 1024


class Stdio:
    """The process's own stdin and stdout, taken over.

    From then on fd 0 is empty and fd 1 is stderr, so neither a stray `print`, nor a C library, nor
    a child process can read from or write to the client. Not inherited by children.
    """

    def __init__(self, tap: Tap | None = None) -> None:
        self._tap = tap
        _open_what_is_closed()
        self._input, self._output = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._input_waits = _is_stream(self._input) or os.isatty(self._input)
        if _is_stream(self._output):
            # Not a terminal: it shares this flag with the shell that started us.
            os.set_blocking(self._output, False)

    async def read(self) -> bytes:
        if sys.platform == "win32":
            data = await anyio.to_thread.run_sync(os.read, self._input, _READ, abandon_on_cancel=True)
        else:
            if self._input_waits:
                await anyio.wait_readable(self._input)
            data = self._read()
        if self._tap is not None and data:
            self._tap("in", data)
        return data

    def _read(self) -> bytes:
        try:
            return os.read(self._input, _READ)
        except ConnectionResetError:
            # The end of a socket whose client went and left something of ours unread.
            return b""

    async def write(self, data: bytes) -> None:
        if self._tap is not None:
            self._tap("out", data)
        if sys.platform == "win32":
            await anyio.to_thread.run_sync(_write_all, self._output, data)
            return
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._output, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._output)


def _open_what_is_closed() -> None:
    """Give fds 0, 1 and 2 something: else the next file opened would be one of them."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest number that is free, which is this one.


def _is_stream(fd: int) -> bool:
    """Tell whether the system can say when `fd` is ready: pipes and sockets, not files."""
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
