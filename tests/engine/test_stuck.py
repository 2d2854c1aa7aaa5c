"""What is a circle, and what only looks like one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.stuck import Made, Refrain, Said, Step, judged, made, only_announces


def did(tool: str, result: str = "ok", *, has_failed: bool = False, waits: bool = False) -> Step:
    return Step((Made(tool, "{}", result, has_failed, waits),))


def remedies(steps: Sequence[Step]) -> list[str | None]:
    """What is done after each step."""
    found = [judged(steps[: at + 1]) for at in range(len(steps))]
    return [finding.remedy if finding else None for finding in found]


A, B, C = did("a"), did("b"), did("c")
FAILS = did("a", "no such file", has_failed=True)
LOOKS = did("a", "still running", waits=True)
BOTH = Step((*A.calls, *B.calls))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # The same call with the same result.
        ([A] * 5, [None, None, None, "nudge", "ask"]),
        ([BOTH] * 4, [None, None, None, "nudge"]),
        # A nudge that helps.
        ([A, A, A, A, B, C], [None, None, None, "nudge", None, None]),
        # What fails the same way, a denied call say, is given up sooner; another failure counts anew.
        ([FAILS] * 4, [None, None, "nudge", "ask"]),
        ([FAILS, FAILS, did("a", "too old", has_failed=True), FAILS], [None] * 4),
        # Rounds of two and of three.
        ([A, B] * 3 + [A], [None] * 5 + ["nudge", "ask"]),
        ([A, B, C] * 3 + [A], [None] * 8 + ["nudge", "ask"]),
        # The same tests after different edits.
        ([A, did("e", "1"), A, did("e", "2"), A, did("e", "3"), A, did("e", "4")], [None] * 8),
        # Looking at something that changes.
        ([did("a", f"{n} %") for n in range(30)], [None] * 30),
        # Waiting on purpose gets more patience.
        ([LOOKS] * 17, [None] * 15 + ["nudge", "ask"]),
        ([LOOKS, did("sleep", waits=True)] * 12, [None] * 23 + ["nudge"]),
    ],
)
def test_circles_of_calls(steps: list[Step], expected: list[str | None]) -> None:
    assert remedies(steps) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["something"] * 3, [None] * 3),
        (["nothing"] * 4, ["again", "nudge", "ask", "ask"]),
        (["thoughts"] * 3, ["nudge", "nudge", "ask"]),
        (["nothing", "thoughts", "nothing"], ["again", "nudge", "ask"]),
        (["nothing", "something", "nothing"], ["again", None, "again"]),
        (["refrain", "refrain"], ["nudge", "ask"]),
        (["cut", "cut", "something", "cut"], ["nudge", None, None, "nudge"]),
        (["plan", "plan", "something", "plan"], ["nudge", None, None, None]),
    ],
)
def test_answers_without_a_call(said: list[Said], expected: list[str | None]) -> None:
    assert remedies([Step(said=each) for each in said]) == expected


def test_after_three_answers_that_cannot_be_read_it_ends() -> None:
    bad = Step((Made("terminal", '{"command": "l', "the arguments end", has_failed=True),), "malformed")
    worse = Step((Made("think", "x", "is no JSON", has_failed=True),), "malformed")
    assert remedies([bad, worse, A, bad, worse, bad]) == [None, None, None, None, None, "end"]


steps_of_few = st.lists(st.sampled_from([A, B, C, FAILS, LOOKS, Step(said="plan"), Step(said="nothing")]), min_size=1)


@settings(max_examples=60, deadline=None)
@given(steps_of_few, st.sampled_from([[A], [FAILS], [A, B], [A, B, C], [B, FAILS]]))
def test_whatever_came_before_a_circle_it_is_found_in_time(before: list[Step], circle: list[Step]) -> None:
    steps = [*before, *itertools.islice(itertools.cycle(circle), 10)]
    assert {"nudge", "ask"} & set(remedies(steps)[len(before) :])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(), min_size=1, unique=True))
def test_what_is_new_each_time_is_no_circle(results: list[int]) -> None:
    assert set(remedies([did("a", f"result {each}", has_failed=True) for each in results])) == {None}


# ---------------------------------------------------------------- what is compared


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (
            made("terminal", {"command": "ls", "security_risk": "LOW"}, "", "a", has_failed=False),
            made("terminal", {"security_risk": "HIGH", "summary": "Look.", "command": "ls"}, "", "a", has_failed=False),
            True,
        ),
        (
            made("think", {"thought": "First."}, "", "noted", has_failed=False),
            made("think", {"thought": "Second."}, "", "noted", has_failed=False),
            True,
        ),
        (
            made("terminal", {"command": "ls"}, "", "[exit code 0 after 3 s]", has_failed=False),
            made("terminal", {"command": "ls"}, "", "[exit code 0 after 1.5 s]", has_failed=False),
            True,
        ),
        (
            made("terminal", {"command": "ls"}, "", "a", has_failed=False),
            made("terminal", {"command": "ls -l"}, "", "a", has_failed=False),
            False,
        ),
        (
            made("terminal", None, '{"command": "l', "cut", has_failed=True),
            made("terminal", None, '{"command": "p', "cut", has_failed=True),
            False,
        ),
    ],
)
def test_remarks_and_times_make_no_difference(one: Made, other: Made, is_same: bool) -> None:
    assert (one == other) is is_same


@pytest.mark.parametrize(
    ("arguments", "waits"),
    [
        ({"command": "sleep 5; curl -s localhost/health"}, True),
        ({"command": "make && wait"}, True),
        ({"command": ""}, True),
        ({"command": "", "job": "2"}, True),
        ({"command": "", "reset": True}, False),
        ({"command": "cat sleep.py"}, False),
        ({"path": "a"}, False),
    ],
)
def test_what_waits(arguments: dict[str, str | bool], waits: bool) -> None:
    assert made("terminal", arguments, "", "", has_failed=False).waits is waits


# ---------------------------------------------------------------- text


def in_pieces(text: str, size: int) -> list[bool]:
    refrain = Refrain()
    return [refrain.goes_on(text[at : at + size]) for at in range(0, len(text), size)]


@pytest.mark.parametrize(
    "unit", ["I will look at the file now.\n", "\n", " ", "na ", "a" * 500, "**Note**: first this, then that.\n\n" * 3]
)
def test_text_that_only_repeats_itself_is_noticed(unit: str) -> None:
    told = in_pieces("Let me see. " + unit * (8_000 // len(unit)), 7)
    assert True in told
    # Not before there is that much of it.
    assert told.index(True) * 7 > 4_000


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"| {n} | {n * n} |" for n in range(2_000)),
        "".join(f"{n}. The next step is a little different from the one before it.\n" for n in range(300)),
        "x = 1\n" * 500,
        "a" * 3_000 + "b" + "a" * 3_000,
    ],
)
def test_text_that_is_only_regular_is_not(text: str) -> None:
    assert True not in in_pieces(text, 11)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=500), st.integers(1, 2_000))
def test_however_it_is_cut_a_refrain_is_noticed(unit: str, size: int) -> None:
    assert True in in_pieces(unit * (10_000 // len(unit) + 1), size)


@pytest.mark.parametrize(
    "text",
    [
        "I will now create the file.",
        "I'll look at the tests next:",
        "The cause is clear. Now let me fix it.",
        "Found it.\n\nNext, I'm going to update `a.py` and run the tests...",
        "Okay, let's check the logs",
        "I\u2019ll start by reading the README.",
    ],
)
def test_what_only_announces(text: str) -> None:
    assert only_announces(text)


@pytest.mark.parametrize(
    "text",
    [
        "Done. All tests pass.",
        "I fixed it; the tests run now.",
        "Let me know if anything is missing.",
        "I will wait for your answer.",
        "Should I run the tests?",
        "I'll run the migration once you have made a backup.",
        "If you agree, I'll update the docs.",
        "I'll update the docs if wanted.",
        "Let me check it with you later.",
        "Now I will explain: it reads the file twice.",
        "I will now create the file. It is done: `a.py`.",
        "I'll create the file.\n\nIt exists now, with 3 lines.",
        "I will be able to read it in `a.py`.",
        "",
    ],
)
def test_a_real_answer_is_not_doubted(text: str) -> None:
    assert not only_announces(text)
