"""A site on this machine: a real HTTP server that answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.harness.waiting import PATIENCE


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    is_endless: bool = False
    """The body again and again, until nobody listens."""
    is_silent: bool = False
    """No answer, until nobody waits for one."""


@dataclass(slots=True)
class Site:
    pages: dict[str, Answer]
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """`Host` and path of each request."""

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def site(pages: dict[str, Answer], tls: ssl.SSLContext | None = None) -> Generator[Site]:
    served = Site(pages)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.headers["Host"], self.path))
            answer = served.pages.get(self.path, Answer(b"not here", status=404))
            if answer.is_silent:
                # Until the client hangs up.
                self.connection.recv(1)
                return
            self.send_response(answer.status)
            if answer.kind:
                self.send_header("Content-Type", answer.kind)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if not answer.is_endless:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            try:
                self.wfile.write(answer.body)
                while answer.is_endless:
                    self.wfile.write(answer.body)
            except OSError:
                # Nobody wants more of it.
                self.close_connection = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=PATIENCE)
