"""A streamed answer as bytes: server-sent events in HTTP chunks, whoever speaks in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

from tests.harness.replies import Json


def event(fields: Json, name: str = "", end: str = "\n\n") -> bytes:
    """Spell one event; `name` for providers that also put its type outside of the data."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(fields)}{end}".encode()


class Body:
    """The body of one response in HTTP chunks, which begins with its first event."""

    def __init__(self, writer: asyncio.StreamWriter, headers: Iterable[str] = ()) -> None:
        self._writer = writer
        self._headers = headers
        self._is_open = False

    def open(self) -> None:
        if not self._is_open:
            self._is_open = True
            lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked", *self._headers]
            self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def write(self, events: Iterable[bytes]) -> None:
        for at, each in enumerate(events, 1):
            self.open()
            self._writer.write(b"%x\r\n%b\r\n" % (len(each), each))
            if at % 100 == 0:
                await self._writer.drain()
        await self._writer.drain()

    async def close(self) -> None:
        self.open()
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
