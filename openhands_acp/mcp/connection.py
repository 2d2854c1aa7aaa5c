"""One connection to one server, through a FastMCP client: opened, used and closed.

Requests run in tasks of the connection, so that whoever gives one up never waits for a server that hangs. Knows
nothing of trying again. Nothing imports this but `library.load`: FastMCP and mcp take seconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import anyio
import httpx2
import mcp_types
from anyio.abc import TaskGroup
from fastmcp import Client
from mcp import MCPError

from openhands_acp import __version__
from openhands_acp.engine.messages import JsonObject, Part
from openhands_acp.engine.programs import Program
from openhands_acp.engine.servers.door import Progress, RemoteFailure, RemoteResult
from openhands_acp.mcp.asked import Asked
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import CannotConnect, LoginNeeded, ServerDoors
from openhands_acp.mcp.failures import CLOSED, SAYS_NOTHING, in_words, is_hopeless, is_loss, needs_login, pages_wanted
from openhands_acp.mcp.listening import listen
from openhands_acp.mcp.offers import Kind, Offer, offered, renewed
from openhands_acp.mcp.patience import Patience, Patiences
from openhands_acp.mcp.results import from_call, from_prompt, from_resource
from openhands_acp.mcp.transports import Way, way_to

T = TypeVar("T")

_MODES = ("legacy", "auto")
"""The handshake that every server knows; then the newest protocol, for servers that know nothing else."""
_UNKNOWN = (mcp_types.METHOD_NOT_FOUND, mcp_types.UNSUPPORTED_PROTOCOL_VERSION)
_CLOSING = 0.5
"""Seconds for a connection to be closed in order."""
_FAILURES = (
    *(MCPError, RuntimeError, ValueError, OSError, httpx2.HTTPError, httpx2.InvalidURL, LoginNeeded, ExceptionGroup),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream),
    *(TypeError, LookupError, AttributeError),
)
"""All that a client raises: `ValueError` is pydantic's, and the last are what an odd answer comes to in a library."""


