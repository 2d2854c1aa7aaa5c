from __future__ import annotations

import pytest

from openhands_acp.engine.titles import cleaned


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Mend   the\tparser. \nPlease", "Mend the parser"),
        ('"A greeting"', "A greeting"),
        ("## **Bold** plan", "Bold plan"),
        ("`python3 -m unittest -v` fails", "python3 -m unittest -v fails"),
        ("mend `parse` in a.py", "mend parse in a.py"),
        ("what is ` here", "what is here"),
        ("x" * 80, "x" * 59 + "…"),
        ("\n\n", ""),
    ],
)
def test_a_title_is_one_clean_line(text: str, title: str) -> None:
    assert cleaned(text) == title
