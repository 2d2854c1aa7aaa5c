"""The door to programs that run beside a session and are talked to through their stdin and stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Program(Protocol):
    """One that runs. Whoever started it ends it."""

    async def receive(self) -> bytes:
        """Return the next of what it prints on stdout, at once when there is some; empty when that is closed."""
        ...

    async def send(self, data: bytes) -> None:
        """Write to its stdin; waits while it does not read. Raises OSError when it is gone."""
        ...

    def said(self) -> str:
        """Return the end of what it wrote on stderr: a few lines."""
        ...

    @property
    def outcome(self) -> str:
        """How it ended, in words; empty while it runs."""
        ...

    async def end(self) -> None:
        """Close its stdin and end it with all that it started. Bounded, not to be cancelled, and twice is no error."""
        ...


class Programs(Protocol):
    async def start(self, command: str, args: Sequence[str], env: Mapping[str, str], cwd: str) -> Program:
        """Start a program; `env` is on top of what commands of a session inherit.

        It dies with this process, however that dies. Raises OSError as the system does.
        """
        ...
