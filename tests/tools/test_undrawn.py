"""What a terminal is given to draw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.tools.undrawn import HEAD, TAIL, Undrawn

ALL = HEAD + TAIL


def taken(*pieces: str) -> str:
    undrawn = Undrawn()
    for piece in pieces:
        undrawn.add(piece)
    return undrawn.take()


@given(st.lists(st.text(max_size=50), max_size=20))
def test_what_fits_is_given_as_it_came_and_once(pieces: list[str]) -> None:
    undrawn = Undrawn()
    for piece in pieces:
        undrawn.add(piece)
    assert (undrawn.take(), undrawn.take()) == ("".join(pieces), "")


def test_control_sequences_pass() -> None:
    assert taken("\x1b[31mred", "\x1b[0m\r\n") == "\x1b[31mred\x1b[0m\r\n"


def test_of_a_flood_the_beginning_and_the_end_are_drawn_in_whole_lines() -> None:
    lines = [f"\x1b[3{number % 8}mline {number}\r\n" for number in range(10_000)]
    drawn = taken(*lines)
    head, _, tail = drawn.partition("\x1b[0m[… too fast to draw …]\n")
    assert head == "".join(lines[: head.count("\n")])
    assert tail == "".join(lines[-tail.count("\n") :])
    assert ALL - 100 < len(drawn) < ALL + 100


@pytest.mark.parametrize("piece", [1, 1000, 1_000_000])
def test_a_line_without_an_end_is_torn(piece: int) -> None:
    drawn = taken(*["x" * piece] * (1_000_000 // piece))
    assert drawn == f"{'x' * HEAD}\n\x1b[0m[… too fast to draw …]\n{'x' * TAIL}"
