"""Hands that act at once and ask nobody, and remember what they were told to show."""

from __future__ import annotations

from typing import TypeVar

from openhands_acp.engine.events import PlanEntry, Shown
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Files, Sink, Terminals
from openhands_acp.local.files import LocalFiles

T = TypeVar("T")


class NoTerminals:
    """For tools that must not need any."""

    async def run(self, command: Command, sink: Sink) -> Exit:
        raise AssertionError(f"this tool has no business running {command.line!r}")

    async def close(self) -> None:
        return


class PlainHands:
    """`Hands` over the local disk, or any `Files` and `Terminals` given. One for a whole session."""

    def __init__(self, root: AbsPath, files: Files | None = None, terminals: Terminals | None = None) -> None:
        self.root = root
        self.files: Files = files or LocalFiles()
        self.terminals: Terminals = terminals or NoTerminals()
        self.shown: list[tuple[Shown, ...]] = []
        self.said: list[str] = []
        self.thoughts: list[str] = []
        self.plans: list[tuple[PlanEntry, ...]] = []
        self._recalled: dict[type[object], object] = {}

    async def progress(self, *shown: Shown) -> None:
        self.shown.append(shown)

    def say(self, text: str) -> None:
        self.said.append(text)

    def think(self, text: str) -> None:
        self.thoughts.append(text)

    def plan(self, entries: tuple[PlanEntry, ...]) -> None:
        self.plans.append(entries)

    def recall(self, what: type[T]) -> T:
        kept = self._recalled.setdefault(what, what())
        assert isinstance(kept, what)
        return kept
