"""Commands on Windows, where neither pipes nor processes can be waited for together: threads do it.

What a command leaves running there is not found again: Windows keeps no line of descent.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import queue
import subprocess
import threading
import time
from collections.abc import Mapping

import anyio
import anyio.to_thread

from openhands_acp.engine.ports import Command, Exit, Sink

_BLOCK = 65536
_TICK = 0.1
"""Seconds after which a wait looks up: for a cancellation, the deadline, or the end of the shell."""
_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)

_Blocks = queue.Queue[bytes]


async def run_on_windows(command: Command, sink: Sink, environment: Mapping[str, str]) -> Exit:
    """Run in the system's command interpreter; the tree is ended on timeout and on cancellation."""
    started = time.monotonic()
    process = _start(command, environment)
    # Short, so that a command that floods waits for whoever reads.
    blocks: _Blocks = queue.Queue(4)
    over = threading.Event()
    threading.Thread(target=_read, args=(process, blocks, over), daemon=True).start()
    timed_out = False
    try:
        timed_out = await _follow(process, blocks, sink, started + command.timeout)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_end, process)
        over.set()
        _make_room(blocks)
    code = None if timed_out else process.returncode
    return Exit(code, None, timed_out, time.monotonic() - started)


def _start(command: Command, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.line,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=command.cwd,
        env=environment,
        creationflags=_FLAGS,
    )


async def _follow(process: subprocess.Popen[bytes], blocks: _Blocks, sink: Sink, deadline: float) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        # Asked before the wait: a shell that had ended by then has written all it ever will.
        has_ended = process.poll() is not None
        block = await anyio.to_thread.run_sync(_next, blocks)
        if block:
            await sink(decoder.decode(block))
        elif block == b"" or has_ended:
            if rest := decoder.decode(b"", final=True):
                await sink(rest)
            await anyio.to_thread.run_sync(_wait, process, deadline)
            return process.poll() is None
        else:
            await sink("")
        if time.monotonic() >= deadline:
            return process.poll() is None


def _next(blocks: _Blocks) -> bytes | None:
    try:
        return blocks.get(timeout=_TICK)
    except queue.Empty:
        return None


def _read(process: subprocess.Popen[bytes], blocks: _Blocks, over: threading.Event) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        while not over.is_set() and (block := os.read(output.fileno(), _BLOCK)):
            blocks.put(block)
    blocks.put(b"")


def _make_room(blocks: _Blocks) -> None:
    """Let the reading thread go on to its end, which may be waiting for a place."""
    with contextlib.suppress(queue.Empty):
        while True:
            blocks.get_nowait()


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    taskkill = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(taskkill, capture_output=True, check=False, timeout=1)
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
