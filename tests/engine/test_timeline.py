"""What can be undone, as the fold of checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.checkpoints.timeline import next_id, timeline
from openhands_acp.engine.events import CheckpointTaken, Entry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entries(story: str) -> list[Entry]:
    """Tell `b` before, `a` after a change, `n` after none, `u`, `d`, `t` for undo, redo and restore."""
    told: list[CheckpointTaken] = []
    numbers = count(1)
    states = count(1)
    for letter in story:
        match letter:
            case "b":
                told.append(CheckpointTaken(str(next(numbers)), "before", f"s{next(states)}", None, "t"))
            case "a" | "n":
                last = told[-1]
                told.append(
                    CheckpointTaken(last.checkpoint_id, "after", last.before, f"s{next(states)}", "t", letter == "a")
                )
            case _:
                moment = {"u": "undo", "d": "redo", "t": "restore"}[letter]
                number, now, then = str(next(numbers)), f"s{next(states)}", f"s{next(states)}"
                told.append(CheckpointTaken(number, moment, now, then, "t", 1))  # pyright: ignore[reportArgumentType]
    return [Entry(str(number), NOW, event) for number, event in enumerate(told)]


@pytest.mark.parametrize(
    ("story", "done", "undone", "listed"),
    [
        ("", [], [], []),
        ("ba", ["1"], [], ["1"]),
        ("bn", [], [], []),
        ("baba", ["1", "2"], [], ["1", "2"]),
        ("babau", ["1"], ["2"], ["1", "2", "3"]),
        ("babauu", [], ["2", "1"], ["1", "2", "3", "4"]),
        ("babauud", ["1"], ["2"], ["1", "2", "3", "4", "5"]),
        ("bauba", ["3"], [], ["1", "2", "3"]),
        # A turn that changed nothing leaves what can be redone.
        ("baubn", [], ["1"], ["1", "2"]),
        ("bat", ["1", "2"], [], ["1", "2"]),
        # Cut short: what it did can be undone all the same.
        ("b", ["1"], [], ["1"]),
        ("bba", ["1", "2"], [], ["1", "2"]),
        # Damaged: what is gone back on is not there.
        ("ud", [], [], ["1", "2"]),
    ],
)
def test_what_can_be_undone(story: str, done: list[str], undone: list[str], listed: list[str]) -> None:
    told = timeline(entries(story))
    assert [step.id for step in told.done] == done
    assert [undo.step.id for undo in told.undone] == undone
    assert list(told.listed) == listed


def test_what_was_cut_short_ended_where_the_next_began() -> None:
    first, second = timeline(entries("bba")).done
    assert (first.after, second.before) == ("s2", "s2")


@given(st.lists(st.sampled_from(["ba", "bn", "b", "u", "d", "t"])))
def test_no_two_checkpoints_have_one_number(pieces: list[str]) -> None:
    told = entries("".join(pieces))
    numbers = {entry.event.checkpoint_id for entry in told if isinstance(entry.event, CheckpointTaken)}
    assert len(timeline(told).listed) <= len(numbers) < int(next_id(told))
