"""One command in a PowerShell of its own, on Windows: there is no terminal, a pipe is its keyboard.

Neither pipes nor processes can be waited for together there: a thread reads. What a command leaves running
is not found again: Windows keeps no line of descent. The directory and the variables are carried over.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import anyio.to_thread

from openhands_acp.engine.keys import ENTER, INTERRUPT
from openhands_acp.local.processes import Process

_BLOCK = 65536
_TICK = 0.1
"""Seconds after which a wait looks up: for the deadline, or the end of the shell."""
_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
FILE = "OPENHANDS_SHELL"
_LINE = "OPENHANDS_LINE"
_SCRIPT = """\
[Console]::OutputEncoding = New-Object Text.UTF8Encoding $false
$OutputEncoding = [Console]::OutputEncoding
$openhands = @{ ok = $true; file = $env:OPENHANDS_SHELL; line = $env:OPENHANDS_LINE }
Remove-Item Env:OPENHANDS_SHELL, Env:OPENHANDS_LINE -ErrorAction SilentlyContinue
$global:LASTEXITCODE = 0
try { . ([ScriptBlock]::Create($openhands.line)); $openhands.ok = $? }
finally {
  $left = @{ cwd = (Get-Location -PSProvider FileSystem).ProviderPath; env = @{} }
  Get-ChildItem Env: | ForEach-Object { $left.env[$_.Name] = $_.Value }
  if ($openhands.file) { [IO.File]::WriteAllText($openhands.file, (ConvertTo-Json $left -Compress)) }
}
if ($LASTEXITCODE) { exit $LASTEXITCODE }
if (-not $openhands.ok) { exit 1 }
"""


@dataclass(frozen=True, slots=True)
class Left:
    """The state that a shell left."""

    cwd: str
    variables: Mapping[str, str]


class ShellState:
    """The state of one session's shell, and the files by which it travels."""

    def __init__(self) -> None:
        self.left: Left | None = None
        self.shell = shutil.which("pwsh") or "powershell"
        self._began: dict[str, str] = {}
        self._folder: str | None = None
        self._delete: weakref.finalize[Any, ShellState] | None = None

    def begin(self, mark: str, environment: Mapping[str, str], own: Mapping[str, str], *, first: str = "") -> str:
        """Name the file that a new shell writes in the end. Variables that were removed come back."""
        del own, first
        self._began = self._began if self.left is not None else dict(environment)
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="openhands-acp-")
            self._delete = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return os.path.join(self._folder, mark)

    def take_up(self, path: str) -> None:
        """Go on where the shell stopped that was given this file."""
        left = take(path)
        self.left = left or self.left

    def redefined(self) -> dict[str, str]:
        # Functions are not carried over, and variables that were removed come back.
        left: Mapping[str, str] = self.left.variables if self.left is not None else {}
        began = {name.upper(): value for name, value in self._began.items()}
        return {f"${name.upper()}": value for name, value in left.items() if began.get(name.upper()) != value}

    def entrance(self, path: str) -> dict[str, str]:
        return {**(self.left.variables if self.left is not None else {}), FILE: path}

    def forget(self) -> None:
        """Begin anew with the next shell, and delete the files."""
        self.left = self._folder = None
        if self._delete is not None:
            self._delete()


def take(path: str) -> Left | None:
    """Read what a shell left there, and delete the file; None if it did not come to that."""
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        os.unlink(path)
    except (OSError, ValueError):
        return None
    members = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    cwd, variables = members.get("cwd"), members.get("env")
    if not isinstance(cwd, str) or not isinstance(variables, dict):
        return None
    named = cast("dict[str, Any]", variables)
    # The mark of the command that set it is not the next one's.
    return Left(cwd, {name: str(value) for name, value in named.items() if name != "OPENHANDS_TERMINAL"})


@dataclass(frozen=True, slots=True)
class Ready:
    output: bool = False
    ended: bool = False


