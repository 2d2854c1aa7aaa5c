"""The browser's only way out: a proxy in this process that connects to nothing that was not looked at first.

So what goes for `fetching` goes for all that a page loads, whatever asks for it: frames, scripts, sockets, redirects.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream, SocketAttribute, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from openhands_acp.engine.web import Unreachable
from openhands_acp.web.addresses import Address, Target, literal, reachable, target_of
from openhands_acp.web.fetching import Resolve, resolved

_CONNECT = 10.0
_MOST_HEAD = 64 * 1024
_CHUNK = 64 * 1024
_OVER = (
    *(anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError),
)
"""How a connection ends, at either end."""
_HOP_BY_HOP = ("proxy-connection", "proxy-authorization", "connection", "keep-alive")


@dataclass(frozen=True, slots=True)
class Gate:
    allowed: Sequence[str] = ()
    resolve: Resolve = resolved

    async def serve(self, *, task_status: TaskStatus[int]) -> None:
        """Listen on this machine until cancelled; started with the port."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener:
            task_status.started(listener.extra(SocketAttribute.local_port))
            await listener.serve(self._pass)

    async def _pass(self, browser: ByteStream) -> None:
        # Whatever becomes of one connection, the others go on.
        async with browser:
            with suppress(*_OVER):
                head = BufferedByteReceiveStream(browser)
                try:
                    asked = _asked(await head.receive_until(b"\r\n\r\n", _MOST_HEAD))
                    site = await self._connected(asked.target)
                except (Unreachable, ValueError, OSError, TimeoutError) as refused:
                    await browser.send(_refusal(str(refused)))
                    return
                async with site:
                    if asked.is_tunnel:
                        await browser.send(b"HTTP/1.1 200 OK\r\n\r\n")
                    if first := asked.head + head.buffer:
                        await site.send(first)
                    await _join(browser, site)

    async def ways(self, target: Target) -> list[Address]:
        """Return the addresses that may be connected to, all checked. Raises Unreachable."""
        itself = literal(target.host)
        found = [itself] if itself is not None else await self.resolve(target.host, target.port)
        return reachable(target, found, self.allowed)

    async def _connected(self, target: Target) -> ByteStream:
        ways = await self.ways(target)
        with anyio.fail_after(_CONNECT):
            for address in ways[:-1]:
                try:
                    return await anyio.connect_tcp(str(address), target.port)
                except OSError:
                    # Of two kinds of address, often only one leads anywhere.
                    continue
            return await anyio.connect_tcp(str(ways[-1]), target.port)


@dataclass(frozen=True, slots=True)
class _Asked:
    target: Target
    is_tunnel: bool
    head: bytes
    """As the site reads it; nothing of a tunnel."""


def _asked(head: bytes) -> _Asked:
    """Read a request's head. Raises ValueError, Unreachable."""
    first, *headers = head.split(b"\r\n")
    method, where, version = first.decode("ascii").split(" ")
    if method == "CONNECT":
        return _Asked(target_of(f"https://{where}"), is_tunnel=True, head=b"")
    target = target_of(where)
    path = urlsplit(target.url)._replace(scheme="", netloc="").geturl() or "/"
    kept = [line for line in headers if line.partition(b":")[0].strip().lower().decode("latin-1") not in _HOP_BY_HOP]
    # One request on each connection, so that all of them pass here.
    lines = [f"{method} {path} {version}".encode("latin-1"), *filter(None, kept), b"Connection: close", b"", b""]
    return _Asked(target, is_tunnel=False, head=b"\r\n".join(lines))


def _refusal(reason: str) -> bytes:
    body = reason.encode()
    head = ["HTTP/1.1 403 Forbidden", "Content-Type: text/plain", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


async def _join(one: ByteStream, other: ByteStream) -> None:
    """Carry bytes both ways until either end is closed."""
    async with anyio.create_task_group() as tasks:

        async def carry(source: ByteStream, sink: ByteStream) -> None:
            try:
                while True:
                    await sink.send(await source.receive(_CHUNK))
            except _OVER:
                tasks.cancel_scope.cancel()

        tasks.start_soon(carry, one, other)
        tasks.start_soon(carry, other, one)
