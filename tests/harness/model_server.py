"""A server on loopback that answers with what it is given, path by path, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Answer = Mapping[str, Any] | str | Callable[[BaseHTTPRequestHandler], None]
"""JSON, text as it is, or something that writes to the connection itself."""


class ModelServer:
    """A context manager; serves while entered."""

    def __init__(self, answers: Mapping[str, Answer], port: int = 0) -> None:
        self.asked: list[tuple[str, Any]] = []
        """Each path, with the body that came."""
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked.append((self.path, json.loads(content) if content else None))
                answer = answers.get(self.path)
                if callable(answer):
                    answer(self)
                    self.close_connection = True
                    return
                text = answer if isinstance(answer, str) else json.dumps(answer or {"error": "not found"})
                self.send_response(200 if answer is not None else 404)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_GET

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ollama(*names: str, **more: Answer) -> dict[str, Answer]:
    """What Ollama answers."""
    return {"/api/tags": {"models": [{"name": name, "model": name} for name in names]}, **more}


def openai(owner: str, *names: str, **facts: Any) -> dict[str, Answer]:
    """What a server that speaks OpenAI's protocol answers; `owner` is whose it says the models are."""
    models = [{"id": name, "object": "model", "owned_by": owner, **facts} for name in names]
    return {"/v1/models": {"object": "list", "data": models}}


def dribbles(handler: BaseHTTPRequestHandler) -> None:
    """Answer without an end, as one that is never quite silent."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            # Its pace.
            time.sleep(0.02)
    except OSError:
        pass
