"""A long session is taken up again: how long its client waits, what that costs, and what it keeps others from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

from tests.bench.conversations import Kept, conversation, keep
from tests.bench.figures import REPEATS, Figure, at_most, holds, milliseconds, told
from tests.bench.server import Json, Line, Server

_NOBODY = "http://127.0.0.1:9/v1"
"""No provider: none is asked anything here."""
_LONG, _LONGER = 2_000, 20_000
_SUBAGENTS = 10
_AGAIN = 20
_BUDGET = 300
"""Milliseconds to the answer."""


def sessions(home: Path) -> list[Figure]:
    usual, delegating, longer = (str(uuid4()) for _ in range(3))
    kept = keep(home, usual, conversation(home, _LONG))
    keep(home, delegating, conversation(home, _LONG, subagents=_SUBAGENTS))
    kept_longer = keep(home, longer, conversation(home, _LONGER))
    fresh = [_fresh(home, usual) for _ in range(REPEATS)]
    what = f"load of a session of {kept.events:,} events, to the answer"
    return [
        milliseconds(f"{what}, in a fresh process", [load.seconds for load in fresh], _BUDGET),
        told("of it, what the process computed", f"{median(load.computed for load in fresh) * 1e3:.0f} ms"),
        *_in_one_process(home, usual, kept, delegating),
        *_much_longer(home, longer, kept_longer, median(load.computed for load in fresh) / kept.events),
    ]


@dataclass(frozen=True, slots=True)
class _Load:
    seconds: float
    """To the answer."""
    computed: float
    """Seconds that the server computed meanwhile."""
    told: list[Line]
    """What came before the answer."""


def _load(server: Server, home: Path, session_id: str) -> _Load:
    computed, began = server.processor_time(), time.perf_counter()
    answer, before = server.answer(server.send("session/load", _params(home, session_id)))
    return _Load(answer.at - began, server.processor_time() - computed, before)


def _close(server: Server, session_id: str) -> None:
    server.answer(server.send("session/close", {"sessionId": session_id}))


def _fresh(home: Path, session_id: str) -> _Load:
    with Server(home, _NOBODY) as server:
        server.initialize()
        server.until_idle()
        return _load(server, home, session_id)


def _in_one_process(home: Path, usual: str, kept: Kept, delegating: str) -> list[Figure]:
    again: list[_Load] = []
    others: list[_Load] = []
    with _warm(home) as server:
        first = _load(server, home, usual)
        open_already = [_load(server, home, usual) for _ in range(REPEATS)]
        server.until_idle()
        before = server.rss()
        request = server.send("session/load", _params(home, usual))
        server.until_idle()
        during = server.rss()
        _, slowly = server.answer(request)
        _close(server, usual)
        for _ in range(REPEATS):
            others.append(_load(server, home, delegating))
            _close(server, delegating)
        early = server.rss()
        for _ in range(_AGAIN):
            again.append(_load(server, home, usual))
            _close(server, usual)
        late = server.rss()
    return [
        milliseconds("the same where it was closed before", [load.seconds for load in again], _BUDGET),
        milliseconds("the same where it is open already", [load.seconds for load in open_already], _BUDGET),
        milliseconds("one of as many events, full of sub-agents", [load.seconds for load in others], _BUDGET),
        holds(
            "told whole before the answer",
            f"{len(first.told):,} updates, {kept.calls} calls",
            "all",
            is_so=_calls(first.told) == kept.calls and _updates(open_already[-1].told) == _updates(first.told),
        ),
        at_most("memory gained while nobody reads it", during - before, 8, "MiB"),
        holds(
            "read in the end, whole", f"{len(slowly):,} updates", "all", is_so=_updates(slowly) == _updates(first.told)
        ),
        at_most(f"memory gained by {_AGAIN} more loads, each closed", late - early, 24, "MiB"),
    ]


def _much_longer(home: Path, session_id: str, kept: Kept, each: float) -> list[Figure]:
    with _warm(home) as server:
        before = server.rss()
        load = _load(server, home, session_id)
        gained = server.rss() - before
        server.until_idle()
        opened = server.rss()
        request = server.send("session/load", _params(home, session_id))
        server.until_idle()
        during = server.rss()
        server.answer(request)
        _close(server, session_id)
        longest = _longest_wait(server, home, session_id)
    what = f"a session of {kept.events:,} events"
    ratio = load.computed / kept.events / each
    spread = f"{load.computed * 1e3:.0f} ms of computing, {gained:.0f} MiB"
    return [
        at_most(f"load of {what}, each event against one of {_LONG:,}", ratio, 1.5, "x", spread),
        # A queue without an end would gain 4, as much of it fits where the journal was read.
        at_most("memory gained while nobody reads that, open already", during - opened, 2, "MiB"),
        at_most("longest that another session waits for an answer meanwhile", longest * 1e3, 100, "ms"),
    ]


def _longest_wait(server: Server, home: Path, session_id: str) -> float:
    """Ask something small of another session, again and again while one is loaded; return the longest wait."""
    other = server.new_session()
    load, longest = server.send("session/load", _params(home, session_id)), 0.0
    began, asked = time.perf_counter(), _ask(server, other)
    for line in server.lines():
        if "method" not in line.message and line.message["id"] == asked:
            longest = max(longest, line.at - began)
            began, asked = time.perf_counter(), _ask(server, other)
        elif "method" not in line.message and line.message["id"] == load:
            break
    server.answer(asked)
    return longest


def _ask(server: Server, session_id: str) -> int:
    return server.send("session/set_mode", {"sessionId": session_id, "modeId": "always-ask"})


def _warm(home: Path) -> Server:
    """Return a server that has imported all that it ever does."""
    server = Server(home, _NOBODY)
    server.initialize()
    server.new_session()
    server.until_idle()
    return server


def _params(home: Path, session_id: str) -> Json:
    return {"sessionId": session_id, "cwd": str(home), "mcpServers": []}


def _updates(lines: list[Line]) -> list[Json]:
    # What is announced behind an earlier answer may come in between.
    kinds = ("available_commands_update", None)
    return [line.update for line in lines if line.update.get("sessionUpdate") not in kinds]


def _calls(lines: list[Line]) -> int:
    return sum(line.update.get("sessionUpdate") == "tool_call" for line in lines)
