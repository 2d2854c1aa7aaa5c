"""The MCP servers of a sub-agent: those of the session that it works for, and those that its definition brings.

Knows neither the protocol nor how a server is connected.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from openhands_acp.engine.events import Event, NoticeEvent
from openhands_acp.engine.guidance.inventory import AgentDefinition, quoted
from openhands_acp.engine.messages import JsonObject, Part
from openhands_acp.engine.servers.door import (
    Progress,
    RemotePrompt,
    RemoteResource,
    RemoteResult,
    RemoteTool,
    Servers,
    ServerState,
)
from openhands_acp.engine.session_ports import Ports

T = TypeVar("T")


class Session(Protocol):
    """The one that it works for."""

    ports: Ports

    @property
    def servers(self) -> Servers: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def recall(self, what: type[T]) -> T: ...


@dataclass(slots=True)
class _Told:
    """What the person was told of such servers."""

    sentences: set[str] = field(default_factory=set[str])


@asynccontextmanager
async def connected(session: Session, definition: AgentDefinition) -> AsyncGenerator[Servers]:
    """Connect what a definition brings beside what the session has, until this is left.

    Of two with one name the session's counts: what the person allowed it would count for the other, too.
    """
    there = {state.name: state for state in session.servers.states()}
    own = {name: entry for name, entry in definition.servers.items() if name not in there}
    for name in definition.servers.keys() - own.keys():
        _tell(session, definition, f"{quoted(name)} is left out; {there[name].source} has one of this name")
    if not own or session.ports.open_own_servers is None:
        yield session.servers
        return
    async with session.ports.open_own_servers(replace(definition, servers=own)) as servers:
        await servers.ready()
        for state in servers.states():
            if state.error and state.status != "ready":
                _tell(session, definition, f"{quoted(state.name)} cannot be used: {state.error.partition(chr(10))[0]}")
        yield JoinedServers(session.servers, servers)


def _tell(session: Session, definition: AgentDefinition, sentence: str) -> None:
    told = session.recall(_Told).sentences
    said = f"An MCP server of the sub-agent {quoted(definition.name)}: {sentence}."
    if said not in told:
        told.add(said)
        session.emit(NoticeEvent(session.new_id(), "text", said))


@dataclass(slots=True)
class JoinedServers:
    """Two sets of servers as one, of which no two have the same name (`Servers`)."""

    theirs: Servers
    own: Servers
    _tools: tuple[RemoteTool, ...] = ()

    def tools(self) -> tuple[RemoteTool, ...]:
        tools = (*self.theirs.tools(), *self.own.tools())
        if tools != self._tools:
            self._tools = tools
        return self._tools

    def states(self) -> tuple[ServerState, ...]:
        return (*self.theirs.states(), *self.own.states())

    async def ready(self) -> None:
        await self.theirs.ready()
        await self.own.ready()

    async def call(self, tool: RemoteTool, arguments: JsonObject, progress: Progress) -> RemoteResult:
        return await self._of(tool.server).call(tool, arguments, progress)

    def prompts(self) -> tuple[RemotePrompt, ...]:
        return (*self.theirs.prompts(), *self.own.prompts())

    async def prompt(self, prompt: RemotePrompt, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        return await self._of(prompt.server).prompt(prompt, arguments)

    def resources(self) -> tuple[RemoteResource, ...]:
        return (*self.theirs.resources(), *self.own.resources())

    async def read(self, server: str, uri: str) -> RemoteResult:
        return await self._of(server).read(server, uri)

    async def retry(self, name: str | None = None) -> None:
        if name is not None:
            await self._of(name).retry(name)
            return
        await self.theirs.retry()
        await self.own.retry()

    def _of(self, server: str) -> Servers:
        return self.own if any(state.name == server for state in self.own.states()) else self.theirs
