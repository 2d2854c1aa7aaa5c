"""What models used and cost, as the fold of events."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.events import (
    ActionEvent,
    Condensation,
    ConversationErrorEvent,
    Durable,
    InterruptEvent,
    MessageEvent,
    PermissionDecided,
    ResponseDropped,
    TurnEnded,
    TurnStarted,
    Usage,
    UsageEvent,
)
from openhands_acp.engine.messages import Text
from openhands_acp.engine.usage.budget import Limit, Limits, Reached, reached
from openhands_acp.engine.usage.cost import Caller, Scope, Spending, dollars, rule_to_raise

START, END, STOPPED = TurnStarted("t"), TurnEnded("t", "end_turn"), TurnEnded("t", "cancelled")


def said(response: str) -> MessageEvent:
    return MessageEvent(f"message of {response}", "assistant", (Text("x"),), response)


def called(response: str, key: str = "c") -> ActionEvent:
    return ActionEvent(key, key, "t", "{}", response, "LOW", None)


def paid(cost: float | None = 0.5, purpose: str = "agent", tokens: int = 10, window: int | None = 100) -> UsageEvent:
    return UsageEvent(Usage(tokens, 1, cost_usd=cost), "m", window, purpose)


def folded(events: Sequence[Durable]) -> Spending:
    spending = Spending()
    for event in events:
        spending.apply(event)
    return spending


@pytest.mark.parametrize(
    ("events", "steps", "untold", "cut", "cost"),
    [
        ([START, said("a"), called("a"), called("a", "d"), paid(), said("b"), paid(), END], 2, 0, 0, 1.0),
        ([START, called("a"), said("b"), paid(), END], 2, 1, 0, None),
        ([START, said("a"), END], 1, 1, 0, None),
        ([START, InterruptEvent(), said("a"), STOPPED], 1, 0, 1, 0.0),
        ([START, said("a"), ConversationErrorEvent("i", "network", "x"), END], 1, 0, 1, 0.0),
        ([START, said("a"), ResponseDropped("a"), said("b"), paid(), END], 2, 0, 1, 0.5),
        ([START, said("a"), paid(), END, paid(None, "title", window=None)], 1, 0, 0, None),
    ],
)
def test_an_answer_without_figures_is_unknown_unless_it_was_cut(
    events: list[Durable], steps: int, untold: int, cut: int, cost: float | None
) -> None:
    bill = folded(events).session
    assert (bill.steps, bill.untold, bill.cut, bill.cost_usd) == (steps, untold, cut, cost)


def test_a_turn_is_counted_apart_and_only_the_conversation_fills_the_window() -> None:
    spending = folded([START, said("a"), paid(tokens=40), END, START, said("b"), paid(tokens=50), END])
    assert (spending.turn.steps, spending.turn.cost_usd, spending.session.steps) == (1, 0.5, 2)
    spending.apply(paid(0.25, "title", window=None))
    assert (spending.context, spending.window, spending.session.cost_usd) == (51, 100, 1.25)
    assert {caller: used.calls for caller, used in spending.session.callers.items()} == {
        Caller("m", "agent"): 2,
        Caller("m", "title"): 1,
    }


def test_less_is_in_the_window_after_a_compaction() -> None:
    spending = folded(
        [said("a"), paid(tokens=90), Condensation("c", "summary", until=3, tokens_before=91, tokens_after=20)]
    )
    assert (spending.context, spending.window) == (20, 100)


@given(st.sampled_from(["turn", "session"]), st.sampled_from(["cost", "tokens", "steps"]), st.floats(0.001, 1e9))
def test_what_is_allowed_survives_its_spelling(scope: Scope, what: str, to: float) -> None:
    rules = [rule_to_raise(scope, what, value) for value in (to, None)]
    spending = folded([PermissionDecided("c", "allow_once", rules[0])])
    assert spending.raised == {(scope, what): to}
    spending.apply(START)
    assert spending.raised == ({} if scope == "turn" else {(scope, what): to})
    spending.apply(PermissionDecided("c", "allow_always", rules[1]))
    spending.apply(START)
    assert spending.raised == {(scope, what): None}


@pytest.mark.parametrize("rule", ["write:/a", "line:limit:turn:steps:9", "limit:turn", 'words:["limit"]', None])
def test_other_rules_raise_nothing(rule: str | None) -> None:
    assert folded([PermissionDecided("c", "allow_always", rule)]).raised == {}


@pytest.mark.parametrize(
    ("limits", "raised", "expected"),
    [
        (Limits(), {}, None),
        (Limits(session=Limit(max_cost=0.5)), {}, Reached("session", "cost", 0.5, 0.5)),
        (Limits(session=Limit(max_cost=0.5)), {("session", "cost"): 0.6}, None),
        (Limits(session=Limit(max_cost=0.5)), {("session", "cost"): None}, None),
        (Limits(Limit(max_tokens=11)), {("session", "tokens"): None}, Reached("turn", "tokens", 11, 11)),
        (Limits(Limit(max_steps=1), Limit(max_steps=1)), {}, Reached("session", "steps", 1, 1)),
        (Limits(Limit(max_steps=1), Limit(max_steps=1)), {("session", "steps"): 2}, Reached("turn", "steps", 1, 1)),
    ],
)
def test_a_limit_is_reached(
    limits: Limits, raised: dict[tuple[Scope, str], float | None], expected: Reached | None
) -> None:
    spending = folded([START, said("a"), paid()])
    spending.raised |= raised
    assert reached(limits, spending) == expected


@pytest.mark.parametrize(
    ("raised", "is_asked"),
    [
        ({}, True),
        ({("turn", "price"): None}, False),
        ({("session", "cost"): None}, False),
        ({("turn", "cost"): None}, True),
    ],
)
def test_a_limit_that_cannot_be_kept_is_asked_about_once(
    raised: dict[tuple[Scope, str], float | None], is_asked: bool
) -> None:
    spending = folded([START, said("a"), paid(None)])
    spending.raised |= raised
    found = reached(Limits(session=Limit(max_cost=9)), spending)
    assert found == (Reached("session", "price", 9, 0, ("m",)) if is_asked else None)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (0.00001, "under $0.0001"),
        (0.0123, "$0.0123"),
        (0.5, "$0.50"),
        (2, "$2.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(amount: float, text: str) -> None:
    assert dollars(amount) == text
