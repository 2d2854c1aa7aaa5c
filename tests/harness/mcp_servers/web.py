"""The smallest MCP server on the web, in a thread of the test: it can refuse, and forget whom it knows."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, cast
from uuid import uuid4

_TOOL: dict[str, Any] = {"name": "echo", "inputSchema": {"type": "object", "properties": {}}}


class WebServer:
    """A context manager. `sessions` are those that it knows; with `refuses` it answers nothing but that status."""

    def __init__(self, refuses: int | None = None) -> None:
        self.refuses = refuses
        self.sessions: set[str] = set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}/mcp"

    def __enter__(self) -> WebServer:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        match message["method"]:
            case "initialize":
                can: dict[str, Any] = {"tools": {}}
                info = {"name": "web", "version": "1"}
                return {"protocolVersion": "2025-06-18", "capabilities": can, "serverInfo": info}
            case "tools/list":
                return {"tools": [_TOOL]}
            case _:
                return {"content": [{"type": "text", "text": "echo"}]}


def _handler(server: WebServer) -> type[BaseHTTPRequestHandler]:
    def post(self: BaseHTTPRequestHandler) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers.get("Mcp-Session-Id")
        if server.refuses is not None:
            return _reply(self, server.refuses)
        if message["method"] == "initialize":
            known = uuid4().hex
            server.sessions.add(known)
        elif known not in server.sessions:
            return _reply(self, 404)
        if "id" not in message:
            return _reply(self, 202)
        return _reply(self, 200, {"jsonrpc": "2.0", "id": message["id"], "result": server.answer(message)}, known)

    def other(self: BaseHTTPRequestHandler) -> None:
        _reply(self, server.refuses or 405)

    def quiet(_self: BaseHTTPRequestHandler, *_args: object) -> None:
        pass

    members = {"do_POST": post, "do_GET": other, "do_DELETE": other, "log_message": quiet}
    return cast("type[BaseHTTPRequestHandler]", type("Handler", (BaseHTTPRequestHandler,), members))


def _reply(request: BaseHTTPRequestHandler, status: int, message: object = None, session: str | None = None) -> None:
    body = json.dumps(message).encode() if message is not None else b""
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    if session is not None:
        request.send_header("Mcp-Session-Id", session)
    request.end_headers()
    request.wfile.write(body)
