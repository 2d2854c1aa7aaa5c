"""A home with sessions in it: ours, and one of OpenHands."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from openhands_acp.engine import events
from openhands_acp.engine.cards import Card, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.library import Library

TIDES, STARS = "aa000000-0002-4000-8000-000000000001", "aa000000-0001-4000-8000-000000000002"
OPENHANDS = "7d1f0c52-b7f9-4a0f-9a3e-5f2c4f6f9a10"
ROOT = AbsPath("/home/ada/tidepool")
NOW = datetime.now(UTC).replace(microsecond=0)


def keep(home: Path, session_id: str, made: Sequence[Durable], age: timedelta = timedelta()) -> list[Entry]:
    """Write a session as the server would, last touched `age` ago; return its entries."""
    entries = [Entry(str(UUID(int=number + 1)), NOW - age, event) for number, event in enumerate(made)]
    journal = Library(home / "acp" / "sessions").journal(session_id, pytest.fail)
    journal.claim()
    for entry in entries:
        journal.append(entry)
    journal.close()
    return entries


def short(session_id: str, title: str, root: AbsPath = ROOT) -> list[Durable]:
    return [
        events.ConversationStarted(session_id, (root,), "always-ask", "a/b"),
        events.TurnStarted("t"),
        events.MessageEvent("m", "user", (Text("hi"),)),
        events.ConversationStateUpdateEvent("title", title),
        events.TurnEnded("t", "end_turn"),
    ]


def with_openhands(home: Path) -> Path:
    """Put OpenHands' fixture into `home`; return its folder."""
    fixture = Path(__file__).parent.parent / "store" / "fixtures" / "openhands"
    return Path(shutil.copytree(fixture, home / "conversations"))


def _call(number: int, name: str, card: Card | None) -> events.ActionEvent:
    return events.ActionEvent(f"c{number}", f"p{number}", name, "{}", "r", "LOW", card)


TIDE = AbsPath(f"{ROOT}/tide.py")
OUTPUT = "\n".join(f"line {number}" for number in range(1, 31))
LONG: list[Durable] = [
    events.ConversationStarted(TIDES, (ROOT,), "always-ask", "anthropic/claude-sonnet-4-5"),
    events.TurnStarted("t"),
    events.MessageEvent("m1", "user", (Text("Mend the *tide*.\x1b[2J"), Image("image/png", "aGk="))),
    events.ConversationStateUpdateEvent("title", "Mend the tide"),
    events.ThoughtEvent("m2", "r", "Let me see."),
    events.MessageEvent("m3", "assistant", (Text("I will **look** first."),), "r"),
    _call(1, "file_editor", Card("View tide.py", "read")),
    _call(2, "terminal", Card("make test …", "execute", (), (ShownCommand("make test\nmake lint"),))),
    _call(3, "file_editor", Card("Edit tide.py", "edit")),
    _call(4, "task_tracker", None),
    _call(5, "weather", Card("Ask for the weather", "other")),
    _call(6, "terminal", Card("git push", "execute", (), (ShownCommand("git push"),))),
    events.ObservationEvent("c1", "a", "file_editor", "HIGH = 7", shown=(ShownText("```\n1  HIGH = 7\n```"),)),
    events.PermissionDecided("c2", "allow_always", "make"),
    events.ObservationEvent("c2", "a", "terminal", OUTPUT, True, (ShownCommand("make test\nmake lint", OUTPUT),)),
    events.PermissionDecided("c3", "allow_once"),
    events.ObservationEvent("c3", "a", "file_editor", "ok", shown=(ShownDiff(TIDE, "a\nHIGH = 7\n", "a\nHIGH = 8\n"),)),
    events.PlanUpdated((events.PlanEntry("Find it", "completed"), events.PlanEntry("Mend it", "in_progress"))),
    events.ObservationEvent("c4", "a", "task_tracker", "updated"),
    events.AgentErrorEvent("c5", "weather", "there is no such tool"),
    events.PermissionDecided("c6", "reject_once"),
    events.UserRejectObservation("c6", "a", "terminal", "the person said no"),
    events.UsageEvent(events.Usage(1200, 34, 0, 0.25), "m", 1000),
    events.NoticeEvent("m4", "text", "Done, but for the push."),
    events.TurnEnded("t", "end_turn"),
    events.TurnStarted("u"),
    events.MessageEvent("m5", "user", (Text("Push it."),)),
    _call(7, "terminal", Card("git push", "execute")),
    events.InterruptEvent(),
    events.AgentErrorEvent("c7", "terminal", "the person stopped the turn before it ran"),
    events.TurnEnded("u", "cancelled"),
    events.TurnStarted("v"),
    events.MessageEvent("m6", "user", (Text("And now?"),)),
    events.ConversationErrorEvent("m7", "network", "The model cannot be reached."),
    events.TurnEnded("v", "end_turn"),
]
