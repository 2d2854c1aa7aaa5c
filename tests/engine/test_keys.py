from __future__ import annotations

import pytest

from openhands_acp.engine.keys import keys_of, spelled


@pytest.mark.parametrize(
    ("text", "keys", "words"),
    [
        ("y", "y\r", "y and Enter"),
        ("", "\r", "ENTER"),
        ("ENTER", "\r", "ENTER"),
        ("y\n", "y\r", "y and Enter"),
        ("two words ", "two words \r", "two words  and Enter"),
        ("a\nb\n", "a\rb\r", "a⏎b and Enter"),
        ("C-c", "\x03", "C-c"),
        ("C-C", "\x03", "C-c"),
        (" ctrl-d ", "\x04", "C-d"),
        ("^Z", "\x1a", "C-z"),
        ("C-\\", "\x1c", "C-\\"),
        ("C-ab", "C-ab\r", "C-ab and Enter"),
        ("UP", "\x1b[A", "UP"),
        ("up", "up\r", "up and Enter"),
        ("PGDN", "\x1b[6~", "PGDN"),
        ("TAB", "\t", "TAB"),
        ("ESC", "\x1b", "ESC"),
        ("BS", "\x7f", "BS"),
        ("rm\u202e x\x1b[2K", "rm\u202e x\x1b[2K\r", "rm� xC-[[2K and Enter"),
    ],
)
def test_a_key_is_its_name_and_text_is_typed_with_enter(text: str, keys: str, words: str) -> None:
    assert keys_of(text) == keys
    assert spelled(keys) == words
