from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.tools.bounds import Bounded

STREAMS = st.text(alphabet=st.sampled_from("ab\n€ "), max_size=400)
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=30)


def pieces(text: str, sizes: list[int]) -> list[str]:
    """Cut `text` into pieces of these sizes, and the rest."""
    cut: list[str] = []
    for size in sizes:
        cut.append(text[:size])
        text = text[size:]
    return [*cut, text]


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


@pytest.mark.parametrize("piece", ["x" * 65_536, "line\n" * 13_000, "z"])
def test_memory_does_not_grow_with_the_output(piece: str) -> None:
    kept = Bounded(1_000, 2_000)
    tracemalloc.start()
    try:
        for _ in range(12):
            kept.add(piece)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(12):
            kept.add(piece)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
