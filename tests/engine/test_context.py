"""How full a window is, and when that is too full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.context.retelling import clipped, told_in
from openhands_acp.engine.context.window import gauge, in_words, limit_of, window_after_refusal
from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.transcript import Counted


@pytest.mark.parametrize(
    ("counted", "weight", "tokens", "is_doubtful"),
    [
        pytest.param(None, 3_500, 2_000, False, id="nobody counted"),
        pytest.param(Counted(2_000, 6_500), 6_500, 2_000, False, id="nothing is new"),
        pytest.param(Counted(2_000, 6_500), 10_500, 3_000, False, id="what is new is estimated"),
        pytest.param(Counted(2_000, 6_500), 2_500, 1_000, False, id="what is gone is, too"),
        pytest.param(Counted(0, 6_500), 3_500, 2_000, False, id="it counted nothing"),
        pytest.param(Counted(-5, 6_500), 3_500, 2_000, False, id="less than nothing"),
        pytest.param(Counted(3, 6_500), 3_500, 2_000, True, id="far too little"),
        pytest.param(Counted(10**9, 6_500), 3_500, 2_000, True, id="far too much"),
    ],
)
def test_tokens_are_estimated_from_what_was_counted_last(
    counted: Counted | None, weight: int, tokens: int, is_doubtful: bool
) -> None:
    fixed = 1_500 if counted is not None and counted.tokens == 2_000 else 3_500
    now = gauge(counted, weight, fixed, 900)
    assert (now.tokens, now.is_doubtful) == (tokens, is_doubtful)
    assert now.is_over is not is_doubtful


@pytest.mark.parametrize(
    ("window", "limit"), [(4_000, 3_000), (8_000, 6_000), (128_000, 102_400), (200_000, 160_000), (1_000_000, 800_000)]
)
def test_there_is_room_for_an_answer(window: int, limit: int) -> None:
    assert limit_of(window) == limit


@given(
    st.none() | st.integers(1, 10**7), st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.integers(1, 10**6)
)
def test_there_is_always_room_for_something(tokens: int | None, weight: int, fixed: int, window: int | None) -> None:
    counted = None if tokens is None else Counted(tokens, weight)
    now = gauge(counted, weight, fixed, window)
    assert now.room >= 0
    assert now.limit is None or (0 <= now.limit <= (window or 0))
    assert not (now.is_over and not now.is_full)


@pytest.mark.parametrize(
    ("known", "refused", "window"),
    [
        pytest.param(None, 9_000, 9_000, id="nobody knew: less than that"),
        pytest.param(8_000, 9_000, 8_000, id="as it says"),
        pytest.param(8_000, 7_000, 7_000, id="what is estimated is too little"),
        pytest.param(200_000, 300, 100_000, id="it must be about something else"),
    ],
)
def test_a_refusal_teaches_the_window(known: int | None, refused: int, window: int) -> None:
    assert window_after_refusal(known, refused) == window


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (0, "0"),
        (950, "950"),
        (999, "999"),
        (1_000, "1k"),
        (1_249, "1.2k"),
        (9_960, "10k"),
        (151_400, "151k"),
        (1_500_000, "1.5M"),
    ],
)
def test_tokens_in_words(tokens: int, words: str) -> None:
    assert in_words(tokens) == words


@given(st.text(max_size=300), st.integers(1, 300))
def test_what_is_clipped_is_as_long_as_it_may_be(text: str, longest: int) -> None:
    short = clipped(text, longest)
    assert len(short) <= longest
    assert short == text or "…" in short


@given(st.lists(st.text(max_size=3_000), max_size=20), st.integers(200, 5_000))
def test_what_is_told_in_so_much_room_takes_no_more(texts: list[str], room: int) -> None:
    assert len(told_in(room, [UserMessage((Text(text),)) for text in texts], {})) <= room