@dataclass(slots=True)
class Connection:
    """Use it within `connected`."""

    config: ServerConfig
    doors: ServerDoors
    wants_login: Callable[[str], None]
    """Told what the person has to do; empty when that is over."""
    lost: Callable[[str], None]
    """Told why, at once, when the connection is no more, also while it is being made."""
    started: Program | None = None
    """What is to be connected with, where it is a program that runs already."""
    offer: Offer = field(default_factory=Offer)
    tasks: TaskGroup | None = None
    """In which its requests run."""
    _client: Client[Any] | None = None
    _way: Way | None = None
    _patiences: Patiences = field(default_factory=Patiences)
    _stale: set[Kind] = field(default_factory=set[Kind])
    _gone: anyio.Event = field(default_factory=anyio.Event)
    """Set once it is lost."""
    _stirred: anyio.Event = field(default_factory=anyio.Event)
    _asked: Asked = field(init=False)

    def __post_init__(self) -> None:
        self._asked = Asked(self.config.name, self.doors, self.waiting)

    # ---------------------------------------------------------------- its life

    async def watch(self, changed: Callable[[], None]) -> None:
        """Take up what changes in the offer until the connection is lost."""
        while not self._gone.is_set():
            await self._stirred.wait()
            self._stirred = anyio.Event()
            stale, self._stale = self._stale, set[Kind]()
            for kind in sorted(stale):
                # What it cannot tell of anew is taken to be as it was; if it is lost, that shows by itself.
                with suppress(RemoteFailure):
                    self.offer = await self._ask(lambda _request, kind=kind: self._renewed(kind))
            if not self._gone.is_set():
                changed()
            # Some servers tell of a change whenever they are asked what there is.
            with anyio.move_on_after(self.doors.breath):
                await self._gone.wait()

    async def listen(self) -> None:
        """Hear of what changes where the server tells of it only so."""
        # That it cannot be heard is no loss of the connection, which shows by itself.
        with suppress(*_FAILURES):
            await listen(self.config.name, self._open, self.doors.pauses, self._missed)

    def _missed(self) -> None:
        self._stale |= set(get_args(Kind))
        self._stirred.set()

    def remark(self, what: str) -> None:
        """Show something that is worth knowing with the server (`Login`)."""
        self.offer = replace(self.offer, remark=what)
        self._stirred.set()

    def lose(self) -> None:
        """Take it that the server is gone."""
        if not self._gone.is_set():
            self._gone.set()
            self._stirred.set()
            self.lost(self._why(CLOSED))

    @contextmanager
    def waiting(self, what: str = "") -> Generator[None]:
        """Let no deadline run (`Login`, `Asked`); `what` has the person log in."""
        if what:
            self.wants_login(what)
        try:
            with self._patiences.hold():
                yield
        finally:
            if what:
                self.wants_login("")

    async def _renewed(self, kind: Kind) -> Offer:
        return await renewed(self.offer, kind, self.config.name, self._open)

    @property
    def _open(self) -> Client[Any]:
        assert self._client is not None
        return self._client

    def _why(self, raised: str) -> str:
        return (self._way.why() if self._way is not None else "") or raised

    # ---------------------------------------------------------------- requests

    async def call(self, tool: str, arguments: JsonObject, progress: Progress) -> RemoteResult:
        async def ask(request: _Request) -> mcp_types.CallToolResult:
            return await self._open.call_tool_mcp(tool, dict(arguments), progress_handler=request.advance)

        return from_call(await self._ask(ask, progress))

    async def prompt(self, name: str, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        return from_prompt(await self._ask(lambda _request: self._open.get_prompt_mcp(name, dict(arguments))))

    async def read(self, uri: str) -> RemoteResult:
        return from_resource(await self._ask(lambda _request: self._open.read_resource_mcp(uri)))

    async def _ask(self, ask: Callable[[_Request], Awaitable[T]], progress: Progress | None = None) -> T:
        """Have a task of the connection ask, and wait for it. Raises RemoteFailure."""
        answers: list[T] = []

        async def carry_out(request: _Request) -> None:
            try:
                with request.patience.scope:
                    answers.append(await ask(request))
            except _FAILURES as error:
                request.failure = error
            finally:
                # Also where the connection ends, and with it its tasks.
                request.is_over = True
                request.stirred.set()

        if self._gone.is_set() or self.tasks is None:
            raise self._lost()
        with self._patiences.waiting(self.config.call_timeout) as patience:
            request = _Request(patience)
            self.tasks.start_soon(carry_out, request)
            try:
                await request.follow(progress)
            finally:
                # If it still runs: the server is told so, and what it says to that nobody waits for.
                patience.scope.cancel()
        if answers:
            return answers[0]
        if pages := pages_wanted(request.failure):
            raise self._failure(await self._asked.send(pages))
        raise self._failed(request)

    def _failed(self, request: _Request) -> RemoteFailure:
        if request.patience.is_over:
            return self._failure(f"it gave no sign of life for {self.config.call_timeout:g} s, and was told to stop")
        if request.failure is None or is_loss(request.failure) or self._way is None or self._way.is_forgotten():
            self.lose()
            return self._lost()
        return self._failure(in_words(request.failure, self.config))

    def _lost(self) -> RemoteFailure:
        reason = self._why("").partition("\n")[0]
        because = f" ({reason})" if reason else ""
        return self._failure(f"the connection was lost{because}, and is being made anew; try again in a moment")

    def _failure(self, reason: str) -> RemoteFailure:
        return RemoteFailure(f"the server {self.config.name!r} did not do it: {reason}")

    # ---------------------------------------------------------------- opening and closing

    async def open(self) -> None:
        """Connect, in the older way first. Raises CannotConnect."""
        with self._patiences.waiting(self.config.connect_timeout) as patience, patience.scope:
            return await self._open_in_either()
        await self.close()
        raise CannotConnect(self._explained(f"it did not answer within {self.config.connect_timeout:g} s"))

    async def _open_in_either(self) -> None:
        for mode in _MODES:
            try:
                return await self._open_in(mode)
            except _FAILURES as error:
                await self.close()
                if mode == _MODES[0] and isinstance(error, MCPError) and error.error.code in _UNKNOWN:
                    continue
                raise self._refused(error) from error
        raise AssertionError("one of them is the last")

    async def _open_in(self, mode: str) -> None:
        self._way = await way_to(self.config, self.doors, self, self.lose, self.started)
        self.started = None
        # A program that knows the other protocol only may have ended.
        self._gone = anyio.Event()
        self._client = Client(
            self._way.transport,
            roots=[Path(root).as_uri() for root in self.doors.roots],
            elicitation_handler=self._asked.elicit,
            sampling_handler=self._asked.sample if self.doors.sample is not None else None,
            log_handler=self._asked.log,
            message_handler=self._notified,
            client_info=mcp_types.Implementation(name="openhands-acp", version=__version__),
            init_timeout=0,
            mode=mode,
        )
        await self._client.__aenter__()
        self.offer = replace(await offered(self.config.name, self._client), remark=self.offer.remark)

    async def _notified(self, message: mcp_types.ServerNotification | Exception) -> None:
        match message:
            case mcp_types.ToolListChangedNotification():
                self._stale.add("tools")
            case mcp_types.PromptListChangedNotification():
                self._stale.add("prompts")
            case mcp_types.ResourceListChangedNotification():
                self._stale.add("resources")
            case mcp_types.ElicitCompleteNotification():
                self._asked.visited(message.params.elicitation_id)
                return
            case _:
                return
        self._stirred.set()

    async def close(self) -> None:
        """End it, in order if that is quick. Not to be cancelled; bounded."""
        client, self._client = self._client, None
        if client is None or self._way is None:
            return
        with anyio.CancelScope(shield=True):
            # What it failed by, it raises here again.
            with suppress(*_FAILURES), anyio.move_on_after(_CLOSING):
                await client.close()
            await self._way.transport.close()

    def _refused(self, error: BaseException) -> CannotConnect:
        wants_login = needs_login(error) or (self._way is not None and self._way.wants_login())
        return CannotConnect(
            self._explained(in_words(error, self.config)), needs_login=wants_login, is_hopeless=is_hopeless(error)
        )

    def _explained(self, reason: str) -> str:
        """Put together what was raised and what the transport knows."""
        known, _, said = (self._way.why() if self._way is not None else "").partition("\n")
        told = [known] if known and reason in (known, *SAYS_NOTHING) else [reason, known]
        return f"{'; '.join(filter(None, told))}\n{said}".rstrip()


@dataclass(slots=True)
class _Request:
    patience: Patience
    failure: BaseException | None = None
    is_over: bool = False
    stirred: anyio.Event = field(default_factory=anyio.Event)
    _told: str = ""

    async def advance(self, progress: float, total: float | None, message: str | None) -> None:
        self.patience.renew()
        self._told = in_progress(progress, total, message)
        self.stirred.set()

    async def follow(self, progress: Progress | None) -> None:
        """Pass on how far it is until it is over; of what came while nobody could take it, the last."""
        while not self.is_over:
            await self.stirred.wait()
            self.stirred = anyio.Event()
            told, self._told = self._told, ""
            if told and progress is not None and not self.is_over:
                await progress(told)


def in_progress(progress: float, total: float | None, message: str | None) -> str:
    """Say how far something is; empty where nothing is told that a person could use."""
    amount = f"{progress:g} of {total:g}" if total else ""
    return f"{message} ({amount})" if message and amount else message or amount or f"{progress:g}"


@asynccontextmanager
async def connected(
    config: ServerConfig,
    doors: ServerDoors,
    wants_login: Callable[[str], None],
    lost: Callable[[str], None],
    started: Program | None = None,
) -> AsyncGenerator[Connection]:
    """Connect for as long as this lasts. Raises CannotConnect."""
    connection = Connection(config, doors, wants_login, lost, started)
    try:
        await connection.open()
        async with anyio.create_task_group() as tasks:
            connection.tasks = tasks
            tasks.start_soon(connection.listen)
            yield connection
            tasks.cancel_scope.cancel()
    finally:
        await connection.close()
