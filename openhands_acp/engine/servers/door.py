"""The door to other people's tools: servers of the Model Context Protocol, as a port and as values.

A tool is called `server__tool`, from the first server on. Knows neither the protocol nor where servers come from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.cards import Shown
from openhands_acp.engine.messages import AssistantMessage, Image, JsonObject, Part, UserMessage
from openhands_acp.engine.ports import ToolSpec

_LABEL = 100
Status: TypeAlias = Literal["connecting", "ready", "failed", "disabled", "needs_login", "untrusted"]


@dataclass(frozen=True, slots=True)
class RemoteTool:
    server: str
    name: str
    """As the server calls it."""
    spec: ToolSpec
    """As a model is told of it: under its whole name, with the server's own schema."""
    title: str = ""
    """For the person; empty: the name will do."""
    is_read_only: bool = False
    """As the server claims, as all that follows (annotations): a hint, and never more than that."""
    is_destructive: bool = True
    is_open_world: bool = True

    @property
    def label(self) -> str:
        """Return what the person knows it by, on one line."""
        return " ".join((self.title or self.name).split())[:_LABEL]


@dataclass(frozen=True, slots=True)
class RemotePrompt:
    server: str
    name: str
    description: str = ""
    arguments: tuple[tuple[str, bool], ...] = ()
    """Names, and whether each must be given."""


@dataclass(frozen=True, slots=True)
class RemoteResource:
    server: str
    uri: str
    """Of a template, with its variables in braces."""
    name: str
    description: str = ""
    mime_type: str = ""
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class RemoteResult:
    text: str
    """What the model reads: all text, structured content, and a line for what it cannot read."""
    shown: tuple[Shown, ...] = ()
    """What the person sees; empty shows `text`."""
    images: tuple[Image, ...] = ()
    is_error: bool = False
    raw_output: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ServerState:
    name: str
    source: str
    """In words: the editor, a file's path, a plugin."""
    status: Status
    tools: int = 0
    prompts: int = 0
    resources: int = 0
    error: str = ""
    """In words; after its first line, the end of what it said on stderr. Of one that is ready: what is left out."""
    instructions: str = ""
    """The server's own words to the model about how to use it."""


class RemoteFailure(Exception):
    """The server did not do it: gone, too slow, refused. The message is for the model, as `ToolError`'s."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A server wants an answer of the session's model (MCP calls it sampling)."""

    server: str
    messages: tuple[UserMessage | AssistantMessage, ...]
    system: str = ""
    """What the server would have the model told first; it is the server's word, and no more than that."""
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    text: str
    model: str
    is_cut: bool = False
    """It was longer than was allowed."""


class SampleRefused(Exception):
    """There is no answer of the model. The server is told the message, and `why` in the protocol's numbers."""

    def __init__(self, message: str, why: Literal["declined", "unrelated", "unable"] = "unable") -> None:
        """`declined`: the person or the mode said no. `unrelated`: it belongs to no call."""
        super().__init__(message)
        self.why = why


Sample: TypeAlias = Callable[[SampleRequest], Awaitable[Sampled]]
"""Asks the model for a server, after the person. Raises SampleRefused."""

Progress: TypeAlias = Callable[[str], Awaitable[None]]
"""Told how far a call is, in words; each replaces the one before."""


class Servers(Protocol):
    """All servers of one session. Nothing here waits for a server that is still connecting but `ready` and `retry`."""

    def tools(self) -> tuple[RemoteTool, ...]:
        """Return the tools that are there now; the order of those that were there before never changes."""
        ...

    def states(self) -> tuple[ServerState, ...]: ...

    async def ready(self) -> None:
        """Wait until each server is connected or has failed, or the wait for a first prompt is over."""
        ...

    async def call(self, tool: RemoteTool, arguments: JsonObject, progress: Progress) -> RemoteResult:
        """Call a tool. Cancelling tells the server so and does not wait for it. Raises RemoteFailure."""
        ...

    def prompts(self) -> tuple[RemotePrompt, ...]: ...

    async def prompt(self, prompt: RemotePrompt, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        """Return what the prompt says. Raises RemoteFailure."""
        ...

    def resources(self) -> tuple[RemoteResource, ...]: ...

    async def read(self, server: str, uri: str) -> RemoteResult:
        """Read a resource. Raises RemoteFailure."""
        ...

    async def retry(self, name: str | None = None) -> None:
        """Connect one server anew, or all that have failed; wait for it as `ready` does. Raises LookupError."""
        ...


class NoServers:
    """A session without any."""

    def tools(self) -> tuple[RemoteTool, ...]:
        return ()

    def states(self) -> tuple[ServerState, ...]:
        return ()

    async def ready(self) -> None:
        pass

    async def call(self, tool: RemoteTool, arguments: JsonObject, progress: Progress) -> RemoteResult:
        raise RemoteFailure(f"there is no server {tool.server!r}")

    def prompts(self) -> tuple[RemotePrompt, ...]:
        return ()

    async def prompt(self, prompt: RemotePrompt, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        raise RemoteFailure(f"there is no server {prompt.server!r}")

    def resources(self) -> tuple[RemoteResource, ...]:
        return ()

    async def read(self, server: str, uri: str) -> RemoteResult:
        raise RemoteFailure(f"there is no server {server!r}")

    async def retry(self, name: str | None = None) -> None:
        if name is not None:
            raise LookupError(name)
