"""What one call may touch: the session's doors, behind the guard, with what the call says to the person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.cards import Card, Shown
from openhands_acp.engine.checkpoints import CheckpointedFiles, CheckpointedTerminals, Checkpoints
from openhands_acp.engine.events import (
    CallProgress,
    CommandOutput,
    Event,
    NoticeEvent,
    PlanEntry,
    PlanUpdated,
)
from openhands_acp.engine.guard import Guard, GuardedFiles, GuardedSearch, GuardedTerminals
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Files, Permissions, Terminals
from openhands_acp.engine.search import Search
from openhands_acp.engine.transcript import Transcript

T = TypeVar("T")


class Session(Protocol):
    """Whose hands they are."""

    root: AbsPath
    roots: tuple[AbsPath, ...]
    transcript: Transcript

    @property
    def mode(self) -> Mode: ...

    @property
    def drained(self) -> Callable[[], Awaitable[None]]: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def recall(self, what: type[T]) -> T: ...


@dataclass(frozen=True, slots=True)
class World:
    """What a session's tools work on."""

    files: Files
    terminals: Terminals
    search: Search


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
        lambda: session.transcript.rules,
        doors.permissions,
        session.emit,
        () if doors.outputs is None else (doors.outputs,),
    )
    files = CheckpointedFiles(doors.world.files, doors.checkpoints, call.tool_call_id)
    terminals = CheckpointedTerminals(doors.world.terminals, doors.checkpoints, call.tool_call_id)
    return CallHands(
        session,
        call.tool_call_id,
        GuardedFiles(files, guard),
        GuardedTerminals(terminals, guard),
        GuardedSearch(doors.world.search, guard),
    )


@dataclass(frozen=True, slots=True)
class CallHands:
    """What one call may touch (`Hands`)."""

    session: Session
    tool_call_id: str
    files: GuardedFiles
    terminals: GuardedTerminals
    search: GuardedSearch

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

    def say(self, text: str) -> None:
        self.session.emit(NoticeEvent(self.session.new_id(), "text", text))

    def think(self, text: str) -> None:
        self.session.emit(NoticeEvent(self.session.new_id(), "thought", text))

    def plan(self, entries: tuple[PlanEntry, ...]) -> None:
        self.session.emit(PlanUpdated(entries))

    def recall(self, what: type[T]) -> T:
        return self.session.recall(what)
