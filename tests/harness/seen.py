"""What the fake provider saw of one request."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import anyio.to_thread

from tests.harness.refusals import Protocol
from tests.harness.replies import Json


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question about its models."""

    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Request:
    """One request for a completion, as it came; times by `time.perf_counter`."""

    protocol: Protocol
    model: str
    headers: dict[str, str]
    body: Json
    arrived: float
    done: float | None = None
    """When the last byte of the reply was handed to the socket."""
    hung_up_at: float | None = None
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when the client leaves before the reply has ended."""

    async def until_hung_up(self) -> None:
        """Return when the client has hung up; five seconds are the bound."""
        if not await anyio.to_thread.run_sync(self.hung_up.wait, 5):
            raise TimeoutError("the client did not hang up")
