"""One warm turn: to the provider and back, through a tool, and cut short."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from openhands_acp.local.processes import descendants, look
from openhands_acp.local.watch import ENVIRONMENT
from tests.bench.figures import REPEATS, Figure, milliseconds
from tests.bench.server import Json, Line, Server
from tests.harness.provider import Provider
from tests.harness.replies import Call, Error, Reply, Stall, Text, Wait

_WARM_UP = 4
_PAUSE = 0.05
"""Seconds between two measurements, for what the last one left to do."""
_ECHO = Call("terminal", {"command": "echo hi", "security_risk": "LOW"})
_BUSY = Error(503, {"error": {"message": "busy", "type": "server_error", "code": None}})
_SLEEP = Call("terminal", {"command": "sleep 60 & sleep 60", "security_risk": "LOW"})


def turns(home: Path) -> list[Figure]:
    during_stream = _cancelled(home, [Text("hi"), Stall()], lambda line: line.text)
    during_wait = _cancelled(home, [_BUSY], lambda line: "Trying again" in line.text)
    during_sleep = _cancelled(home, [_SLEEP], _is_running)
    return [
        *_plain(home),
        milliseconds("one tool step (`echo`) beyond the model's time", _tool_steps(home), 20),
        milliseconds("cancel to answer, during a stream", [answered for answered, _ in during_stream], 10),
        milliseconds("cancel to answer, while it waits to ask again", [answered for answered, _ in during_wait], 20),
        milliseconds("cancel to answer, during `sleep 60`", [answered for answered, _ in during_sleep], 10),
        milliseconds("cancel to the end of its whole process tree", [ended for _, ended in during_sleep], 50),
    ]


def _plain(home: Path) -> list[Figure]:
    to_socket: list[float] = []
    to_answer: list[float] = []
    numbers = count()
    with (
        Provider(script=lambda _body: [Text("hi"), Wait(f"the end of {next(numbers)}")]) as provider,
        Server(home, provider.url) as server,
    ):
        for at in range(_WARM_UP):
            provider.release(f"the end of {at}")
        session_id = server.warmed_up(_WARM_UP)
        for at in range(_WARM_UP, _WARM_UP + 2 * REPEATS):
            time.sleep(_PAUSE)
            began = time.perf_counter()
            prompt = server.prompt(session_id)
            server.until(lambda line: line.text)
            # An answer that comes all at once would have its beginning counted as its end.
            provider.release(f"the end of {at}")
            answer, _ = server.answer(prompt)
            request = provider.requests[at]
            to_socket.append(request.arrived - began)
            to_answer.append(answer.at - (request.done or began))
    return [
        milliseconds("prompt to the provider's socket, warm", to_socket, 10),
        milliseconds("provider's last byte to the prompt's answer", to_answer, 6),
    ]


def _tool_steps(home: Path) -> list[float]:
    """Measure from the end of the reply with the call to the request that brings its result."""
    steps: list[float] = []
    with (
        Provider(script=lambda body: [Text("done")] if _last(body)["role"] == "tool" else [_ECHO]) as provider,
        Server(home, provider.url) as server,
    ):
        session_id = server.warmed_up(_WARM_UP)
        for at in range(_WARM_UP, _WARM_UP + 2 * REPEATS):
            time.sleep(_PAUSE)
            server.answer(server.prompt(session_id))
            call, result = provider.requests[2 * at : 2 * at + 2]
            if not _last(result.body)["content"].startswith("hi"):
                raise RuntimeError(f"echo hi came to {_last(result.body)['content']!r}")
            steps.append(result.arrived - (call.done or 0.0))
    return steps


def _cancelled(home: Path, reply: Reply, is_under_way: Callable[[Line], object]) -> list[tuple[float, float]]:
    """Cancel a turn once it is under way; return the seconds to its answer and to the end of its processes."""
    times: list[tuple[float, float]] = []

    def script(body: Json) -> Reply:
        return reply if "go on" in str(_last(body)["content"]) else [Text("hi")]

    with Provider(script=script) as provider, Server(home, provider.url) as server:
        session_id = server.warmed_up(0)
        for _ in range(_WARM_UP):
            server.answer(server.prompt(session_id, "warm up"))
        for _ in range(REPEATS):
            time.sleep(_PAUSE)
            request = server.prompt(session_id)
            server.until(is_under_way)
            # The update comes before the processes do.
            time.sleep(_PAUSE)
            began = time.perf_counter()
            server.notify("session/cancel", {"sessionId": session_id})
            answer, _ = server.answer(request)
            if answer.message["result"] != {"stopReason": "cancelled"}:
                raise RuntimeError(f"cancelled, but {answer.message}")
            times.append((answer.at - began, _end_of_tree(server.pid) - began))
    return times


def _watches(pid: int) -> bool:
    """Tell whether it is the shell that watches over what is run: it stays, and has an environment of its own."""
    own = "".join(f"{name}={value}\0" for name, value in ENVIRONMENT.items())
    try:
        return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8") == own
    except OSError:
        return False


def _end_of_tree(pid: int) -> float:
    """Return when nothing that `pid` ran was alive any more. Raises TimeoutError."""
    until = time.perf_counter() + 5
    while tree := [each for each in descendants(pid) if look(each) and not _watches(each)]:
        if time.perf_counter() > until:
            raise TimeoutError(f"processes outlive a cancel: {tree}")
        # They are no children of ours: nothing tells of their end.
        time.sleep(0.001)
    return time.perf_counter()


def _is_running(line: Line) -> bool:
    return line.update.get("sessionUpdate") == "tool_call_update" and line.update["status"] == "in_progress"


def _last(body: Json) -> Json:
    return body["messages"][-1]
