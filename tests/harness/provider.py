"""A fake provider: a real OpenAI-compatible HTTP server on loopback that answers by script.

It runs in a thread with a loop of its own (`Provider`), or as a process: `python -m
tests.harness.provider --script FILE.json` (or `--chunks N`), which prints its base URL first.
Each request is held to `check_history`, and answered 400 where a real provider would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import anyio
import anyio.to_thread

from tests.harness.history import check_history
from tests.harness.replies import (
    Chunks,
    Cut,
    Error,
    Headers,
    Json,
    Reply,
    Reset,
    Script,
    Stall,
    Usage,
    Wait,
    load_script,
    openai_error,
)
from tests.harness.sse import Stream

# ---------------------------------------------------------------- what it saw


@dataclass(slots=True)
class Request:
    """One request for a completion, as it came; times by `time.perf_counter`."""

    headers: dict[str, str]
    body: Json
    arrived: float
    done: float | None = None
    """When the last byte of the reply was handed to the socket."""
    hung_up_at: float | None = None
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when the client leaves before the reply has ended."""

    async def until_hung_up(self) -> None:
        """Return when the client has hung up; five seconds are the bound."""
        if not await anyio.to_thread.run_sync(self.hung_up.wait, 5):
            raise TimeoutError("the client did not hang up")


# ---------------------------------------------------------------- the server in a thread


class Provider:
    """A context manager: serves while entered, and checks at the end that no request was at fault."""

    def __init__(self, *replies: Reply, script: Script | None = None, key: str | None = None, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.connections = 0
        self.url = ""
        """The base URL, `http://127.0.0.1:PORT/v1`."""
        self._script: Script = script if script is not None else list(replies)
        self._key = key
        self._port = port
        self._arrival = threading.Condition()
        self._gates: dict[str, asyncio.Event] = {}
        self._ids = count(1)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)
        self._started: Future[str] = Future()

    def __enter__(self) -> Provider:
        self._thread.start()
        self.url = self._started.result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)
        if kind is None:
            self.assert_no_violations()

    def assert_no_violations(self) -> None:
        assert self.violations == []

    def release(self, name: str) -> None:
        """Let every reply that waits at `Wait(name)`, now or later, go on."""
        self._loop.call_soon_threadsafe(lambda: self._gate(name).set())

    async def request(self, at: int = 0) -> Request:
        """Return request number `at` as soon as it has come; five seconds are the bound."""
        return await anyio.to_thread.run_sync(self._wait_for, at)

    def _wait_for(self, at: int) -> Request:
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.requests) > at, timeout=5):
                raise TimeoutError(f"request {at} did not come")
        return self.requests[at]

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            self.connections += 1
            try:
                await _Connection(self, reader, writer).serve()
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                connections.discard(task)
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", self._port)
        self._started.set_result(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def judge(self, request: Request) -> Reply:
        """Record `request` and choose its reply."""
        with self._arrival:
            at = len(self.requests)
            self.requests.append(request)
            self._arrival.notify_all()
        if self._key is not None and request.headers.get("authorization") != f"Bearer {self._key}":
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            return [openai_error(401, f"Incorrect API key provided: {sent}.", "invalid_api_key")]
        faults = check_history(request.body)
        if not callable(self._script) and at >= len(self._script):
            faults.append(f"request {at}: the script has only {len(self._script)} replies")
        if faults:
            self.violations.extend(faults)
            return [openai_error(400, "; ".join(faults))]
        return self._script(request.body) if callable(self._script) else self._script[at]

    def account(self) -> Json:
        """Tell what was seen: `GET /v1/requests` when the provider is a process."""
        requests = [
            {"body": each.body, "arrived": each.arrived, "done": each.done, "hung_up_at": each.hung_up_at}
            for each in self.requests
        ]
        return {"requests": requests, "violations": self.violations}

    async def wait(self, name: str) -> None:
        await self._gate(name).wait()

    def fresh_id(self) -> str:
        return f"call_{next(self._ids)}"


# ---------------------------------------------------------------- one connection


class _Connection:
    """Speaks HTTP/1.1 with keep-alive: requests one after another."""

    def __init__(self, provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._provider = provider
        self._reader = reader
        self._writer = writer
        self._early = b""
        """What the watch for the hang-up read of the next request."""

    async def serve(self) -> None:
        while True:
            head = self._early + await self._reader.readuntil(b"\r\n\r\n")
            self._early = b""
            arrived = time.perf_counter()
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ", 2)
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            content = await self._reader.readexactly(int(headers.get("content-length", "0")))
            match method, path:
                case "POST", "/v1/chat/completions":
                    request = Request(headers, json.loads(content), arrived)
                    await self._watched(request, self._provider.judge(request))
                case "GET", "/v1/models":
                    self._whole(Error(200, {"object": "list", "data": [{"id": "fake-model", "object": "model"}]}))
                case "GET", "/v1/requests":
                    self._whole(Error(200, self._provider.account()))
                case _:
                    self._whole(openai_error(404, f"no {method} {path} here"))

    async def _watched(self, request: Request, reply: Reply) -> None:
        """Play the reply, and stop when the client hangs up."""
        play = asyncio.ensure_future(self._play(request, reply))
        watch = asyncio.ensure_future(self._reader.read(1))
        try:
            await asyncio.wait((play, watch), return_when=asyncio.FIRST_COMPLETED)
            if not play.done():
                self._early = await watch
                if not self._early:
                    raise ConnectionResetError
            await play
        except ConnectionError:
            request.hung_up_at = time.perf_counter()
            request.hung_up.set()
            raise
        finally:
            for task in (play, watch):
                task.cancel()
            await asyncio.gather(play, watch, return_exceptions=True)
        if not watch.cancelled():
            self._early = self._early or watch.result()

    async def _play(self, request: Request, reply: Reply) -> None:
        stream = Stream(self._writer, str(request.body.get("model")), self._provider.fresh_id)
        for step in reply:
            match step:
                case Error():
                    self._whole(step)
                    return
                case Reset():
                    self._reset()
                case Stall():
                    await asyncio.Event().wait()
                case Wait(name):
                    await self._provider.wait(name)
                case Headers():
                    stream.open()
                case Cut():
                    await stream.cut()
                    return
                case _:
                    await stream.send(step)
        await stream.end()
        request.done = time.perf_counter()

    def _whole(self, error: Error) -> None:
        content = json.dumps(error.body).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
        head = f"HTTP/1.1 {error.status} Status\r\ncontent-type: application/json\r\n{extra}"
        self._writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)

    def _reset(self) -> NoReturn:
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()
        raise asyncio.IncompleteReadError(b"", None)


# ---------------------------------------------------------------- as a process


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stdin ends or a signal comes; exit 1 if a request was at fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="answer 401 to any other")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--script", type=Path, help="a JSON file, see load_script")
    what.add_argument("--chunks", type=int, help="answer every request with so many small chunks")
    options = parser.parse_args(arguments)
    if options.script is not None:
        script: Script = load_script(options.script.read_text(encoding="utf-8"))
    else:
        usage = Usage(prompt=10, completion=options.chunks)
        script = partial(_always, [Chunks(options.chunks), usage])
    provider = Provider(script=script, key=options.key, port=options.port)
    with suppress(KeyboardInterrupt), provider:
        sys.stdout.write(f"{provider.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    for violation in provider.violations:
        sys.stderr.write(f"violation: {violation}\n")
    return 1 if provider.violations else 0


def _always(reply: Reply, _body: Json) -> Reply:
    return reply


if __name__ == "__main__":
    sys.exit(main())
