"""The fold of events is the same, however often it was looked at in between."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.events import (
    ActionEvent,
    CheckpointTaken,
    Condensation,
    Durable,
    MessageEvent,
    ObservationEvent,
    ResponseDropped,
    Shortened,
    SystemPromptEvent,
    ThoughtEvent,
    TurnEnded,
)
from openhands_acp.engine.items import messages_of, weight_of_item
from openhands_acp.engine.messages import Image, Text, without_images
from openhands_acp.engine.transcript import Transcript

IDS = st.sampled_from("abc")
CALLS = st.sampled_from("klmn")
TEXTS = st.sampled_from(["", "short", "é语", "long " * 50])
EVENTS: st.SearchStrategy[Durable] = st.one_of(
    st.builds(SystemPromptEvent, TEXTS, TEXTS, st.just(())),
    st.builds(
        MessageEvent, IDS, st.just("user"), st.tuples(st.builds(Text, TEXTS) | st.just(Image("image/png", "aGk=")))
    ),
    st.builds(MessageEvent, IDS, st.just("assistant"), st.tuples(st.builds(Text, TEXTS)), IDS),
    st.builds(ThoughtEvent, IDS, IDS, TEXTS, st.none() | st.just([{"type": "thinking", "signature": "s"}])),
    st.builds(ActionEvent, CALLS, CALLS, st.just("t"), TEXTS, IDS, st.just("LOW"), st.none()),
    st.builds(
        ObservationEvent, CALLS, CALLS, st.just("t"), TEXTS, images=st.sampled_from([(), (Image("image/png", "aGk="),)])
    ),
    st.builds(ResponseDropped, IDS),
    st.builds(TurnEnded, IDS, st.sampled_from(["end_turn", "cancelled"])),
    st.builds(CheckpointTaken, IDS, st.just("undo"), IDS, IDS, TEXTS, told=st.none() | TEXTS),
    st.builds(
        Condensation,
        IDS,
        st.sampled_from(["outputs", "summary", "cut"]),
        st.just(9),
        st.just(3),
        st.integers(0, 4),
        st.lists(st.integers(0, 5), max_size=2).map(tuple),
        TEXTS,
        st.lists(st.builds(Shortened, CALLS, st.none() | TEXTS, st.none() | TEXTS), max_size=2).map(tuple),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_looking_changes_nothing_and_the_weight_is_that_of_all_items(events: list[Durable]) -> None:
    watched, unwatched = Transcript(), Transcript()
    called: set[str] = set()
    for number, event in enumerate(events):
        if isinstance(event, ActionEvent):
            # Ours are unique.
            if event.tool_call_id in called:
                continue
            called.add(event.tool_call_id)
        watched.apply(event, f"e{number}")
        unwatched.apply(event, f"e{number}")
        system = [watched.system] if watched.system else []
        whole = [*system, *(each for item in watched.items for each in messages_of(item))]
        assert watched.history() == whole
        assert watched.history(with_images=False) == without_images(whole)
        assert watched.weight == sum(map(weight_of_item, watched.items))
    assert watched == unwatched
    assert watched.history() == unwatched.history()


def test_what_is_over_is_put_together_once_with_and_without_images() -> None:
    transcript = Transcript()
    pixel = Image("image/png", "iVBO")
    for number in range(3):
        transcript.apply(ActionEvent(f"c{number}", f"p{number}", "t", "{}", f"r{number}", "LOW", None), "e")
        transcript.apply(ObservationEvent(f"c{number}", "a", "t", "seen", images=(pixel,)), "e")
    for with_images in (True, False):
        before = transcript.history(with_images=with_images)[:4]
        after = transcript.history(with_images=with_images)[:4]
        assert list(map(id, after)) == list(map(id, before))
