"""The environment that commands inherit: ours, and where PATH is bare what the person's login shell adds.

A program started from a dock or launcher has the system's PATH and nothing of what rc files set.
Knows shells and variables; does not know which variables are secret, nor who runs commands.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

import anyio.to_thread

logger = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that the login shell gets; then it is killed and commands go without."""

_MOST = 8 << 20
"""Bytes that it may print: an rc file that never stops is not worth more."""

_BARE = frozenset(
    (
        *("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/games"),
        *("/usr/local/games", "/snap/bin", "/run/wrappers/bin", "/run/current-system/sw/bin"),
        *("/Library/Apple/usr/bin", "/System/Cryptexes/App/usr/bin"),
    )
)
"""What PATH holds where no rc file was read."""
_AT_HOME = (".local/bin", "bin")
"""What the desktops of some systems add to it by themselves."""
_ITS_OWN = frozenset("_ SHLVL PWD OLDPWD TERM COLUMNS LINES PS1 PS2 PROMPT OPENHANDS_TERMINAL SHELL".split())
"""Variables that tell of the shell that was asked, and of nothing else."""


@dataclass(slots=True)
class LoginEnvironment:
    """Asks the login shell once, in a thread, the first time that it is wanted; `begin` makes that early."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    patience: float = PATIENCE
    _asked: threading.Event | None = None
    _found: Mapping[str, str] = field(default_factory=dict[str, str])

    def begin(self) -> None:
        """Start to ask, if there is reason to. Never waits."""
        if self._asked is not None:
            return
        self._asked = threading.Event()
        shell = login_shell(self.environ)
        if shell is None or not is_bare(self.environ):
            self._asked.set()
            return
        threading.Thread(target=self._ask, args=(shell, self._asked), daemon=True).start()

    async def inherited(self, hide: Collection[str] = ()) -> dict[str, str]:
        """Return what a command may see; waits for the login shell, at most until its time is up."""
        self.begin()
        assert self._asked is not None
        if not self._asked.is_set():
            await anyio.to_thread.run_sync(self._asked.wait, abandon_on_cancel=True)
        merged = merge(self.environ, self._found)
        return {name: value for name, value in merged.items() if name not in hide}

    def _ask(self, shell: str, asked: threading.Event) -> None:
        try:
            self._found = ask(shell, self.environ, self.patience)
        finally:
            asked.set()


def is_bare(environ: Mapping[str, str]) -> bool:
    """Tell whether PATH has nothing but what the system itself puts there."""
    home = environ.get("HOME", "")
    # Whoever started us may have put our own programs in front (uvx does).
    usual = _BARE | {os.path.join(home, folder) for folder in _AT_HOME} | {os.path.dirname(sys.executable)}
    folders = environ.get("PATH", "").split(os.pathsep)
    return all(folder.rstrip("/") in usual for folder in folders if folder not in ("", "/"))


def login_shell(environ: Mapping[str, str]) -> str | None:
    """Find the person's shell: what SHELL names, or the system has for them. None where there is no such thing."""
    if sys.platform == "win32":
        return None
    named = environ.get("SHELL") or _registered_shell()
    return named if os.path.isabs(named) and os.access(named, os.X_OK) else None


def merge(environ: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """Put `environ` first, but for PATH: there the login shell's order counts, and what it lacks follows."""
    added = {name: value for name, value in found.items() if name not in _ITS_OWN}
    folders = [*found.get("PATH", "").split(os.pathsep), *environ.get("PATH", "").split(os.pathsep)]
    path = os.pathsep.join(dict.fromkeys(filter(None, folders)))
    return {**added, **environ} | ({"PATH": path} if path else {})


def ask(shell: str, environ: Mapping[str, str], patience: float) -> dict[str, str]:
    """Return the variables of a fresh interactive login shell; none if it does not tell in time.

    Blocks. Whatever its rc files print, read or leave running does no harm: only what stands between
    two marks counts, stdin is empty, and all that stays in its process group is killed.
    """
    begin, end = uuid4().hex, uuid4().hex
    # Each mark in two pieces: a shell that echoes what it runs must not be taken for its answer.
    script = f"printf %s%s {begin[:16]} {begin[16:]}; /usr/bin/env -0; printf %s%s {end[:16]} {end[16:]}"
    home = environ.get("HOME", "")
    try:
        process = subprocess.Popen(
            [shell, "-l", "-i", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home if os.path.isdir(home) else "/",
            env={**environ, "TERM": "dumb"},
            start_new_session=True,
        )
    except OSError as error:
        logger.info("the login shell %s cannot be started: %s", shell, error)
        return {}
    try:
        said = _read_until(process, end.encode(), time.monotonic() + patience)
    finally:
        _kill(process)
    told = said.partition(begin.encode())[2].rpartition(end.encode())[0]
    if not told:
        logger.warning("the login shell %s did not tell its environment; commands go without", shell)
    return _variables(told)


def _read_until(process: subprocess.Popen[bytes], mark: bytes, until: float) -> bytes:
    """Read until `mark`, the end or `until`: not always the end, which what an rc file started may hold off."""
    assert process.stdout is not None
    file, said = process.stdout.fileno(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        while len(said) < _MOST and (left := until - time.monotonic()) > 0:
            if not selector.select(left):
                continue
            block = os.read(file, 65536)
            said += block
            if not block or said.find(mark, len(said) - len(block) - len(mark)) >= 0:
                break
    return bytes(said)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform != "win32":
        # Not reaped yet, so the number cannot have gone to somebody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _variables(told: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(entry).partition("=") for entry in told.split(b"\0"))
    return {name: value for name, is_set, value in pairs if is_set and name}


def _registered_shell() -> str:
    # Not on Windows, so not at the top; by name, because the type checker looks at both platforms.
    pwd = importlib.import_module("pwd")
    try:
        return str(pwd.getpwuid(os.getuid()).pw_shell)
    except KeyError:
        return ""
