"""Hands that act at once and ask nobody, and remember what they were told to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import anyio

from openhands_acp.engine.arguments import fitted
from openhands_acp.engine.browser import Browser, NoBrowser
from openhands_acp.engine.cards import Card, KeptOutput, Shown
from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person.door import Form, Reply
from openhands_acp.engine.person.planning import Decision
from openhands_acp.engine.ports import Command, Exit, Files, Job, Patience, Running, Sink, Terminals
from openhands_acp.engine.search import Search
from openhands_acp.engine.servers.door import NoServers, Servers
from openhands_acp.engine.tool import Errand, Tool, ToolError, ToolResult
from openhands_acp.engine.web import NoWeb, Web
from openhands_acp.local.files import LocalFiles
from openhands_acp.local.search import LocalSearch
from tests.harness.waiting import PATIENCE

T = TypeVar("T")


def parsed(tool: Tool, arguments: JsonObject) -> Any:
    """Read a model's arguments as the engine does. Raises ToolError."""
    return tool.parse(fitted(arguments, tool.spec.parameters))


async def called(tool: Tool, hands: PlainHands, **arguments: Any) -> ToolResult:
    """Run a tool with these arguments, as a model would give them."""
    with anyio.fail_after(PATIENCE):
        return await tool.run(parsed(tool, arguments), hands)


class NoTerminals:
    """For tools that must not need any."""

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        raise AssertionError(f"this tool has no business running {command.line!r}")

    def redefined(self) -> Mapping[str, str]:
        return {}

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        raise AssertionError(f"this tool has no business attending {job!r}")

    def jobs(self) -> tuple[Job, ...]:
        return ()

    async def end(self, job: str | None = None) -> None:
        return


class PlainHands:
    """`Hands` over the local disk, or any `Files` and `Terminals` given. One for a whole session."""

    def __init__(self, root: AbsPath, files: Files | None = None, terminals: Terminals | None = None) -> None:
        self.root = root
        self.files: Files = files or LocalFiles()
        self.terminals: Terminals = terminals or NoTerminals()
        self.search: Search = LocalSearch()
        self.servers: Servers = NoServers()
        self.web: Web = NoWeb()
        self.browser: Browser = NoBrowser()
        self.kept: list[str] = []
        self.roots = (root,)
        self.shown: list[tuple[Shown, ...]] = []
        self.intended: list[Card] = []
        self.drawn: list[str] = []
        self.said: list[str] = []
        self.thoughts: list[str] = []
        self.plans: list[tuple[PlanEntry, ...]] = []
        self.errands: list[Errand] = []
        self._recalled: dict[type[object], object] = {}

    def intend(self, whole: Card) -> None:
        self.intended.append(whole)

    async def progress(self, *shown: Shown) -> None:
        self.shown.append(shown)

    async def output(self, data: str) -> None:
        self.drawn.append(data)

    async def keep(self, text: str) -> KeptOutput | None:
        self.kept.append(text)
        return KeptOutput(AbsPath(f"/kept/{len(self.kept)}.txt"), "0f", len(text))

    def say(self, text: str) -> None:
        self.said.append(text)

    def think(self, text: str) -> None:
        self.thoughts.append(text)

    def plan(self, entries: tuple[PlanEntry, ...]) -> None:
        self.plans.append(entries)

    async def ask(self, form: Form) -> Reply:
        return "unable"

    async def choose(self, form: Form) -> Reply:
        return "unable"

    async def leave_plan_mode(self, title: str) -> Decision:
        return Decision(None, was_asked=False)

    async def follow(self, skill: str) -> str:
        raise ToolError(f"there is no skill {skill!r}; there are: none")

    async def delegate(self, errand: Errand) -> ToolResult:
        self.errands.append(errand)
        return ToolResult(f"Task ID: task_{len(self.errands):08}")

    def recall(self, what: type[T]) -> T:
        kept = self._recalled.setdefault(what, what())
        assert isinstance(kept, what)
        return kept
