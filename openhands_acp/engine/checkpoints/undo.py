"""Going back to an earlier state of the files, and what the person did meanwhile.

Rules of this file: the state before is kept before anything is put back, so nothing is ever lost; what
the person changed since is put back only if they say so; what nobody asked to take back stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias

import anyio

from openhands_acp.engine.cards import Card, Location, ShownText
from openhands_acp.engine.checkpoints.changes import card_of, count_of, is_covered, is_file, look, shown
from openhands_acp.engine.checkpoints.keeping import NAMED, Checkpoints
from openhands_acp.engine.checkpoints.snapshots import Change, FileState, SnapshotError, Snapshots
from openhands_acp.engine.checkpoints.timeline import Step, next_id
from openhands_acp.engine.events import CallDelta, CheckpointTaken, Entry, Event, PermissionDecided
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.ports import (
    Dismissed,
    FileChanged,
    Files,
    Option,
    Permissions,
    Question,
    TextFile,
    UnreadableFile,
)
from openhands_acp.engine.spelling import lf

_TOOL = "checkpoint"
_IN_EDITOR = 50
"""Files that the editor is asked about and told of, one by one."""
_EDITORS_TIME = 15.0
"""Seconds that an editor has for them."""

State: TypeAlias = FileState | None


class Session(Protocol):
    root: AbsPath
    entries: list[Entry]

    @property
    def checkpoints(self) -> Checkpoints: ...

    @property
    def files(self) -> Files:
        """With the editor's unsaved text."""
        ...

    @property
    def permissions(self) -> Permissions: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be taken back, and how it is called."""

    moment: Literal["undo", "redo", "restore"]
    title: str
    step: Step
    """Its `before` is where to go; only what differs from its `after` is touched."""
    is_unsure: bool = False
    """Nobody knows what of it is the agent's, so all of it may be the person's."""
    theirs: frozenset[AbsPath] = frozenset()
    """What the person is known to have changed in between, whatever it is now."""
    since: str | None = None
    """The state in which everything else that changed since is the person's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    changed: Sequence[Change]
    """From what was there to what is there now."""
    kept: Sequence[AbsPath]
    """The person's own changes, which they wanted to keep."""
    failed: Mapping[AbsPath, str]
    uncovered: Sequence[AbsPath]
    """What changed and is not kept."""


@dataclass(frozen=True, slots=True)
class _Plan:
    wanted: dict[AbsPath, State]
    now: dict[AbsPath, State]
    theirs: list[AbsPath]
    """Those of `wanted` that the person changed since."""
    uncovered: list[AbsPath]


