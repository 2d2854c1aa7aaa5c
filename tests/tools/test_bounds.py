from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.tools.bounds import LINE, Bounded, Cleaner, clean

# Short words of what terminals are sent, so that sequences, and sequences cut short, do come about.
WORDS = st.sampled_from(
    [
        *(
            "a",
            "bc",
            "é",
            "€",
            " ",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "\b",
            "\0",
            "\x07",
            "\x1b",
            "[",
            "]",
            "\\",
            "m",
            "K",
            "2K",
            ";",
        ),
        *("\x1b[31m", "\x1b[0m", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[3G", "\x1b[2C", "\x1b[1D", "\x1b[9A", "\x1b(B"),
        *("\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1bP1$r\x1b\\", "\x9b1m", "\x9d", "\x9c", "0123456789" * 40),
        *("x" * LINE, "y" * (LINE - 1), "\x7f", "\x85"),
    ]
)
STREAMS = st.lists(WORDS, max_size=25).map("".join)
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=30)


def pieces(text: str, sizes: list[int]) -> list[str]:
    """Cut `text` into pieces of these sizes, and the rest."""
    cut: list[str] = []
    for size in sizes:
        cut.append(text[:size])
        text = text[size:]
    return [*cut, text]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain\n", "plain\n"),
        ("tabs\tstay\n", "tabs\tstay\n"),
        ("", ""),
        ("no line end", "no line end"),
        ("\x1b[1;31mred\x1b[0m\n", "red\n"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x1b(Bascii\x1b=\x1b7", "ascii"),
        ("\x9b31mred \x9d0;title\x9cafter", "red after"),
        ("dos\r\nlines\r\r\n", "dos\nlines\n"),
        (" 10%\r 50%\r100%\ndone\n", "100%\ndone\n"),
        ("longer\rshort\n", "shortr\n"),
        ("longer\r\x1b[Kshort\n", "short\n"),
        ("longer\x1b[2K\rshort\n", "short\n"),
        ("longer\x1b[1Gshort\n", "shortr\n"),
        ("abc\x1b[2Dx\n", "axc\n"),
        ("a\x1b[3Cb\n", "a   b\n"),
        ("abc\x1b[2D\x1b[1Kx\n", " xc\n"),
        ("N\bNA\bAM\bME\bE\n", "NAME\n"),
        ("\b\bab\bc\n", "ac\n"),
        ("nul\0 bell\x07 delete\x7f next\x85 form\x0c\n", "nul bell delete next form\n"),
        ("up\x1b[1A and \x1b[2Jaway\n", "up and away\n"),
        ("cut short \x1b[31", "cut short "),
        ("cut short \x1b", "cut short "),
        ("not \x1b\none", "not \none"),
        ("broken \x1b[31\nline", "broken \nline"),
        ("binary \x1b] opens what nobody closes\nnext", "binary \nnext"),
        ("far\x1b[99999999999999999999G!", "far" + " " * 996 + "!"),
        ("progress " + "." * 3 * LINE + "\rx", None),
    ],
)
def test_what_a_terminal_would_leave(text: str, left: str | None) -> None:
    if left is None:
        # A line longer than can be held: only its last piece is overwritten, as on a screen that wraps.
        left = text[: 3 * LINE] + "x" + text[3 * LINE + 1 : -2]
    assert clean(text) == left


@given(STREAMS, CUTS)
def test_cleaning_in_pieces_comes_to_the_same(text: str, sizes: list[int]) -> None:
    cleaner = Cleaner()
    assert "".join(map(cleaner.feed, pieces(text, sizes))) + cleaner.finish() == clean(text)


@given(STREAMS)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\t")))
def test_plain_text_is_not_touched(text: str) -> None:
    assert clean(text) == text


def test_the_line_that_may_still_change_can_be_seen() -> None:
    cleaner = Cleaner()
    seen = [(cleaner.feed(piece), cleaner.line) for piece in ("one\ntw", "o", "\r 50%", "\n", "")]
    assert seen == [("one\n", "tw"), ("", "two"), ("", " 50%"), (" 50%\n", ""), ("", "")]


def bounded(text: str, head: int, tail: int, sizes: list[int] | None = None) -> str:
    kept = Bounded(head, tail)
    for piece in pieces(text, sizes or []):
        kept.add(piece)
    return kept.text()


NUMBERS = "".join(f"{number:03}\n" for number in range(1_000))


@pytest.mark.parametrize(
    ("text", "head", "tail", "shown"),
    [
        ("", 4, 4, ""),
        ("abcdefgh", 4, 4, "abcdefgh"),
        ("abcdefghi", 4, 4, "abcd\n[… 1 byte left out …]\nfghi"),
        (NUMBERS, 2_000, 2_000, NUMBERS),
        (NUMBERS, 8, 8, "000\n001\n[… 996 lines (4.0 kB) left out …]\n998\n999\n"),
        (NUMBERS, 10, 10, "000\n001\n[… 996 lines (4.0 kB) left out …]\n998\n999\n"),
        (NUMBERS, 7, 7, "000\n[… 998 lines (4.0 kB) left out …]\n999\n"),
        (NUMBERS, 0, 8, "[… 998 lines (4.0 kB) left out …]\n998\n999\n"),
        (NUMBERS, 8, 0, "000\n001\n[… 998 lines (4.0 kB) left out …]\n"),
        ("a\nb\nc\n", 2, 2, "a\n[… 1 line (2 bytes) left out …]\nc\n"),
        ("first\n" + "x" * 100, 12, 12, "first\nxxxxxx\n[… 82 bytes left out …]\nxxxxxxxxxxxx"),
        ("€" * 1_000, 10, 10, "€" * 10 + "\n[… 2.9 kB left out …]\n" + "€" * 10),
        ("z" * 2_500_020, 10, 10, "z" * 10 + "\n[… 2.5 MB left out …]\n" + "z" * 10),
        ("z" * 1_000_019, 10, 10, "z" * 10 + "\n[… 1.0 MB left out …]\n" + "z" * 10),
    ],
)
def test_head_and_tail_are_kept_and_the_rest_is_counted(text: str, head: int, tail: int, shown: str) -> None:
    assert bounded(text, head, tail) == shown


@given(STREAMS, CUTS, st.integers(0, 500), st.integers(0, 500))
def test_bounding_in_pieces_comes_to_the_same(text: str, sizes: list[int], head: int, tail: int) -> None:
    assert bounded(text, head, tail, sizes) == bounded(text, head, tail)


@given(STREAMS, st.integers(0, 500), st.integers(0, 500))
def test_what_is_shown_begins_and_ends_as_the_text_does(text: str, head: int, tail: int) -> None:
    shown = bounded(text, head, tail)
    if len(text) <= head + tail:
        assert shown == text
        return
    before, note, after = shown.rpartition("[… ")[0], *shown.rpartition("[… ")[1:]
    after = after.partition("]\n")[2]
    assert note == "[… "
    assert text.startswith(before.removesuffix("\n"))
    assert text.endswith(after)
    assert len(before) <= head + 1
    assert len(after) <= tail


@pytest.mark.parametrize("piece", ["x" * 65_536, "line\n" * 13_000, "\r 50%" * 500, "z"])
def test_memory_does_not_grow_with_the_output(piece: str) -> None:
    cleaner, kept = Cleaner(), Bounded(1_000, 2_000)
    tracemalloc.start()
    try:
        for _ in range(12):
            kept.add(cleaner.feed(piece))
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(12):
            kept.add(cleaner.feed(piece))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
