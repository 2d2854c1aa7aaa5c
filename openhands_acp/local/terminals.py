"""Commands on this machine: a fresh shell for each, its output as it comes, its whole tree ended.

What a command leaves running lives on, unread, until `close`. Knows nothing of tools or of the model.
"""

from __future__ import annotations

import codecs
import contextlib
import math
import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import anyio

from openhands_acp.engine.ports import Command, Exit, Sink
from openhands_acp.local.processes import (
    Process,
    adopt_orphans,
    carries,
    children,
    descendants,
    end_tree,
    is_alive,
    look,
    reap_adopted,
    see_off,
    session_of,
)

if sys.platform == "win32":
    from openhands_acp.local.terminals_windows import run_on_windows
else:
    import fcntl
    import termios

BLOCK = 65536
QUIET = 0.1
"""Seconds without output after which the sink is called with no text, so that a throttled view can catch up."""
LINGER = 0.05
"""Seconds to go on reading when the shell is gone but its output is still held open."""
MARK = "OPENHANDS_TERMINAL"
"""Variable by which a process is known for a command's, wherever it went in the process tree."""

# CI is left alone: it changes what builds do, not only how they talk. So is NO_COLOR: without a
# terminal few programs colour, and Node warns on every start where it meets FORCE_COLOR.
QUIETENED: Mapping[str, str] = {
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PYTHONUNBUFFERED": "1",
}


class LocalTerminals:
    """The `Terminals` of this machine. `hide` names variables that no command may see."""

    def __init__(self, *, hide: frozenset[str] = frozenset()) -> None:
        self._hide = hide
        self._marks: set[str] = set()
        self._left: set[Process] = set()
        self._adopts = False

    async def run(self, command: Command, sink: Sink) -> Exit:
        """Run in a fresh shell. When there has been no output for a while, `sink` is called with none.

        Raises OSError as the system does when the shell cannot start there.
        """
        if sys.platform == "win32":
            return await run_on_windows(command, sink, environment(self._hide, uuid4().hex))
        self._tidy()
        started = time.monotonic()
        shell = _start(command, self._hide)
        is_over = timed_out = False
        try:
            timed_out = await _follow(shell, sink, anyio.current_time() + command.timeout)
            if timed_out:
                await self._end(shell)
            seen = await _drain(shell, sink)
            self._left |= seen
            is_over = True
        finally:
            if not is_over:
                await self._end(shell)
            left = self._let_go(shell, keep_reading=is_over and shell.is_open)
        code = None if timed_out else shell.process.returncode
        return _exit(code, time.monotonic() - started, left, timed_out=timed_out)

    async def close(self) -> None:
        """End everything that a command left running, and what came of it."""
        with anyio.CancelScope(shield=True):
            ended = await end_tree(self._find_left)
            self._left |= ended
        reap_adopted(self._left)
        self._left.clear()
        self._marks.clear()

    def _tidy(self) -> None:
        if not self._adopts:
            adopt_orphans()
            self._adopts = True
        reap_adopted(self._left)
        self._left = set(filter(is_alive, self._left))

    async def _end(self, shell: _Shell) -> None:
        with anyio.CancelScope(shield=True):
            ended = await end_tree(shell.find, shell.process.pid if shell.process.returncode is None else None)
            self._left |= ended

    def _let_go(self, shell: _Shell, *, keep_reading: bool) -> tuple[int, ...]:
        left = [process for process in shell.find() if process.pid != shell.process.pid]
        shell.release(keep_reading=keep_reading)
        self._left.update(left)
        reap_adopted(self._left)
        if not left:
            return ()
        self._marks.add(shell.mark)
        return tuple(sorted(abs(process.pid) for process in left))

    def _find_left(self) -> list[Process]:
        # Also what they started since, and what that left behind in turn.
        roots = [process.pid for process in self._left if is_alive(process)]
        roots += [child for child in children(os.getpid()) if carries(child, self._marks)]
        return _families(roots)


# ---------------------------------------------------------------- one shell


@dataclass(slots=True)
class _Shell:
    process: subprocess.Popen[bytes]
    mark: str
    output: int
    exited: int
    """Becomes readable when the shell has ended."""
    either: selectors.DefaultSelector
    """Itself readable when one of the two is."""
    decoder: codecs.IncrementalDecoder
    is_open: bool = True

    def find(self) -> list[Process]:
        """Find all that is left of its tree, also what lost its parent or left its session."""
        own = self.process.pid
        if sys.platform != "linux":
            self.process.poll()
            group = look(-own)
            return [group] if group else []
        orphans = (child for child in children(os.getpid()) if child != own)
        marks = (self.mark,)
        roots = [own, *(child for child in orphans if session_of(child) == own or carries(child, marks))]
        return _families(roots)

    async def ready(self, until: float) -> set[int]:
        """Wait for output or the end; returns the readable descriptors, none if `until` came first."""
        with anyio.CancelScope(deadline=until):
            await anyio.wait_readable(self.either.fileno())
        return {key.fd for key, _ in self.either.select(0)}

    async def pass_on(self, sink: Sink, limit: int = BLOCK) -> int:
        """Read once what is there, and wait until `sink` has taken it; returns how many bytes."""
        try:
            block = os.read(self.output, min(limit, BLOCK))
        except BlockingIOError:
            return 0
        if not block:
            self.is_open = False
            self.either.unregister(self.output)
        text = self.decoder.decode(block, final=not block)
        if text:
            await sink(text)
        return len(block)

    def release(self, *, keep_reading: bool) -> None:
        """Give back the shell and the descriptors; call it once, when the shell has ended."""
        self.process.poll()
        self.either.close()
        os.close(self.exited)
        if not keep_reading:
            os.close(self.output)
            return
        # Nobody reading would stop what was left running: by SIGPIPE, or by a pipe that is full.
        os.set_blocking(self.output, True)
        threading.Thread(target=_discard, args=(self.output,), daemon=True).start()


