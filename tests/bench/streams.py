"""Long answers: their rate against bare LiteLLM's, a client that reads slowly, many sessions at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.figures import REPEATS, Figure, at_least, at_most, holds, told
from tests.bench.server import Json, Line, Server, environment, provider_process
from tests.harness.provider import Provider
from tests.harness.replies import Chunks, Reply, Text, Wait

_CHUNKS = 5_000
_MANY = 20_000
_SESSIONS = 10
_EACH = 500
_MODELS = {"chat": "openai/gpt-5", "responses": "openai/responses/gpt-5"}
# LiteLLM looks at each chunk of chat completions for ten times as long as at an event of Responses: beside the
# former the engine and the editor's protocol cost nothing, beside the latter they are half of it.
_LEAST = {"chat": 0.8, "responses": 0.4}


def streams(home: Path) -> list[Figure]:
    return [
        *(each for protocol in _MODELS for each in _rate(home, protocol)),
        *_slow_reader(home),
        *_side_by_side(home),
    ]


def _rate(home: Path, protocol: str) -> list[Figure]:
    ours: list[float] = []
    bare: list[float] = []
    updates: list[int] = []
    is_whole = True
    with ExitStack() as stack:
        environ = environment(home, "")
        provider, url = provider_process(_CHUNKS, environ)
        stack.enter_context(provider)
        other = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.bench.bare", url, protocol],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )
        stack.enter_context(other)
        server = stack.enter_context(Server(home, url, _MODELS[protocol]))
        _bare_rate(other)
        session_id = server.warmed_up(1)
        for _ in range(REPEATS):
            bare.append(_bare_rate(other))
            texts = _streamed(server, session_id)
            is_whole &= "".join(line.text for line in texts) == _whole(_CHUNKS)
            updates.append(len(texts))
            ours.append((_CHUNKS - 1) / (texts[-1].at - texts[0].at))
        for process in (other, provider):
            assert process.stdin is not None
            process.stdin.close()
    what = f"a stream of {_CHUNKS:,} chunks ({protocol}), against bare LiteLLM"
    ratio = median(a / b for a, b in zip(ours, bare, strict=True))
    rates = f"{median(ours):,.0f} against {median(bare):,.0f} a second"
    return [
        at_least(what, ratio, _LEAST[protocol], "x", rates),
        holds("the same, whole and in order", f"{median(updates):,.0f} updates", "nothing lost", is_so=is_whole),
    ]


def _bare_rate(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _streamed(server: Server, session_id: str) -> list[Line]:
    _, before = server.answer(server.prompt(session_id))
    return [line for line in before if line.text]


def _slow_reader(home: Path) -> list[Figure]:
    """Leave the pipe full: what the model says meanwhile has to wait where it is."""
    with (
        Provider(script=lambda body: [Text("hi")] if _is_warm_up(body) else [Chunks(_MANY)]) as provider,
        Server(home, provider.url) as server,
    ):
        session_id = server.warmed_up(0)
        server.answer(server.prompt(session_id, "warm up"))
        server.until_idle()
        before = server.rss()
        request = server.prompt(session_id)
        server.until_idle()
        during = server.rss()
        _, lines = server.answer(request)
    texts = [line.text for line in lines if line.text]
    return [
        at_most(f"memory gained while nobody reads {_MANY:,} chunks", during - before, 8, "MiB"),
        holds(
            "read in the end: joined, whole and in order",
            f"{len(texts):,} updates",
            "nothing lost",
            is_so="".join(texts) == _whole(_MANY),
        ),
    ]


def _side_by_side(home: Path) -> list[Figure]:
    """Ten sessions in one process; then the same while an eleventh waits for its provider."""

    def script(body: Json) -> Reply:
        if _is_warm_up(body):
            return [Text("hi")]
        waits = [Wait("the slow one")] if "slow" in str(body["messages"][-1]["content"]) else []
        return [*waits, Chunks(_EACH)]

    with Provider(script=script) as provider, Server(home, provider.url) as server:
        first = server.warmed_up(0)
        sessions = [first, *(server.new_session() for _ in range(_SESSIONS - 1))]
        slow = server.new_session()
        for session_id in (*sessions, slow):
            server.answer(server.prompt(session_id, "warm up"))
        alone = [_together(server, [first]) for _ in range(REPEATS)]
        before = [_together(server, sessions) for _ in range(REPEATS)]
        late = server.prompt(slow, "slow")
        beside = [_together(server, sessions) for _ in range(REPEATS)]
        provider.release("the slow one")
        _, lines = server.answer(late)
    is_whole = all(run.is_whole for run in (*alone, *before, *beside)) and _are_whole(lines, [slow])
    seconds, seconds_beside = median(run.seconds for run in before), median(run.seconds for run in beside)
    share = seconds / _SESSIONS / median(run.seconds for run in alone)
    return [
        holds(
            f"{_SESSIONS} sessions streaming in one process: each whole, in order",
            f"{_EACH} chunks each in {seconds:.2f} s",
            "nothing lost",
            is_so=is_whole,
        ),
        told("the same, each one's share against a session alone", f"{share:.2f} x"),
        at_most("the same beside a session whose provider is slow", seconds_beside / seconds, 1.2, "x"),
    ]


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    is_whole: bool


def _together(server: Server, sessions: list[str]) -> _Run:
    """Prompt all at once, and wait for all."""
    began = time.perf_counter()
    waiting = {server.prompt(session_id) for session_id in sessions}
    seen: list[Line] = []
    for line in server.lines():
        seen.append(line)
        if "method" not in line.message:
            waiting.discard(line.message["id"])
        if not waiting:
            break
    return _Run(time.perf_counter() - began, _are_whole(seen, sessions))


def _are_whole(lines: Iterable[Line], sessions: list[str]) -> bool:
    said = dict.fromkeys(sessions, "")
    for line in lines:
        if line.text:
            said[line.message["params"]["sessionId"]] += line.text
    return said == dict.fromkeys(sessions, _whole(_EACH))


def _is_warm_up(body: Json) -> bool:
    return "warm up" in str(body["messages"][-1]["content"])


def _whole(chunks: int) -> str:
    return "".join(f"t{at} " for at in range(chunks))
