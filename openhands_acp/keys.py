"""Keys that are asked for when they are wanted: from a program that prints one, or from the system's keyring.

Knows neither providers nor settings. A key is told to whoever masks, before anybody else has it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, assert_never

import anyio
import anyio.abc
import anyio.to_thread

from openhands_acp.late_keys import KeyCommand, KeyringEntry, LateKey
from openhands_acp.redaction import Secret, redactor

COMMAND_PATIENCE = 30.0
"""Seconds that a program gets: a password manager may want a fingerprint first."""
_KEYRING_PATIENCE = 60.0
"""Seconds that the keyring gets: it may ask the person to unlock it."""
_MOST = 64_000
"""Bytes that are read of what a program prints."""
_TAIL = 300
"""Characters of its errors that are shown."""


class NoKey(Exception):
    """The key could not be had. The message says why, and holds no secret."""


@dataclass(slots=True)
class _Asked:
    is_over: anyio.Event = field(default_factory=anyio.Event)
    failure: str | None = None


@dataclass(slots=True)
class Keys:
    """The keys that this process has asked for: each once."""

    environ: Callable[[], Awaitable[Mapping[str, str]]]
    """What a program is started with."""
    learn: Callable[[str], None]
    """Told each key as it comes, to mask it."""
    patience: float = COMMAND_PATIENCE
    _kept: dict[LateKey, Secret] = field(default_factory=dict[LateKey, Secret])
    _asking: dict[LateKey, _Asked] = field(default_factory=dict[LateKey, "_Asked"])

    async def get(self, source: LateKey) -> Secret:
        """Return the key; whoever else wants it meanwhile waits for the same answer. Raises NoKey."""
        while source not in self._kept:
            if (asked := self._asking.get(source)) is not None:
                await asked.is_over.wait()
                if asked.failure is not None:
                    raise NoKey(asked.failure)
                # Else whoever asked has left: somebody has to ask anew.
                continue
            asked = self._asking[source] = _Asked()
            try:
                key = await self._ask(source)
                self.learn(key)
                self._kept[source] = Secret(key)
            except NoKey as failure:
                asked.failure = str(failure)
                raise
            finally:
                del self._asking[source]
                asked.is_over.set()
        return self._kept[source]

    def forget(self) -> None:
        """Ask again when one is next wanted: it may be another by now."""
        self._kept.clear()

    async def _ask(self, source: LateKey) -> str:
        match source:
            case KeyCommand(words):
                return await _printed_by(words, await self.environ(), self.patience)
            case KeyringEntry():
                return await _in_keyring(source)
            case _:
                assert_never(source)


# ---------------------------------------------------------------- a program


async def _printed_by(words: tuple[str, ...], environ: Mapping[str, str], patience: float) -> str:
    name = f"the program of `api_key_command` ({words[0]!r})"
    try:
        process = await anyio.open_process(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            # Without our terminal, where there is one: what it would ask there, nobody sees.
            start_new_session=True,
        )
    except OSError as error:
        raise NoKey(f"{name} cannot be started: {error.strerror or error}") from error
    said: dict[str, bytes] = {"out": b"", "err": b""}
    ended = False
    try:
        with anyio.move_on_after(patience):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_read, process.stdout, said, "out")
                tasks.start_soon(_read, process.stderr, said, "err")
            await process.wait()
            ended = True
    finally:
        await _end(process, ended)
    lines = said["out"].decode("utf-8", "replace").split("\n")
    # Its errors may quote what it was to keep to its output.
    errors = redactor(line.strip() for line in lines)(said["err"].decode("utf-8", "replace"))
    because = f": {errors.strip()[-_TAIL:]}" if errors.strip() else ""
    if not ended:
        raise NoKey(f"{name} did not end within {patience:g} s{because}")
    if process.returncode:
        raise NoKey(f"{name} failed with exit code {process.returncode}{because}")
    # The first line: password stores keep notes behind it.
    return _checked(lines[0].strip(), f"{name} printed", because)


async def _read(stream: anyio.abc.ByteReceiveStream | None, said: dict[str, bytes], name: str) -> None:
    assert stream is not None
    async for block in stream:
        said[name] = (said[name] + block)[:_MOST]


async def _end(process: anyio.abc.Process, ended: bool) -> None:
    with anyio.CancelScope(shield=True):
        with suppress(ProcessLookupError, PermissionError):
            if not ended and sys.platform != "win32":
                # With all that it started, which may hold the pipes.
                os.killpg(process.pid, signal.SIGKILL)
            elif not ended:
                process.kill()
        await process.aclose()


# ---------------------------------------------------------------- the keyring


async def _in_keyring(entry: KeyringEntry) -> str:
    where = f"{entry.service}/{entry.user} in the system's keyring"
    with anyio.move_on_after(_KEYRING_PATIENCE):
        key = await anyio.to_thread.run_sync(_looked_up, entry, where, abandon_on_cancel=True)
        return _checked(key.strip(), f"{where} is", "")
    raise NoKey(f"the system's keyring did not answer within {_KEYRING_PATIENCE:g} s")


class SystemKeyring:
    """The keyring of this machine. It may wait for the person to unlock it: use it in a thread. All raises OSError."""

    def __init__(self) -> None:
        """Raises ImportError: it is optional."""
        # By name, for the same reason: `pip install 'openhands-acp[keyring]'`.
        self._keyring: Any = import_module("keyring")

    def read(self, service: str, user: str) -> str | None:
        with self._failing("read"):
            return self._keyring.get_password(service, user)

    def write(self, service: str, user: str, secret: str) -> None:
        with self._failing("written to"):
            self._keyring.set_password(service, user, secret)

    def forget(self, service: str, user: str) -> None:
        with self._failing("written to"):
            self._keyring.delete_password(service, user)

    @contextmanager
    def _failing(self, done: str) -> Generator[None]:
        try:
            yield
        except (self._keyring.errors.KeyringError, OSError, RuntimeError) as error:
            raise OSError(f"the system's keyring cannot be {done}: {error}") from error


def system_keyring() -> SystemKeyring | None:
    """Return it where what is needed for it is installed."""
    try:
        return SystemKeyring()
    except ImportError:
        return None


def _looked_up(entry: KeyringEntry, where: str) -> str:
    keyring = system_keyring()
    if keyring is None:
        raise NoKey("no keyring can be read: run `pip install 'openhands-acp[keyring]'`")
    try:
        key = keyring.read(entry.service, entry.user)
    except OSError as error:
        raise NoKey(str(error)) from error
    if key is None:
        raise NoKey(f"there is no {where}: run `keyring set {entry.service} {entry.user}`")
    return key


def _checked(key: str, where: str, because: str) -> str:
    if not key:
        raise NoKey(f"{where} nothing{because}")
    if not key.isprintable() or " " in key:
        raise NoKey(f"{where} something that is no key: it has spaces in it{because}")
    return key
