"""The journal's spelling of events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from openhands_acp.engine import cards, events
from openhands_acp.engine.events import Durable, Entry, TurnEnded
from openhands_acp.engine.messages import Image, Link, Text
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.store.codec import UnknownRecord, entry_schema, from_json, to_json
from tests.store.values import any_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_OBJECT = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT), max_size=3)
PATH = TEXT.map(lambda text: f"/{text}")

LOCATION = st.builds(cards.Location, PATH, st.none() | st.integers(1, 99))
SHOWN = st.one_of(
    st.builds(cards.ShownText, TEXT),
    st.builds(cards.ShownCommand, TEXT, st.none() | TEXT),
    st.builds(cards.ShownDiff, PATH, st.none() | TEXT, st.none() | TEXT, st.none() | PATH, TEXT),
    st.builds(cards.ShownSound, st.just("audio/wav"), st.just("UklGRg==")),
)
CARD = st.builds(
    cards.Card, TEXT, any_of(cards.Card, "kind"), st.tuples(LOCATION), st.lists(SHOWN, max_size=2).map(tuple)
)
USAGE = st.builds(
    events.Usage,
    *[st.integers(0)] * 3,
    st.none() | st.floats(0, 1, allow_nan=False),
    *[st.integers(0)] * 2,
)
KEPT = st.none() | st.builds(cards.KeptOutput, PATH, TEXT, st.integers(0))
LINK = st.none() | st.builds(Link, TEXT, TEXT)
PARTS = st.lists(st.builds(Text, TEXT, LINK) | st.builds(Image, TEXT, TEXT), max_size=3).map(tuple)
EVENTS = [
    st.builds(events.ConversationStarted, TEXT, st.tuples(PATH), TEXT, TEXT, TEXT),
    st.builds(events.SystemPromptEvent, TEXT, TEXT, st.tuples(TEXT, TEXT)),
    st.builds(events.MessageEvent, TEXT, any_of(events.MessageEvent, "role"), PARTS, st.none() | TEXT),
    st.builds(events.ThoughtEvent, TEXT, TEXT, TEXT, st.none() | st.lists(JSON_OBJECT, max_size=2)),
    st.builds(
        events.ActionEvent, *[TEXT] * 5, any_of(events.ActionEvent, "security_risk"), st.none() | CARD, st.none() | TEXT
    ),
    st.builds(
        events.ObservationEvent,
        *[TEXT] * 4,
        st.booleans(),
        st.lists(SHOWN, max_size=2).map(tuple),
        st.lists(LOCATION, max_size=2).map(tuple),
        st.none() | JSON_OBJECT,
        st.lists(st.builds(Image, TEXT, TEXT), max_size=2).map(tuple),
        KEPT,
    ),
    st.builds(
        events.UserRejectObservation,
        *[TEXT] * 4,
        any_of(events.UserRejectObservation, "rejection_source"),
        st.tuples(SHOWN),
    ),
    st.builds(events.AgentErrorEvent, TEXT, TEXT, TEXT, st.tuples(SHOWN), st.none() | CARD),
    st.builds(
        events.PermissionDecided, TEXT, any_of(events.PermissionDecided, "option"), st.none() | TEXT, st.tuples(TEXT)
    ),
    st.builds(events.NoticeEvent, TEXT, any_of(events.NoticeEvent, "channel"), TEXT, st.none() | TEXT),
    st.builds(
        events.PlanUpdated,
        st.lists(st.builds(events.PlanEntry, TEXT, any_of(events.PlanEntry, "status")), max_size=2).map(tuple),
    ),
    st.builds(events.TurnStarted, TEXT, PARTS),
    st.builds(events.TurnEnded, TEXT, any_of(events.TurnEnded, "stop_reason")),
    st.builds(events.InterruptEvent),
    st.builds(events.ConversationErrorEvent, TEXT, TEXT, TEXT),
    st.builds(events.ConversationStateUpdateEvent, any_of(events.ConversationStateUpdateEvent, "key"), TEXT),
    st.builds(events.UsageEvent, USAGE, TEXT, st.none() | st.integers(1), TEXT),
    st.builds(events.ResponseDropped, TEXT),
    st.builds(events.QuestionAnswered, TEXT, CARD, TEXT),
    st.builds(ToolsChanged, st.lists(TEXT, max_size=2).map(tuple)),
    st.builds(SubagentStarted, TEXT, TEXT, TEXT),
    st.builds(
        SubagentStep,
        *[TEXT] * 3,
        CARD,
        any_of(SubagentStep, "status"),
        st.lists(SHOWN, max_size=2).map(tuple),
        st.booleans(),
    ),
    st.builds(events.SkillActivated, TEXT, TEXT, any_of(events.SkillActivated, "cause"), TEXT),
    st.builds(
        events.Condensation,
        TEXT,
        any_of(events.Condensation, "stage"),
        *[st.integers(0)] * 3,
        st.lists(st.integers(0), max_size=2).map(tuple),
        TEXT,
        st.lists(st.builds(events.Shortened, TEXT, st.none() | TEXT, st.none() | TEXT), max_size=2).map(tuple),
        KEPT,
        st.none() | st.integers(1),
    ),
    st.builds(
        events.CheckpointTaken,
        TEXT,
        any_of(events.CheckpointTaken, "moment"),
        TEXT,
        st.none() | TEXT,
        TEXT,
        st.integers(0),
        st.tuples(PATH),
        st.none() | TEXT,
        TEXT,
        st.none() | CARD,
    ),
]
ENTRIES = st.builds(Entry, TEXT, st.datetimes(timezones=st.just(UTC)), st.one_of(EVENTS))


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_every_event_survives_the_disk_and_fits_its_schema(entry: Entry) -> None:
    record = json.loads(json.dumps(to_json(entry)))
    assert from_json(record) == entry
    assert VALIDATOR.is_valid(record)  # pyright: ignore[reportUnknownMemberType]


VALIDATOR = Draft202012Validator(entry_schema())


def test_every_kind_of_event_is_tried() -> None:
    assert len(EVENTS) == len(get_args(Durable))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 0},
        {"v": "1"},
        {"v": None},
        {"kind": "Marvel"},
        {"kind": None},
        {"timestamp": "soon"},
        {"timestamp": 5},
        {"turn_id": None, "id": 1},
    ],
)
def test_what_cannot_be_read_says_so(change: dict[str, object]) -> None:
    record = {**to_json(Entry("e", datetime(2026, 1, 1, tzinfo=UTC), TurnEnded("t", "end_turn"))), **change}
    if "turn_id" in change:
        del record["stop_reason"]
    with pytest.raises(UnknownRecord):
        from_json(record)


@pytest.mark.parametrize(
    ("event", "change", "complaint"),
    [
        (events.TurnEnded("t", "end_turn"), {"turn_id": 5}, "TurnEnded: turn_id: Input should be a valid string"),
        (events.TurnEnded("t", "end_turn"), {"id": 5}, "TurnEnded: TypeError('no id: 5')"),
        (
            events.MessageEvent("m", "user", (Text("hi"),)),
            {"content": [{"type": "Text", "text": {"$blob": "x" * 1000}}]},
            "MessageEvent: content.0.Text.text: Input should be a valid string",
        ),
        (
            events.ObservationEvent("c", "a", "t", "x"),
            {"images": [{"type": "Text", "text": "hi"}]},
            "ObservationEvent: images.0: Input tag 'Text' found using 'type' does not match any of the expected tags: "
            "'Image'",
        ),
        (
            events.UsageEvent(events.Usage(1, 2), "m", None),
            {"usage": {"input_tokens": True, "output_tokens": 2}},
            "UsageEvent: usage.input_tokens: Input should be a valid integer",
        ),
    ],
)
def test_what_is_wrong_in_a_record_is_said_in_a_few_words(
    event: Durable, change: dict[str, object], complaint: str
) -> None:
    record = {**to_json(Entry("e", datetime(2026, 1, 1, tzinfo=UTC), event)), **change}
    with pytest.raises(UnknownRecord) as refused:
        from_json(json.loads(json.dumps(record)))
    assert str(refused.value) == complaint


def test_a_field_added_later_has_its_default() -> None:
    entry = Entry("e", datetime(2026, 1, 1, tzinfo=UTC), events.NoticeEvent("m", "text", "hi"))
    record = dict(to_json(entry)) | {"unknown": 1}
    assert from_json(record) == entry
