"""The life of the process: from an editor starting us to its end, whichever way it comes.

Light on purpose: `backend`, and with it everything but the wire, is loaded once `initialize` is
answered. Ends with stdin's end, a signal, or the client's death.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Never, TypeAlias

import anyio

from openhands_acp import __version__
from openhands_acp.acp.clients import Client
from openhands_acp.acp.connection import Agent, Connection
from openhands_acp.local.processes import kill_everything
from openhands_acp.log import log_to
from openhands_acp.options import Options
from openhands_acp.rpc.peer import Peer
from openhands_acp.rpc.stdio import Stdio

if TYPE_CHECKING:
    from openhands_acp.wire import Wire

logger = logging.getLogger(__name__)

_Signals: TypeAlias = AsyncIterator[signal.Signals]

_PARTING = 0.25
"""Seconds for sessions to close in order when the client is gone; then they are ended without it."""
_COLLECTED = (700, 10, 10)
"""The collector's own thresholds (CPython's default)."""
_WATCH = 0.2
"""Seconds between two looks at whether our parent still lives: its death does not always end our stdin."""


def main(options: Options) -> int:
    """Serve one client on stdin and stdout. Does not return: the process ends with it."""
    wire = _wire(options)
    channel = Stdio(wire.record if wire else None)
    log_to(options.log_file)
    try:
        anyio.run(_run, channel, options, wire.learn if wire else _nobody)
    finally:
        _end(1)


async def _run(channel: Stdio, options: Options, learn: Callable[[str], None]) -> None:
    """Signals are received to the very end: once that stops, the next would kill us before what we started."""
    code = 1
    with _signals() as signals:
        try:
            await _serve(channel, options, learn, signals)
            code = 0
        except BaseException:
            logger.critical("openhands-acp has to stop", exc_info=True)
            raise
        finally:
            _end(code)


def _end(code: int) -> Never:
    kill_everything()
    logging.shutdown()
    # Not by returning: the interpreter would wait, for seconds, for an import under way in its thread.
    os._exit(code)


async def _serve(channel: Stdio, options: Options, learn: Callable[[str], None], signals: _Signals | None) -> None:
    connection = Connection(__version__, lambda peer, client: _load(peer, client, options, learn))
    try:
        async with anyio.create_task_group() as tasks:
            stop = tasks.cancel_scope.cancel
            if signals is not None:
                tasks.start_soon(_until_signalled, signals, stop)
            tasks.start_soon(_until_orphaned, stop)
            await connection.peer.run(channel)
            stop()
    finally:
        with anyio.move_on_after(_PARTING, shield=True):
            await connection.close()


def _load(peer: Peer, client: Client, options: Options, learn: Callable[[str], None]) -> Agent:
    # Late, because it costs as much again as everything before it, and nothing of it is needed for `initialize`.
    from openhands_acp import backend
    from openhands_acp.acp import agent as acp_agent

    agent = acp_agent.Agent(peer, client, backend.Backend(options, learn))
    # What was imported stays, so the collector need not look at it again; it ran seldom since the start (cli).
    gc.freeze()
    gc.set_threshold(*_COLLECTED)
    return agent


def _signals() -> AbstractContextManager[_Signals | None]:
    if sys.platform == "win32":
        return nullcontext()
    return anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def _until_signalled(signals: _Signals, stop: Callable[[], None]) -> None:
    async for _ in signals:
        stop()


async def _until_orphaned(stop: Callable[[], None]) -> None:
    parent = os.getppid()
    if parent == 1 or sys.platform == "win32":
        return None
    while True:
        await anyio.sleep(_WATCH)
        if os.getppid() != parent:
            return stop()


def _wire(options: Options) -> Wire | None:
    if options.wire_file is None:
        return None
    # Late: only who asks for the wire pays for reading the settings this early (their key is masked in it).
    from openhands_acp.wire import open_wire

    return open_wire(options, options.wire_file)


def _nobody(_key: str) -> None:
    """Nothing is written down, so there is nothing to mask in it."""
