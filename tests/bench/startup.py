"""From spawning the server to its first session: time and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.figures import REPEATS, Figure, at_most, holds, milliseconds, spread_of, told
from tests.bench.server import Server, environment
from tests.harness.provider import Provider
from tests.harness.replies import Text
from tests.test_startup import HEAVY, imported_before_answer, started


def startup(home: Path) -> list[Figure]:
    environ = environment(home, "http://127.0.0.1:9/v1")
    base: list[float] = []
    first: list[float] = []
    at_once: list[float] = []
    idle: list[float] = []
    sizes: list[float] = []
    for _ in range(REPEATS):
        base.append(_bare_import(environ))
        with Server(home, environ["LLM_BASE_URL"]) as server:
            first.append(server.initialize() - server.started)
            at_once.append(_new_session(server))
            sizes.append(server.rss())
        with Server(home, environ["LLM_BASE_URL"]) as server:
            server.initialize()
            server.until_idle()
            idle.append(_new_session(server))
            sizes.append(server.rss())
    ratios = [ours / theirs for ours, theirs in zip(first, base, strict=True)]
    return [
        at_most(
            "spawn to `initialize` answer, against importing anyio, pydantic and jsonrpcserver",
            median(ratios),
            1.3,
            "x",
            f"{median(first) * 1e3:.0f} against {median(base) * 1e3:.0f} ms",
        ),
        _imported(home),
        milliseconds("session/new, the server idle", idle, 10),
        told("session/new directly behind the answer", f"{median(at_once) * 1e3:.1f} ms  ({spread_of(at_once)})"),
        # The budget is in millions of bytes, which `ps` does not count in.
        at_most("memory after session/new, before the first prompt", median(sizes) * 1.048576, 45, "MB"),
        *_loaded(home),
    ]


def _bare_import(environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import anyio, pydantic, jsonrpcserver"], env=environ, check=True
    )
    return time.perf_counter() - began


def _new_session(server: Server) -> float:
    began = time.perf_counter()
    server.new_session()
    return time.perf_counter() - began


def _imported(home: Path) -> Figure:
    with started(home) as process:
        modules = imported_before_answer(process, "initialize", {"protocolVersion": 1})
    heavy = sorted(modules & HEAVY)
    return holds(
        "imported by then",
        f"{len(modules)} modules" + "".join(f", {name}" for name in heavy),
        "no litellm, no fastmcp",
        is_so=not heavy,
    )


def _loaded(home: Path) -> list[Figure]:
    """What LiteLLM costs once it is imported, which is right after the first session/new."""
    with Provider(script=lambda _body: [Text("hi")]) as provider:
        with Server(home, provider.url) as server:
            server.initialize()
            session_id = server.new_session()
            server.until_idle()
            loaded = server.rss()
            began = time.perf_counter()
            server.answer(server.prompt(session_id))
            first = time.perf_counter() - began
        with Server(home, provider.url) as server:
            server.initialize()
            session_id = server.new_session()
            began = time.perf_counter()
            server.answer(server.prompt(session_id))
            waited = time.perf_counter() - began
            leaving = server.end()
    return [
        told("memory once LiteLLM is imported in the background", f"{loaded:.0f} MiB"),
        told("a first prompt after that: to its answer", f"{first * 1e3:.0f} ms"),
        told("a first prompt right behind session/new: to its answer", f"{waited:.2f} s"),
        at_most("stdin's end to the end of the process", leaving * 1e3, 500, "ms"),
    ]
