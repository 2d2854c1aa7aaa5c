"""One server over the life of a session: connected, connected again when it is lost, and left alone when that fails.

Knows nothing of the protocol: `connection` does, which is imported when the first server is wanted.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from openhands_acp.engine.messages import JsonObject, Part
from openhands_acp.engine.programs import Program
from openhands_acp.engine.servers.door import (
    Progress,
    RemoteFailure,
    RemotePrompt,
    RemoteResource,
    RemoteResult,
    RemoteTool,
    ServerState,
    Status,
)
from openhands_acp.mcp import library
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import CannotConnect, ServerDoors, start

if TYPE_CHECKING:
    from openhands_acp.mcp.connection import Connection
    from openhands_acp.mcp.offers import Offer

logger = logging.getLogger(__name__)

_STEADY = 60.0
"""Seconds connected after which a server counts as one that works: what failed before is forgotten."""


class Supervised:
    """One server, and what is known of it."""

    def __init__(self, config: ServerConfig, doors: ServerDoors, changed: Callable[[], None]) -> None:
        """`changed` is told when what is known is other than before."""
        self.config = config
        self.scope = anyio.CancelScope()
        """Of `run`: whoever has no more use for the server cancels it."""
        self._doors = doors
        self._changed = changed
        self._connection: Connection | None = None
        self._offer: Offer | None = None
        self._status: Status = "connecting"
        self._error = ""
        self._settled = anyio.Event()
        self._again = anyio.Event()
        self._connected_at = math.inf
        self._is_left_alone = True
        if not config.is_enabled:
            self._settle("disabled")
        elif not config.is_trusted:
            self._settle("untrusted", "its project is not trusted yet")
        elif config.problem:
            self._settle("failed", config.problem)
        else:
            self._is_left_alone = False

    # ---------------------------------------------------------------- what is known

    @property
    def state(self) -> ServerState:
        problem = self._offer.problem if self._offer is not None else ""
        return ServerState(
            self.config.name,
            self.config.source,
            self._status,
            len(self.tools),
            len(self.prompts),
            len(self.resources),
            self._error or problem,
            self._offer.instructions if self._offer is not None else "",
        )

    @property
    def tools(self) -> tuple[RemoteTool, ...]:
        return self._offer.tools if self._offer is not None else ()

    @property
    def prompts(self) -> tuple[RemotePrompt, ...]:
        return self._offer.prompts if self._offer is not None else ()

    @property
    def resources(self) -> tuple[RemoteResource, ...]:
        return self._offer.resources if self._offer is not None else ()

    async def settled(self) -> None:
        """Wait until it is connected, or known not to be."""
        await self._settled.wait()

    # ---------------------------------------------------------------- its life

    async def run(self) -> None:
        """Keep it connected until `scope` is cancelled."""
        with self.scope:
            if self._is_left_alone:
                return
            async with anyio.create_task_group() as tasks:
                # It takes seconds: begun at once, and waited for when it is needed.
                tasks.start_soon(_load)
                await self._persist()

    async def _persist(self) -> None:
        failures = 0
        while True:
            self._connected_at = math.inf
            is_hopeless = await self._live_through()
            if self._status == "ready":
                # It was lost before anybody knew that it was there.
                self._unsettle("")
            is_steady = anyio.current_time() - self._connected_at > _STEADY
            failures = 1 if is_steady else failures + 1
            pause = self._doors.pauses[failures - 1] if failures <= len(self._doors.pauses) else None
            if is_hopeless or pause is None:
                self._offer = None
                self._changed()
            with anyio.move_on_after(None if is_hopeless else pause) as waited:
                await self._again.wait()
            if not waited.cancelled_caught:
                failures = 0
            self._again = anyio.Event()

    async def _live_through(self) -> bool:
        """Connect, and stay so until it is lost; returns whether there is no use in trying again."""
        program: Program | None = None
        try:
            if self.config.transport == "stdio":
                # Before anything is imported: both take their time, and one that cannot start is known at once.
                program = await start(self.config, self._doors)
            await _load()
            await self._live(program)
            return False
        except CannotConnect as failure:
            logger.warning("%s: %s", self.config.name, failure)
            self._settle("needs_login" if failure.needs_login else "failed", str(failure))
            return failure.is_hopeless or failure.needs_login
        finally:
            self._connection = None
            if program is not None:
                await program.end()

    async def _live(self, program: Program | None) -> None:
        # Late, and loaded by now: it costs seconds.
        from openhands_acp.mcp.connection import connected

        async with connected(self.config, self._doors, self._told_to_log_in, self._lost, program) as connection:
            self._connection = connection
            self._connected_at = anyio.current_time()
            self._take_up()
            await connection.watch(self._take_up)

    def _take_up(self) -> None:
        assert self._connection is not None
        self._offer = self._connection.offer
        self._settle("ready")

    def _lost(self, reason: str) -> None:
        # Before there is one, whoever makes it says why there is none.
        if self._connection is not None:
            self._unsettle(reason)

    def _told_to_log_in(self, what: str) -> None:
        if what:
            self._settle("needs_login", what)
        elif self._connection is not None:
            self._settle("ready")
        else:
            self._unsettle("")

    def _settle(self, status: Status, error: str = "") -> None:
        self._status, self._error = status, error
        self._settled.set()
        self._changed()

    def _unsettle(self, reason: str) -> None:
        self._status, self._error = "connecting", reason
        if self._settled.is_set():
            # Else it has those who wait.
            self._settled = anyio.Event()
        self._changed()

    def connect_again(self) -> None:
        """Try at once, whatever came before; a connection that there is, is given up for it."""
        if self._is_left_alone:
            return
        self._unsettle("")
        if self._connection is not None:
            self._connection.lose()
        self._again.set()

    # ---------------------------------------------------------------- use

    async def call(self, tool: str, arguments: JsonObject, progress: Progress) -> RemoteResult:
        return await self._connected().call(tool, arguments, progress)

    async def prompt(self, name: str, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        return await self._connected().prompt(name, arguments)

    async def read(self, uri: str) -> RemoteResult:
        return await self._connected().read(uri)

    def _connected(self) -> Connection:
        if self._connection is not None:
            return self._connection
        reason = self._error.partition("\n")[0]
        because = f": {reason}" if reason else ""
        if self._status == "connecting":
            raise RemoteFailure(f"the server {self.config.name!r} is being connected{because}; try again in a moment")
        raise RemoteFailure(f"the server {self.config.name!r} is not connected ({self._status}){because}")


async def _load() -> None:
    await anyio.to_thread.run_sync(library.load, "openhands_acp.mcp.connection", abandon_on_cancel=True)
