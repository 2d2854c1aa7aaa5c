"""Replacing what a model quoted: one place, all that was said, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.merge import differences, pieces
from openhands_acp.engine.spelling import lf
from openhands_acp.tools.edits import Edited
from openhands_acp.tools.grafting import graft, reindented
from openhands_acp.tools.likeness import near
from openhands_acp.tools.matching import Ambiguous, Found, View, find
from openhands_acp.tools.readings import gap, stand_in
from openhands_acp.tools.replacing import Failed, NotFound, Replacement, replace_each, replace_once

WORD = st.sampled_from("alpha beta gamma delta epsilon".split())


def _line(indent: int, words: list[str]) -> str:
    return "    " * indent + " ".join(words)


LINE = st.builds(_line, st.integers(0, 3), st.lists(WORD, max_size=4))
ENDING = st.sampled_from(["\n", "\r\n"])


@given(st.lists(st.tuples(LINE, ENDING), min_size=1, max_size=12), st.data())
def test_an_edit_applies_exactly_what_its_difference_says(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    """Whatever of the text is quoted, however badly: if it is applied, only the quoted lines change."""
    text = "".join(line + ending for line, ending in rows)
    first = data.draw(st.integers(0, len(rows) - 1))
    last = data.draw(st.integers(first, len(rows) - 1))
    garble = data.draw(st.sampled_from(GARBLES))
    old = garble("\n".join(line for line, _ in rows[first : last + 1]))
    new = garble("\n".join([*(line for line, _ in rows[first:last]), "new words"]))
    outcome = replace_once(text, old, new)
    if not isinstance(outcome, Edited) or outcome.already:
        return
    before, after = pieces(text), pieces(outcome.text)
    assert before[:first] == after[:first]
    rest = len(rows) - last - 1
    assert rest == 0 or before[-rest:] == after[-rest:]
    changes = differences(pieces(lf(text)), pieces(lf(outcome.text)))
    assert all(first <= change.start <= last + 1 and change.end <= last + 1 for change in changes)


def _fenced(text: str) -> str:
    return f"```\n{text}\n```"


def _numbered(text: str) -> str:
    return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(text.split("\n"), start=7))


GARBLES: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.replace("\n", "  \n"),
    lambda text: "\n".join("  " + line for line in text.split("\n")),
    lambda text: "\n".join(line.strip() for line in text.split("\n")),
    lambda text: text.replace("    ", "\t"),
    lambda text: text.replace(" ", "  "),
    lambda text: f"\n{text}\n\n",
    _fenced,
    _numbered,
]


@given(st.lists(LINE, min_size=3, max_size=10, unique=True), st.data())
def test_several_edits_are_all_made_or_none(lines: list[str], data: st.DataObject) -> None:
    text = "".join(line + "\n" for line in lines)
    chosen = data.draw(
        st.lists(st.sampled_from([line for line in lines if line.strip()] or ["x"]), unique=True, max_size=4)
    )
    edits = [Replacement(f"\n{line}\n", f"\nnew {index}\n") for index, line in enumerate(chosen)]
    outcome = replace_each("\n" + text, [*edits, Replacement("surely not in there at all", "x")])
    assert isinstance(outcome, Failed)
    if not edits:
        return
    outcome = replace_each("\n" + text, edits)
    expected = "\n" + text
    for edit in edits:
        expected = expected.replace(edit.old, edit.new, 1)
    if isinstance(outcome, Edited) and not outcome.notes:
        assert outcome.text == expected


@pytest.mark.parametrize(
    ("pairs", "text", "result"),
    [
        ([("", "    ")], "a\n  b\n", "    a\n      b\n"),
        ([("     ", "    ")], "     a\n         b", "    a\n        b"),
        ([("     ", "    ")], "a", None),
        ([("  ", "    "), ("    ", "        ")], "  a\n    b\n      c", "    a\n        b\n            c"),
        ([("    ", "\t"), ("        ", "\t\t")], "    a\n            b", "\ta\n\t\t\tb"),
        ([("    ", "\t")], "      a", None),
        ([("\t", "  ")], "\t\ta", "    a"),
        ([("", ""), ("    ", "  ")], "        a", "    a"),
        # The same of the model's stands for different ones of the file's.
        ([("", "    "), ("", "        ")], "a", None),
        # What was seen is known, even where there is no rule.
        ([("  ", "    "), ("        ", "        ")], "  a\n        b", "    a\n        b"),
        ([("  ", "    "), ("        ", "        ")], "    a", None),
        ([("", "    ")], "\n   \n", "\n   \n"),
    ],
)
def test_text_is_indented_as_the_file_is(pairs: list[tuple[str, str]], text: str, result: str | None) -> None:
    assert reindented(text, pairs) == result


@pytest.mark.parametrize(
    ("old", "new", "real", "result"),
    [
        ("a b c", "a x c", "a b c", "a x c"),
        ("say 'hi'", "say 'ho'", "say “hi”", "say “ho”"),
        ("a\nb\nc", "a\nx\nc", "A\nb\nc", "A\nx\nc"),
        ("f(a)", "g(a)", "f(a, b)", "g(a, b)"),
        ("f(a)", "f(b)", "f(c)", None),
        ("a", "", "a", ""),
    ],
)
def test_a_change_is_carried_over_to_what_stands_there(old: str, new: str, real: str, result: str | None) -> None:
    assert graft(old, new, real) == result


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("# ... existing code ...", True),
        ("    // ... rest of the function", True),
        ("// rest of code unchanged", True),
        ("/* ... other methods ... */", True),
        ("{/* ... existing items ... */}", True),
        ("<!-- ... rest of the page ... -->", True),
        ("...rest of file...", True),
        ("    ...", False),
        ("function f(...rest) {", False),
        ("  ...existing,", False),
        ("  ...rest", False),
        ("# the rest of the list is sorted", False),
        ("# existing users keep their names", False),
        ("print('... more to come')", False),
    ],
)
def test_a_line_that_stands_for_others_is_told_from_code(text: str, is_one: bool) -> None:
    assert (bool(stand_in(text)), bool(gap(text))) == (is_one, is_one or text.strip() == "...")


def test_the_first_rung_that_finds_any_place_decides() -> None:
    view = View("  a(1)\na(1)  \nb\n")
    # Only one line is so but for what is behind it, and two are but for what is before it.
    assert find(view, "a(1)", "x") == Ambiguous((1, 2))
    assert isinstance(find(view, "a(1)\nb", "x\nb"), Found)


CODE = """\
def checkout(cart, gateway):
    # what is to be paid
    amount = cart.total()
    if amount <= 0:
        return None
    return gateway.charge(cart.owner, amount)
