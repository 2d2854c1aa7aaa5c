"""Patches as models write them, and what becomes of a text: exactly what was meant, or nothing."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.tools.patches import Add, BadPatch, Change, Delete, Hunk, Line, Update, parse, parse_so_far
from openhands_acp.tools.patching import Nowhere, Overlapping, Patched, Patching, Placed, Unplaced, Unsure, patch


def whole(body: str) -> str:
    return f"*** Begin Patch\n{body}*** End Patch\n"


def hunks(*lines: str) -> tuple[Hunk, ...]:
    """The hunks of an update with these lines."""
    [change] = parse(whole("*** Update File: a\n" + "".join(f"{line}\n" for line in lines)))
    assert isinstance(change, Update)
    return change.hunks


def patched(text: str, *lines: str) -> Patching:
    return patch(text, hunks(*lines))


# ---------------------------------------------------------------- reading

BOTH = """\
*** Add File: new.py
+one
+
+two
*** Delete File: old.py
*** Update File: src/a.py
*** Move to: src/b.py
@@ class A
@@ def f
 kept
-old
+new
*** End of File
"""
CHANGES: tuple[Change, ...] = (
    Add("new.py", "one\n\ntwo\n"),
    Delete("old.py"),
    Update(
        "src/a.py",
        "src/b.py",
        (Hunk((Line(" ", "kept"), Line("-", "old"), Line("+", "new")), ("class A", "def f"), is_at_end=True),),
    ),
)


@pytest.mark.parametrize(
    "text",
    [
        whole(BOTH),
        whole(BOTH).rstrip("\n"),
        whole(BOTH).replace("\n", "\r\n"),
        f"\n\n{whole(BOTH)}\n\n",
        f"apply_patch <<'EOF'\n{whole(BOTH)}EOF\n",
        f"<<EOF\n{whole(BOTH)}EOF",
        f'apply_patch "{whole(BOTH).rstrip()}"',
        f"```patch\n{whole(BOTH)}```\n",
        "".join(f"    {line}\n" for line in whole(BOTH).splitlines()),
        BOTH + "*** End Patch",
        whole(BOTH.replace("*** Delete", "*** End Patch\n\n*** Begin Patch\n*** Delete")),
        whole(BOTH.replace("*** Delete File: old.py", "  *** Delete File:  `old.py` \n-its text\n")),
        whole(BOTH.replace("+\n", "\n").replace("+two\n", "+two\n\n")),
        whole(BOTH.replace("*** Move to", "*** Move File to")),
        whole(BOTH.replace("*** Move to: src/b.py\n", "*** Move to: src/b.py\n--- a/src/a.py\n+++ b/src/b.py\n")),
        whole(BOTH.replace("@@ class A", "@@ -1,3 +1,3 @@ class A").replace("@@ def f", "@@ def f @@")),
    ],
)
def test_a_patch_is_read_whatever_is_around_it(text: str) -> None:
    assert parse(text) == CHANGES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a patch begins with the line `*** Begin Patch`"),
        ("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n", "a patch begins with the line"),
        ("*** Begin Patch\n*** Add File: a\n+x\n", "no `*** End Patch` at its end"),
        ("*** Begin Patch\n*** End Patch", "the patch is empty"),
        (
            whole("x\n"),
            "line 2: `*** Update File: path`, `*** Add File: path` or `*** Delete File: path` belongs here, not 'x'",
        ),
        (whole("*** Update File: a\n"), "line 2: no line of a is added"),
        (whole("*** Update File: a\n@@\n x\n"), "line 2: no line of a is added"),
        (whole("*** Update File: \n@@\n+x\n"), "line 2: the path is missing"),
        (whole("*** Add File: a\n+x\ny\n"), "line 4: each line of an added file begins with `+`, unlike 'y'"),
        (whole("*** Delete File: a\n+x\n"), "line 3: nothing belongs below"),
        (whole("*** Update File: a\n@@\n-x\n*** Rename File: b\n"), "line 5: '*** Rename File: b' is no mark"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_belongs_there(text: str, reason: str) -> None:
    with pytest.raises(BadPatch, match=re.escape(reason)):
        parse(text)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["+a", "+b"], "a\nb\n"),
        (["a", "", "b"], "a\n\nb\n"),
        (["@@", "+a"], "a\n"),
        (["+a", "\\ No newline at end of file"], "a"),
        (["+a", "*** End of File"], "a\n"),
        (["+*** Update File: b"], "*** Update File: b\n"),
        ([], ""),
    ],
)
def test_an_added_file_has_the_text_that_was_meant(lines: list[str], text: str) -> None:
    assert parse(whole("\n".join(["*** Add File: a", *lines, ""]))) == (Add("a", text),)


def test_a_rename_needs_no_hunk() -> None:
    assert parse(whole("*** Update File: a\n*** Move to: b\n")) == (Update("a", "b", ()),)


@pytest.mark.parametrize("size", range(len(whole(BOTH)) + 1))
def test_a_patch_can_be_shown_while_it_is_written(size: int) -> None:
    begun = parse_so_far(whole(BOTH)[:size])
    assert [type(change) for change in begun] == [Add, Delete, Update][: len(begun)]
    assert size < len(whole(BOTH)) or begun == CHANGES


# ---------------------------------------------------------------- finding the place

CLASSES = """\
class A:
    def f(self):
        x = 1
        return x

    def g(self):
        x = 1
        return x


