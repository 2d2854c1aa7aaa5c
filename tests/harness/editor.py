"""A scripted editor at the other end of an in-memory channel: asks, answers, and keeps the whole wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel

from openhands_acp.rpc.errors import RemoteError
from tests.harness.editor_terminals import METHODS, EditorTerminals
from tests.harness.monitor import Monitor
from tests.harness.waiting import PATIENCE


class MemoryChannel:
    """Bytes both ways, without a process: the agent's end is `read` and `write`."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._arrived = anyio.Event()
        self._has_ended = False
        self.written = bytearray()
        self.on_line: Callable[[bytes], None] = lambda _line: None
        self.gate: anyio.Event | None = None
        """While set and not fired, the editor does not read its pipe."""

    async def read(self) -> bytes:
        while not self._chunks:
            if self._has_ended:
                return b""
            await self._arrived.wait()
        return self._chunks.pop(0)

    async def write(self, data: bytes) -> None:
        if self.gate is not None:
            await self.gate.wait()
        await anyio.lowlevel.checkpoint()
        self.written += data
        while (end := self.written.find(b"\n")) >= 0:
            line = bytes(self.written[:end])
            del self.written[: end + 1]
            self.on_line(line)

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._wake()

    def end(self) -> None:
        self._has_ended = True
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = anyio.Event()


Answerer = Callable[[dict[str, Any]], Any]
"""From the params of an agent's request to its result; raises `Refusal`; returns NEVER to leave it open."""

NEVER = object()


class Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Editor:
    channel: MemoryChannel
    permission: Answerer = lambda _params: allowed()
    buffers: dict[str, str] | None = None
    """Unsaved text by path; None: this editor offers no files."""
    answers: dict[str, Answerer] = field(default_factory=dict[str, Answerer])
    """Own answers to agent requests, by method."""
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """("in" to the agent or "out" of it, message), in wire order."""
    terminals: EditorTerminals | None = None
    monitor: Monitor = field(default_factory=Monitor)
    on_message: Callable[[dict[str, Any]], None] = lambda _message: None
    _last_id: int = 0
    _arrived: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.channel.on_line = self._receive
        if self.buffers is not None:
            self.monitor.offers |= {"fs/read_text_file", "fs/write_text_file"}

    def offer(self, terminals: EditorTerminals) -> None:
        """Have commands run in terminals of its own, before it says what it can do."""
        self.terminals = terminals
        self.monitor.offers |= METHODS

    def elicit(self, answerer: Answerer) -> None:
        """Have forms and links, before it says what it can do."""
        self.answers["elicitation/create"] = answerer
        self.monitor.offers |= {"elicitation/create"}

    # ---------------------------------------------------------------- what the editor says

    def say(self, **message: Any) -> None:
        full = {"jsonrpc": "2.0", **message}
        self.monitor.sent(full)
        self.log.append(("in", full))
        self.channel.feed(json.dumps(full).encode() + b"\n")

    def notify(self, method: str, /, **params: Any) -> None:
        self.say(method=method, params=params)

    def ask(self, method: str, /, **params: Any) -> int:
        """Send a request and return its id."""
        self._last_id += 1
        self.say(id=self._last_id, method=method, params=params)
        return self._last_id

    async def answer(self, request_id: int) -> dict[str, Any]:
        return await self.until(lambda m: m.get("id") == request_id and "method" not in m)

    async def request(self, method: str, /, **params: Any) -> Any:
        """Send a request; return its result, or the error object."""
        message = await self.answer(self.ask(method, **params))
        return message["result"] if "result" in message else message["error"]

    async def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message from the agent."""
        with anyio.fail_after(PATIENCE):
            while True:
                arrived = self._arrived  # Taken before looking, so that one that lands meanwhile is not missed.
                for direction, message in self.log:
                    if direction == "out" and found(message):
                        return message
                await arrived.wait()

    async def until_update(self, kind: str, **fields: Any) -> dict[str, Any]:
        def found(message: dict[str, Any]) -> bool:
            update = message.get("params", {}).get("update", {})
            return update.get("sessionUpdate") == kind and fields.items() <= update.items()

        return (await self.until(found))["params"]["update"]

    # ---------------------------------------------------------------- what it hears

    def updates(self) -> list[dict[str, Any]]:
        return [m["params"]["update"] for d, m in self.log if d == "out" and m.get("method") == "session/update"]

    def _receive(self, line: bytes) -> None:
        message = json.loads(line)
        self.monitor.received(message)
        self.log.append(("out", message))
        self._arrived.set()
        self._arrived = anyio.Event()
        if "method" in message and "id" in message:
            self._respond(message)
        self.on_message(message)

    def _respond(self, message: dict[str, Any]) -> None:
        if self.terminals is not None and message["method"] in METHODS:
            self.terminals.tasks.start_soon(self._serve_terminal, self.terminals, message)
            return
        answerer = self.answers.get(message["method"]) or {
            "session/request_permission": self.permission,
            "fs/read_text_file": self._read,
            "fs/write_text_file": self._write,
        }.get(message["method"])
        try:
            if answerer is None:
                raise Refusal(-32601, "Method not found")
            result = answerer(message["params"])
        except Refusal as refusal:
            self.say(id=message["id"], error={"code": refusal.code, "message": str(refusal)})
            return
        if result is not NEVER:
            self.say(id=message["id"], result=result)

    async def _serve_terminal(self, terminals: EditorTerminals, message: dict[str, Any]) -> None:
        try:
            result = await terminals.ask(message["method"], message["params"])
        except RemoteError as error:
            self.say(id=message["id"], error={"code": error.code, "message": str(error).rpartition(" (")[0]})
        else:
            self.say(id=message["id"], result=result)

    def _read(self, params: dict[str, Any]) -> dict[str, Any]:
        buffers = self.buffers or {}
        if params["path"] not in buffers:
            raise Refusal(-32002, "Resource not found")
        return {"content": buffers[params["path"]]}

    def _write(self, params: dict[str, Any]) -> None:
        assert self.buffers is not None
        self.buffers[params["path"]] = params["content"]


def allowed(option: str = "allow_once") -> dict[str, Any]:
    return {"outcome": {"outcome": "selected", "optionId": option}}


def rejected() -> dict[str, Any]:
    return allowed("reject_once")


def dismissed() -> dict[str, Any]:
    return {"outcome": {"outcome": "cancelled"}}
