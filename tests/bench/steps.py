"""What one step of a long conversation costs, against one of a short one: it must not grow with what was before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from uuid import uuid4

from openhands_acp.engine.events import (
    ActionEvent,
    Durable,
    MessageEvent,
    ObservationEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.messages import Text
from openhands_acp.engine.transcript import Transcript
from tests.bench.conversations import keep
from tests.bench.figures import REPEATS, Figure, at_most, told
from tests.bench.server import Json, Server
from tests.harness.provider import Provider
from tests.harness.replies import Call, Reply
from tests.harness.replies import Text as Said

_FEW, _MANY = 10, 1_000
_MODEL = "openai/fake-model"
_WARM_UP = 3
_PAUSE = 0.05
"""Seconds between two measurements, for what the last one left to do."""
_OUTPUT = "".join(f"{at:4}  a line of what a command printed\n" for at in range(30))
_THINK = Call("think", {"thought": "hm"})


def steps(home: Path) -> list[Figure]:
    few, many = _steps(home, _FEW), _steps(home, _MANY)
    ratio = median(many) / median(few)
    spread = f"{median(many) * 1e3:.1f} ms against {median(few) * 1e3:.1f} ms"
    return [
        at_most(f"a step after {_MANY:,} events against one after {_FEW}", ratio, 1.5, "x", spread),
        told(f"of it, what the model is told, put together ({_MANY:,} events)", f"{_put_together() * 1e3:.3f} ms"),
    ]


def _steps(home: Path, events: int) -> list[float]:
    """Measure from the end of the reply with a call to the request that brings its result."""
    seconds: list[float] = []
    session_id = str(uuid4())
    keep(home, session_id, _conversation(events), _MODEL)
    with (
        Provider(script=_script) as provider,
        Server(home, provider.url) as server,
    ):
        server.warmed_up(0)
        server.answer(server.send("session/load", {"sessionId": session_id, "cwd": str(home), "mcpServers": []}))
        for at in range(_WARM_UP + 2 * REPEATS):
            time.sleep(_PAUSE)
            server.answer(server.prompt(session_id))
            call, result = provider.requests[-2:]
            if at >= _WARM_UP:
                seconds.append(result.arrived - (call.done or 0.0))
    return seconds


def _script(body: Json) -> Reply:
    return [Said("done")] if body["messages"][-1]["role"] == "tool" else [_THINK]


def _put_together() -> float:
    """Measure the part of it that is the engine's: the history as messages, when one step more is over."""
    transcript = Transcript()
    best = 1.0
    for number, event in enumerate(_conversation(_MANY)):
        transcript.apply(event, f"e{number}")
        began = time.perf_counter()
        transcript.history()
        last = time.perf_counter() - began
        best = last if number > _MANY - 50 and last < best else best
    return best


def _conversation(events: int) -> Iterator[Durable]:
    """One long turn: what was said, a call and its result, again and again."""
    yield TurnStarted("t")
    yield MessageEvent("u", "user", (Text("Mend what is broken there, please."),))
    for step in range(max((events - 3) // 3, 1)):
        yield MessageEvent(f"m{step}", "assistant", (Text("I'll look at that next."),), f"r{step}")
        yield ActionEvent(f"c{step}", f"p{step}", "terminal", '{"command": "pytest -q"}', f"r{step}", "LOW", None)
        yield ObservationEvent(f"c{step}", f"e{step}", "terminal", _OUTPUT)
    yield TurnEnded("t", "end_turn")
