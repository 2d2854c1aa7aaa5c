"""Edits of exact text: what is touched, what is not, and what is said when it does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.spelling import lf, lines_of
from openhands_acp.tools.edits import Edited, insert_after
from openhands_acp.tools.likeness import nearest
from openhands_acp.tools.matching import Ambiguous, View
from openhands_acp.tools.replacing import NotFound, replace_once

Line = st.text(alphabet="ab\u2028\x0c", max_size=3)
Endings = st.sampled_from(["\n", "\r\n"])


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        # All of one kind.
        ("a\nb\nc\n", "b", "x", "a\nx\nc\n"),
        ("a\r\nb\r\nc\r\n", "b", "x", "a\r\nx\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "b\n", "x\ny\n", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "b\r\nc", "x\r\ny", "a\r\nx\r\ny\r\n"),
        ("a\r\nb\r\nc\r\n", "b\n", "", "a\r\nc\r\n"),
        ("a\r\nb\r\n", "\nb", "", "a\r\n"),
        # Mixed: lines that stay keep their ending, new ones take that of the line they replace or follow.
        ("a\r\nb\nc\r\n", "b", "x", "a\r\nx\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nb\nc", "a\nx\nc", "a\r\nx\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nb\nc\n", "a\nb\nnew\nc\n", "a\r\nb\nnew\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nb\nc\n", "new\na\nb\nc\n", "new\r\na\r\nb\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nb\nc\n", "a\nc\n", "a\r\nc\r\n"),
        ("a\nb\r\nc\n", "b", "x\ny", "a\nx\r\ny\r\nc\n"),
        ("a\nb\r\nc", "c", "x\ny", "a\nb\r\nx\r\ny"),
        ("a\nb\r\nc\nd", "b\nc\nd", "b\nc\nx\ny", "a\nb\r\nc\nx\ny"),
        # A lone CR is text.
        ("a\rb\r\nc\n", "a\rb", "a\rx", "a\rx\r\nc\n"),
        ("a\rb\nc\n", "b", "x\ny", "a\rx\ny\nc\n"),
        # The final newline is the model's business only if it names it.
        ("a\nb", "b", "x", "a\nx"),
        ("a\nb\n", "b", "x", "a\nx\n"),
        ("a\r\nb", "b", "b\nc", "a\r\nb\r\nc"),
        # Ends that other functions know are text, too.
        ("a\u2028b\r\nc\x0cd\n", "d", "x", "a\u2028b\r\nc\x0cx\n"),
    ],
)
def test_only_the_touched_lines_differ(before: str, old: str, new: str, after: str) -> None:
    outcome = replace_once(before, old, new)
    assert isinstance(outcome, Edited)
    assert outcome.text.encode() == after.encode()


@pytest.mark.parametrize(
    ("before", "line", "new", "after", "lines"),
    [
        ("a\nb\n", 0, "x", "x\na\nb\n", (1, 1)),
        ("a\nb\n", 1, "x\ny", "a\nx\ny\nb\n", (2, 3)),
        ("a\nb\n", 2, "x", "a\nb\nx\n", (3, 3)),
        ("a\nb\n", 1, "x\n", "a\nx\nb\n", (2, 2)),
        ("a\nb\n", 1, "", "a\n\nb\n", (2, 2)),
        ("a\nb", 2, "x", "a\nb\nx", (3, 3)),
        ("a\nb", 2, "x\n", "a\nb\nx", (3, 3)),
        ("a\r\nb\r\n", 1, "x\ny", "a\r\nx\r\ny\r\nb\r\n", (2, 3)),
        ("a\r\nb\r\n", 0, "x", "x\r\na\r\nb\r\n", (1, 1)),
        ("a\r\nb", 2, "x", "a\r\nb\r\nx", (3, 3)),
        ("a\nb\r\nc\n", 1, "x", "a\nx\nb\r\nc\n", (2, 2)),
        ("a\nb\r\nc\n", 2, "x", "a\nb\r\nx\r\nc\n", (3, 3)),
        ("", 0, "x", "x\n", (1, 1)),
        ("a", 1, "x", "a\nx", (2, 2)),
        ("a", 0, "x", "x\na", (1, 1)),
    ],
)
def test_lines_are_inserted_with_the_ending_of_the_line_before(
    before: str, line: int, new: str, after: str, lines: tuple[int, int]
) -> None:
    assert insert_after(before, line, new) == Edited(after, *lines)


@given(st.lists(st.tuples(Line, Endings), min_size=1, max_size=8), st.data())
def test_replacing_a_line_changes_no_byte_of_the_others(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(lines) - 1))
    first = data.draw(st.integers(0, index))
    last = data.draw(st.integers(index, len(lines) - 1))
    # A line that is nowhere else, with its neighbours for context, as models write edits.
    rows = [*lines[:index], ("unique", lines[index][1]), *lines[index + 1 :]]
    old = "".join(line + "\n" for line, _ in rows[first : last + 1])
    new = old.replace("unique", "changed")
    expected = [*lines[:index], ("changed", lines[index][1]), *lines[index + 1 :]]
    outcome = replace_once("".join(map("".join, rows)), old, new)
    assert isinstance(outcome, Edited)
    assert outcome.text == "".join(map("".join, expected))


@given(st.lists(st.tuples(Line, Endings), max_size=8), Line, st.data())
def test_inserting_changes_no_byte_of_the_other_lines(
    lines: list[tuple[str, str]], new: str, data: st.DataObject
) -> None:
    after = data.draw(st.integers(0, len(lines)))
    text = "".join(map("".join, lines))
    edited = insert_after(text, after, new).text
    head, tail = "".join(map("".join, lines[:after])), "".join(map("".join, lines[after:]))
    assert edited.startswith(head)
    assert edited.endswith(tail)
    assert edited[len(head) : len(edited) - len(tail)] in (new + "\n", new + "\r\n")


@pytest.mark.parametrize(
    ("text", "old", "new", "first", "last"),
    [
        ("a\nb\nc\n", "b\n", "x\ny\n", 2, 3),
        ("a\nb\nc\n", "b", "x\ny\nz", 2, 4),
        ("a\nb\nc\n", "b\n", "", 2, 2),
        ("a\r\nb\r\nc\r\n", "c", "x", 3, 3),
    ],
)
def test_the_new_lines_are_named(text: str, old: str, new: str, first: int, last: int) -> None:
    outcome = replace_once(text, old, new)
    assert isinstance(outcome, Edited)
    assert (outcome.first, outcome.last) == (first, last)


@pytest.mark.parametrize(
    ("text", "old", "lines"),
    [
        ("a\nb\na\n", "a", (1, 3)),
        ("a a\nb\n", "a", (1,)),
        ("a\r\nb\r\na\r\nb\r\n", "a\nb\n", (1, 3)),
        ("aaa\n", "aa", (1,)),
    ],
)
def test_text_that_occurs_more_than_once_is_not_edited(text: str, old: str, lines: tuple[int, ...]) -> None:
    assert replace_once(text, old, "x") == Ambiguous(lines)


@pytest.mark.parametrize(
    ("text", "old", "new", "outcome"),
    [
        ("def f():\n    return 2\n", "    return 1\n", "    return 2\n", (2, 2)),
        ("a\r\nx = 1\r\ny = 2\r\nb\r\n", "x = 0\ny = 0", "x = 1\ny = 2", (2, 3)),
        # By chance: within a line, more than once, or nothing at all.
        ("value = 12\n", "value = 3", "1", None),
        ("x\nx\n", "y", "x", None),
        ("a\n", "y", "", None),
        ("a\n", "y", "\n", None),
    ],
)
def test_an_edit_that_is_already_there_is_recognised(
    text: str, old: str, new: str, outcome: tuple[int, int] | None
) -> None:
    result = replace_once(text, old, new)
    if outcome is None:
        assert isinstance(result, NotFound)
    else:
        assert result == Edited(text, *outcome, already=True)


SOURCE = """\
def first():
    one = 1
    return one


