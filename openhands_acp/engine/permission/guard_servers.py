"""Permission round the servers of others: each use of a tool, and each look into a resource, asks as the policy says.

Knows neither the protocol nor tools of ours, so none can forget to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.messages import JsonObject, Part
from openhands_acp.engine.permission.guard import Guard
from openhands_acp.engine.permission.policy import UseTool
from openhands_acp.engine.person.door import Form, Link, Person, Reply
from openhands_acp.engine.person.filling import filled
from openhands_acp.engine.servers import sampling
from openhands_acp.engine.servers.door import (
    Progress,
    RemotePrompt,
    RemoteResource,
    RemoteResult,
    RemoteTool,
    Sampled,
    SampleRequest,
    Servers,
    ServerState,
)
from openhands_acp.engine.servers.remote_requests import RemoteRequests

RESOURCES = ""
"""What stands for a tool's name where resources are read."""


class Session(sampling.Session, Protocol):
    @property
    def person(self) -> Person: ...


@dataclass(frozen=True, slots=True)
class GuardedServers:
    servers: Servers
    guard: Guard
    requests: RemoteRequests
    session: Session

    async def call(self, tool: RemoteTool, arguments: JsonObject, progress: Progress) -> RemoteResult:
        await self.guard.permit(UseTool(tool.server, tool.name, tool.label, tool.is_read_only))
        caller = _Caller(self.session, self.guard)
        return await self.requests.during(tool.server, caller, lambda: self.servers.call(tool, arguments, progress))

    async def read(self, server: str, uri: str) -> RemoteResult:
        effect = UseTool(server, RESOURCES, "reading resources", is_read_only=True)
        await self.guard.permit(effect, ShownText(f"Read `{uri}` of the server `{server}`"))
        caller = _Caller(self.session, self.guard)
        return await self.requests.during(server, caller, lambda: self.servers.read(server, uri))

    async def prompt(self, prompt: RemotePrompt, arguments: Mapping[str, str]) -> tuple[Part, ...]:
        return await self.servers.prompt(prompt, arguments)

    def tools(self) -> tuple[RemoteTool, ...]:
        return self.servers.tools()

    def states(self) -> tuple[ServerState, ...]:
        return self.servers.states()

    def prompts(self) -> tuple[RemotePrompt, ...]:
        return self.servers.prompts()

    def resources(self) -> tuple[RemoteResource, ...]:
        return self.servers.resources()

    async def ready(self) -> None:
        await self.servers.ready()

    async def retry(self, name: str | None = None) -> None:
        await self.servers.retry(name)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Answers what a server wants in one call (`remote_requests.Caller`)."""

    session: Session
    guard: Guard

    async def fill(self, form: Form) -> Reply:
        return await filled(self.session.person, replace(form, tool_call_id=self.guard.tool_call_id))

    async def visit(self, link: Link) -> Reply:
        return await self.session.person.visit(replace(link, tool_call_id=self.guard.tool_call_id))

    async def sample(self, request: SampleRequest) -> Sampled:
        return await sampling.sampled(self.session, self.guard, request)
