"""A long session is taken up again: how long its client waits, and what it costs if the client reads slowly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from openhands_acp.engine.cards import Card, ShownCommand, ShownDiff
from openhands_acp.engine.events import (
    ActionEvent,
    ConversationStarted,
    Durable,
    Entry,
    MessageEvent,
    ObservationEvent,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    Usage,
    UsageEvent,
)
from openhands_acp.engine.messages import Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.library import Library
from tests.bench.figures import REPEATS, Figure, at_most, holds, milliseconds
from tests.bench.server import Json, Line, Server

_TURNS = 182
_EVENTS = 1 + 11 * _TURNS
_OUTPUT = "".join(f"{at:4}  a line of what a command printed\n" for at in range(25))
_OLD = "".join(f"line {at} of a file\n" for at in range(60))


def sessions(home: Path) -> list[Figure]:
    session_id = str(uuid4())
    calls = _keep(home, session_id)
    # Nothing is asked of a provider here.
    with Server(home, "http://127.0.0.1:9/v1") as server:
        server.initialize()
        server.new_session()
        server.until_idle()
        loads = [_loaded(server, home, session_id) for _ in range(REPEATS)]
        server.until_idle()
        before = server.rss()
        request = server.send("session/load", _params(home, session_id))
        server.until_idle()
        during = server.rss()
        _, slowly = server.answer(request)
    quickly = loads[-1][1]
    return [
        milliseconds(f"load of a session of {_EVENTS:,} events, to the answer", [each for each, _ in loads], 300),
        holds(
            "the same, told whole before the answer", f"{len(quickly):,} updates", "all", is_so=_calls(quickly) == calls
        ),
        at_most("memory gained while nobody reads it", during - before, 8, "MiB"),
        holds("read in the end, whole", f"{len(slowly):,} updates", "all", is_so=_updates(slowly) == _updates(quickly)),
    ]


def _loaded(server: Server, home: Path, session_id: str) -> tuple[float, list[Line]]:
    """Load it, anew: return the seconds to the answer, and what came before that."""
    began = time.perf_counter()
    answer, before = server.answer(server.send("session/load", _params(home, session_id)))
    server.answer(server.send("session/close", {"sessionId": session_id}))
    return answer.at - began, before


def _params(home: Path, session_id: str) -> Json:
    return {"sessionId": session_id, "cwd": str(home), "mcpServers": []}


def _updates(lines: list[Line]) -> list[Json]:
    # What is announced behind an earlier answer may come in between.
    kinds = ("available_commands_update", None)
    return [line.update for line in lines if line.update.get("sessionUpdate") not in kinds]


def _calls(lines: list[Line]) -> int:
    return sum(line.update.get("sessionUpdate") == "tool_call" for line in lines)


def _keep(home: Path, session_id: str) -> int:
    """Keep a session of the wanted length; return how many calls are in it."""
    folder = AbsPath(str(home))
    journal = Library(home / "acp" / "sessions").journal(session_id, _complain)
    journal.claim()
    now, calls = datetime.now(UTC), 0
    journal.append(Entry(str(uuid4()), now, ConversationStarted(session_id, (folder,), "always-ask", "fake")))
    for number, event in enumerate(_conversation(folder)):
        calls += isinstance(event, ActionEvent)
        journal.append(Entry(f"e{number}", now, event))
    journal.close()
    return calls


def _conversation(folder: AbsPath) -> Iterator[Durable]:
    """Turns of eleven events: a question, a thought, a command and an edit, an answer."""
    path = AbsPath(f"{folder}/a.py")
    for turn in range(_TURNS):
        yield TurnStarted(f"t{turn}")
        yield MessageEvent(f"u{turn}", "user", (Text("Mend what is broken there, please. " * 8),))
        yield ThoughtEvent(f"h{turn}", f"r{turn}", "I should look at it first. " * 20)
        yield MessageEvent(f"a{turn}", "assistant", (Text("I'll look, then change it. " * 10),), f"r{turn}")
        run = Card("pytest -q", "execute", (), (ShownCommand("pytest -q"),))
        yield ActionEvent(f"c{turn}", "p1", "terminal", '{"command": "pytest -q"}', f"r{turn}", "LOW", run)
        shown = ShownCommand("pytest -q", _OUTPUT)
        yield ObservationEvent(f"c{turn}", f"e{turn}", "terminal", _OUTPUT, False, (shown,))
        edit = Card("Edit a.py", "edit", (), (ShownDiff(path, _OLD, _OLD.replace("9", "nine")),))
        yield ActionEvent(f"d{turn}", "p2", "file_editor", '{"command": "str_replace"}', f"r{turn}", "LOW", edit)
        yield ObservationEvent(f"d{turn}", f"e{turn}", "file_editor", "It has been edited.", False, edit.shown)
        yield MessageEvent(f"b{turn}", "assistant", (Text("That is mended. " * 15),))
        yield UsageEvent(Usage(1_000, 100, 0, 0.01), "fake", 200_000)
        yield TurnEnded(f"t{turn}", "end_turn")


def _complain(sentence: str) -> None:
    raise OSError(sentence)
