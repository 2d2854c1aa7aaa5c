"""Programs that are talked to through pipes: started with what commands inherit, and ended with all they started.

Knows nothing of what is said. Each is the leader of a session of its own, and is watched over.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO
from uuid import uuid4

import anyio
import anyio.lowlevel
import anyio.to_thread

from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.processes import (
    HAS_PROC,
    Process,
    adopt_orphans,
    belonging,
    end_tree,
    is_alive,
    reap_adopted,
    see_off,
    strays,
)
from openhands_acp.local.watch import Watch

if sys.platform == "win32":
    from openhands_acp.local.shell_windows import end_with_children

logger = logging.getLogger(__name__)

MARK = "OPENHANDS_PROGRAM"
"""Variable by which a process is known for a program's, wherever it went in the process tree."""
GRACE = 0.2
"""Seconds that a program gets to end by itself once its stdin is closed."""
_BLOCK = 65536
_SAID = 4096
"""Characters of its stderr that are kept."""
_STEP, _LONGEST_STEP = 0.001, 0.02
"""Seconds between looks at whether it has ended: longer ones, the longer that takes."""
_REAPING = 500
"""Looks, a millisecond apart, for the exit code of a program that is dead."""
_LAST_WORDS = 0.05
"""Seconds for the rest of its stderr to be read, once it is gone."""


class LocalPrograms:
    """The `Programs` of this machine."""

    def __init__(self, environment: LoginEnvironment, hide: Collection[str] = (), *, has_proc: bool = HAS_PROC) -> None:
        """`hide` names variables that no program may see."""
        self._environment = environment
        self._hide = hide
        self._has_proc = has_proc

    async def start(self, command: str, args: Sequence[str], env: Mapping[str, str], cwd: str) -> LocalProgram:
        mark = uuid4().hex
        inherited = await self._environment.inherited(self._hide)
        environment = {**inherited, **env, "PWD": cwd, MARK: f"{os.environ.get(MARK, '')} {mark}".strip()}
        adopt_orphans()
        return LocalProgram(_popen(command, args, environment, cwd), mark, self._has_proc)


