"""What the servers of a session are given by whoever puts the session together. Imports no MCP library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person.door import Nobody, Person
from openhands_acp.engine.programs import Program, Programs
from openhands_acp.engine.servers.door import Sample
from openhands_acp.mcp.config import ServerConfig

FIRST_WAIT = 5.0
"""Seconds that a first prompt waits for servers at most."""


class LoginNeeded(Exception):
    """A server lets nobody in without a login, which did not come about; the message says what to do, for the person.

    Raised by what `Authorize` made; the server is shown as such, and not tried again by itself.
    """


class CannotConnect(Exception):
    """The message says why, in words; what follows its first line is what the server said on stderr."""

    def __init__(self, reason: str, *, needs_login: bool = False, is_hopeless: bool = False) -> None:
        super().__init__(reason)
        self.needs_login = needs_login
        self.is_hopeless = is_hopeless
        """Trying again cannot help."""


class Login(Protocol):
    """How whatever logs in at a server says that it waits for the person."""

    def waiting(self, what: str = "") -> AbstractContextManager[None]:
        """Let no deadline run; with `what` to do, show the server as one that needs a login meanwhile."""
        ...

    def remark(self, what: str) -> None:
        """Say something of the login, which works all the same, where the server is shown."""
        ...


Authorize: TypeAlias = Callable[[ServerConfig, Login], Awaitable[Any]]
"""Makes what logs in at an http or sse server, for each connection anew: an `httpx2.Auth`, or None.

FastMCP has been imported when it is called.
"""

OverAcp: TypeAlias = Callable[[ServerConfig], Any]
"""Makes a FastMCP `ClientTransport` to a server that the client connects us with."""


def _nobody_cares() -> None:
    pass


@dataclass(frozen=True, slots=True)
class ServerDoors:
    roots: tuple[AbsPath, ...]
    """Told to servers that ask; the first is where programs start that have no folder of their own."""
    programs: Programs
    person: Person = field(default_factory=Nobody)
    """Whom servers ask. One that is unable has declined."""
    sample: Sample | None = None
    """None: servers are told that there is no such thing."""
    authorize: Authorize | None = None
    over_acp: OverAcp | None = None
    changed: Callable[[], None] = _nobody_cares
    """Told that states, tools, prompts or resources are others now. Never waits."""
    first_wait: float = FIRST_WAIT
    """Seconds that `ready` waits at most."""
    breath: float = 1.0
    """Seconds between two looks at what a server offers, at the least."""
    pauses: tuple[float, ...] = (0.5, 2, 5, 15, 30, 60)
    """Seconds until a server is tried again that was lost or did not answer; then it is left alone."""


async def start(config: ServerConfig, doors: ServerDoors) -> Program:
    """Start the program that is a server. Raises CannotConnect."""
    cwd = config.cwd or doors.roots[0]
    try:
        return await doors.programs.start(config.command, config.args, config.env, cwd)
    except FileNotFoundError as error:
        if error.filename == cwd:
            raise CannotConnect(f"its folder {cwd!r} is not there", is_hopeless=True) from error
        raise CannotConnect(f"there is no program {config.command!r} on PATH", is_hopeless=True) from error
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise CannotConnect(f"{config.command!r} cannot be started: {reason}", is_hopeless=True) from error
