"""How long a provider is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.waiting import Waiting, in_words


def waiting(chance: float = 0.5, now: float = 0.0) -> Waiting:
    return Waiting(now=lambda: now, chance=lambda: chance)


def test_waits_double_up_to_half_a_minute() -> None:
    assert [waiting().after(attempt, None) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert waiting().after(10_000, None) == 30


@pytest.mark.parametrize(
    ("attempt", "asked_for", "shortest", "longest"),
    [(1, None, 0.75, 1.25), (3, None, 3.0, 5.0), (1, 0.0, 0.75, 1.25), (1, 4.0, 4.0, 4.4), (1, 60.0, 60.0, 61.0)],
)
def test_a_part_of_each_wait_is_chance(attempt: int, asked_for: float | None, shortest: float, longest: float) -> None:
    assert waiting(0.0).after(attempt, asked_for) == pytest.approx(shortest)
    assert waiting(1.0).after(attempt, asked_for) == pytest.approx(longest)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100), st.floats(0, 1e6), st.floats(0, 1))
def test_a_provider_is_never_asked_sooner_than_it_wants(attempt: int, asked_for: float, chance: float) -> None:
    assert waiting(chance).after(attempt, asked_for) >= asked_for


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    shared = waiting(0.0)
    shared.is_busy("a", 20)
    shared.is_busy("a", 5)
    assert (shared.rest("a"), shared.rest("b")) == (20, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (4, "4 s"), (59.5, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (9000, "2 h 30 min")],
)
def test_waits_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
