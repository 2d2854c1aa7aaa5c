"""Where changes are, and what else is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.cards import Location, ShownDiff
from openhands_acp.engine.checkpoints.diffs import hunks, locations, mode_note
from openhands_acp.engine.paths import AbsPath

TEN = "".join(f"{number}\n" for number in range(1, 11))
HUNDRED = "".join(f"{number}\n" for number in range(1, 101))
A = AbsPath("/w/a")


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("a\nb\n", "a\nb\n", ()),
        ("a\nb\n", "a\nB\n", (2,)),
        ("a\nb\n", "x\na\nb\n", (1,)),
        ("a\nb\n", "a\nb\nx\n", (3,)),
        ("a\nb\n", "b\n", (1,)),
        ("a\nb\n", "a\n", (1,)),
        ("a\n", "", (1,)),
        ("a\r\nb\r\n", "a\nb\n", ()),
        ("a\nb", "a\nb\n", (2,)),
        ("a\u2028b\nc\n", "a\u2028b\nd\n", (2,)),
        ("a\rb\nc\n", "a\rb\nd\n", (2,)),
        ("a\fb\nc\n", "a\fb\nd\n", (2,)),
        (None, "a\nb\n", (1,)),
        (None, "", (1,)),
        ("a\n", None, ()),
        (TEN, TEN.replace("2\n", "two\n").replace("10\n", "ten\n"), (2, 10)),
        (TEN, TEN.replace("2\n", "two\n").replace("9\n", "nine\n"), (2,)),
        (
            HUNDRED,
            HUNDRED.replace("\n20\n", "\n").replace("\n50\n", "\nx\ny\n").replace("\n90\n", "\n90\nz\n"),
            (20, 49, 91),
        ),
        (HUNDRED * 200, "new\n" * 20_000, (1,)),
    ],
)
def test_each_change_is_a_place(old: str | None, new: str | None, lines: tuple[int, ...]) -> None:
    assert hunks(old, new) == lines


def test_a_file_with_many_changes_names_the_first_of_them() -> None:
    old = "".join(f"{number}\n" for number in range(5_000))
    new = "".join(f"{-number if number % 20 == 10 else number}\n" for number in range(5_000))
    assert hunks(old, new) == tuple(range(11, 11 + 50 * 20, 20))


@given(st.lists(st.sampled_from(["a\n", "b\n", "c\n"])), st.lists(st.sampled_from(["a\n", "b\n", "c\n"])))
def test_every_line_that_is_told_is_in_the_file(before: list[str], after: list[str]) -> None:
    lines = hunks("".join(before), "".join(after))
    assert bool(lines) == (before != after)
    assert list(lines) == sorted(set(lines))
    assert all(1 <= line <= max(1, len(after)) for line in lines)


def test_what_did_not_change_is_located_all_the_same() -> None:
    assert locations(A, "a\n", "a\n") == (Location(A),)
    assert locations(A, "a\n", None) == (Location(A),)
    assert locations(A, "a\nb\n", "a\nc\n") == (Location(A, 2),)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (0o100644, 0o100644, ""),
        (0o644, 0o755, "Made executable"),
        (0o755, 0o644, "No longer executable"),
        (0o644, 0o600, "Mode changed from 644 to 600"),
        (0o755, 0o700, "Mode changed from 755 to 700"),
    ],
)
def test_a_change_of_mode_is_said_in_words(before: int, after: int, words: str) -> None:
    assert mode_note(before, after) == words


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        (ShownDiff(A, "a", "b"), ""),
        (ShownDiff(A, None, "b"), ""),
        (ShownDiff(A, "a", None), "Removed"),
        (ShownDiff(A, "a", "b", AbsPath("/w/old")), "Renamed from /w/old"),
        (ShownDiff(A, "a", "a", AbsPath("/w/old"), "Made executable"), "Renamed from /w/old; Made executable"),
        (ShownDiff(A, "a", "a", note="Made executable"), "Made executable"),
    ],
)
def test_what_two_texts_cannot_say_is_said_in_words(diff: ShownDiff, words: str) -> None:
    assert diff.besides == words