def second():
    two = 2
    return two
"""


@pytest.mark.parametrize(
    ("old", "lines"),
    [
        # Wrong indentation.
        ("two = 2\nreturn two", ((7, "    two = 2"), (8, "    return two"))),
        # One line of several is wrong.
        (
            "def second():\n    two = 3\n    return two\n",
            ((6, "def second():"), (7, "    two = 2"), (8, "    return two")),
        ),
        # Of two equally good places the first.
        ("def other():\n    one = 1\n    two = 2\n", ((1, "def first():"), (2, "    one = 1"), (3, "    return one"))),
        # A line that is only like one.
        ("    two = 22", ((7, "    two = 2"),)),
        ("entirely other words", ()),
        ("\n\n", ()),
    ],
)
def test_the_nearest_text_is_named(old: str, lines: tuple[tuple[int, str], ...]) -> None:
    assert nearest(View(SOURCE), old) == lines
    assert nearest(View(""), old) == ()


def test_the_nearest_text_is_found_at_the_end_of_a_large_file() -> None:
    text = "".join(f"row {number}: nothing in common\n" for number in range(20_000)) + "total = sum(values)\n"
    assert replace_once(text, "total = sum(value)", "x") == NotFound(((20_001, "total = sum(values)"),))


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r\n\r\nb\x0cc\rd", ["a", "", "b\x0cc\rd"])],
)
def test_lines_are_counted_as_an_editor_does(text: str, lines: list[str]) -> None:
    assert lines_of(lf(text)) == lines
