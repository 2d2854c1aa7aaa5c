from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.screen import LINE, ROWS, Cleaner, clean

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
        *(
            "\x1b[31m",
            "\x1b[0m",
            "\x1b[K",
            "\x1b[1K",
            "\x1b[2K",
            "\x1b[3G",
            "\x1b[2C",
            "\x1b[1D",
            "\x1b[9A",
            "\x1b(B",
            "\x1b[B",
            "\x1b[2F",
            "\x1b[H",
            "\x1b[2;3H",
            "\x1b[J",
            "\x1b[2J",
            "q\n" * (ROWS + 3),
            "\x1b[30A",
        ),
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
        ("up\x1b[1A and away\n", "up and away\n"),
        ("1\n2\n3\n\x1b[2A two\n", "1\n two\n3\n"),
        ("a 0%\nb 0%\n\x1b[2Aa 50%\nb 70%\n\x1b[2A\x1b[Ja 100%\nb 100%\n", "a 100%\nb 100%\n"),
        ("1\n2\n\x1b[9Atop\n", "top\n2\n"),
        ("1\n2\n\x1b[1FX\x1b[2B\x1b[1GY", "1\nX\n\nY"),
        ("frame 1\nx\x1b[H\x1b[Jframe 2\ny", "frame 2\ny"),
        ("one\x1b[3;5Htwo", "one\n\n    two"),
        ("make clean\nx\x1b[H\x1b[2J\x1b[3Jnew\n", "make clean\nx\nnew\n"),
        (
            "".join(f"{i}\n" for i in range(200)) + "\x1b[99Ax\x1b[99Ay",
            None if ROWS != 40 else "".join(f"{i}\n" if i != 160 else "xy0\n" for i in range(200)),
        ),
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
    cleaner = Cleaner(rows=0)
    seen = [(cleaner.feed(piece), cleaner.unsettled) for piece in ("one\ntw", "o", "\r 50%", "\n", "")]
    assert seen == [("one\n", "tw"), ("", "two"), ("", " 50%"), (" 50%\n", ""), ("", "")]


@pytest.mark.parametrize("piece", ["x" * 65_536, "line\n" * 13_000, "\r 50%" * 500, "z", "a\nb\n\x1b[2A", "\x1b[H\n\n"])
def test_memory_does_not_grow_with_the_output(piece: str) -> None:
    cleaner = Cleaner()
    tracemalloc.start()
    try:
        for _ in range(12):
            cleaner.feed(piece)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(12):
            cleaner.feed(piece)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