@dataclass(slots=True)
class Shell:
    process: subprocess.Popen[bytes]
    mark: str
    blocks: queue.Queue[bytes]
    """What the thread has read; the last block is empty."""
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )
    is_open: bool = True
    _waiting: bytes | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _woken: threading.Event = field(default_factory=threading.Event)
    _is_end_ignored: bool = False

    async def ready(self, until: float) -> Ready:
        """Wait for output or the end, but not past `until` by `anyio.current_time`."""
        while True:
            left = max(0.0, until - anyio.current_time())
            ready = await anyio.to_thread.run_sync(self.wait, min(_TICK, left))
            if ready.output or ready.ended or left <= _TICK:
                return ready

    def wait(self, seconds: float) -> Ready:
        """Do the same in a thread, where it blocks; `wake` ends it."""
        until = time.monotonic() + seconds
        while True:
            # Asked before the wait: a shell that had ended by then has written all it ever will.
            has_ended = self.process.poll() is not None and not self._is_end_ignored
            left = max(0.0, until - time.monotonic())
            if self._waiting is None and self.is_open:
                with contextlib.suppress(queue.Empty):
                    self._waiting = self.blocks.get(timeout=min(_TICK, left))
            elif not has_ended:
                # Nothing is left to be told of but the end, which Windows has no descriptor for.
                time.sleep(min(_TICK, left))
            if self._waiting is not None or has_ended or self._woken.is_set() or left <= _TICK:
                self._woken.clear()
                return Ready(self._waiting is not None, has_ended)

    def ignore_end(self) -> None:
        self._is_end_ignored = True

    def wake(self) -> None:
        self._woken.set()

    def read(self) -> tuple[str, int]:
        block, self._waiting = self._waiting, None
        if block is None:
            return "", 0
        self.is_open = bool(block)
        return self.decoder.decode(block, final=not block), len(block)

    def rest(self) -> str:
        return self.decoder.decode(b"", final=True)

    def write(self, data: bytes) -> int:
        assert self.process.stdin is not None
        if data != INTERRUPT.encode():
            with contextlib.suppress(OSError, ValueError):
                self.process.stdin.write(data.replace(ENTER.encode(), b"\r\n"))
                self.process.stdin.flush()
        return len(data)

    def interrupt_if_asked(self, keys: str) -> None:
        """End it: there is no keyboard that could interrupt it."""
        if INTERRUPT in keys:
            end_with_children(self.process)

    def bytes_waiting(self) -> int:
        return self.blocks.qsize() * _BLOCK

    def wants_input(self) -> bool:
        return False

    @property
    def returncode(self) -> int | None:
        return self.process.poll()

    def find(self) -> list[Process]:
        return []

    async def end(self) -> set[Process]:
        await anyio.to_thread.run_sync(end_with_children, self.process)
        return set()

    def end_in_thread(self) -> set[Process]:
        end_with_children(self.process)
        return set()

    def release(self, *, keep_reading: bool) -> None:
        """Give it back; call it once, when the shell has ended."""
        del keep_reading
        self._over.set()
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        # The reading thread may be waiting for a place.
        with contextlib.suppress(queue.Empty):
            while True:
                self.blocks.get_nowait()

    def read_on(self) -> None:
        """Read until nobody writes any more; runs in a thread of its own."""
        assert self.process.stdout is not None
        with self.process.stdout as output:
            while block := os.read(output.fileno(), _BLOCK):
                if not self._over.is_set():
                    self.blocks.put(block)
        self.blocks.put(b"")


def start(line: str, cwd: str, environment: Mapping[str, str], mark: str, shell: str) -> Shell:
    process = subprocess.Popen(
        [shell, "-NoLogo", "-NoProfile", "-ExecutionPolicy", "Bypass", "-Command", _SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**environment, _LINE: line},
        creationflags=_FLAGS,
    )
    # Short, so that a command that floods waits for whoever reads.
    started = Shell(process, mark, queue.Queue(4))
    threading.Thread(target=started.read_on, daemon=True).start()
    return started


def signal_name(number: int) -> str:
    return f"signal {number}"


def end_with_children(process: subprocess.Popen[bytes]) -> None:
    """End a process and what Windows still knows to be its children. Blocks for a second or two at most."""
    if process.poll() is not None:
        return
    taskkill = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(taskkill, capture_output=True, check=False, timeout=1)
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
