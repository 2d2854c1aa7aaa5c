"""To where a conversation can be taken back, as a table over what happened to it."""

from __future__ import annotations

import pytest

from openhands_acp.engine.context.rewinding import places
from openhands_acp.engine.events import Condensation, Durable, Entry, MessageEvent, NoticeEvent, TurnEnded, TurnStarted
from openhands_acp.engine.messages import Text
from tests.store.examples import BEGAN

Turn = list[Durable]


def turn(*said: Durable) -> Turn:
    return [TurnStarted("t"), *said, TurnEnded("t", "end_turn")]


def asked(prompt: str) -> Turn:
    """Two items: a prompt and its answer."""
    answer = MessageEvent("m", "assistant", (Text("ok"),), f"r-{prompt}")
    return turn(MessageEvent("m", "user", (Text(prompt),)), answer)


def left(until: int, kept: tuple[int, ...], summary: str = "") -> Turn:
    return turn(NoticeEvent("m", "user", "/compact"), Condensation("c", "cut", 9, 1, until, kept, summary))


STEERED = turn(MessageEvent("m", "user", (Text("a"),)), MessageEvent("m", "user", (Text("and b"),)))
CALLED = turn(NoticeEvent("m", "user", "/review", "Look at it."))
NOTICED = turn(NoticeEvent("m", "user", "/cost"), NoticeEvent("m", "text", "nothing"))


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ([], []),
        ([asked("a"), asked("b")], [(1, "a", 0), (2, "b", 2)]),
        ([NOTICED, CALLED, STEERED, asked("c")], [(1, "/review", 0), (2, "a", 1), (3, "c", 3)]),
        # All is forgotten; numbers go on.
        ([asked("a"), left(2, ()), asked("b")], [(2, "b", 0)]),
        # Back to before the second: it is gone, the first is there.
        ([asked("a"), asked("b"), left(4, (0, 1)), asked("c")], [(1, "a", 0), (3, "c", 2)]),
        # Two prompts are summed up, and their words kept: only before the first of them nothing is missing.
        ([asked("a"), asked("b"), asked("c"), left(4, (0, 2), "sum")], [(1, "a", 0), (3, "c", 3)]),
        ([asked("a"), asked("b"), left(2, (), "sum"), asked("c")], [(2, "b", 1), (3, "c", 3)]),
        # Of a turn that is summed up while it runs, the beginning is gone.
        ([turn(MessageEvent("m", "user", (Text("a"),)), *left(1, (), "sum")[2:3])], []),
    ],
)
def test_before_which_prompts(turns: list[Turn], found: list[tuple[int, str, int]]) -> None:
    entries = [
        Entry(str(number), BEGAN, event) for number, event in enumerate(event for turn in turns for event in turn)
    ]
    assert [(place.number, place.prompt, place.items) for place in places(entries)] == found
