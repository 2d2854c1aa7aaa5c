"""The real server as a child process: raw bytes in, lines out, every wait bounded.

Plain blocking calls on purpose: what a client is at its simplest, with no event loop to help it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.harness.waiting import PATIENCE

AT_ONCE = 2.0
"""Seconds in which it has to be gone. The aim is 0.5, which `tests/bench` measures."""
CANARY = "sk-canary-7f3a9c51"
"""The key that the server is given in tests: it must never come out of it."""
SETTINGS = ".openhands/acp.toml"
"""Where a home has them."""
_OURS = ("LLM_", "OPENHANDS_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
ROOT = Path(__file__).parents[2]


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment without anything that configures a model, and with `home` for a home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and not name.endswith(("_API_KEY", "_BASE_URL"))
    }
    folders = {"HOME": str(home), "OPENHANDS_PERSISTENCE_DIR": str(home / ".openhands")}
    # The first keeps LiteLLM's import from the network.
    return kept | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(ROOT)} | folders | more


def with_provider(url: str) -> dict[str, str]:
    """What in the environment leads the server to a fake provider."""
    return {"LLM_MODEL": "openai/fake-model", "LLM_BASE_URL": url, "LLM_API_KEY": CANARY}


def without_titles(home: Path) -> None:
    """Have the settings say that a model is asked for nothing but what a test asks it for."""
    (home / SETTINGS).parent.mkdir(parents=True, exist_ok=True)
    # Nor are servers of the machine's own looked for: they would be on the list of models.
    (home / SETTINGS).write_text("titles = false\nlocal_servers = []\n")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "openhands_acp", "acp", *words]


class Server:
    """A context manager; the process does not outlive it."""

    def __init__(self, home: Path, *words: str, launcher: Sequence[str] = (), **environ: str) -> None:
        """`launcher` is put before the command: a process that starts the server in its turn."""
        home.mkdir(parents=True, exist_ok=True)
        if "LLM_BASE_URL" in environ and not (home / SETTINGS).exists():
            without_titles(home)
        self.home = home
        self._log = (home / "stderr.txt").open("w+b")
        self.process = subprocess.Popen(
            [*launcher, *command(*words)],
            env=environment(home, **environ),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.passed: list[bytes] = []
        """Every line that came, in order."""
        self._rest = b""
        self._ready: list[bytes] = []
        self._ids = 0
        self._started = time.monotonic()
        self._took_to_begin = 0.0
        """Seconds until its first line."""

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        # In order first: killed, it could not end what it started.
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            assert stream is not None
            stream.close()
        if kind is not None:
            sys.stderr.write(self.log())

    def log(self) -> str:
        """What the process has written to stderr so far."""
        return (self.home / "stderr.txt").read_text(errors="replace")

    # ---------------------------------------------------------------- bytes and lines

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            _wait([], [self.stdin])
            rest = rest[os.write(self.stdin, rest) :]

    def line(self) -> bytes | None:
        """Return the next line, without its line end; None at the end of the stream."""
        while not self._ready:
            _wait([self.stdout], [])
            data = os.read(self.stdout, 1 << 20)
            if not data:
                assert not self._rest, f"an unfinished last line: {self._rest!r}"
                return None
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._took_to_begin = self._took_to_begin or time.monotonic() - self._started
            self._ready += lines
            self.passed += lines
        return self._ready.pop(0)

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close_stdout(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()

    def rest(self) -> list[Any]:
        """Return every message up to the end of the stream."""
        messages: list[Any] = []
        while (line := self.line()) is not None:
            messages.append(json.loads(line))
        return messages

    # ---------------------------------------------------------------- messages

    def message(self) -> dict[str, Any]:
        line = self.line()
        assert line is not None, "the server closed its stdout"
        return json.loads(line)

    def put(self, method: str, params: Mapping[str, Any] | None = None) -> str:
        """Send a request and return its id."""
        self._ids += 1
        request_id = f"r{self._ids}"
        self.send(line_of({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}))
        return request_id

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self.send(line_of({"jsonrpc": "2.0", "method": method, "params": params}))

    def until(self, is_last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Return the messages up to the one that is the last, with it."""
        messages = [self.message()]
        while not is_last(messages[-1]):
            messages.append(self.message())
        return messages

    def answer(self, request_id: Any) -> list[dict[str, Any]]:
        """Return what comes up to the answer of that request: the answer is the last."""
        return self.until(lambda message: "method" not in message and message.get("id") == request_id)

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; return its answer and drop what comes before."""
        return self.answer(self.put(method, params))[-1]

    def initialize(self, **capabilities: Any) -> dict[str, Any]:
        return self.ask("initialize", {"protocolVersion": 1, "clientCapabilities": capabilities})

    def new_session(self, cwd: Path) -> str:
        answer = self.ask("session/new", {"cwd": str(cwd), "mcpServers": []})
        return answer["result"]["sessionId"]

    # ---------------------------------------------------------------- the end

    def ends_at_once(self, end: Callable[[Server], object]) -> bool:
        """Have it end, and tell whether nothing was waited for until it was gone."""
        begun = time.monotonic()
        end(self)
        self.process.wait(PATIENCE)
        return self.is_at_once(time.monotonic() - begun)

    def is_at_once(self, seconds: float) -> bool:
        """Tell whether an end that took so long waited for nothing, by how busy the machine was when it began."""
        sys.stdout.write(f"gone after {seconds:.3f} s, begun in {self._took_to_begin:.3f} s\n")
        return seconds < max(AT_ONCE, 5 * self._took_to_begin)


def line_of(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def prompt(session_id: str, text: str) -> dict[str, Any]:
    """Parameters of `session/prompt`."""
    return {"sessionId": session_id, "prompt": [{"type": "text", "text": text}]}


def eventually(is_so: Callable[[], bool]) -> float:
    """Look until it is so, for what nothing tells of; return how many seconds that took."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < PATIENCE, "it never came to be"
        # Between two looks, not instead of one: whoever can be waited for is not waited for here.
        time.sleep(0.002)
    return time.monotonic() - begun


def _wait(readable: list[int], writable: list[int]) -> None:
    ready = select.select(readable, writable, [], PATIENCE)
    if not any(ready):
        raise TimeoutError(f"nothing happened on the wire for {PATIENCE} s")


# ---------------------------------------------------------------- other people's processes


def processes_with(mark: str) -> list[int]:
    """List the living processes with `mark` in their command line (Linux)."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes()
            state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in words and state not in "ZX":
            found.append(int(name))
    return found


def is_alive(pid: int) -> bool:
    """Tell whether the process exists and is not a zombie (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
