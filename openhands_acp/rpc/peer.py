"""One JSON-RPC connection. Knows ids, order and cancellation; knows no method.

Rules of this file: messages are taken in the order they came, on the reader, which awaits nothing
but the next bytes. A method is a plain function: what it does at once it does in that order, what
it returns to be awaited is awaited in the request's own task. Every request is answered once, after
everything that its method put into the outbox; answers are never answered.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from jsonrpcserver import Error, Result, Success, dispatch_to_response
from jsonrpcserver.response import to_serializable

from openhands_acp.rpc.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    REQUEST_CANCELLED,
    RemoteError,
    RpcError,
)
from openhands_acp.rpc.framing import Broken, Framer, Notification, Oversize, Request, RequestId, Response, parse
from openhands_acp.rpc.json import JsonObject, JsonValue
from openhands_acp.rpc.outbox import Outbox, Plain

logger = logging.getLogger(__name__)

T = TypeVar("T")

_dispatch = cast(
    "Callable[..., Any]", dispatch_to_response
)  # It is typed for text; a message that is parsed already is as good.
_LAST_WORK = 2.0
"""Seconds that what was asked last may still take once the peer has closed its end: a script that pipes requests in
wants the answers. Only a busy machine comes near."""
_LAST_ANSWERS = 0.1
"""Seconds after that for what lasts, and for answers to be read: an editor that is gone wants none."""
_BUG = "a bug in openhands-acp; its log (stderr) has the traceback"


class Channel(Protocol):
    """Bytes both ways."""

    async def read(self) -> bytes:
        """Return what has come; empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises OSError when the peer is gone."""
        ...


@dataclass(slots=True)
class Call:
    """One inbound request while it is being answered."""

    id: RequestId
    lasts: bool = False
    """It waits for a model or a person."""
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    on_cancel: Callable[[], None] | None = None
    """What `$/cancel_request` does instead of ending the request's task."""

    def cancel(self) -> None:
        (self.on_cancel or self.scope.cancel)()

    @asynccontextmanager
    async def carried_through(self) -> AsyncGenerator[None]:
        """Do what is in here to its end, or not at all: a cancellation that comes meanwhile counts behind it."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        cancelled: list[bool] = []
        self.on_cancel = lambda: cancelled.append(True)
        try:
            yield
        finally:
            self.on_cancel = None
        if cancelled:
            self.scope.cancel()


@dataclass(frozen=True, slots=True)
class Reply:
    """A result, and what follows once it is on the wire."""

    result: JsonObject
    then: Callable[[], Awaitable[None]] | None = None


async def done(result: JsonObject, then: Callable[[], Awaitable[None]] | None = None) -> Reply:
    """Answer with what is known already: for a method that does all its work on the reader."""
    return Reply(result, then)


Method: TypeAlias = Callable[[Call, JsonObject], Awaitable[Reply]]
"""Raises RpcError, at once or when awaited."""
Listener: TypeAlias = Callable[[JsonObject], None]
"""For a notification: runs wholly on the reader."""


class Peer:
    """The other end of a channel, and the requests under way in both directions."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        listeners: Mapping[str, Listener],
        admit: Callable[[str], None] = lambda _method: None,
        lasting: Collection[str] = (),
    ) -> None:
        """`admit` is asked before each request is looked up, and raises RpcError to refuse it.

        `lasting` names the methods that wait for a model or a person.
        """
        self.outbox = Outbox()
        self._methods = {name: _entry(method) for name, method in methods.items()}
        self._listeners = {**listeners, "$/cancel_request": self._cancel_request}
        self._admit = admit
        self._lasting = lasting
        self._calls: dict[tuple[type, RequestId], list[Call]] = {}
        self._answered = anyio.Event()
        self._pending: dict[RequestId, _Pending] = {}
        self._is_over = False
        self._last_id = 0

    def notify(self, method: str, params: JsonObject) -> None:
        self.outbox.put(Plain({"jsonrpc": "2.0", "method": method, "params": params}))

    async def request(self, method: str, params: JsonObject) -> Any:
        """Ask the peer. Raises RemoteError, also when it is gone. When cancelled, the request is withdrawn."""
        if self._is_over:
            raise RemoteError(0, "the connection is over")
        self._last_id += 1
        request_id, pending = self._last_id, _Pending()
        self._pending[request_id] = pending
        self.outbox.put(Plain({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}))
        try:
            await pending.done.wait()
        except anyio.get_cancelled_exc_class():
            self.notify("$/cancel_request", {"requestId": request_id})
            raise
        finally:
            del self._pending[request_id]
        assert pending.response is not None
        if pending.response.error is not None:
            raise _remote(pending.response.error)
        return pending.response.result

    async def run(self, channel: Channel) -> None:
        """Serve until the peer's end, then end every request that is still under way."""
        framer = Framer()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, channel, tasks.cancel_scope)
            while data := await channel.read():
                for line in framer.feed(data):
                    self._receive(line, tasks)
            for line in framer.finish():
                self._receive(line, tasks)
            await self._part()
            self._is_over = True
            tasks.cancel_scope.cancel()

    async def _part(self) -> None:
        with anyio.move_on_after(_LAST_WORK):
            while any(not call.lasts for calls in self._calls.values() for call in calls):
                await self._answered.wait()
        with anyio.move_on_after(_LAST_ANSWERS):
            while self._calls:
                await self._answered.wait()
            await self.outbox.flushed()

    async def _write(self, channel: Channel, connection: anyio.CancelScope) -> None:
        try:
            await self.outbox.write_to(channel.write)
        except OSError:
            # Nobody is left to tell.
            self._is_over = True
            connection.cancel()

    def _receive(self, line: bytes | Oversize, tasks: TaskGroup) -> None:
        match parse(line):
            case Request() as request:
                self._serve(request, tasks)
            case Notification(method, params):
                self._listen(method, params)
            case Response() as response:
                if pending := self._pending.get(response.id):
                    pending.response = response
                    pending.done.set()
            case Broken(request_id, error):
                self._fail(request_id, error)

    def _serve(self, request: Request, tasks: TaskGroup) -> None:
        call = Call(request.id, request.method in self._lasting)
        key = (type(request.id), request.id)
        self._calls.setdefault(key, []).append(call)
        # A refusal too is told from a task, so that it does not overtake the answers to earlier requests.
        tasks.start_soon(self._answer, key, call, self._taken(request, call))

    def _taken(self, request: Request, call: Call) -> Awaitable[Reply]:
        """Let the method do what it does at once; return what is left to wait for."""
        try:
            self._admit(request.method)
        except RpcError as error:
            return _refused(error)
        message = {"jsonrpc": "2.0", "id": 0, "method": request.method, "params": request.params}
        # Deserialised and validated already, more strictly than the library would.
        answer: Any = to_serializable(
            _dispatch(message, self._methods, context=call, deserializer=_same, validator=_same)
        )
        return answer["result"] if "result" in answer else _refused(_refusal(request.method, answer["error"]))

    async def _answer(self, key: tuple[type, RequestId], call: Call, work: Awaitable[Reply]) -> None:
        outcome: Reply | RpcError = RpcError(REQUEST_CANCELLED)
        try:
            with call.scope:
                outcome = await _outcome(work, call.id)
            if isinstance(outcome, RpcError):
                self._fail(call.id, outcome)
            else:
                self.outbox.put(Plain({"jsonrpc": "2.0", "id": call.id, "result": outcome.result}))
        finally:
            self._calls[key].remove(call)
            if not self._calls[key]:
                del self._calls[key]
            self._answered.set()
            self._answered = anyio.Event()
        if isinstance(outcome, Reply) and outcome.then is not None:
            # Nobody waits for it any more: what goes wrong there is only logged.
            await _outcome(outcome.then(), call.id)

    def _listen(self, method: str, params: JsonObject) -> None:
        if listener := self._listeners.get(method):
            try:
                listener(params)
            except RpcError as error:
                # A notification has no answer.
                logger.warning("notification %s: %s", method, error)

    def _cancel_request(self, params: JsonObject) -> None:
        request_id = params.get("requestId")
        if not isinstance(request_id, str | int | float):
            raise RpcError(INVALID_REQUEST, "requestId must be a string or a number")
        for call in self._calls.get((type(request_id), request_id), []):
            call.cancel()

    def _fail(self, request_id: RequestId, error: RpcError) -> None:
        self.outbox.put(Plain({"jsonrpc": "2.0", "id": request_id, "error": error.to_wire()}))


