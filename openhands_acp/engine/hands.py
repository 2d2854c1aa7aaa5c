"""What one call may touch: the session's doors, behind the guard, with what the call says to the person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from openhands_acp.engine.browser import Browser, NoBrowser
from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.cards import Card, KeptOutput, Shown
from openhands_acp.engine.checkpoints.keeping import CheckpointedFiles, CheckpointedTerminals, Checkpoints
from openhands_acp.engine.events import (
    CallProgress,
    CommandOutput,
    Event,
    NoticeEvent,
    PlanEntry,
    PlanUpdated,
)
from openhands_acp.engine.guidance import skills
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission import guard_servers
from openhands_acp.engine.permission.guard import Guard, GuardedFiles, GuardedSearch, GuardedTerminals
from openhands_acp.engine.permission.guard_browser import GuardedBrowser
from openhands_acp.engine.permission.guard_servers import GuardedServers
from openhands_acp.engine.permission.guard_web import GuardedWeb
from openhands_acp.engine.person.door import Form, Reply
from openhands_acp.engine.person.filling import chosen, filled
from openhands_acp.engine.person.planning import Decision, Told, decided
from openhands_acp.engine.ports import Files, Permissions, Terminals
from openhands_acp.engine.search import Search
from openhands_acp.engine.servers.door import Servers
from openhands_acp.engine.servers.remote_requests import RemoteRequests
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.tool import Errand, ToolResult
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.web import NoWeb, Web

T = TypeVar("T")


class Session(guard_servers.Session, skills.Session, Protocol):
    """Whose hands they are."""

    root: AbsPath
    roots: tuple[AbsPath, ...]
    transcript: Transcript
    ports: Ports

    @property
    def servers(self) -> Servers: ...

    @property
    def mode(self) -> Mode: ...

    @property
    def drained(self) -> Callable[[], Awaitable[None]]: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    async def keep_output(self, name: str, text: str) -> KeptOutput | None: ...

    def set_option(self, key: str, value: str) -> None: ...

    @property
    def rules(self) -> Collection[str]: ...

    async def delegate(self, tool_call_id: str, errand: Errand) -> ToolResult: ...

    def recall(self, what: type[T]) -> T: ...


@dataclass(frozen=True, slots=True)
class World:
    """What a session's tools work on."""

    files: Files
    terminals: Terminals
    search: Search
    web: Web = field(default_factory=NoWeb)
    browser: Browser = field(default_factory=NoBrowser)


@dataclass(frozen=True, slots=True)
class Doors:
    """What the hands of all calls of a session reach through."""

    world: World
    checkpoints: Checkpoints
    permissions: Permissions
    outputs: AbsPath | None = None
    """Where long outputs are kept."""


def hands_for(session: Session, call: CallRequest, doors: Doors) -> CallHands:
    guard = Guard(
        call.tool_call_id,
        call.card or Card(call.tool_name, "other"),
        call.arguments or {},
        call.risk,
        session.roots,
        lambda: session.mode,
        lambda: session.rules,
        doors.permissions,
        session.emit,
        (*(() if doors.outputs is None else (doors.outputs,)), *skills.places_outside(session)),
        call.hook_asks,
        call.tool is not None and call.tool.is_read_only(call.parsed),
    )
    files = CheckpointedFiles(doors.world.files, doors.checkpoints, call.tool_call_id)
    terminals = CheckpointedTerminals(doors.world.terminals, doors.checkpoints, call.tool_call_id)
    return CallHands(
        session,
        call.tool_call_id,
        GuardedFiles(files, guard),
        GuardedTerminals(terminals, guard),
        GuardedSearch(doors.world.search, guard),
        GuardedServers(session.servers, guard, session.ports.open_requests() or RemoteRequests(), session),
        GuardedWeb(doors.world.web, guard),
        GuardedBrowser(doors.world.browser, guard),
    )


@dataclass(frozen=True, slots=True)
class CallHands:
    """What one call may touch (`Hands`)."""

    session: Session
    tool_call_id: str
    files: GuardedFiles
    terminals: GuardedTerminals
    search: GuardedSearch
    servers: GuardedServers
    web: GuardedWeb
    browser: GuardedBrowser

    @property
    def root(self) -> AbsPath:
        return self.session.root

    @property
    def roots(self) -> tuple[AbsPath, ...]:
        return self.session.roots

    def intend(self, whole: Card) -> None:
        self.files.intend(whole)

    async def progress(self, *shown: Shown) -> None:
        await self.session.drained()
        self.session.emit(CallProgress(self.tool_call_id, shown))

    async def output(self, data: str) -> None:
        await self.session.drained()
        self.session.emit(CommandOutput(self.tool_call_id, data))

    async def keep(self, text: str) -> KeptOutput | None:
        return await self.session.keep_output(f"result-{self.tool_call_id}.txt", text)

    def say(self, text: str) -> None:
        self.session.emit(NoticeEvent(self.session.new_id(), "text", text))

    def think(self, text: str) -> None:
        self.session.emit(NoticeEvent(self.session.new_id(), "thought", text))

    def plan(self, entries: tuple[PlanEntry, ...]) -> None:
        self.session.emit(PlanUpdated(entries))

    async def ask(self, form: Form) -> Reply:
        return await filled(self.session.person, replace(form, tool_call_id=self.tool_call_id))

    async def choose(self, form: Form) -> Reply:
        return await chosen(self.session.person, replace(form, tool_call_id=self.tool_call_id))

    async def leave_plan_mode(self, title: str) -> Decision:
        return await decided(self.session, self.tool_call_id, title, self.session.recall(Told))

    async def follow(self, skill: str) -> str:
        await self.files.guard.insist()
        return await skills.followed(self.session, skill)

    async def delegate(self, errand: Errand) -> ToolResult:
        await self.files.guard.insist()
        return await self.session.delegate(self.tool_call_id, errand)

    def recall(self, what: type[T]) -> T:
        return self.session.recall(what)
