"""One connection to the fake provider: HTTP/1.1 with keep-alive, requests one after another."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import NoReturn, Protocol

from tests.harness.protocols import Speech, model_of, protocol_of
from tests.harness.refusals import refusal
from tests.harness.replies import (
    Broken,
    Chunks,
    Cut,
    Error,
    Headers,
    Json,
    Refusal,
    Reply,
    Reset,
    Said,
    Stall,
    Text,
    Usage,
    Wait,
    openai_error,
)
from tests.harness.seen import Request
from tests.harness.sse import Body


class Answers(Protocol):
    """What a connection needs of the provider."""

    def judge(self, request: Request) -> Reply: ...

    def looked_up(self, path: str, headers: dict[str, str]) -> Reply | None: ...

    def account(self) -> Json: ...

    def speech(self, request: Request, usage: Usage | None) -> Speech: ...

    async def wait(self, name: str) -> None: ...


class Connection:
    def __init__(self, provider: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            protocol = protocol_of(path) if method == "POST" else None
            match method, path:
                case _ if protocol is not None:
                    body: Json = json.loads(content)
                    request = Request(protocol, model_of(path, body), headers, body, arrived)
                    await self._watched(request, self._provider.judge(request))
                case "GET", "/v1/requests":
                    self._whole(Error(200, self._provider.account()))
                case "GET", _ if (reply := self._provider.looked_up(path, headers)) is not None:
                    await self._tell(reply)
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
        body = Body(self._writer)
        speech = self._provider.speech(request, next((step for step in reply if isinstance(step, Usage)), None))
        for step in reply:
            match step:
                case Error() | Refusal():
                    self._whole(_error(step, request))
                    return
                case Reset():
                    self._reset()
                case Stall():
                    await asyncio.Event().wait()
                case Wait(name):
                    await self._provider.wait(name)
                case Headers():
                    body.open()
                case Cut():
                    await body.close()
                    return
                case _:
                    await body.write(_events(step, speech))
                    if isinstance(step, Broken):
                        await body.close()
                        return
        await body.write(speech.end())
        await body.close()
        request.done = time.perf_counter()

    async def _tell(self, reply: Reply) -> None:
        """Answer what is no request for a completion."""
        for step in reply:
            match step:
                case Error():
                    self._whole(step)
                case Wait(name):
                    await self._provider.wait(name)
                case Stall():
                    await asyncio.Event().wait()
                case Reset():
                    self._reset()
                case _:
                    raise TypeError(f"{step} is for a completion")

    def _whole(self, error: Error) -> None:
        is_page = isinstance(error.body, str)
        content = error.body.encode() if isinstance(error.body, str) else json.dumps(error.body).encode()
        headers = {"content-type": "text/html" if is_page else "application/json", **error.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reason = HTTPStatus(error.status).phrase if error.status in set(HTTPStatus) else "Status"
        head = f"HTTP/1.1 {error.status} {reason}\r\n{lines}content-length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)

    def _reset(self) -> NoReturn:
        linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()
        raise asyncio.IncompleteReadError(b"", None)


def _error(step: Error | Refusal, request: Request) -> Error:
    if isinstance(step, Error):
        return step
    return refusal(request.protocol, step.kind, request.model, step.wait)


def _events(step: Said | Chunks | Usage, speech: Speech) -> Iterator[bytes]:
    match step:
        case Chunks(number):
            return (each for at in range(number) for each in speech.say(Text(f"t{at} ")))
        case Usage():
            return iter(())  # the speech knows it from its beginning
        case _:
            return speech.say(step)