class B:
    def f(self):
        x = 1
        return x
"""


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        pytest.param("a\nb\nc\n", ["@@", " a", "-b", "+B", " c"], "a\nB\nc\n", id="exact"),
        pytest.param("a\nb\nc\n", ["-b", "+B"], "a\nB\nc\n", id="without a mark"),
        pytest.param("a\nb\nc\n", ["a", "-b", "+B", "c"], "a\nB\nc\n", id="blanks forgotten"),
        pytest.param("a\n\nb\n", [" a", "", "-b", "+B"], "a\n\nB\n", id="an empty line without its blank"),
        pytest.param("a\nb\n", ["@@", "", "-b", "+B", "", "", "@@", "-a", "+A", ""], "A\nB\n", id="gaps between hunks"),
        pytest.param("a\nb\nc", ["-b", "+B"], "a\nB\nc", id="no final newline"),
        pytest.param("a\nb", ["-b", "+B"], "a\nB", id="no final newline, in the last line"),
        pytest.param("a", [" a", "+b"], "a\nb", id="no final newline, behind the last line"),
        pytest.param("a", ["-a", "\\ No newline at end of file", "+b"], "b\n", id="a final newline is added"),
        pytest.param("a\n", ["-a", "+b", "\\ No newline at end of file"], "b", id="a final newline is removed"),
        pytest.param("a\r\nb\r\n", ["-b", "+B", "+C"], "a\r\nB\r\nC\r\n", id="crlf"),
        pytest.param("a\nb\r\nc\n", ["-b", "+B", " c"], "a\nB\r\nc\n", id="mixed endings"),
        pytest.param("a\r\nb", [" b", "+c"], "a\r\nb\r\nc", id="crlf without a final newline"),
        pytest.param("", ["+a"], "a\n", id="into an empty file"),
        pytest.param("a\nb\n", ["+c", "*** End of File"], "a\nb\nc\n", id="to the end"),
        pytest.param("x\ny\nx\n", ["-x", "+z", "*** End of File"], "x\ny\nz\n", id="the last of two"),
        pytest.param("a\nb\n", ["-a", "-b"], "", id="everything removed"),
        pytest.param("a  \nb\n", [" a", "-b", "+B"], "a  \nB\n", id="blanks at line ends"),
        pytest.param("\ta\n\tb\n", ["\ta", "-\tb", "+\tB"], "\ta\n\tB\n", id="a tab taken for the mark"),
        pytest.param("  a\n    b\n", ["a", "-  b", "+  B"], "  a\n    B\n", id="indented less than the file"),
        pytest.param("a\nb\n", [" a", "- b", "+ B"], "a\nB\n", id="a blank behind each sign"),
        pytest.param("\ta\n\t\tb\n", ["     a", "-        b", "+        B"], "\ta\n\t\tB\n", id="blanks for tabs"),
        pytest.param("    a\n", [" \ta", "+\t\tb"], "    a\n        b\n", id="tabs for blanks"),
        pytest.param(
            "    a\n    c\n", ["    a", "+    b", "    c"], "    a\n    b\n    c\n", id="only the mark forgotten"
        ),
        pytest.param("  a\n  c\n", [" a", "+b", "+", " c"], "  a\n  b\n\n  c\n", id="an addition is indented alike"),
        pytest.param("it’s – “a”\nb\n", [' it\'s - "a"', "-b", "+B"], "it’s – “a”\nB\n", id="typographic"),
        pytest.param(
            CLASSES,
            ["@@ class B:", "-        x = 1", "+        x = 2"],
            CLASSES[::-1].replace("1", "2", 1)[::-1],
            id="in a class",
        ),
        pytest.param(
            CLASSES,
            ["@@ class A", "@@ def g", "-        x = 1", "+        x = 2"],
            "2".join(CLASSES.split("1", 2)[:2]).replace("2", "1") + "2" + CLASSES.split("1", 2)[2],
            id="in a method",
        ),
        pytest.param(
            CLASSES,
            ["@@ no such heading", "-class B:", "+class C:"],
            CLASSES.replace("class B", "class C"),
            id="a wrong heading of what is there once",
        ),
        pytest.param("x\na\nx\n", ["-a", "+b", "@@", "-x", "+y"], "x\nb\ny\n", id="the one behind the hunk before"),
        pytest.param(
            "x\na\nx\n", ["-x", "+y", "@@", "-a", "+b"], "y\nb\nx\n", id="the one in front of the hunk behind"
        ),
        pytest.param("x\nx\n", ["-x", "+y", "@@", "-x", "+z"], "y\nz\n", id="one each"),
        pytest.param("a\nb\nc\n", ["-c", "+C", "@@", "-a", "+A"], "A\nb\nC\n", id="out of order, but clear"),
        pytest.param("a\nb\nc\n", ["-a", "+A", " b", "@@", " b", "-c", "+C"], "A\nb\nC\n", id="context told twice"),
        pytest.param(
            "a\u2028b\nc\x0c\n", ["-a\u2028b", "+x\u2028y", " c\x0c"], "x\u2028y\nc\x0c\n", id="other separators"
        ),
        pytest.param("a\rb\nc\n", ["-c", "+d"], "a\rb\nd\n", id="a lone cr"),
    ],
)
def test_a_hunk_goes_where_it_belongs(text: str, lines: list[str], expected: str) -> None:
    outcome = patched(text, *lines)
    assert isinstance(outcome, Patched)
    assert outcome.text == expected


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("a\nb\n", ["-x", "+y"], Nowhere(0)),
        ("a\nb\n", ["-a", "+A", "@@", "-x", "+y"], Nowhere(1)),
        ("x\na\nx\n", ["-x", "+y"], Unsure(0, (1, 3))),
        ("x\na\nx\n", ["+y", " x"], Unsure(0, (1, 3))),
        (CLASSES, ["@@ def f", "         x = 1", "-        return x"], Unsure(0, (3, 7, 13))),
        (CLASSES, ["@@ class A", "-        x = 1", "+        x = 2"], Unsure(0, (3, 7, 13))),
        ("a\nb\n", ["+c"], Unplaced(0)),
        ("a\nb\n", ["@@ a", "+c"], Unplaced(0)),
        ("a\nb\n", ["-b", "+B", "@@", "-b", "+C"], Overlapping(1, 2)),
        ("  a\n\tb\n", ["-a", "-b", "+c"], Nowhere(0)),
        ("a\n", ["-a", "-b", "+c"], Nowhere(0)),
    ],
)
def test_what_has_no_one_place_is_refused(text: str, lines: list[str], expected: Patching) -> None:
    outcome = patched(text, *lines)
    if isinstance(outcome, Unsure) and isinstance(expected, Unsure):
        assert outcome.hunk == expected.hunk
        assert set(outcome.lines) <= set(expected.lines)
        return
    assert outcome == expected


def test_what_a_patch_made_is_told_by_lines_and_leniency() -> None:
    text = "a\n  b\nc\nd\ne\nZebra\n"
    outcome = patched(text, "-a", "+1", "+2", "@@", "-b", "@@", " c", "-d", "+D", "@@", "-z", "+Zebra")
    assert outcome == Patched(
        "1\n2\nc\nD\ne\nZebra\n",
        (Placed(1, 2), Placed(3, 2, "indentation"), Placed(4, 4), Placed(6, 6, already=True)),
    )


@pytest.mark.parametrize("lines", [["-b"], ["-b", "+"], ["-b", "+aaaa"], ["-b", "+}"], ["-b", " }", "+  )"]])
def test_only_what_says_enough_counts_as_done_before(lines: list[str]) -> None:
    assert patched("aaaa\naaaa\n\n}\n  )\n", *lines) == Nowhere(0)


# ---------------------------------------------------------------- any patch of a real difference


def written(old: list[str], new: list[str], context: int, *, is_open: tuple[bool, bool]) -> list[str]:
    """The hunks of a difference, as `diff` would group them."""
    lines: list[str] = []
    note = "\\ No newline at end of file"
    before = [*old[:-1], old[-1] + ("" if is_open[0] else "\n")] if old else []
    after = [*new[:-1], new[-1] + ("" if is_open[1] else "\n")] if new else []
    before, after = (
        [f"{line}\n" for line in before[:-1]] + before[-1:],
        [f"{line}\n" for line in after[:-1]] + after[-1:],
    )

    def add(sign: str, line: str) -> None:
        lines.append(sign + line.removesuffix("\n"))
        if not line.endswith("\n"):
            lines.append(note)

    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context):
        lines.append("@@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                for line in before[i1:i2]:
                    add(" ", line)
                continue
            for line in before[i1:i2]:
                add("-", line)
            for line in after[j1:j2]:
                add("+", line)
    return lines


DOING = st.sampled_from(["keep", "keep", "keep", "change", "drop", "add"])


@st.composite
def edits(draw: st.DrawFn, alphabet: st.SearchStrategy[str] | None) -> tuple[list[str], list[str]]:
    """A file by its lines, before and after, which differ; without an alphabet, each line is there once."""
    # All in one draw, of which nothing has to be thrown away: drawing is what takes the time.
    text, most = (st.none(), 30) if alphabet is None else (alphabet, 12)
    lines = st.lists(st.tuples(DOING, text, text), min_size=1, max_size=most)
    old: list[str] = []
    new: list[str] = []
    for number, (doing, there, comes) in enumerate(draw(lines)):
        old.append(f"line {number}" if there is None else there)
        fresh = f"new {number}" if comes is None else comes
        new += {"keep": [old[-1]], "change": [fresh], "drop": [], "add": [old[-1], fresh]}[doing]
    return old, new if new and new != old else [*old, "new at the end"]


def text_of(lines: list[str], ending: str, *, is_open: bool) -> str:
    return ending.join(lines) + ("" if is_open else ending)


OPEN = st.tuples(st.booleans(), st.booleans())


@settings(max_examples=300, deadline=None)
@given(edits(None), st.integers(1, 4), st.sampled_from(["\n", "\r\n"]), OPEN)
def test_any_difference_of_a_file_whose_lines_are_unlike_is_made_exactly(
    files: tuple[list[str], list[str]], context: int, ending: str, is_open: tuple[bool, bool]
) -> None:
    old, new = files
    if len(old) == 1 and is_open[0]:
        # A file without any line ending tells of none.
        ending = "\n"
    outcome = patched(text_of(old, ending, is_open=is_open[0]), *written(old, new, context, is_open=is_open))
    assert isinstance(outcome, Patched)
    assert outcome.text == text_of(new, ending, is_open=is_open[1])
    told = [(place.first, place.last) for place in outcome.placed]
    assert all(a[1] < b[0] for a, b in pairwise(told))


@settings(max_examples=600, deadline=None)
@given(edits(st.sampled_from(["a", "b", "", "  a", "\ta", "}"])), st.integers(0, 3), OPEN)
def test_any_difference_of_any_file_is_made_exactly_or_refused(
    files: tuple[list[str], list[str]], context: int, is_open: tuple[bool, bool]
) -> None:
    old, new = files
    # A last line of nothing has an ending.
    is_open = (is_open[0] and bool(old[-1]), is_open[1] and bool(new[-1]))
    outcome = patched(text_of(old, "\n", is_open=is_open[0]), *written(old, new, context, is_open=is_open))
    match outcome:
        case Patched(text):
            assert text == text_of(new, "\n", is_open=is_open[1])
        case Unsure() | Unplaced():
            pass
        case _:
            raise AssertionError(outcome)


@settings(max_examples=300, deadline=None)
@given(edits(None), st.integers(1, 3), st.sampled_from(["margin", "ends", "marks"]))
def test_blanks_that_a_model_got_wrong_change_nothing_but_what_was_meant(
    files: tuple[list[str], list[str]], context: int, fault: str
) -> None:
    old, new = files
    lines = written(old, new, context, is_open=(False, False))
    match fault:
        case "margin":
            old, new = [f"    {line}" for line in old], [f"    {line}" for line in new]
        case "ends":
            lines = [f"{line}  " if line[0] in " -" else line for line in lines]
        case _:
            lines = [line.removeprefix(" ") for line in lines]
    outcome = patched(text_of(old, "\n", is_open=False), *lines)
    assert isinstance(outcome, Patched)
    assert outcome.text == text_of(new, "\n", is_open=False)