def _popen(command: str, args: Sequence[str], environment: Mapping[str, str], cwd: str) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        # There `npx` is `npx.cmd`, which the system does not find by itself.
        command = shutil.which(command, path=environment.get("PATH")) or command
    return subprocess.Popen(
        [command, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )


@dataclass(slots=True)
class LocalProgram:
    """One of them (`Program`)."""

    process: subprocess.Popen[bytes]
    mark: str
    has_proc: bool = HAS_PROC
    _stdin: IO[bytes] = field(init=False)
    _stdout: IO[bytes] = field(init=False)
    _watch: Watch = field(init=False)
    _listener: threading.Thread = field(init=False)
    _said: str = ""
    _is_silent: bool = False
    """It has closed its stdout."""
    _ending: anyio.Event | None = None
    """There while it is being ended."""
    _is_over: bool = False
    _was_ended: bool = False
    """By us, so that how it ended says nothing about it."""

    def __post_init__(self) -> None:
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._watch = Watch(self.mark, process.pid)
        self._watch.begin()
        if sys.platform != "win32":
            for pipe in (self._stdin, self._stdout):
                os.set_blocking(pipe.fileno(), False)
        self._listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._listener.start()

    # ---------------------------------------------------------------- talking

    async def receive(self) -> bytes:
        try:
            data = b"" if self._stdout.closed else await _read(self._stdout.fileno())
        except (OSError, anyio.ClosedResourceError):
            data = b""
        self._is_silent = self._is_silent or not data
        return data

    async def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest and not self._stdin.closed:
                rest = rest[await _write(self._stdin.fileno(), rest) :]
        except anyio.ClosedResourceError:
            pass
        if rest:
            raise BrokenPipeError(self.outcome or "it is being ended")

    def hang_up(self) -> None:
        """Tell it that there is no more to read."""
        _close(self._stdin)

    async def exited(self) -> int:
        """Wait until it has ended by itself, whatever it left running; return its code."""
        pause = _STEP
        while (code := self.process.poll()) is None:
            await anyio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_STEP)
        return code

    def said(self) -> str:
        return self._said.strip()

    @property
    def outcome(self) -> str:
        code = self.process.poll()
        if self._was_ended or code is None:
            return "it closed its stdout" if self._is_silent else ""
        if code >= 0:
            return f"it exited with code {code}"
        with contextlib.suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name}"
        return f"it was ended by signal {-code}"

    def _listen(self, stderr: IO[bytes]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with stderr, contextlib.suppress(OSError):
            while block := os.read(stderr.fileno(), _BLOCK):
                text = decoder.decode(block)
                self._said = (self._said + text)[-_SAID:]
                logger.debug("%s: %s", self.process.args, text)

    # ---------------------------------------------------------------- ending

    async def end(self) -> None:
        with anyio.CancelScope(shield=True):
            while self._ending is not None:
                await self._ending.wait()
            if self._is_over:
                return
            self._ending = anyio.Event()
            try:
                await self._end()
                self._is_over = True
            finally:
                # Whoever waits takes it up where it was broken off: asyncio's own cancellation, which the library's
                # tasks are ended by, goes through every shield.
                self._ending.set()
                self._ending = None

    async def _end(self) -> None:
        # First: once the end has been seen, the number may be somebody else's.
        self._watch.call_off()
        # Before it is told: those whose parent is gone are nobody's any more, where there is no /proc.
        left = strays(self.process.pid, has_proc=self.has_proc)
        _close(self._stdin)
        if sys.platform == "win32":
            await anyio.to_thread.run_sync(end_with_children, self.process)
        else:
            await self._end_tree(left)
        _close(self._stdout)

    async def _end_tree(self, left: list[Process]) -> None:
        own = self.process.pid

        def find() -> list[Process]:
            if not self.has_proc:
                # Elsewhere one that is dead, and not yet asked for its code, looks as if it lived.
                self.process.poll()
            return [*belonging(own, self.mark, has_proc=self.has_proc), *filter(is_alive, left)]

        is_running = self.process.poll() is None and not self._is_silent
        known = await see_off(find, anyio.current_time() + GRACE)
        self._was_ended = is_running or self.process.poll() is None
        # Until somebody has asked for its exit code, a dead leader keeps the group's number.
        known |= await end_tree(find, own if self.process.returncode is None else None)
        await self._reap()
        reap_adopted(known)
        # All who could write there are gone: its thread ends as soon as it has a turn.
        self._listener.join(_LAST_WORDS)

    async def _reap(self) -> None:
        # It looks dead as soon as its first thread is, and is to be had when the last one is.
        for _ in range(_REAPING):
            if self.process.poll() is not None:
                return
            await anyio.sleep(0.001)


# ---------------------------------------------------------------- pipes


async def _read(file: int) -> bytes:
    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(os.read, file, _BLOCK, abandon_on_cancel=True, limiter=_limiter())
    # One that says more than can be read never has us wait, and nobody else would have a turn.
    await anyio.lowlevel.checkpoint()
    while True:
        try:
            return os.read(file, _BLOCK)
        except BlockingIOError:
            await anyio.wait_readable(file)


async def _write(file: int, data: memoryview) -> int:
    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(os.write, file, data, abandon_on_cancel=True, limiter=_limiter())
    while True:
        try:
            return os.write(file, data)
        except BlockingIOError:
            await anyio.wait_writable(file)


def _limiter() -> anyio.CapacityLimiter:
    """Return one of its own: a thread that waits for a pipe may not keep others from having one."""
    return anyio.CapacityLimiter(1)


def _close(pipe: IO[bytes]) -> None:
    if pipe.closed:
        return
    if sys.platform != "win32":
        # Whoever waits for it wakes up.
        anyio.notify_closing(pipe.fileno())
    with contextlib.suppress(OSError):
        pipe.close()