@dataclass(slots=True)
class _Pending:
    done: anyio.Event = field(default_factory=anyio.Event)
    response: Response | None = None


def _entry(method: Method) -> Callable[..., Result]:
    """Fit a method to the library: parameters by name, whatever their names; errors as values."""

    def entry(call: Call, /, **params: JsonValue) -> Result:
        try:
            return Success(method(call, params))
        except RpcError as error:
            return Error(error.code, error.message, error.data)

    return entry


async def _outcome(work: Awaitable[T], request_id: RequestId) -> T | RpcError:
    """Await `work`, whatever goes wrong in it: one request never ends the connection of the others."""
    try:
        return await work
    except RpcError as error:
        return error
    except Exception:
        logger.exception("serving request %r", request_id)
        return RpcError(INTERNAL_ERROR, _BUG)


async def _refused(error: RpcError) -> Reply:
    raise error


def _refusal(method: str, error: Mapping[str, Any]) -> RpcError:
    code = error["code"]
    if code == METHOD_NOT_FOUND:
        return RpcError(METHOD_NOT_FOUND, f"no method {method[:200]!r}")
    if code == INTERNAL_ERROR:
        # The library logged the traceback; its text may hold a path or a key.
        return RpcError(INTERNAL_ERROR, _BUG)
    return RpcError(code, message=error["message"], data=error.get("data"))


def _same(value: Any) -> Any:
    return value


def _remote(error: dict[str, Any]) -> RemoteError:
    code, data = error.get("code"), error.get("data")
    details = cast("dict[str, Any]", data).get("details") if isinstance(data, dict) else None
    message = str(error.get("message") or "the peer refused")
    return RemoteError(code if isinstance(code, int) else 0, message, details and str(details))
