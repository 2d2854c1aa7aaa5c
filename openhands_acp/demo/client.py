"""The demo's side of the protocol: a server as a child process, one session in it, one prompt.

Knows nothing of screens: what arrives goes to a `Person`, who is also asked.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.text import TextReceiveStream

from openhands_acp import __version__
from openhands_acp.rpc.errors import RemoteError
from openhands_acp.rpc.peer import Call, Peer, Reply

_PROTOCOL_VERSION = 1
_TO_ANSWER_A_CANCEL = 2.0
_TO_END_BY_ITSELF = 2.0
_TO_END_WHEN_TOLD = 1.0
_NEW_PROCESS_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class Person(Protocol):
    """Who sits in front of the client."""

    def see(self, update: Mapping[str, Any]) -> None:
        """Take in one `session/update`. Never waits."""
        ...

    async def choose(self, call: Mapping[str, Any], options: Sequence[Mapping[str, Any]]) -> str | None:
        """Answer a permission question with an option's id; None closes it unanswered."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """The prompt was answered."""

    stop_reason: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person wanted out."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The server could not do it: why, for the person, and the last it logged."""

    reason: str
    log: str = ""


Outcome: TypeAlias = Ended | Interrupted | Broken


@dataclass(frozen=True, slots=True)
class Launch:
    """The server to start, and what to ask of it."""

    command: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    """The session's."""
    prompt: str


async def converse(launch: Launch, person: Person, interrupted: anyio.Event) -> Outcome:
    """Start the server, have one turn and end the server.

    `interrupted` cancels the turn by the protocol; its answer is then waited for 2 seconds at most.
    """
    try:
        async with _server(launch) as process:
            return await _converse(process, launch, person, interrupted)
    except OSError as error:
        return Broken(f"the server could not be started: {error}")


async def _converse(process: Process, launch: Launch, person: Person, interrupted: anyio.Event) -> Outcome:
    session = _Session(person, interrupted)
    log: deque[str] = deque(maxlen=20)
    outcome: Outcome | None = None
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            await session.peer.run(_Pipes(process))
            # Its end is ours: nothing that was asked will be answered.
            tasks.cancel_scope.cancel()

        async def stop() -> None:
            await interrupted.wait()
            tasks.cancel_scope.deadline = anyio.current_time() + (_TO_ANSWER_A_CANCEL if session.cancel() else 0)

        assert process.stderr is not None
        tasks.start_soon(serve)
        tasks.start_soon(stop)
        tasks.start_soon(_keep, process.stderr, log)
        outcome = await session.run(launch)
        tasks.cancel_scope.cancel()
    if interrupted.is_set():
        return Interrupted()
    return outcome or await _died(process, log)


@dataclass(slots=True)
class _Session:
    person: Person
    interrupted: anyio.Event
    peer: Peer = field(init=False)
    session_id: str | None = None

    def __post_init__(self) -> None:
        self.peer = Peer({"session/request_permission": self._permission}, {"session/update": self._update})

    async def run(self, launch: Launch) -> Outcome:
        try:
            # No `fs`, no `terminal`: the server uses this machine's own, as from an editor that offers neither.
            info = {"name": "openhands-acp-demo", "version": __version__}
            hello = {"protocolVersion": _PROTOCOL_VERSION, "clientInfo": info, "clientCapabilities": {}}
            answer = await self.peer.request("initialize", hello)
            if answer["protocolVersion"] != _PROTOCOL_VERSION:
                return Broken(f"the server speaks version {answer['protocolVersion']} of the protocol")
            opened = await self.peer.request("session/new", {"cwd": str(launch.folder), "mcpServers": []})
            self.session_id = opened["sessionId"]
            prompt = [{"type": "text", "text": launch.prompt}]
            ended = await self.peer.request("session/prompt", {"sessionId": self.session_id, "prompt": prompt})
        except RemoteError as error:
            return Broken(_explained(error))
        return Ended(ended["stopReason"])

    def cancel(self) -> bool:
        """Cancel the turn; tell whether there is one whose answer may be waited for."""
        if self.session_id is None:
            return False
        self.peer.notify("session/cancel", {"sessionId": self.session_id})
        return True

    def _update(self, params: Mapping[str, Any]) -> None:
        self.person.see(params["update"])

    async def _permission(self, _call: Call, params: Mapping[str, Any]) -> Reply:
        chosen: str | None = None
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                await self.interrupted.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            chosen = await self.person.choose(params["toolCall"], params["options"])
            tasks.cancel_scope.cancel()
        if chosen is None:
            return Reply({"outcome": {"outcome": "cancelled"}})
        return Reply({"outcome": {"outcome": "selected", "optionId": chosen}})


def _explained(error: RemoteError) -> str:
    return f"the server answered with an error: {error}" + (f"\n{error.details}" if error.details else "")


# ---------------------------------------------------------------- the process


@asynccontextmanager
async def _server(launch: Launch) -> AsyncGenerator[Process]:
    process = await anyio.open_process(
        list(launch.command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(launch.environ),
        # Ctrl-C in the terminal reaches only us: the server hears of it by the protocol.
        start_new_session=True,
        creationflags=_NEW_PROCESS_GROUP,
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _end(process: Process) -> None:
    assert process.stdin is not None
    # Broken if it was quicker.
    with contextlib.suppress(OSError):
        await process.stdin.aclose()
    with anyio.move_on_after(_TO_END_BY_ITSELF):
        await process.wait()
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(_TO_END_WHEN_TOLD):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


async def _keep(stderr: ByteReceiveStream, log: deque[str]) -> None:
    """Read for ever, so that the server never waits for us; keep the last lines."""
    rest = ""
    async for text in TextReceiveStream(stderr, errors="replace"):
        *lines, rest = (rest + text).split("\n")
        log.extend(line for line in lines if line.strip())
    if rest.strip():
        log.append(rest)


async def _died(process: Process, log: deque[str]) -> Broken:
    assert process.stderr is not None
    with anyio.move_on_after(_TO_END_BY_ITSELF):
        await process.wait()
        await _keep(process.stderr, log)
    code = "and still runs" if process.returncode is None else f"with exit code {process.returncode}"
    return Broken(f"the server closed the connection {code}", "\n".join(log))


@dataclass(frozen=True, slots=True)
class _Pipes:
    """A child's stdin and stdout as a channel (`rpc.peer.Channel`)."""

    process: Process

    async def read(self) -> bytes:
        assert self.process.stdout is not None
        try:
            return await self.process.stdout.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return b""

    async def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            await self.process.stdin.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise BrokenPipeError from error
