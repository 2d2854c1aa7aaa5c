"""Conversations as they are kept after weeks of work: of everything that happens in one, in the proportions of real ones."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from openhands_acp.engine.cards import Card, Location, Shown, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.checkpoints.events import CheckpointTaken
from openhands_acp.engine.events import (
    ActionEvent,
    ConversationStarted,
    ConversationStateUpdateEvent,
    Durable,
    Entry,
    MessageEvent,
    ObservationEvent,
    PermissionDecided,
    PlanEntry,
    PlanUpdated,
    SystemPromptEvent,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    Usage,
    UsageEvent,
)
from openhands_acp.engine.messages import Image, Part, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.store.library import Library

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_IMAGE = Image("image/png", b64encode(Random(1).randbytes(120_000)).decode())
"""A screenshot of 160,000 characters: in a file beside the journal."""
_PROMPT = "You work in a project of the person's. " * 150


@dataclass(frozen=True, slots=True)
class Kept:
    events: int
    calls: int
    """Those that a client is told of."""


def keep(home: Path, session_id: str, events: Iterable[Durable], model: str = "fake") -> Kept:
    """Keep a session with these events, as the server would."""
    journal = Library(home / "acp" / "sessions").journal(session_id, complain)
    journal.claim()
    started = ConversationStarted(session_id, (AbsPath(str(home)),), "always-ask", model)
    journal.append(Entry(_id(0), _BEGAN, started))
    number = calls = 0
    for number, event in enumerate(events, 1):
        calls += _is_announced(event)
        journal.append(Entry(_id(number), _BEGAN + timedelta(seconds=number), event))
    journal.close()
    return Kept(1 + number, calls)


def conversation(home: Path, least: int, *, subagents: int = 1) -> Iterator[Durable]:
    """Yield so many events or a few more, in whole turns; in every tenth of these so many sub-agents were at work."""
    number = said = 0
    while said < least:
        turn = list(_Turn(AbsPath(str(home)), number).events(subagents))
        yield from turn
        said += len(turn)
        number += 1


class _Turn:
    """The person asks, the agent looks, plans, runs what is there, edits, runs it again, and says what it did."""

    def __init__(self, folder: AbsPath, number: int) -> None:
        self._folder = folder
        self._number = number
        self._count = 0

    def events(self, subagents: int) -> Iterator[Durable]:
        yield TurnStarted(_id(self._number << 16))
        if not self._number:
            yield SystemPromptEvent(_PROMPT, "It is Friday.", ("terminal", "file_editor", "task"))
        image: list[Part] = [_IMAGE] if self._number % 20 == 5 else []
        yield MessageEvent(self._next(), "user", (Text("Mend what is broken there, please. " * 8), *image))
        if not self._number:
            yield ConversationStateUpdateEvent("title", "Mend what is broken there, please.")
        yield from self._answer([self._look()])
        yield from self._plan("in_progress")
        yield from self._answer([self._run(lines=400 if self._number % 5 == 2 else 30)])
        for task in range(subagents if self._number % 10 == 9 else 0):
            yield from self._answer([self._delegate(self._number * 10 + task)])
        # Every eighth file is long: shown whole it is more than a record holds.
        yield from self._answer([self._edit(lines=1_000 if self._number % 8 == 3 else 120)])
        yield from self._answer([self._run(lines=30), self._look()])
        yield from self._plan("completed")
        yield from self._answer([])
        yield TurnEnded(_id(self._number << 16), "end_turn")

    def _next(self) -> str:
        self._count += 1
        return _id(self._number << 16 | self._count)

    def _answer(self, calls: list[Iterator[Durable]]) -> Iterator[Durable]:
        """One answer of the model: a thought, text, calls; then what they came to."""
        response = self._next()
        thought = "I should look at it first, then change as little as can be. " * 6
        blocks = [{"type": "thinking", "thinking": thought, "signature": "c2lnbmF0dXJl" * 30}]
        yield ThoughtEvent(self._next(), response, thought, blocks)
        yield MessageEvent(self._next(), "assistant", (Text("I'll look, then change it. " * 6),), response)
        for call in calls:
            yield next(call)
        yield UsageEvent(Usage(40_000, 300, 38_000, 0.0123, 500, 120), "fake", 200_000)
        for call in calls:
            yield from call

    def _action(self, call_id: str, tool: str, arguments: str, card: Card | None) -> ActionEvent:
        return ActionEvent(call_id, f"toolu_{call_id[:24]}", tool, arguments, self._next(), "LOW", card)

    def _look(self) -> Iterator[Durable]:
        call_id, path = self._next(), AbsPath(f"{self._folder}/src/module{self._number % 40}.py")
        places = (Location(path, 1),)
        arguments = f'{{"command": "view", "path": "{path}", "security_risk": "LOW"}}'
        yield self._action(call_id, "file_editor", arguments, Card(f"Read {path}", "read", places))
        text = "".join(f"{at:6}\t    line {at} of what the file has\n" for at in range(80))
        yield ObservationEvent(call_id, self._next(), "file_editor", text, False, (ShownText(text),), places)

    def _run(self, lines: int) -> Iterator[Durable]:
        call_id, command = self._next(), f"python -m pytest -q tests/test_module{self._number % 40}.py"
        card = Card(command, "execute", (), (ShownCommand(command),))
        yield self._action(call_id, "terminal", f'{{"command": "{command}", "security_risk": "LOW"}}', card)
        yield PermissionDecided(call_id, "allow_once")
        output = "".join(f"{at:4}  a line of what the command printed, turn {self._number}\n" for at in range(lines))
        raw = {"exit_code": 0, "signal": None, "output": output}
        yield ObservationEvent(
            call_id, self._next(), "terminal", output, False, (ShownCommand(command, output[-6_000:]),), (), raw
        )

    def _edit(self, lines: int) -> Iterator[Durable]:
        call_id, path = self._next(), AbsPath(f"{self._folder}/src/module{self._number % 40}.py")
        old = "".join(f"    value_{at} = compute(value_{at - 1}, {self._number})\n" for at in range(lines))
        new, places = old.replace("_9 = compute", "_9 = computed"), (Location(path, 10),)
        shown: tuple[Shown, ...] = (ShownDiff(path, old, new),)
        arguments = f'{{"command": "str_replace", "path": "{path}", "old_str": "compute", "new_str": "computed"}}'
        yield self._action(call_id, "file_editor", arguments, Card(f"Edit {path}", "edit", places, shown))
        yield PermissionDecided(call_id, "allow_once")
        yield CheckpointTaken(str(self._number), "before", _id(self._number).replace("-", ""), None, "Mend it")
        yield ObservationEvent(call_id, self._next(), "file_editor", "It has been edited.", False, shown, places)

    def _plan(self, status: str) -> Iterator[Durable]:
        call_id = self._next()
        steps = ("look", "mend it", "run the tests")
        entries = tuple(
            PlanEntry(step, "completed" if status == "completed" or not at else "pending")
            for at, step in enumerate(steps)
        )
        yield self._action(call_id, "task_tracker", '{"command": "plan", "task_list": []}', None)
        yield PlanUpdated(entries)
        yield ObservationEvent(call_id, self._next(), "task_tracker", "The plan is kept.")

    def _delegate(self, task: int) -> Iterator[Durable]:
        call_id, task_id = self._next(), f"task_{task:08}"
        card = Card("code-explorer: Look for uses of it", "other", (), (ShownText("Where is it used? " * 20),))
        yield self._action(call_id, "task", '{"subagent_type": "code-explorer", "prompt": "Where is it used?"}', card)
        yield SubagentStarted(task_id, call_id, "code-explorer")
        for step in range(12):
            path = AbsPath(f"{self._folder}/src/module{step}.py")
            read = Card(f"code-explorer: Read {path}", "read", (Location(path),))
            text = "".join(f"{at:6}\t    line {at} of what the file has\n" for at in range(40))
            yield SubagentStep(
                self._next(), call_id, "file_editor", read, "completed", (ShownText(text),), is_own=step % 4 == 0
            )
            yield UsageEvent(Usage(9_000, 200, 8_000, 0.003), "fake", None, "subagent")
        told = "It is used in forty places. " * 20
        yield ObservationEvent(call_id, self._next(), "task", told, False, (ShownText(told),))


def _id(number: int) -> str:
    return str(UUID(int=number << 64 | 0x4000_8000_0000_0000_0000))


def _is_announced(event: Durable) -> bool:
    """Tell whether a replay announces a call for it."""
    return (isinstance(event, ActionEvent) and event.card is not None) or (
        isinstance(event, SubagentStep) and event.is_own
    )


def complain(sentence: str) -> None:
    raise OSError(sentence)
