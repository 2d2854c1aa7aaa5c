"""What two texts share at both ends, found without splitting them, is what comparing their lines finds."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.checkpoints.diffs import same_ends

TEXTS = st.lists(st.sampled_from(["", "a", "b", "ab", "c"]), max_size=8).map("\n".join)


def by_lines(one: str, other: str) -> tuple[int, int]:
    first, second = one.splitlines(keepends=True), other.splitlines(keepends=True)
    head = _alike(first, second, min(len(first), len(second)))
    tail = _alike(first[::-1], second[::-1], min(len(first), len(second)) - head)
    return sum(map(len, first[:head])), sum(map(len, first[len(first) - tail :]))


def _alike(one: list[str], other: list[str], most: int) -> int:
    pairs = zip(one[:most], other[:most], strict=True)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


@given(TEXTS, TEXTS)
def test_the_ends_that_two_texts_share_are_all_of_their_common_lines(one: str, other: str) -> None:
    assert same_ends(one, other) == by_lines(one, other)