"""


@pytest.mark.parametrize(
    ("change", "is_harmless"),
    [
        (("what is to be paid", "What must be paid."), True),
        (("    # what is to be paid\n", ""), True),
        (("gateway.charge", "gatewway.charge"), True),
        (("cart.owner, amount", "cart.owner amount"), True),
        (("cart.total()", "cart.totals()"), False),
        (("None", "True"), False),
        (("<= 0", "< 0"), False),
        (("<= 0", "<= 1"), False),
        (("cart.total", "card.total"), False),
        (("checkout", "checkin"), False),
    ],
)
def test_only_what_means_nothing_may_differ(change: tuple[str, str], is_harmless: bool) -> None:
    quoted = CODE.replace(*change)
    wrong = near(View("import os\n\n\n" + CODE), quoted, quoted.replace("        return None\n", "        return 0\n"))
    assert (wrong is not None) == is_harmless


def test_a_name_of_its_own_is_no_slip_of_the_pen() -> None:
    quoted = CODE.replace("gateway.charge", "gatewway.charge")
    fresh = quoted.replace("        return None\n", "        return 0\n")
    assert near(View(CODE), quoted, fresh) is not None
    assert near(View("gatewway = 1\n\n\n" + CODE), quoted, fresh) is None


def test_two_places_that_are_nearly_alike_are_no_place() -> None:
    quoted = CODE.replace("what is to be paid", "What must be paid.")
    twice = CODE + "\n\n" + CODE.replace("to be paid", "to be paid now")
    assert near(View(CODE), quoted, quoted + "    # end\n") is not None
    assert near(View(twice), quoted, quoted + "    # end\n") is None


def test_a_file_of_ten_megabytes_is_searched_to_its_end_and_the_nearest_text_named() -> None:
    text = "".join(f"    value_{number} = compute({number})\n" for number in range(292_000))
    assert len(text) > 9_900_000
    outcome = replace_once(text, "value_291999 = compute(291_999)", "x")
    assert outcome == NotFound(((292_000, "    value_291999 = compute(291999)"),))
    outcome = replace_once(text, "value_291999=compute( 291999 )", "last = compute(291999)")
    assert isinstance(outcome, Edited)
    assert outcome.text.endswith("    last = compute(291999)\n")
