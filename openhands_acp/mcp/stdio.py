"""A server as a program of this machine, as a transport of FastMCP: lines of JSON on its stdin and stdout.

FastMCP's own would let a session's end wait for seconds, and kills no more than a process group. The last line that
was no message is kept for whoever asks why nothing works.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastmcp.client.transports import ClientTransport
from mcp import ClientSession
from mcp.shared.message import SessionMessage

from openhands_acp.engine.programs import Program
from openhands_acp.mcp.reading import message_in

_LONGEST = 64 << 20
"""Bytes of one message; a server that sends more is not listened to any longer."""
_LAST_LINES = 8
"""Of its stderr, where it is asked why nothing works."""
_MOST_JUNK = 4 << 20
"""Bytes of what is no message, one after the other, that are passed over."""
_JUNK = 300
"""Bytes of what is no message that are worth telling."""


@ClientTransport.register
class StdioTransport:
    """One connection; the program starts with it, and is ended with it. It cannot be used a second time."""

    legacy_only = False

    def __init__(
        self,
        start: Callable[[], Awaitable[Program]],
        started: Program | None,
        lost: Callable[[], None],
    ) -> None:
        """`started` is the program where it runs already; `lost` is told when it says no more."""
        self._start = start
        self._lost = lost
        self._program = started
        self._junk = b""
        self._is_too_long = False

    @asynccontextmanager
    async def connect_session(
        self, *, transport_options: object = None, **session_kwargs: Any
    ) -> AsyncGenerator[ClientSession]:
        """Start the program. Raises OSError as the system does."""
        program = self._program = self._program or await self._start()
        from_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        # Without bound: whoever cancels a call may not have to wait until a server that hangs reads that it has.
        outgoing, to_server = anyio.create_memory_object_stream[SessionMessage](math.inf)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, program, from_server)
                tasks.start_soon(self._speak, program, to_server)
                async with ClientSession(incoming, outgoing, **session_kwargs) as session:
                    yield session
                tasks.cancel_scope.cancel()
        finally:
            for stream in (from_server, incoming, outgoing, to_server):
                stream.close()
            await program.end()

    async def close(self) -> None:
        if self._program is not None:
            await self._program.end()

    def get_session_id(self) -> None:
        """There is no such thing here."""

    def why(self) -> str:
        """Say what became of the program, and the end of what it said; empty where there is nothing to say."""
        if self._program is None:
            return ""
        told = [self._program.outcome]
        if self._is_too_long:
            told.append(f"it sent a message of more than {_LONGEST >> 20} MB")
        if self._junk:
            told.append(f"it prints on stdout what is not the protocol: {self._junk.decode(errors='replace')!r}")
        said = self._program.said().splitlines()[-_LAST_LINES:]
        return "\n".join(["; ".join(filter(None, told)), *said]).rstrip()

    async def _listen(self, program: Program, to: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        line, junk = bytearray(), 0
        async with to:
            while len(line) <= _LONGEST and junk <= _MOST_JUNK and (block := await program.receive()):
                *whole, rest = block.split(b"\n")
                for end in whole:
                    line += end
                    message = message_in(line)
                    if message is None:
                        junk += len(line)
                        self._junk = bytes(line[:_JUNK]).strip() or self._junk
                    else:
                        junk = 0
                        with contextlib.suppress(anyio.BrokenResourceError):
                            await to.send(SessionMessage(message))
                    line.clear()
                line += rest
            self._is_too_long = len(line) > _LONGEST
            # First: whoever asks why is to hear how it ended.
            await program.end()
            self._lost()

    async def _speak(self, program: Program, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async for message in messages:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            # One that is gone is known by its stdout.
            with contextlib.suppress(OSError):
                await program.send(text.encode() + b"\n")
