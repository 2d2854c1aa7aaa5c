from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.messages import Image, Part, Text
from openhands_acp.engine.titles import LONGEST, cleaned, title_of, words_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Mend   the\tparser. \nPlease", "Mend the parser"),
        ('"A greeting"', "A greeting"),
        ("«Приветствие».", "Приветствие"),
        ('"foo" and "bar"', '"foo" and "bar"'),
        ("## **Bold** plan", "Bold plan"),
        ("> - quoted", "quoted"),
        ("`python3 -m unittest -v` fails", "python3 -m unittest -v fails"),
        ("mend `parse` in a.py", "mend parse in a.py"),
        ("what is ` here", "what is here"),
        ("see [the page](https://example.org/a_b) and ![](x.png)", "see the page and"),
        # What only looks like Markdown is what it says.
        (".env is missing", ".env is missing"),
        ("explain C# to me in C#", "explain C# to me in C#"),
        ("rm *", "rm *"),
        ("__init__ and f(*args)", "__init__ and f(*args)"),
        ("???", "???"),
        # The first line that says anything.
        ("\n\n***\n---\nmend it", "mend it"),
        ("```python\nraise E\n```", "raise E"),
        ("one\rtwo", "one"),
        ("one\u2028two\x0b", "one"),
        ("\n\n", ""),
        ("\u200b\ufeff \u2066\u2069", ""),
        # What is not seen, or turns what is seen around.
        ("\x1b[31mred\x1b[0m\x07 \x00nul", "red nul"),
        ("\u202egnp.exe\u202c is \u2067it", "gnp.exe is it"),
        ("ze\u200bro \ud800 width\u00ad", "zero width"),
        ("\u200d 0 \u200c", "0"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        # Long.
        ("x" * 10_000, "x" * 59 + "…"),
        ("a b " * 5_000, "a b " * 14 + "a b…"),
        ("请修复解析器" * 20, ("请修复解析器" * 20)[:59] + "…"),
        ("x" * 58 + "e\u0301" * 3, "x" * 58 + "…"),
        ("x" * 57 + "👩\u200d👩\u200d👧 yes", "x" * 57 + "…"),
        ("x" * 58 + "👍🏽👍🏽", "x" * 58 + "…"),
        ("x" * 58 + "🇩🇪🇫🇷", "x" * 58 + "…"),
        ("x" * 57 + "🇩🇪🇫🇷", "x" * 57 + "🇩🇪…"),
        ("x" + "\u0301" * 100, "x" + "\u0301" * 29 + "…"),
    ],
)
def test_a_title_is_one_clean_line(text: str, title: str) -> None:
    assert cleaned(text) == title


@given(st.text(max_size=200) | st.text("ab \n\u200d\u0301🇩🇪👍🏽`*#\"'.\x1b[", max_size=200))
@settings(max_examples=200, deadline=None)
def test_whatever_was_written_it_fits_on_one_line(text: str) -> None:
    title = cleaned(text)
    assert len(title) <= LONGEST
    assert title == " ".join(title.split())
    assert [
        char for char in title if unicodedata.category(char) in ("Cc", "Cs") or char in "\u202a\u202e\u2066\ufeff"
    ] == []
    assert title.encode().decode() == title


FILE = Text('<file path="/p/src/a.py" lines="1-2">\nx = 1\n</file>')
RESOURCE = Text('<resource uri="file:///p/b%20c.py">\ny = 2\n</resource>')
IMAGE = Image("image/png", "aGk=")


@pytest.mark.parametrize(
    ("parts", "title", "words"),
    [
        ((Text("look at "), FILE, Text(" please")), "look at a.py please", "look at  a.py  please"),
        ((FILE, Text("mend it")), "mend it", "mend it"),
        ((Text("mend it\nsoon"), RESOURCE), "mend it", "mend it\nsoon"),
        ((Text("one"), Text("two")), "one", "one\ntwo"),
        ((IMAGE, Text("what is this?")), "what is this?", "what is this?"),
        ((FILE, RESOURCE), "a.py, b c.py", ""),
        ((Text('<folder path="/p/src">\na.py\n</folder>'),), "src", ""),
        ((IMAGE,), "Image", ""),
        ((Text("\n"), IMAGE), "Image", ""),
        ((Text(" \n"),), None, ""),
        ((), None, ""),
    ],
)
def test_what_is_attached_stands_for_itself_only_where_nothing_is_said(
    parts: tuple[Part, ...], title: str | None, words: str
) -> None:
    assert (title_of(parts), words_of(parts)) == (title, words)