def _start(command: Command, hide: frozenset[str]) -> _Shell:
    mark = uuid4().hex
    with contextlib.ExitStack() as undo:
        output, theirs = os.pipe()
        undo.callback(os.close, output)
        with contextlib.ExitStack() as parent_only:
            parent_only.callback(os.close, theirs)
            process = subprocess.Popen(
                [_shell_path(), "-c", command.line],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=subprocess.STDOUT,
                cwd=command.cwd,
                env=environment(hide, mark),
                start_new_session=True,
            )
        os.set_blocking(output, False)
        exited = exit_watch(process)
        either = selectors.DefaultSelector()
        either.register(output, selectors.EVENT_READ)
        either.register(exited, selectors.EVENT_READ)
        undo.pop_all()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return _Shell(process, mark, output, exited, either, decoder)


async def _follow(shell: _Shell, sink: Sink, deadline: float) -> bool:
    """Pass on output until the shell ends; returns whether `deadline` came first."""
    # The deadline never interrupts the sink, which may be in the middle of a piece.
    quiet_at = math.inf
    while anyio.current_time() < deadline:
        ready = await shell.ready(min(deadline, quiet_at))
        if shell.exited in ready:
            return False
        if shell.output in ready:
            await shell.pass_on(sink)
            quiet_at = anyio.current_time() + QUIET
        elif anyio.current_time() >= quiet_at:
            await sink("")
            quiet_at = math.inf
    return True


async def _drain(shell: _Shell, sink: Sink) -> set[Process]:
    """Pass on all that was written before the shell ended, and what comes right after it.

    Returns the processes that it saw outlive the shell, if only for a moment.
    """
    # Looked at first: whoever is dead by the next look, in a session of its own, cannot be told from a
    # child of somebody else here, and stays a zombie.
    seen = set(shell.find())
    shell.either.unregister(shell.exited)
    waiting = shell.is_open and _bytes_waiting(shell.output)
    while waiting > 0 and shell.is_open:
        waiting -= await shell.pass_on(sink, waiting)
    # A process substitution, or a server that fails to start, has its say a moment later.
    until = anyio.current_time() + LINGER
    while shell.is_open and anyio.current_time() < until:
        if await shell.ready(until):
            await shell.pass_on(sink)
    if shell.is_open and (text := shell.decoder.decode(b"", final=True)):
        await sink(text)
    # Whoever closed the output last may be about to end: that is not left running.
    return seen | await see_off(shell.find, until)


def _exit(returncode: int | None, seconds: float, left: tuple[int, ...], *, timed_out: bool) -> Exit:
    if returncode is None or returncode >= 0:
        return Exit(returncode, None, timed_out, seconds, left)
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        # A real-time signal, of which only the first and last have names.
        name = f"signal {-returncode}"
    return Exit(None, name, timed_out, seconds, left)


def _families(roots: Iterable[int]) -> list[Process]:
    found = {look(pid) for root in roots for pid in (root, *descendants(root))}
    return [process for process in found if process is not None]


# ---------------------------------------------------------------- the system


def environment(hide: frozenset[str], mark: str) -> dict[str, str]:
    """Return ours without what is hidden, and with what keeps programs from waiting for a person."""
    inherited = {name: value for name, value in os.environ.items() if name not in hide}
    # An agent inside a command of an agent: its commands are known to both.
    marks = f"{os.environ.get(MARK, '')} {mark}".strip()
    return {**inherited, **QUIETENED, MARK: marks}


def exit_watch(process: subprocess.Popen[bytes]) -> int:
    """Return a descriptor that becomes readable when the process has ended. The caller closes it."""
    if sys.platform == "linux":
        # A kernel before 5.3, or a sandbox without the call, has the thread instead.
        with contextlib.suppress(OSError):
            return os.pidfd_open(process.pid)
    return exit_watch_by_thread(process)


def exit_watch_by_thread(process: subprocess.Popen[bytes]) -> int:
    """Do what `exit_watch` does with a thread that waits; for systems without process descriptors."""
    watch, held = os.pipe()

    def hold() -> None:
        process.wait()
        os.close(held)

    threading.Thread(target=hold, daemon=True).start()
    return watch


def _shell_path() -> str:
    known = (shutil.which("bash"), "/bin/bash", "/usr/bin/bash", shutil.which("sh"), "/bin/sh")
    return next((path for path in known if path and os.access(path, os.X_OK)), "/bin/sh")


def _bytes_waiting(file: int) -> int:
    return int.from_bytes(fcntl.ioctl(file, termios.FIONREAD, bytes(4)), sys.byteorder)


def _discard(file: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(file, BLOCK):
            pass
    os.close(file)
