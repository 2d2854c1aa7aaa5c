"""The queue in front of the wire.

Rules of this file: `put` never waits and never fails, so no cancellation can fall between an event
and its message. What was put first is written first. Producers wait in `drained`, before they make
more; while the peer is slow, neighbours that can be told as one are joined instead of queued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import anyio
import anyio.lowlevel

from openhands_acp.rpc.framing import encode
from openhands_acp.rpc.json import JsonObject

HIGH_WATER = 64
_CROWDED = 8
"""Messages in the queue from which on neighbours are joined: below, the peer keeps up and gets each as it came."""
_BATCH = 64 * 1024
_TURN_OF_THE_LOOP = 0.002
"""Seconds that one producer may go on before others get the loop."""


class Outgoing(Protocol):
    def to_wire(self) -> JsonObject: ...

    def absorb(self, following: Outgoing) -> bool:
        """Take `following` into this message if both can be told as one; tell whether it was."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A message that stands alone."""

    message: JsonObject

    def to_wire(self) -> JsonObject:
        return self.message

    def absorb(self, following: Outgoing) -> bool:
        return False


class Outbox:
    def __init__(self) -> None:
        self._items: deque[Outgoing] = deque()
        self._wake: anyio.Event | None = None
        self._room: anyio.Event | None = None
        self._written: anyio.Event | None = None
        self._is_writing = False
        self._yielded = monotonic()

    def put(self, item: Outgoing) -> None:
        if len(self._items) >= _CROWDED and self._items[-1].absorb(item):
            return
        self._items.append(item)
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    async def drained(self) -> None:
        """Wait until there is room; call before making more to say.

        Also lets other tasks run now and then: a model whose chunks are all there already never
        waits by itself, and would keep a cancel from being read.
        """
        while len(self._items) >= HIGH_WATER:
            if self._room is None:
                self._room = anyio.Event()
            await self._room.wait()
            self._yielded = monotonic()
        if monotonic() - self._yielded > _TURN_OF_THE_LOOP:
            await anyio.lowlevel.checkpoint()
            self._yielded = monotonic()

    async def flushed(self) -> None:
        """Wait until everything put so far is on the wire."""
        while self._items or self._is_writing:
            if self._written is None:
                self._written = anyio.Event()
            await self._written.wait()

    async def write_to(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Be the writer, for ever: the only caller of `write`."""
        while True:
            if not self._items:
                self._wake = anyio.Event()
                await self._wake.wait()
            self._is_writing = True
            await write(self._next_bytes())
            self._is_writing = False
            if self._written is not None and not self._items:
                self._written.set()
                self._written = None

    def _next_bytes(self) -> bytes:
        lines: list[bytes] = []
        size = 0
        while self._items and size < _BATCH:
            line = encode(self._items.popleft().to_wire())
            lines.append(line)
            size += len(line)
        if self._room is not None:
            self._room.set()
            self._room = None
        return b"".join(lines)
