"""Three-way merging: both sides' changes, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.merge import differences, merge, merge_hunks, pieces

LINES = st.lists(st.sampled_from([f"{letter}\n" for letter in "abcdef"]), max_size=10)
BASE = "".join(f"line {number}\n" for number in range(1, 10))


@st.composite
def changed(draw: st.DrawFn, base: list[str], mark: str) -> tuple[list[str], list[str], set[str]]:
    """Change a text here and there: what came of it, what was added, and what was taken away."""
    result, added, gone = list(base), list[str](), set[str]()
    for count in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(result)))
        new = f"{mark} {count}\n"
        if draw(st.booleans()) and at < len(result) and result[at] in base:
            gone.add(result[at])
            del result[at]
            if draw(st.booleans()):
                continue
        result.insert(at, new)
        added.append(new)
    return result, added, gone


@pytest.mark.parametrize(
    ("mine", "theirs", "merged"),
    [
        ("", "", ""),
        (BASE, BASE, BASE),
        (BASE + "mine\n", BASE, BASE + "mine\n"),
        (BASE, "theirs\n" + BASE, "theirs\n" + BASE),
        (BASE + "mine\n", "theirs\n" + BASE, "theirs\n" + BASE + "mine\n"),
        (BASE.replace("line 3\n", ""), BASE.replace("line 7", "theirs"), BASE.replace("line 3\n", "").replace("line 7", "theirs")),
        # Both the same.
        (BASE.replace("line 3", "x"), BASE.replace("line 3", "x"), BASE.replace("line 3", "x")),
        (BASE.replace("line 3", "x"), BASE.replace("line 3", "x") + "theirs\n", BASE.replace("line 3", "x") + "theirs\n"),
        # One place, or neighbours.
        (BASE.replace("line 3", "mine"), BASE.replace("line 3", "theirs"), None),
        (BASE.replace("line 3", "mine"), BASE.replace("line 4", "theirs"), None),
        (BASE.replace("line 3\n", ""), BASE.replace("line 3", "theirs"), None),
        (BASE + "mine\n", BASE + "theirs\n", None),
        (BASE.replace("line 5\n", "mine\nline 5\n"), BASE.replace("line 5\n", "theirs\nline 5\n"), None),
        # A final newline is part of its line.
        (BASE.replace("line 2", "mine"), BASE[:-1], BASE.replace("line 2", "mine")[:-1]),
        (BASE + "mine", BASE[:-1], None),
    ],
)  # fmt: skip
def test_both_changes_or_neither(mine: str, theirs: str, merged: str | None) -> None:
    base = BASE if mine else ""
    assert merge(base, mine, theirs) == merged
    assert merge(base, theirs, mine) == merged


@given(LINES, LINES)
def test_differences_make_one_text_of_the_other(old: list[str], new: list[str]) -> None:
    assert patched(old, new) == new


@given(st.integers(0, 2**32), st.sampled_from([3, 500]))
def test_long_texts_are_compared_too(seed: int, kinds: int) -> None:
    old = [f"{(number * 7 + seed) % kinds}\n" for number in range(2_000)]
    new = list(old)
    for step in range(1, 6):
        at = (seed * step * 977) % len(new)
        new[at : at + step % 3] = [f"new {step}\n"] * (seed % 4)
    assert patched(old, new) == new


@given(st.data())
def test_no_line_is_lost_that_only_one_side_changed(data: st.DataObject) -> None:
    base = data.draw(LINES)
    base = [f"{index}{line}" for index, line in enumerate(base)]
    mine, mine_added, mine_gone = data.draw(changed(base, "mine"))
    theirs, theirs_added, theirs_gone = data.draw(changed(base, "theirs"))
    merged = merge("".join(base), "".join(mine), "".join(theirs))
    assert merge("".join(base), "".join(theirs), "".join(mine)) == merged
    if merged is None:
        assert mine != base
        assert theirs != base
        return
    lines = pieces(merged)
    assert [line for line in lines if line in mine_added] == [line for line in mine if line in mine_added]
    assert [line for line in lines if line in theirs_added] == [line for line in theirs if line in theirs_added]
    assert [line for line in lines if line in base] == [line for line in base if line not in mine_gone | theirs_gone]


def test_a_change_at_both_ends_of_a_long_text_is_no_change_between() -> None:
    base = [f"line {number % 700}\n" for number in range(20_000)]
    mine = ["mine\n", *base[1:-1], "mine\n"]
    theirs = [*base[:10_000], "theirs\n", *base[10_001:]]
    hunks = merge_hunks("".join(base), "".join(mine), "".join(theirs))
    assert hunks is not None
    assert [(hunk.start, hunk.end, hunk.lines) for hunk in hunks] == [
        (0, 1, ("mine\n",)),
        (19_999, 20_000, ("mine\n",)),
    ]


def patched(old: list[str], new: list[str]) -> list[str]:
    result = list(old)
    for hunk in reversed(differences(old, new)):
        result[hunk.start : hunk.end] = hunk.lines
    return result
