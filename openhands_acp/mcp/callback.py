"""The port of this machine to which a browser comes back from a login (RFC 8252), open only meanwhile.

Knows a little HTTP and the parameters of such a request; not who logs in where.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketStream

_HOST = "127.0.0.1"
_PATH = "/callback"
_LONGEST = 16 << 10
_PATIENCE = 10.0
"""Seconds for a browser to send its request."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser came back with."""

    code: str = ""
    error: str = ""
    """In the words of the server, if there is no code."""
    issuer: str | None = None


def address(port: int) -> str:
    return f"http://{_HOST}:{port}{_PATH}"


def usable_port(wanted: int) -> int:
    """Return `wanted` if it is free, else any that is: servers may have been told of the former."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"there is no free port on {_HOST}")


@dataclass(slots=True)
class Callback:
    state: str
    """What the browser must bring back: whoever cannot say it, does not come from the login."""
    _came: anyio.Event = field(default_factory=anyio.Event)
    _returned: Returned = Returned()

    async def wait(self) -> Returned:
        await self._came.wait()
        return self._returned

    def give_up(self, reason: str) -> None:
        """Have whoever waits for the browser wait no longer."""
        self._returned = Returned(error=reason)
        self._came.set()

    async def serve(self, stream: SocketStream) -> None:
        """Answer one request."""
        async with stream:
            try:
                with anyio.fail_after(_PATIENCE):
                    status, words = self._taken(await _target(stream))
                    await stream.send(_page(status, words))
            except (TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError):
                # A browser opens connections that it does not use.
                return

    def _taken(self, target: str) -> tuple[str, str]:
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path != _PATH or query.get("state") != self.state:
            return "404 Not Found", "This is not the page that you are looking for."
        error = query.get("error_description") or query.get("error", "")
        self._returned = Returned(
            query.get("code", ""), "" if "code" in query else error or "no code", query.get("iss")
        )
        self._came.set()
        if self._returned.error:
            return "200 OK", f"The login did not work: {self._returned.error}"
        return "200 OK", "You are logged in. You can close this page and go back to your editor."


@asynccontextmanager
async def waiting_at(port: int, state: str) -> AsyncGenerator[Callback]:
    """Have the port open. Raises OSError if somebody else has it."""
    callback = Callback(state)
    async with (
        await anyio.create_tcp_listener(local_host=_HOST, local_port=port) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, callback.serve)
        yield callback
        tasks.cancel_scope.cancel()


async def _target(stream: SocketStream) -> str:
    """Read a request; return its target, empty if it is none."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _LONGEST:
        received += await stream.receive()
    words = received.partition(b"\r\n")[0].decode("latin-1").split()
    return words[1] if len(words) == 3 and words[0] == "GET" else ""


def _page(status: str, words: str) -> bytes:
    page = f"<!doctype html><meta charset=utf-8><title>OpenHands ACP</title><p>{escape(words)}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
        "Connection: close\r\nReferrer-Policy: no-referrer\r\n\r\n"
    )
    return head.encode() + page