@dataclass(slots=True)
class _Going:
    """One way back."""

    session: Session
    aim: Aim
    snapshots: Snapshots
    call_id: str
    unsaved: dict[AbsPath, TextFile] = field(default_factory=dict[AbsPath, TextFile])
    """What the person has in the editor and not on the disk."""
    unsavable: dict[AbsPath, str] = field(default_factory=dict[AbsPath, str])
    """What of it the editor could not be made to save, so that it stays, with the reason."""
    was_announced: bool = False

    async def go(self) -> Outcome:
        now = (await self.snapshots.begin().done()).id
        plan = await self._plan(now)
        asked: set[AbsPath] = set()
        keep: set[AbsPath] = set()
        while fresh := [path for path in plan.theirs if path not in asked]:
            asked |= set(fresh)
            if await self._ask(plan, fresh) == "reject_once":
                keep |= set(fresh)
            else:
                await self._save(fresh)
            # They may have gone on working while they were asked.
            now = (await self.snapshots.begin().done()).id
            plan = await self._plan(now)
        kept = [path for path in plan.theirs if path in keep]
        for path in {*kept, *self.unsavable}:
            plan.wanted.pop(path, None)
        failed: dict[AbsPath, str] = {}
        changes: Sequence[Change] = ()
        # From here on whole or not at all, whoever cancels.
        with anyio.CancelScope(shield=True):
            failed = await self.snapshots.restore(plan.wanted)
            with anyio.move_on_after(_EDITORS_TIME):
                await self._tell_editor(plan, failed)
            after, changes = await self._state_after(now, plan, failed)
            await self._record(now, after, changes)
        return Outcome(changes, kept, {**failed, **self.unsavable}, plan.uncovered)

    # ---------------------------------------------------------------- what to do

    async def _plan(self, now: str) -> _Plan:
        step = self.aim.step
        changes = await self.snapshots.changes(step.before, step.after or now)
        since = {change.path: change.after for change in await self.snapshots.changes(step.after or now, now)}
        known = set(self.aim.theirs)
        if self.aim.since is not None:
            known |= {change.path for change in await self.snapshots.changes(self.aim.since, now)}
        plan = _Plan({}, {}, [], [])
        for change in changes:
            path, here = change.path, since.get(change.path, change.after)
            if not is_covered(change) or (here is not None and here.kind == "left_out"):
                plan.uncovered.append(path)
            elif here != change.before:
                plan.wanted[path], plan.now[path] = change.before, here
                is_theirs = here != change.after or path in known or self.aim.is_unsure
                if is_theirs and is_file(replace(change, after=here)):
                    plan.theirs.append(path)
        self.unsaved = await self._unsaved(changes, plan)
        plan.theirs.extend(path for path in self.unsaved if path not in plan.theirs)
        return plan

    async def _unsaved(self, changes: Sequence[Change], plan: _Plan) -> dict[AbsPath, TextFile]:
        """Return what the editor holds and nobody else has."""
        unsaved: dict[AbsPath, TextFile] = {}
        for change in self._in_editor(changes, plan.now):
            with suppress(OSError, UnreadableFile):
                file = await self.session.files.read(change.path)
                on_disk = await self._text(plan.now[change.path])
                earlier = [await self._text(state) for state in (change.before, change.after)]
                # What was on the disk before is only stale: the editor has not looked since.
                if on_disk is not None and lf(file.text) not in (on_disk, *earlier):
                    unsaved[change.path] = file
        return unsaved

    def _in_editor(self, changes: Sequence[Change], states: Mapping[AbsPath, State]) -> list[Change]:
        files = [change for change in changes if (state := states.get(change.path)) and state.kind == "file"]
        return files[:_IN_EDITOR]

    async def _text(self, state: State) -> str | None:
        """Return a file's text; None for what is in no encoding that editors are spoken to in."""
        if state is None or state.kind != "file":
            return None
        try:
            return lf((await self.snapshots.content(state)).decode("utf-8-sig"))
        except UnicodeDecodeError:
            return None

    # ---------------------------------------------------------------- the person

    async def _ask(self, plan: _Plan, paths: Sequence[AbsPath]) -> str:
        """Ask about what the person changed since. Raises Dismissed."""
        changes = [Change(path, plan.now[path], plan.wanted[path]) for path in paths]
        looked = await look(self.snapshots, changes, {path: lf(file.text) for path, file in self.unsaved.items()})
        count = "a file" if len(paths) == 1 else f"{len(paths):,} files"
        explained = ShownText(f"You changed {count} since. This is what would happen to your changes:")
        card = Card(
            f"{self.aim.title}: also take back what you changed in {count} since?",
            "edit",
            tuple(Location(path) for path in paths[:NAMED]),
            (explained, *shown(looked, paths, self.session.root)),
        )
        self.session.emit(CallDelta(self.call_id, _TOOL, card))
        self.was_announced = True
        options = Option("allow_once", "Take back my changes too"), Option("reject_once", "Keep my changes")
        question = Question(self.call_id, card, {"command": f"/{self.aim.moment}"}, options)
        answer = await self.session.permissions.ask(question)
        self.session.emit(PermissionDecided(self.call_id, answer))
        if answer == "cancelled":
            raise Dismissed
        return answer

    async def _save(self, paths: Sequence[AbsPath]) -> None:
        """Have the editor save what it holds, so that it is kept before it is taken back."""
        for path in paths:
            if (file := self.unsaved.get(path)) is not None:
                try:
                    await self.session.files.write(path, file, replaces=file)
                except (OSError, UnreadableFile, FileChanged) as error:
                    reason = str(error) if isinstance(error, UnreadableFile) else "it is not saved in the editor"
                    self.unsavable[path] = reason

    # ---------------------------------------------------------------- what is done

    async def _tell_editor(self, plan: _Plan, failed: Mapping[AbsPath, str]) -> None:
        """Put the text into the editor too: some do not look at the disk by themselves."""
        changes = [Change(path, plan.now[path], state) for path, state in plan.wanted.items() if path not in failed]
        for change in self._in_editor(changes, plan.wanted):
            with suppress(OSError, UnreadableFile, UnicodeDecodeError):
                await self._write_through(change)

    async def _write_through(self, change: Change) -> None:
        assert change.after is not None
        text = (await self.snapshots.content(change.after)).decode("utf-8-sig")
        files, now = self.session.files, await self.session.files.read(change.path)
        try:
            await files.write(change.path, replace(now, text=text), replaces=now)
        except FileChanged as changed:
            # What was on the disk a moment ago: the editor has not looked since. Anything else is the person's.
            stale = changed.now
            if stale is not None and lf(stale.text) == await self._text(change.before):
                with suppress(FileChanged):
                    await files.write(change.path, replace(stale, text=text), replaces=stale)

    async def _state_after(
        self, now: str, plan: _Plan, failed: dict[AbsPath, str]
    ) -> tuple[str | None, Sequence[Change]]:
        try:
            return await self._state_kept(now, plan, failed)
        except SnapshotError:
            # It is done, whether or not it can be kept: what was there before can.
            done = [path for path in plan.wanted if path not in failed]
            return None, [Change(path, plan.now[path], plan.wanted[path]) for path in done]

    async def _state_kept(self, now: str, plan: _Plan, failed: dict[AbsPath, str]) -> tuple[str, tuple[Change, ...]]:
        after = (await self.snapshots.begin().done()).id
        changes = await self.snapshots.changes(now, after)
        there = {change.path: change.after for change in changes}
        missed = {
            path: state
            for path, state in plan.wanted.items()
            if state is not None and path not in failed and there.get(path, plan.now[path]) != state
        }
        if not missed:
            return after, changes
        # An editor that formats what it saves: the bytes of the state count.
        failed |= await self.snapshots.restore(missed)
        after = (await self.snapshots.begin().done()).id
        return after, await self.snapshots.changes(now, after)

    async def _record(self, now: str, after: str | None, changes: Sequence[Change]) -> None:
        aim, session = self.aim, self.session
        card = await card_of(self.snapshots, changes, session.root, aim.title, {})
        if card is None and self.was_announced:
            card = Card(f"{aim.title}: nothing changed", "edit", (), (ShownText("Your files are as they were."),))
        paths = tuple([change.path for change in changes if is_file(change)][:NAMED])
        number, count = next_id(session.entries), count_of(changes)
        call_id = self.call_id if card is not None else ""
        told = _told(aim, [shortened(path, session.root) for path in paths], count) if count else None
        session.emit(CheckpointTaken(number, aim.moment, now, after, aim.title, count, paths, told, call_id, card))


async def go_back(session: Session, aim: Aim) -> Outcome:
    """Put the files back and tell it. Raises SnapshotError, and Dismissed if the person closes the question."""
    return await _Going(session, aim, session.checkpoints.snapshots, session.new_id()).go()


def _told(aim: Aim, names: Sequence[str], count: int) -> str:
    """Say it as the person would: a model that is not told takes what it wrote for what is there."""
    more = f" and {count - len(names):,} more" if count > len(names) > 0 else ""
    which = f" These are not as you left them: {', '.join(names)}{more}." if names else ""
    return f"({aim.title}: I put files back as they were at another time.{which} Look again before you rely on them.)"
