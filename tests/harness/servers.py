"""Servers of others in memory: what they offer is data, and what they were asked is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import anyio

from openhands_acp.engine.messages import JsonObject, Part, Text
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.servers.door import (
    Progress,
    RemoteFailure,
    RemotePrompt,
    RemoteResource,
    RemoteResult,
    RemoteTool,
    ServerState,
)
from openhands_acp.engine.servers.remote_names import remote_name

Act = Callable[[JsonObject, Progress], Awaitable[RemoteResult]]
NO_ARGUMENTS: JsonObject = {"type": "object", "properties": {}}


def tool(
    server: str,
    name: str,
    description: str = "",
    *,
    schema: JsonObject = NO_ARGUMENTS,
    title: str = "",
    is_read_only: bool = False,
    is_open_world: bool = False,
) -> RemoteTool:
    spec = ToolSpec(remote_name(server, name), description, schema)
    return RemoteTool(server, name, spec, title, is_read_only, not is_read_only, is_open_world)


@dataclass(slots=True)
class MemoryServers:
    """`Servers`, in which nothing happens but what a test lets happen."""

    offered: tuple[RemoteTool, ...] = ()
    acts: dict[str, Act] = field(default_factory=dict[str, Act])
    """What a tool does, by its whole name; by default it says what it was given."""
    failures: dict[str, str] = field(default_factory=dict[str, str])
    """Servers that do not come, and why."""
    logins: dict[str, str] = field(default_factory=dict[str, str])
    slow: set[str] = field(default_factory=set[str])
    """Servers that are not there yet."""
    instructions: dict[str, str] = field(default_factory=dict[str, str])
    """What servers say of themselves."""
    prompted: tuple[RemotePrompt, ...] = ()
    listed: tuple[RemoteResource, ...] = ()
    texts: dict[str, str] = field(default_factory=dict[str, str])
    """Of prompts and resources, by name and URI."""
    calls: list[tuple[str, JsonObject]] = field(default_factory=list[tuple[str, JsonObject]])
    retried: list[str | None] = field(default_factory=list[str | None])
    come: anyio.Event | None = None
    """What `ready` waits for; None: they are there."""
    on_retry: Callable[[], None] = lambda: None

    def tools(self) -> tuple[RemoteTool, ...]:
        return self.offered

    def states(self) -> tuple[ServerState, ...]:
        there = dict.fromkeys([each.server for each in (*self.offered, *self.prompted, *self.listed)])
        states = [self._state(name) for name in there if name not in {*self.failures, *self.logins}]
        states += [ServerState(name, "the editor", "connecting") for name in sorted(self.slow)]
        states += [ServerState(name, "the editor", "failed", error=why) for name, why in self.failures.items()]
        return (
            *states,
            *(ServerState(name, "the editor", "needs_login", error=why) for name, why in self.logins.items()),
        )

    def _state(self, name: str) -> ServerState:
        counts = [sum(each.server == name for each in group) for group in (self.offered, self.prompted, self.listed)]
        tools, prompts, resources = counts
        said = self.instructions.get(name, "")
        return ServerState(name, "the editor", "ready", tools, prompts, resources, instructions=said)

    async def ready(self) -> None:
        if self.come is not None:
            await self.come.wait()

    async def call(self, tool: RemoteTool, arguments: JsonObject, progress: Progress) -> RemoteResult:
        self.calls.append((tool.spec.name, arguments))
        if (act := self.acts.get(tool.spec.name)) is not None:
            return await act(arguments, progress)
        return RemoteResult(f"{tool.name} was given {dict(arguments)}")

    def prompts(self) -> tuple[RemotePrompt, ...]:
        return self.prompted

    async def prompt(self, prompt: RemotePrompt, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        if prompt.name not in self.texts:
            raise RemoteFailure(f"{prompt.server} has no prompt {prompt.name!r}")
        return (Text(self.texts[prompt.name].format(**arguments)),)

    def resources(self) -> tuple[RemoteResource, ...]:
        return self.listed

    async def read(self, server: str, uri: str) -> RemoteResult:
        if uri not in self.texts:
            raise RemoteFailure(f"{server} has no resource {uri!r}")
        return RemoteResult(self.texts[uri])

    async def retry(self, name: str | None = None) -> None:
        if name is not None and name not in {state.name for state in self.states()}:
            raise LookupError(name)
        self.retried.append(name)
        self.on_retry()

    def take(self, *names: str) -> None:
        """Let tools go, by their whole names."""
        self.offered = tuple([each for each in self.offered if each.spec.name not in names])

    def add(self, *tools: RemoteTool) -> None:
        self.offered = (*self.offered, *tools)

    def change(self, name: str, spec: ToolSpec) -> None:
        self.offered = tuple([replace(each, spec=spec) if each.spec.name == name else each for each in self.offered])
