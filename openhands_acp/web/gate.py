"""The browser's only way out: a proxy in this process that connects to nothing that was not looked at first (`ways`).

So what goes for `fetching` goes for all that a page loads, whatever asks for it: frames, scripts, sockets, redirects.
Where a company has a proxy, it goes on through that.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.abc import ByteStream, SocketAttribute, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSStream

from openhands_acp.engine.web import Unreachable
from openhands_acp.web.addresses import Address, Target, target_of
from openhands_acp.web.ways import Proxied, Resolve, Straight, Way, resolved, way_to

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
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    """For a proxy that is itself reached over TLS."""
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Why the last connection to a host was not made, by its `netloc`; whoever wants to know clears it before."""

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
                    site = await self._connected(asked)
                except (Unreachable, ValueError, OSError, TimeoutError) as refused:
                    await browser.send(_refusal(str(refused)))
                    return
                async with site.stream:
                    if asked.is_tunnel:
                        await browser.send(b"HTTP/1.1 200 OK\r\n\r\n" + site.first)
                    if first := site.head + head.buffer:
                        await site.stream.send(first)
                    await _join(browser, site.stream)

    async def way(self, target: Target) -> Way:
        """Return how a host would be reached, all checked. Raises Unreachable."""
        return await way_to(target, self.allowed, self.resolve)

    async def _connected(self, asked: _Asked) -> _Site:
        try:
            match await self.way(asked.target):
                case Straight(addresses):
                    return _Site(await _first_of(addresses, asked.target.port), asked.head())
                case Proxied() as proxy:
                    return await self._through(proxy, asked)
        except (Unreachable, OSError, TimeoutError) as refused:
            self.refused[asked.target.netloc] = str(refused) or "it does not answer"
            raise

    async def _through(self, proxy: Proxied, asked: _Asked) -> _Site:
        trust = await anyio.to_thread.run_sync(self.trust) if proxy.is_secure else None
        with anyio.fail_after(_CONNECT):
            try:
                stream: ByteStream = await anyio.connect_tcp(proxy.host, proxy.port)
                if trust is not None:
                    stream = await TLSStream.wrap(stream, hostname=proxy.host, ssl_context=trust)
            except OSError as error:
                raise Unreachable(f"{proxy.name} cannot be reached ({error})") from error
            if not asked.is_tunnel:
                return _Site(stream, asked.head(proxy))
            try:
                return _Site(stream, b"", await _tunnelled(stream, proxy, asked.target))
            except (Unreachable, *_OVER):
                await anyio.aclose_forcefully(stream)
                raise


@dataclass(frozen=True, slots=True)
class _Site:
    """A connection to a site."""

    stream: ByteStream
    head: bytes
    """What it is sent first."""
    first: bytes = b""
    """What it has said already."""


async def _first_of(addresses: Sequence[Address], port: int) -> ByteStream:
    for address in addresses[:-1]:
        # Of two kinds of address, often only one leads anywhere.
        with suppress(OSError), anyio.move_on_after(_CONNECT / 2):
            return await anyio.connect_tcp(str(address), port)
    with anyio.fail_after(_CONNECT):
        return await anyio.connect_tcp(str(addresses[-1]), port)


async def _tunnelled(stream: ByteStream, proxy: Proxied, target: Target) -> bytes:
    """Have the proxy connect to a host; return what came from there already. Raises Unreachable."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    where = f"{host}:{target.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", *_credentials(proxy), "", ""]
    await stream.send("\r\n".join(lines).encode("ascii"))
    answer = BufferedByteReceiveStream(stream)
    head = await answer.receive_until(b"\r\n\r\n", _MOST_HEAD)
    status = head.split(b"\r\n")[0].decode("latin-1").partition(" ")[2].strip()
    if not status.startswith("2"):
        raise Unreachable(f"{proxy.name} does not connect to {target.host}: it answered {status[:100]!r}")
    return answer.buffer


def _credentials(proxy: Proxied) -> list[str]:
    return [f"Proxy-Authorization: {proxy.credentials}"] if proxy.credentials else []


@dataclass(frozen=True, slots=True)
class _Asked:
    target: Target
    is_tunnel: bool
    method: str = ""
    version: str = ""
    headers: tuple[bytes, ...] = ()

    def head(self, proxy: Proxied | None = None) -> bytes:
        """Spell it for the site, or for a proxy on the way there; nothing of a tunnel."""
        if self.is_tunnel:
            return b""
        path = urlsplit(self.target.url)._replace(scheme="", netloc="").geturl() or "/"
        where = path if proxy is None else f"{self.target.scheme}://{self.target.netloc}{path}"
        added = ["Connection: close", *(() if proxy is None else _credentials(proxy))]
        lines = [f"{self.method} {where} {self.version}".encode("latin-1"), *self.headers]
        # One request on each connection, so that all of them pass here.
        return b"\r\n".join([*lines, *(each.encode("ascii") for each in added), b"", b""])


def _asked(head: bytes) -> _Asked:
    """Read a request's head. Raises ValueError, Unreachable."""
    first, *headers = head.split(b"\r\n")
    method, where, version = first.decode("ascii").split(" ")
    if method == "CONNECT":
        return _Asked(target_of(f"https://{where}"), is_tunnel=True)
    kept = [line for line in headers if line.partition(b":")[0].strip().lower().decode("latin-1") not in _HOP_BY_HOP]
    return _Asked(target_of(where), False, method, version, tuple(filter(None, kept)))


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
