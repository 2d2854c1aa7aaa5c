"""Fields in front of a text, as people write them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.extensions.frontmatter import Malformed, parsed

PATH = Path("/p/SKILL.md")


@pytest.mark.parametrize(
    ("text", "fields", "body"),
    [
        ("---\nname: pdf\ntriggers: [a, b]\n---\nDo it.\n", {"name": "pdf", "triggers": ["a", "b"]}, "Do it."),
        ("Only text.\n", {}, "Only text."),
        ("---\n---\nEmpty.\n", {}, "Empty."),
        ("---\nname: x\n---", {"name": "x"}, ""),
        ("---\nname: x\n---  \nText\n---\nmore", {"name": "x"}, "Text\n---\nmore"),
        ("---\n\nA rule above, and below it.\n\n---\nMore", {}, "---\n\nA rule above, and below it.\n\n---\nMore"),
        ("---\ndescription: Use when: it's about PDFs\n---\nx", {"description": "Use when: it's about PDFs"}, "x"),
        ("---\non: true\n1: two\n---\nx", {"on": True, "1": "two"}, "x"),
        (
            "---\ninputs:\n  - name: FILE\n    description: which\n---\nx",
            {"inputs": [{"name": "FILE", "description": "which"}]},
            "x",
        ),
    ],
)
def test_what_is_read(text: str, fields: dict[str, Any], body: str) -> None:
    document = parsed(PATH, text)
    assert (document.fields, document.body) == (fields, body)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("---\nname: x\ntools: [a\n---\nx", 4, "expected ',' or ']', but got '<stream end>'"),
        ("---\nname: x\nname: y\n---\nx", 3, "`name` is given twice"),
        ("---\n- a\n---\nx", 2, "must be fields with names"),
        ("---\nname: x\n\nText without an end of the fields", 1, "the `---` that ends the fields is missing"),
        ("---\nname: !!python/object:os.system x\n---\nx", 2, "could not determine a constructor"),
        ("---\nwhen: 2026-13-99\n---\nx", 1, "month must be in 1..12"),
        (f"---\nname: x\na: [{{b: 0x{'F' * 400}}}]\n---\nx", 3, "a number has too many digits"),
        ("---\n? [a, b]\n: x\n---\nx", 2, "the name of a field must be a text"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(Malformed, match=f"^{re.escape(reason)}") as raised:
        parsed(PATH, text)
    assert raised.value.line == line


@given(st.text(max_size=200), st.text(max_size=50))
def test_nothing_that_stands_there_is_worse_than_malformed(front: str, body: str) -> None:
    with suppress(Malformed):
        document = parsed(PATH, f"---\n{front}\n---\n{body}")
        assert document.fields.keys() == document.lines.keys()
