"""What a client is told of calls whose output a terminal of its own shows."""

from __future__ import annotations

from typing import Any

import pytest

from openhands_acp.acp.calls import CallEvent, Calls, CallUpdate
from openhands_acp.engine.cards import Card, ShownCommand, ShownText
from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    CommandOutput,
    CommandPlaced,
    ObservationEvent,
    UserRejectObservation,
)
from openhands_acp.engine.paths import AbsPath
from openhands_acp.rpc.outbox import Outgoing

CARD = Card("make test", "execute", shown=(ShownCommand("make test"),))
ASKED = ActionEvent("c", "p", "terminal", "{}", "r", "LOW", CARD)
STARTED = CallProgress("c", (ShownCommand("make test"),))
ENDED = ObservationEvent(
    "c",
    "a",
    "terminal",
    "FAILED",
    is_error=True,
    shown=(ShownCommand("make test", "FAILED"),),
    raw_output={"exit_code": 2, "signal": None},
)
TERMINAL = {"type": "terminal", "terminalId": "c"}


def text(words: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": words}}


def told(*events: CallEvent, draws: bool = True) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    def put(item: Outgoing) -> None:
        wire: Any = item.to_wire()
        sent.append(wire["params"]["update"])

    calls = Calls("s", put, AbsPath("/w") if draws else None)
    for event in events:
        calls.publish(event)
    return sent


def brief(update: dict[str, Any]) -> tuple[Any, ...]:
    return update.get("status"), update.get("content"), update.get("_meta")


def test_a_terminal_is_named_with_the_call_fed_while_it_runs_and_stays() -> None:
    streamed = CallDelta("c", "terminal", Card("Run a command", "execute"))
    announced, *updates = told(
        streamed, ASKED, STARTED, CommandOutput("c", "\x1b[31mF"), CommandOutput("c", "AIL"), ENDED
    )
    assert announced == {
        "sessionUpdate": "tool_call",
        "toolCallId": "c",
        "status": "pending",
        "title": "make test",
        "name": "terminal",
        "kind": "execute",
        "locations": [],
        "content": [text("```console\n$ make test\n```")],
        "rawInput": {},
        "_meta": {"terminal_info": {"terminal_id": "c", "cwd": "/w"}},
    }
    assert [brief(update) for update in updates] == [
        ("in_progress", [TERMINAL], None),
        ("in_progress", None, {"terminal_output": {"terminal_id": "c", "data": "\x1b[31mF"}}),
        ("in_progress", None, {"terminal_output": {"terminal_id": "c", "data": "AIL"}}),
        ("failed", None, {"terminal_exit": {"terminal_id": "c", "exit_code": 2, "signal": None}}),
    ]


def test_what_is_shown_besides_the_command_stays_beside_the_terminal() -> None:
    beside = (ShownCommand("make test", "x"), ShownText("Note"))
    assert brief(told(ASKED, STARTED, CallProgress("c", beside))[-1]) == ("in_progress", [TERMINAL, text("Note")], None)


@pytest.mark.parametrize(
    ("end", "content"),
    [
        (
            AgentErrorEvent("c", "terminal", "cut short", (ShownCommand("make test", "x"),)),
            [TERMINAL, text("cut short")],
        ),
        (UserRejectObservation("c", "a", "terminal", "no", "mode"), [TERMINAL, text("Not done: no")]),
    ],
)
def test_however_a_call_ends_its_terminal_does_too_and_nobody_says_zero(
    end: CallEvent, content: list[dict[str, Any]]
) -> None:
    assert brief(told(ASKED, STARTED, end)[-1]) == (
        "failed",
        content,
        {"terminal_exit": {"terminal_id": "c", "exit_code": None, "signal": None}},
    )


def test_a_call_that_never_ran_has_no_terminal() -> None:
    asked = text("```console\n$ make test\n```")
    assert brief(told(ASKED, UserRejectObservation("c", "a", "terminal", "no"))[-1]) == (
        "failed",
        [asked, text("Rejected")],
        None,
    )


def test_output_that_comes_before_anything_was_shown_brings_the_terminal_along() -> None:
    assert brief(told(ASKED, CommandOutput("c", "x"))[-1]) == (
        "pending",
        [TERMINAL],
        {"terminal_output": {"terminal_id": "c", "data": "x"}},
    )


def test_only_commands_have_terminals() -> None:
    edit = ActionEvent("c", "p", "file_editor", "{}", "r", "LOW", Card("Edit a.py", "edit"))
    sent = told(CallDelta("c", "file_editor", Card("Edit", "edit")), edit, CallProgress("c", (ShownText("x"),)))
    assert "terminal" not in str(sent)


def test_a_client_that_draws_no_terminals_gets_text() -> None:
    sent = told(ASKED, STARTED, CommandOutput("c", "x"), ENDED, draws=False)
    assert [brief(update) for update in sent] == [
        ("pending", [text("```console\n$ make test\n```")], None),
        ("in_progress", None, None),
        ("failed", [text("```console\n$ make test\nFAILED\n```")], None),
    ]


@pytest.mark.parametrize("draws", [True, False])
def test_a_terminal_of_the_clients_own_takes_the_place_and_is_not_fed(draws: bool) -> None:
    sent = told(ASKED, STARTED, CommandPlaced("c", "t-7"), CommandOutput("c", "x"), STARTED, ENDED, draws=draws)
    own = {"type": "terminal", "terminalId": "t-7"}
    assert [brief(update) for update in sent[2:]] == [("in_progress", [own], None), ("failed", None, None)]
    assert sent[-1]["rawOutput"] == {"exit_code": 2, "signal": None}


def test_nothing_is_told_of_a_call_that_is_unknown_or_closed() -> None:
    assert told(STARTED, CommandOutput("c", "x"), CommandPlaced("c", "t"), ENDED) == []
    assert len(told(ASKED, STARTED, ENDED, CommandOutput("c", "x"), CommandPlaced("c", "t"), STARTED)) == 3


def update(status: str, drawn: str = "", **more: Any) -> CallUpdate:
    return CallUpdate(
        "s", {"toolCallId": "c", "status": status}, "c" if drawn or more else "", [drawn] * bool(drawn), **more
    )


def test_while_the_client_is_slow_what_is_to_be_drawn_is_joined_in_order() -> None:
    first = update("in_progress")
    assert all(first.absorb(each) for each in (update("in_progress", "a"), update("in_progress", "b")))
    assert first.absorb(update("completed", ended={"exit_code": 0, "signal": None}))
    wire: Any = first.to_wire()
    assert wire["params"]["update"] == {
        "sessionUpdate": "tool_call_update",
        "toolCallId": "c",
        "status": "completed",
        "_meta": {
            "terminal_output": {"terminal_id": "c", "data": "ab"},
            "terminal_exit": {"terminal_id": "c", "exit_code": 0, "signal": None},
        },
    }


def test_joining_has_a_bound() -> None:
    first = update("in_progress", "x" * 20_000)
    assert not first.absorb(update("in_progress", "y"))
    # What is drawn there stays in its place; the rest may be told with it.
    assert first.absorb(update("completed"))
