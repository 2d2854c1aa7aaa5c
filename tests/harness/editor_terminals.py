"""The terminals of a scripted editor: real processes, run through a shell from one line, as Toad and VS Code do."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import Process, TaskGroup

from openhands_acp.rpc.errors import RemoteError

METHODS = frozenset(f"terminal/{verb}" for verb in ("create", "output", "wait_for_exit", "kill", "release"))


@dataclass(slots=True)
class Shown:
    """One terminal of the editor."""

    process: Process
    limit: int
    data: bytes = b""
    is_cut: bool = False
    exited: anyio.Event = field(default_factory=anyio.Event)
    is_released: bool = False

    def text(self) -> str:
        return self.data.decode(errors="replace")

    def status(self) -> dict[str, Any]:
        code = self.process.returncode
        assert code is not None
        return {"exitCode": code, "signal": None} if code >= 0 else {"exitCode": None, "signal": _name(-code)}


@dataclass(slots=True)
class EditorTerminals:
    """Needs `tasks` to read what the processes print; `fails` makes an editor that is bad at something."""

    tasks: TaskGroup
    fails: Callable[[str], None] = lambda _method: None
    """Called with each method; raises RemoteError in place of doing it."""
    slow: dict[str, anyio.Event] = field(default_factory=dict[str, anyio.Event])
    """Methods that wait for the event before they are done."""
    shown: dict[str, Shown] = field(default_factory=dict[str, Shown])
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    on_ask: Callable[[str], None] = lambda _method: None
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Do what the agent asks for. Raises RemoteError."""
        self.asked.append((method, params))
        self.on_ask(method)
        await anyio.lowlevel.checkpoint()
        if method in self.slow:
            await self.slow[method].wait()
        self.fails(method)
        if method == "terminal/create":
            return {"terminalId": await self._create(params)}
        shown = self.shown.get(params["terminalId"])
        if shown is None or shown.is_released:
            raise RemoteError(-32602, f"no terminal {params['terminalId']!r}")
        return await self._do(method, shown)

    async def _do(self, method: str, shown: Shown) -> Any:
        match method:
            case "terminal/output":
                status = {"exitStatus": shown.status()} if shown.exited.is_set() else {}
                return {"output": shown.text(), "truncated": shown.is_cut, **status}
            case "terminal/wait_for_exit":
                await shown.exited.wait()
                return shown.status()
            case "terminal/kill":
                _kill(shown.process)
                await shown.exited.wait()
                return {}
            case "terminal/release":
                _kill(shown.process)
                shown.is_released = True
                await shown.exited.wait()
                return None
            case _:
                raise RemoteError(-32601, "Method not found")

    async def _create(self, params: dict[str, Any]) -> str:
        try:
            process = await anyio.open_process(
                params["command"],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                cwd=params["cwd"],
                env=os.environ | {each["name"]: each["value"] for each in params["env"]},
                start_new_session=True,
            )
        except OSError as error:
            raise RemoteError(-32603, f"Internal error: {error}") from error
        terminal_id = f"term-{next(self._ids)}"
        self.shown[terminal_id] = Shown(process, params["outputByteLimit"])
        self.tasks.start_soon(self._read, self.shown[terminal_id])
        return terminal_id

    async def _read(self, shown: Shown) -> None:
        is_read = anyio.Event()

        async def drain() -> None:
            assert shown.process.stdout is not None
            async for block in shown.process.stdout:
                data = shown.data + block
                shown.is_cut |= len(data) > shown.limit
                shown.data = data[-shown.limit :]
            is_read.set()

        async with shown.process, anyio.create_task_group() as reading:
            reading.start_soon(drain)
            await shown.process.wait()
            # What it left running may hold its output open for ever.
            with anyio.move_on_after(0.1):
                await is_read.wait()
            reading.cancel_scope.cancel()
        shown.exited.set()

    def close(self) -> None:
        """End what is left, as an editor does that is closed."""
        for shown in self.shown.values():
            _kill(shown.process)


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _name(number: int) -> str:
    return signal.Signals(number).name
