"""Whatever happens, and however it was streamed: a client told live and one told from the journal know the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.acp.calls import CallUpdate
from openhands_acp.acp.clients import Client
from openhands_acp.acp.updates import ChunkUpdate, Projector, State
from openhands_acp.engine.cards import Card, Location, ShownText
from openhands_acp.engine.checkpoints.events import CheckpointTaken
from openhands_acp.engine.events import (
    LIVE,
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    Channel,
    Condensation,
    ConversationErrorEvent,
    ConversationStateUpdateEvent,
    Event,
    MessageDelta,
    MessageEvent,
    NoticeEvent,
    ObservationEvent,
    PlanEntry,
    PlanUpdated,
    QuestionAnswered,
    ResponseDropped,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    Usage,
    UsageEvent,
    UserRejectObservation,
)
from openhands_acp.engine.messages import Image, Link, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStep
from openhands_acp.engine.usage.cost import Spending
from openhands_acp.rpc.outbox import Outgoing
from tests.turns.test_replay import client_model

TEXT = st.text("ab \n", min_size=1, max_size=8)
CARDS = st.builds(
    Card, TEXT, st.sampled_from(["read", "edit"]), st.just(()), st.just(()) | st.tuples(st.builds(ShownText, TEXT))
)


@st.composite
def spoken(draw: st.DrawFn, key: str) -> list[Event]:
    """A message or a thought, streamed in part, in whole, or not at all."""
    text = draw(TEXT)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    channel: Channel = draw(st.sampled_from(["text", "thought"]))
    pieces = [text[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
    live: list[Event] = [MessageDelta(key, channel, piece) for piece in pieces if piece]
    if channel == "thought":
        return [*live, ThoughtEvent(key, f"r{key}", text)]
    return [*live, MessageEvent(key, "assistant", (Text(text),), f"r{key}")]


@st.composite
def called(draw: st.DrawFn, key: str) -> list[Event]:
    """A call, announced or not, that ran, was refused, or was cut short."""
    live: list[Event] = [CallDelta(key, "tool", card) for card in draw(st.lists(CARDS, max_size=2))]
    action = ActionEvent(key, key, "tool", draw(st.sampled_from(["{}", '{"a": 1}', "broken"])), "r", "LOW", draw(CARDS))
    shown = draw(st.just(()) | st.tuples(st.builds(ShownText, TEXT)))
    images = draw(st.just(()) | st.just((Image("image/png", "AAAA"),)))
    where = draw(st.just(()) | st.just((Location(AbsPath("/w/a"), 3),)))
    raw = draw(st.none() | st.just({"exit_code": 3}))
    ends: list[Event] = [
        ObservationEvent(key, "a", "tool", "result", draw(st.booleans()), shown, where, raw, images),
        UserRejectObservation(key, "a", "tool", "no", draw(st.sampled_from(["user", "mode"])), shown),
        AgentErrorEvent(key, "tool", "cut short", shown),
    ]
    progress: list[Event] = [
        CallProgress(key, draw(st.none() | st.tuples(st.builds(ShownText, TEXT))))
        for _ in range(draw(st.integers(0, 2)))
    ]
    return [*live, action, *progress, draw(st.sampled_from(ends))]


@st.composite
def asked(draw: st.DrawFn, key: str) -> list[Event]:
    """A card that no call of the model has: a question, a state that was gone back to, what a sub-agent did."""
    card = draw(CARDS)
    shown = (ShownText(draw(TEXT)),)
    status: Literal["completed", "failed"] = draw(st.sampled_from(["completed", "failed"]))
    begun = CallDelta(key, "question", card)
    nested = CallDelta(key, "tool", card, within="task", is_own=draw(st.booleans()))
    undone = CheckpointTaken("1", "undo", "a", "b", "t", tool_call_id=key, card=replace(card, shown=shown))
    ways: list[list[Event]] = [
        [begun, QuestionAnswered(key, card, draw(TEXT))],
        # Nobody answered.
        [begun, AgentErrorEvent(key, "question", "cut short", (), card)],
        [*([CallDelta(key, "checkpoint", card)] if draw(st.booleans()) else []), undone],
        [CheckpointTaken("2", "before", "a", None, "t", tool_call_id=key)],
        [nested, CallProgress(key, shown), SubagentStep(key, "task", "tool", card, status, shown, nested.is_own)],
    ]
    return draw(st.sampled_from(ways))


@st.composite
def conversations(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []
    for number in range(draw(st.integers(0, 6))):
        key = f"k{number}"
        other: list[Event] = [
            NoticeEvent(key, draw(st.sampled_from(["text", "thought", "user"])), draw(TEXT)),
            PlanUpdated((PlanEntry(draw(TEXT), "pending"),)),
            UsageEvent(Usage(1, 2, 0, draw(st.none() | st.just(0.5))), "m", draw(st.none() | st.just(9))),
            MessageEvent(key, "user", (Text(draw(TEXT)),)),
            MessageEvent(key, "user", (Text("far", Link("a", "file:///a")), Image("image/png", "AAAA"))),
            TurnStarted(key),
            TurnEnded(key, "cancelled"),
            ConversationErrorEvent(key, "network", draw(TEXT)),
            ConversationStateUpdateEvent(draw(st.sampled_from(["title", "mode", "model"])), draw(TEXT)),
            Condensation(key, "summary", 2, 1, summary=draw(TEXT)),
            ResponseDropped(f"r{key}"),
        ]
        events += draw(spoken(key) | called(key) | asked(key) | st.sampled_from(other).map(lambda event: [event]))
    return events


def told(events: list[Event], *, is_replay: bool, client: Client) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    def put(item: Outgoing) -> None:
        wire: Any = item.to_wire()
        sent.append(dict(wire["params"]["update"]))

    spending = Spending()
    projector = Projector("s", put, lambda: State("plan", list, spending), client, is_replay=is_replay)
    for event in events:
        spending.apply(event)
        projector.publish(event)
    return sent


@settings(max_examples=200, deadline=None)
@given(conversations(), st.builds(Client, shows_compactions=st.booleans(), nests_calls=st.booleans()))
def test_live_equals_replay(events: list[Event], client: Client) -> None:
    durable: list[Event] = [event for event in events if not isinstance(event, LIVE)]
    live = told(events, is_replay=False, client=client)
    assert client_model(live) == client_model(told(durable, is_replay=True, client=client))


def test_messages_that_follow_each_other_do_not_run_together() -> None:
    events: list[Event] = [NoticeEvent("a", "text", "One."), NoticeEvent("b", "text", "Two.")]
    assert [update["content"]["text"] for update in told(events, is_replay=False, client=Client())] == [
        "One.",
        "\n\nTwo.",
    ]


def chunk(text: str, message_id: str = "m", session_id: str = "s") -> ChunkUpdate:
    return ChunkUpdate(session_id, "agent_message_chunk", message_id, [text], len(text))


@pytest.mark.parametrize(
    ("first", "second", "is_joined"),
    [
        (chunk("a"), chunk("b"), True),
        (chunk("a"), chunk("b", "other"), False),
        (chunk("a"), chunk("b", session_id="other"), False),
        (chunk("a" * 20_000), chunk("b"), False),
        (
            CallUpdate("s", {"toolCallId": "c", "status": "pending"}),
            CallUpdate("s", {"toolCallId": "c", "status": "failed"}),
            True,
        ),
        (
            CallUpdate("s", {"toolCallId": "c", "status": "pending"}),
            CallUpdate("s", {"toolCallId": "d", "status": "failed"}),
            False,
        ),
        (chunk("a"), CallUpdate("s", {"toolCallId": "c", "status": "failed"}), False),
    ],
)
def test_only_what_can_be_told_as_one_is_joined(first: Outgoing, second: Outgoing, is_joined: bool) -> None:
    assert first.absorb(second) is is_joined
