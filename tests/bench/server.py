"""The real server as a child process, and a client as light as can be: it must not be what is measured.

Synchronous, one thread: between two lines it does nothing but wait for the next bytes.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 60.0
"""Seconds without a line after which something is broken."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    at: float
    """When its bytes were read, by `time.perf_counter`."""
    message: Json

    @property
    def update(self) -> Json:
        """The `session/update` that this is; empty for anything else."""
        return self.message.get("params", {}).get("update", {})

    @property
    def text(self) -> str:
        """The text of a chunk of the agent's message; empty for anything else."""
        update = self.update
        return update["content"]["text"] if update.get("sessionUpdate") == "agent_message_chunk" else ""


def environment(home: Path, base_url: str, model: str = "openai/fake-model") -> dict[str, str]:
    """Return ours, set up for the fake provider, with bytecode."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LLM_", "PYTHONDONTWRITE"))}
    return {
        **inherited,
        "OPENHANDS_PERSISTENCE_DIR": str(home),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LLM_MODEL": model,
        "LLM_API_KEY": "sk-none",
        "LLM_BASE_URL": base_url,
    }


class Server:
    """One server while it is entered; its stderr goes to ours."""

    def __init__(self, home: Path, base_url: str, model: str = "openai/fake-model") -> None:
        self._home = home
        # The providers count their requests, and a title would be one more.
        (home / "acp.toml").write_text('titles = false\nmode = "always-approve"\n')
        self._last_id = 0
        self._buffer = b""
        self._lines: list[Line] = []
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "openhands_acp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(home, base_url, model),
            bufsize=0,
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> float:
        """Close stdin; return the seconds until the process was gone."""
        began = time.perf_counter()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        return time.perf_counter() - began

    # ---------------------------------------------------------------- the wire

    def send(self, method: str, params: Json) -> int:
        """Send a request; return its id."""
        self._last_id += 1
        self._say({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def notify(self, method: str, params: Json) -> None:
        self._say({"method": method, "params": params})

    def _say(self, message: Json) -> None:
        os.write(self._input, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def lines(self) -> Iterator[Line]:
        """Take lines as they come, for ever. Raises TimeoutError."""
        while True:
            while self._lines:
                yield self._lines.pop(0)
            self._read()

    def _read(self) -> None:
        if not select.select([self._output], [], [], PATIENCE)[0]:
            raise TimeoutError("the server is silent")
        data = os.read(self._output, 1 << 20)
        at = time.perf_counter()
        if not data:
            raise EOFError("the server has gone")
        *whole, self._buffer = (self._buffer + data).split(b"\n")
        self._lines += [Line(at, json.loads(line)) for line in whole]

    def until(self, is_it: Callable[[Line], object]) -> tuple[Line, list[Line]]:
        """Wait for a line; return it, and what came before it."""
        before: list[Line] = []
        for line in self.lines():
            if is_it(line):
                return line, before
            before.append(line)
        raise AssertionError

    def answer(self, request_id: int) -> tuple[Line, list[Line]]:
        """Wait for a request's answer; return it, and what came before it. An error answer raises."""
        line, before = self.until(lambda line: line.message.get("id") == request_id and "method" not in line.message)
        if "error" in line.message:
            raise RuntimeError(line.message["error"])
        return line, before

    # ---------------------------------------------------------------- the usual steps

    def initialize(self) -> float:
        """Return when the answer was read."""
        return self.answer(self.send("initialize", {"protocolVersion": 1}))[0].at

    def new_session(self) -> str:
        line, _ = self.answer(self.send("session/new", {"cwd": str(self._home), "mcpServers": []}))
        return line.message["result"]["sessionId"]

    def prompt(self, session_id: str, text: str = "go on") -> int:
        return self.send("session/prompt", {"sessionId": session_id, "prompt": [{"type": "text", "text": text}]})

    def warmed_up(self, prompts: int = 3) -> str:
        """Go through the first, slow prompts; return the session. The provider has a script for each."""
        self.initialize()
        session_id = self.new_session()
        for _ in range(prompts):
            self.answer(self.prompt(session_id))
        return session_id

    # ---------------------------------------------------------------- the process

    def rss(self) -> float:
        """Return its resident memory in MiB, as `ps` and process viewers count."""
        kib = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, check=True, text=True
        ).stdout
        return int(kib) / 1024

    def processor_time(self) -> float:
        """Return the seconds that it has computed so far: a figure that neighbours on the machine disturb less."""
        return _ticks(self.pid) / 100

    def until_idle(self) -> None:
        """Wait until it has used no processor time for half a second: an import in the background is over."""
        until = time.perf_counter() + PATIENCE
        used, since = _ticks(self.pid), time.perf_counter()
        while time.perf_counter() < min(until, since + 0.5):
            # Nothing tells that another process has nothing to do.
            time.sleep(0.05)
            if (now := _ticks(self.pid)) > used + 1:
                used, since = now, time.perf_counter()


def _ticks(pid: int) -> int:
    """Processor time in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def provider_process(chunks: int, environ: Mapping[str, str]) -> tuple[subprocess.Popen[str], str]:
    """Start the fake provider as a process of its own; return it and its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.provider", "--chunks", str(chunks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(environ),
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()
