"""One command in a shell and a terminal of its own, on a system with POSIX: started, read, typed into, ended.

Knows nothing of patience, jobs or the model; whoever owns a `Shell` decides when it is read, and from where.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio

from openhands_acp.engine.keys import INTERRUPT
from openhands_acp.local.keyboard import makes_signals, takes_single_keys, waits_for_keyboard
from openhands_acp.local.processes import (
    HAS_PROC,
    Process,
    belonging,
    end_tree,
    end_tree_in_thread,
    interrupt,
    session_of,
    strays,
)
from openhands_acp.local.shell_state import arguments

if sys.platform != "win32":
    import fcntl
    import termios

BLOCK = 65536
ROWS, COLUMNS = 40, 160
"""Wide, so that little is wrapped or cut; not as wide as rulers that are drawn across would cost."""
_IUTF8 = 0x4000


@dataclass(frozen=True, slots=True)
class Ready:
    """What can be done without waiting; nothing if the time was up, or somebody called `wake`."""

    output: bool = False
    ended: bool = False


@dataclass(slots=True)
class Shell:
    process: subprocess.Popen[bytes]
    mark: str
    terminal: int
    """Our side of it."""
    terminal_name: str
    exited: int
    """Becomes readable when the shell has ended."""
    wakes: tuple[int, int]
    """A pipe: a byte in it ends a `wait`."""
    selector: selectors.DefaultSelector
    """Itself readable when one of the three is."""
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )
    has_proc: bool = HAS_PROC
    is_open: bool = True
    """Somebody may still write to the terminal."""
    _is_end_ignored: bool = False

    # ---------------------------------------------------------------- reading and writing

    async def ready(self, until: float) -> Ready:
        """Wait for output or the end, but not past `until` by `anyio.current_time`."""
        with anyio.CancelScope(deadline=until):
            await anyio.wait_readable(self.selector.fileno())
        return self.wait(0)

    def wait(self, seconds: float) -> Ready:
        """Do the same in a thread, where it blocks."""
        files = {key.fd for key, _ in self.selector.select(seconds)}
        if self.wakes[0] in files:
            os.read(self.wakes[0], 1)
        return Ready(self.terminal in files, self.exited in files)

    def ignore_end(self) -> None:
        """Wait for output only, from now on."""
        if not self._is_end_ignored:
            self._is_end_ignored = True
            self.selector.unregister(self.exited)

    def wake(self) -> None:
        """End a `wait` in another thread."""
        os.write(self.wakes[1], b"\0")

    def read(self) -> tuple[str, int]:
        """Read what is there; returns it as text, and how many bytes it was."""
        blocks: list[bytes] = []
        size = 0
        # The kernel hands out a terminal's output in pieces of 4 kB.
        while size < BLOCK and (block := self._read_once(BLOCK - size)):
            blocks.append(block)
            size += len(block)
        return self.decoder.decode(b"".join(blocks), final=not self.is_open), size

    def rest(self) -> str:
        """Return what was cut short in the middle of a character."""
        return self.decoder.decode(b"", final=True)

    def write(self, data: bytes) -> int:
        """Type what the terminal takes at once; returns how much that was."""
        try:
            return os.write(self.terminal, data)
        except (BlockingIOError, OSError):
            return 0

    def interrupt_if_asked(self, keys: str) -> None:
        """Send the signal that Ctrl-C is, unless a program wants the key itself.

        The kernel does that only for a terminal that controls a session, which ours must not: programs would
        be stopped for reading it in the background, hung up on with the shell, and find a person at /dev/tty.
        """
        if INTERRUPT in keys and makes_signals(self.terminal):
            own = self.process.pid
            interrupt(own, [process for process in self.find() if session_of(process.pid) == own])

    def bytes_waiting(self) -> int:
        return int.from_bytes(fcntl.ioctl(self.terminal, termios.FIONREAD, bytes(4)), sys.byteorder)

    def wants_input(self) -> bool:
        """Tell whether one of its programs waits for the keyboard; no where nobody can tell."""
        pids = [process.pid for process in self.find()]
        return waits_for_keyboard(pids, self.terminal_name, takes_single_keys(self.terminal))

    def _read_once(self, limit: int) -> bytes:
        try:
            block = os.read(self.terminal, limit)
        except BlockingIOError:
            return b""
        except OSError:
            # EIO: nobody has it open any more.
            block = b""
        if not block:
            self.is_open = False
            self.selector.unregister(self.terminal)
        return block

    # ---------------------------------------------------------------- its tree

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    def find(self) -> list[Process]:
        """Find all that is left of its tree, also what lost its parent or left its session."""
        if not self.has_proc:
            self.process.poll()
        return belonging(self.process.pid, self.mark, has_proc=self.has_proc)

    async def end(self) -> set[Process]:
        """End its tree, bounded; returns what it found. Call it shielded."""
        return await end_tree(self._with_strays(), self._group())

    def end_in_thread(self) -> set[Process]:
        return end_tree_in_thread(self._with_strays(), self._group())

    def _with_strays(self) -> Callable[[], list[Process]]:
        left = strays(self.process.pid, has_proc=self.has_proc)
        return lambda: [*self.find(), *left]

    def _group(self) -> int | None:
        return self.process.pid if self.process.returncode is None else None

    def release(self, *, keep_reading: bool) -> None:
        """Give back the shell and the descriptors; call it once, when the shell has ended."""
        self.process.poll()
        self.selector.close()
        for file in (self.exited, *self.wakes):
            os.close(file)
        if not keep_reading:
            os.close(self.terminal)
            return
        # Nobody reading would stop what was left running: by an error, or by a terminal that is full.
        os.set_blocking(self.terminal, True)
        threading.Thread(target=_discard, args=(self.terminal,), daemon=True).start()


def start(line: str, cwd: str, environment: Mapping[str, str], mark: str, shell: str) -> Shell:
    """Start `shell` with `line`; BASH_ENV, or `shell_state.FILE`, in `environment` names what it reads first.

    Raises OSError as the system does.
    """
    with contextlib.ExitStack() as undo:
        terminal, theirs, name = _open()
        undo.callback(os.close, terminal)
        with contextlib.ExitStack() as parent_only:
            parent_only.callback(os.close, theirs)
            process = subprocess.Popen(
                arguments(shell, line),
                # The terminal comes later (`ShellState.begin`): a bash that is started with one takes control of it.
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=cwd,
                env=environment,
                start_new_session=True,
            )
        os.set_blocking(terminal, False)
        exited = exit_watch(process)
        wakes = os.pipe()
        selector = selectors.DefaultSelector()
        for file in (terminal, exited, wakes[0]):
            selector.register(file, selectors.EVENT_READ)
        undo.pop_all()
    return Shell(process, mark, terminal, name, exited, wakes, selector)


def _open() -> tuple[int, int, str]:
    try:
        terminal, theirs = os.openpty()
    except OSError:
        # A sandbox without terminals, or with too many: output still comes, and nobody can type.
        return *os.pipe(), ""
    _set_up(theirs)
    return terminal, theirs, os.ttyname(theirs)


def _set_up(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    modes = termios.tcgetattr(terminal)
    if sys.platform == "linux":
        modes[0] |= _IUTF8
    # Line ends as they are written, so that what is told is what was printed.
    modes[1] &= ~termios.ONLCR
    termios.tcsetattr(terminal, termios.TCSANOW, modes)


# ---------------------------------------------------------------- the system


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


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # A real-time signal, of which only the first and last have names.
        return f"signal {number}"


def _discard(file: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(file, BLOCK):
            pass
    os.close(file)
