"""States of the files round each turn: kept before its first change and after its last.

Wraps files and terminals, so that no tool can change a file before its state is kept; does not know how
it is kept, nor how a person goes back (`undo`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.checkpoints.changes import card_of, count_of, work_in
from openhands_acp.engine.checkpoints.snapshots import Snapshot, SnapshotError, Snapshots, Taking
from openhands_acp.engine.checkpoints.timeline import next_id
from openhands_acp.engine.events import CallProgress, CheckpointTaken, Entry, Event, NoticeEvent
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission.meanings import other_meanings
from openhands_acp.engine.permission.reads import may_write
from openhands_acp.engine.ports import Command, DirEntry, Exit, Files, Job, Patience, Running, Sink, Terminals, TextFile
from openhands_acp.engine.spelling import lf
from openhands_acp.engine.transcript import Transcript

logger = logging.getLogger(__name__)

NAMED = 20
"""Paths that an event names."""
_LAST_LOOK = 20.0
"""Seconds that a turn's end waits for the state after it."""


class Session(Protocol):
    """Whose files they are."""

    root: AbsPath
    entries: list[Entry]
    transcript: Transcript

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...


@dataclass(slots=True)
class _Turn:
    title: str
    taking: Taking
    before: Snapshot | None = None
    checkpoint_id: str = ""
    has_run: bool = False
    """A command that may have written."""
    written: dict[AbsPath, str | None] = field(default_factory=dict[AbsPath, str | None])
    """What tools left in files, which the person has been shown; None where they removed one."""


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of one session."""

    session: Session
    open: Callable[[], Snapshots] | None
    """None: this session keeps none."""
    _snapshots: Snapshots | None = None
    _turn: _Turn | None = None
    _told: set[str] = field(default_factory=set[str])

    @property
    def snapshots(self) -> Snapshots:
        """Open what keeps the states. Raises SnapshotError."""
        if self._snapshots is None:
            if self.open is None:
                raise SnapshotError("this session keeps no earlier states of its files")
            self._snapshots = self.open()
        return self._snapshots

    def begin(self, title: str) -> None:
        """Start to look at the files while the model thinks about a turn. Once a turn, and never waits."""
        if self.open is None or self._turn is not None:
            return
        try:
            self._turn = _Turn(title, self.snapshots.begin())
        except SnapshotError as error:
            self._complain(error)

    async def before_change(self, tool_call_id: str) -> None:
        """Wait until the state before the turn is kept. Where it cannot be, the turn goes on without."""
        turn = self._turn
        if turn is None or turn.before is not None:
            return
        shown = call.shown if (call := self.session.transcript.open_calls.get(tool_call_id)) else ()

        async def tell(files: int) -> None:
            text = ShownText(f"Keeping the state of the files first, for `/undo`: {files:,} so far")
            self.session.emit(CallProgress(tool_call_id, (*shown, text)))

        try:
            snapshot = await turn.taking.done(tell)
        except SnapshotError as error:
            self._turn = None
            self._complain(error)
            return
        if turn.before is not None:
            # Another call of the same batch was waiting too.
            return
        turn.before, turn.checkpoint_id = snapshot, next_id(self.session.entries)
        self.session.emit(CheckpointTaken(turn.checkpoint_id, "before", snapshot.id, None, turn.title))
        if not snapshot.is_whole:
            self._tell("This project is so large that `/undo` cannot bring back every file of it yet.")

    def wrote(self, path: AbsPath, text: str | None) -> None:
        if self._turn is not None:
            self._turn.written[path] = text

    def ran(self) -> None:
        if self._turn is not None:
            self._turn.has_run = True

    async def end(self) -> None:
        """Keep the state after the turn, if it may have changed something, and show what its commands did.

        Bounded, and not cut short by a cancel: what is not known to be the turn's own could not be told from
        what the person does next.
        """
        turn, self._turn = self._turn, None
        if turn is None or turn.before is None:
            return
        with anyio.move_on_after(_LAST_LOOK, shield=True) as scope:
            try:
                event = await self._after(turn, turn.before)
            except SnapshotError as error:
                self._complain(error)
            else:
                self.session.emit(event)
        if scope.cancelled_caught:
            logger.warning("the state after the turn was not kept within %s s", _LAST_LOOK)

    async def _after(self, turn: _Turn, before: Snapshot) -> CheckpointTaken:
        # Where no command ran, nothing but what the tools wrote is the turn's.
        after = await self.snapshots.begin(None if turn.has_run else turn.written).done()
        changes = await self.snapshots.changes(before.id, after.id)
        files = [change.path for change in work_in(changes)]
        count = count_of(changes)
        card = None
        if turn.has_run:
            card = await card_of(self.snapshots, changes, self.session.root, "Changed by commands", turn.written)
        call_id = self.session.new_id() if card else ""
        paths = tuple(files[:NAMED])
        return CheckpointTaken(
            turn.checkpoint_id, "after", before.id, after.id, turn.title, count, paths, None, call_id, card
        )

    def _complain(self, error: SnapshotError) -> None:
        logger.warning("no checkpoint: %s", error)
        self._tell(f"`/undo` will not bring back what changes from here on: {error}.")

    def _tell(self, text: str) -> None:
        """Say it once in a session."""
        if text not in self._told:
            self._told.add(text)
            self.session.emit(NoticeEvent(self.session.new_id(), "text", text))


@dataclass(frozen=True, slots=True)
class CheckpointedFiles:
    """`Files` that keep the state before a turn before they change anything."""

    files: Files
    checkpoints: Checkpoints
    tool_call_id: str

    async def read(self, path: AbsPath) -> TextFile:
        return await self.files.read(path)

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        return await self.files.read_bytes(path, limit)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        return await self.files.entries(path)

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        await self.checkpoints.before_change(self.tool_call_id)
        written = await self.files.write(path, file, replaces=replaces)
        self.checkpoints.wrote(path, lf(written.text))
        return written

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self.checkpoints.before_change(self.tool_call_id)
        await self.files.remove(path, replaces=replaces)
        self.checkpoints.wrote(path, None)


@dataclass(frozen=True, slots=True)
class CheckpointedTerminals:
    """`Terminals` that keep the state before a turn before they run what may change anything."""

    terminals: Terminals
    checkpoints: Checkpoints
    tool_call_id: str

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        # Where a name means another program, what is known of the one that it names says nothing.
        if may_write(command.line) or other_meanings(command.line, self.terminals.redefined()):
            await self.checkpoints.before_change(self.tool_call_id)
            self.checkpoints.ran()
        return await self.terminals.run(command, sink, patience)

    def redefined(self) -> Mapping[str, str]:
        return self.terminals.redefined()

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        if keys:
            await self.checkpoints.before_change(self.tool_call_id)
        self.checkpoints.ran()
        return await self.terminals.attend(job, keys, sink, patience)

    def jobs(self) -> tuple[Job, ...]:
        return self.terminals.jobs()

    async def end(self, job: str | None = None) -> None:
        await self.terminals.end(job)
