"""Going back, whatever the turn and the person did: the person's own stays, the rest is as it was."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.checkpoints.keeping import Checkpoints
from openhands_acp.engine.checkpoints.snapshots import Snapshots
from openhands_acp.engine.checkpoints.timeline import timeline
from openhands_acp.engine.commands.undo import redo, restore, undo
from openhands_acp.engine.events import LIVE, Entry, Event
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Answer, Question
from openhands_acp.engine.transcript import Transcript
from openhands_acp.local.files import LocalFiles
from openhands_acp.local.snapshots import LocalSnapshots
from tests.harness.trees import DEEDS, Deed, Tree, tree_of


@dataclass(frozen=True, slots=True)
class Always:
    """Who always answers the same."""

    answer: Answer

    async def ask(self, question: Question) -> Answer:
        return self.answer


@dataclass(slots=True)
class Session:
    """No more of a session than going back needs."""

    root: AbsPath
    permissions: Always
    snapshots: Snapshots
    checkpoints: Checkpoints = field(init=False)
    files: LocalFiles = field(default_factory=LocalFiles)
    entries: list[Entry] = field(default_factory=list[Entry])
    transcript: Transcript = field(default_factory=Transcript)
    _ids: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(self, lambda: self.snapshots)

    def emit(self, event: Event) -> str:
        if not isinstance(event, LIVE):
            self.entries.append(Entry(self.new_id(), datetime(2026, 1, 1, tzinfo=UTC), event))
        return ""

    def new_id(self) -> str:
        return str(next(self._ids))

    async def turn(self, title: str, deeds: list[Deed]) -> Tree:
        self.checkpoints.begin(title)
        await self.checkpoints.before_change("call")
        self.checkpoints.ran()
        do(deeds, self.root)
        await self.checkpoints.end()
        return tree_of(Path(self.root))


def do(deeds: list[Deed], root: str) -> None:
    for deed in deeds:
        deed.do(Path(root))


def changed(before: Tree, after: Tree) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@settings(max_examples=50, deadline=None)
@given(*[st.lists(DEEDS, max_size=8)] * 3)
def test_what_is_the_persons_stays_and_the_rest_goes_back(first: list[Deed], turn: list[Deed], own: list[Deed]) -> None:
    async def go(root: Path, snapshots: LocalSnapshots) -> None:
        session = Session(AbsPath(str(root)), Always("reject_once"), snapshots)
        do(first, session.root)
        before = tree_of(root)
        after = await session.turn("it", turn)
        do(own, session.root)
        theirs = tree_of(root)
        said = await undo(session, "")
        now = tree_of(root)
        persons, agents = changed(after, theirs), changed(before, after)
        files = {path for path in persons if "folder" not in (after.get(path, " ")[0], theirs.get(path, " ")[0])}
        assert {path: theirs.get(path) for path in files} == {path: now.get(path) for path in files}
        if not persons:
            assert now == before, said
        elsewhere = {path for path in agents if not any(_is_near(path, other) for other in persons)}
        assert {path: before.get(path) for path in elsewhere} == {path: now.get(path) for path in elsewhere}
        await redo(session, "")
        assert not agents or tree_of(root) == theirs

    _run(go)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(DEEDS, max_size=6), min_size=1, max_size=4), st.lists(DEEDS, max_size=6), st.integers(0, 3))
def test_every_checkpoint_is_a_way_back_and_forth(turns: list[list[Deed]], own: list[Deed], number: int) -> None:
    async def go(root: Path, snapshots: LocalSnapshots) -> None:
        session = Session(AbsPath(str(root)), Always("allow_once"), snapshots)
        befores: list[Tree] = []
        for deeds in turns:
            before = tree_of(root)
            if await session.turn("it", deeds) != before:
                befores.append(before)
        do(own, session.root)
        latest = tree_of(root)
        for before in reversed(befores):
            if own:
                break
            await undo(session, "")
            assert tree_of(root) == before
        for _ in befores if not own else ():
            await redo(session, "")
        assert tree_of(root) == latest
        if befores:
            target = number % len(befores)
            await restore(session, _number_of(session, target))
            assert tree_of(root) == befores[target]
            await undo(session, "")
            assert tree_of(root) == latest

    _run(go)


def _number_of(session: Session, index: int) -> str:

    turns = [step.id for step in timeline(session.entries).done]
    return turns[index]


def _is_near(path: str, other: str) -> bool:
    """Tell whether one of them lies in the other."""
    return path == other or path.startswith(other + os.sep) or other.startswith(path + os.sep)


def _run(go: Callable[[Path, LocalSnapshots], Awaitable[None]]) -> None:
    async def with_snapshots(folder: Path) -> None:
        (folder / "w").mkdir()
        snapshots = LocalSnapshots(folder / "home", "s", (AbsPath(str(folder / "w")),))
        try:
            await go(folder / "w", snapshots)
        finally:
            await snapshots.close()

    with TemporaryDirectory() as folder:
        anyio.run(with_snapshots, Path(folder))
