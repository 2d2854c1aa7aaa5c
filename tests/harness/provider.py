"""A fake provider: a real HTTP server on loopback that answers by script, in the protocol it is asked in.

It speaks OpenAI's chat completions and Responses, Anthropic's messages and Gemini's, as LiteLLM
calls them, and holds each request to what the real one insists on (`faults`): a request that it
would refuse is answered as it would, and fails the test.
It runs in a thread with a loop of its own (`Provider`), or as a process: `python -m
tests.harness.provider --script FILE.json` (or `--chunks N`), which prints its base URL first.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType

import anyio.to_thread

from tests.harness.protocols import Speech, base_url, faults, key_in, speech
from tests.harness.provider_connection import Connection
from tests.harness.refusals import invalid
from tests.harness.replies import Chunks, Json, Refusal, Reply, Script, Usage, load_script, openai_error
from tests.harness.rules import Memory
from tests.harness.seen import Lookup, Request
from tests.harness.tells_models import listing
from tests.harness.waiting import PATIENCE

# ---------------------------------------------------------------- the server in a thread


class Provider:
    """A context manager: serves while entered, and checks at the end that no request was at fault."""

    def __init__(
        self,
        *replies: Reply,
        script: Script | None = None,
        key: str | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        tells: Mapping[str, Reply] = MappingProxyType({}),
    ) -> None:
        """`tells` is what it says of its models, by path (`tells_models`)."""
        self.requests: list[Request] = []
        self.lookups: list[Lookup] = []
        """What it was asked of its models."""
        self.violations: list[str] = []
        self.connections = 0
        self.url = ""
        """The base URL, `http://127.0.0.1:PORT/v1`; `base_url` has that of other protocols."""
        self._script: Script = script if script is not None else list(replies)
        self._key = key
        self._port = port
        self._tls = tls
        self._tells = {"/v1/models": listing({"id": "fake-model", "object": "model"}), **tells}
        self._arrival = threading.Condition()
        self._gates: dict[str, asyncio.Event] = {}
        self._ids: Counter[str] = Counter()
        self._memory = Memory()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)
        self._started: Future[str] = Future()

    def __enter__(self) -> Provider:
        self._thread.start()
        self.url = self._started.result(timeout=PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=PATIENCE)
        if kind is None:
            self.assert_no_violations()

    def assert_no_violations(self) -> None:
        assert self.violations == [], "\n".join(self.violations)

    def tells(self, models: Mapping[str, Reply]) -> None:
        """Say this of its models from now on."""
        self._tells |= models

    def base_url(self, model: str) -> str:
        """Where to ask for `model` (`anthropic/...`, `gemini/...`, `openai/...`)."""
        return base_url(model, self.url.removesuffix("/v1"))

    def release(self, name: str) -> None:
        """Let every reply that waits at `Wait(name)`, now or later, go on."""
        self._loop.call_soon_threadsafe(lambda: self._gate(name).set())

    async def request(self, at: int = 0) -> Request:
        """Return request number `at` as soon as it has come."""
        return await anyio.to_thread.run_sync(self._wait_for, at)

    def _wait_for(self, at: int) -> Request:
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.requests) > at, timeout=PATIENCE):
                raise TimeoutError(f"request {at} did not come")
        return self.requests[at]

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Not in the task: one that is cancelled before it begins closes nothing.
            self.connections += 1
            task = asyncio.ensure_future(self._converse(reader, writer))
            connections[task] = writer
            task.add_done_callback(connections.pop)

        server = await asyncio.start_server(accept, "127.0.0.1", self._port, ssl=self._tls)
        scheme = "http" if self._tls is None else "https"
        self._started.set_result(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await self._stop.wait()
        server.close()
        left = dict(connections)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for writer in left.values():
            writer.transport.abort()
        # The loop closes them in its next round.
        await asyncio.sleep(0)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Connection(self, reader, writer).serve()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except (AssertionError, LookupError, TypeError, ValueError) as error:
            self.violations.append(f"the provider itself failed: {error!r}")
        finally:
            writer.close()

    def judge(self, request: Request) -> Reply:
        """Record `request` and choose its reply."""
        with self._arrival:
            at = len(self.requests)
            self.requests.append(request)
            self._arrival.notify_all()
        sent = key_in(request.protocol, request.headers)
        if self._key not in {None, sent}:  # some servers tell the key that was wrong, whole
            is_echoed = request.protocol == "chat"
            return [openai_error(401, f"Incorrect API key provided: {sent}.") if is_echoed else Refusal("auth")]
        found = faults(request.protocol, request.model, request.body, request.headers, self._memory)
        if not callable(self._script) and at >= len(self._script):
            found.append(f"request {at}: the script has only {len(self._script)} replies")
        if found:
            self.violations.extend(found)
            return [invalid(request.protocol, "; ".join(found))]
        return self._script(request.body) if callable(self._script) else self._script[at]

    def looked_up(self, path: str, headers: dict[str, str]) -> Reply | None:
        """Record what is asked of its models, and choose the reply."""
        self.lookups.append(Lookup(path, headers))
        return self._tells.get(path)

    def speech(self, request: Request, usage: Usage | None) -> Speech:
        return speech(request.protocol, request.model, self._fresh_id, usage, self._memory)

    def account(self) -> Json:
        """Tell what was seen: `GET /v1/requests` when the provider is a process."""
        requests = [
            {"body": each.body, "arrived": each.arrived, "done": each.done, "hung_up_at": each.hung_up_at}
            for each in self.requests
        ]
        return {"requests": requests, "violations": self.violations}

    async def wait(self, name: str) -> None:
        await self._gate(name).wait()

    def _fresh_id(self, prefix: str) -> str:
        self._ids[prefix] += 1
        return f"{prefix}_{self._ids[prefix]}"


# ---------------------------------------------------------------- as a process


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stdin ends or a signal comes; exit 1 if a request was at fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="answer 401 to any other")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--script", type=Path, help="a JSON file, see load_script")
    what.add_argument("--chunks", type=int, help="answer every request with so many small chunks")
    options = parser.parse_args(arguments)
    if options.script is not None:
        script: Script = load_script(options.script.read_text(encoding="utf-8"))
    else:
        usage = Usage(prompt=10, completion=options.chunks)
        script = partial(_always, [Chunks(options.chunks), usage])
    provider = Provider(script=script, key=options.key, port=options.port)
    with suppress(KeyboardInterrupt), provider:
        sys.stdout.write(f"{provider.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    for violation in provider.violations:
        sys.stderr.write(f"violation: {violation}\n")
    return 1 if provider.violations else 0


def _always(reply: Reply, _body: Json) -> Reply:
    return reply


if __name__ == "__main__":
    sys.exit(main())
