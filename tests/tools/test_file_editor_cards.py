"""How calls of the `file_editor` tool present themselves, while their arguments stream and after."""

from __future__ import annotations

import pytest

from openhands_acp.engine.cards import Card, Location, ShownDiff
from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.paths import AbsPath
from tests.harness.editing import TOOL

ROOT = AbsPath("/w")
A = AbsPath("/w/src/a.py")


@pytest.mark.parametrize(
    ("arguments", "card"),
    [
        ({"command": "view"}, Card("Read src/a.py", "read", (Location(A),))),
        (
            {"command": "view", "view_range": [10, 20]},
            Card("Read src/a.py (lines 10-20)", "read", (Location(A, 10),)),
        ),
        (
            {"command": "view", "view_range": [10, -1]},
            Card("Read src/a.py (from line 10)", "read", (Location(A, 10),)),
        ),
        (
            {"command": "create", "file_text": "x\n"},
            Card("Create src/a.py", "edit", (Location(A),), (ShownDiff(A, None, "x\n"),)),
        ),
        ({"command": "str_replace", "old_str": "x"}, Card("Edit src/a.py", "edit", (Location(A),))),
        (
            {"command": "insert", "insert_line": 3, "new_str": "x"},
            Card("Edit src/a.py", "edit", (Location(A, 4),)),
        ),
        ({"command": "undo_edit"}, Card("Undo edit of src/a.py", "edit", (Location(A),))),
    ],
)
@pytest.mark.parametrize("path", ["src/a.py", "/w/src/a.py", "/w/./src/../src/a.py"])
def test_a_card_identifies_the_action(path: str, arguments: dict[str, JsonValue], card: Card) -> None:
    assert TOOL.card(TOOL.parse({"path": path, **arguments}), ROOT) == card


def test_a_path_outside_the_root_is_shown_whole() -> None:
    card = TOOL.card(TOOL.parse({"command": "view", "path": "../etc/hosts"}), ROOT)
    assert card == Card("Read /etc/hosts", "read", (Location(AbsPath("/etc/hosts")),))


def test_only_a_view_is_read_only() -> None:
    assert TOOL.is_read_only(TOOL.parse({"command": "view", "path": "a"}))
    assert not TOOL.is_read_only(TOOL.parse({"command": "undo_edit", "path": "a"}))


@pytest.mark.parametrize(
    ("prefix", "card"),
    [
        ('{"command": "vi', None),
        ('{"command": "view", "path": "src/a', None),
        ('{"path": "src/a.py", "command": "view"', Card("Read src/a.py", "read", (Location(A),))),
        ('{"command": "create", "path": "src/a.py", ', None),
        (
            '{"command": "create", "path": "src/a.py", "file_text": "one\\ntw',
            Card("Create src/a.py", "edit", (Location(A),), (ShownDiff(A, None, "one\ntw"),)),
        ),
        (
            '{"command": "str_replace", "path": "src/a.py", "old_str": "ab',
            Card("Edit src/a.py", "edit", (Location(A),)),
        ),
        (
            '{"command": "str_replace", "path": "src/a.py", "old_str": "ab", "new_str": "x',
            Card("Edit src/a.py", "edit", (Location(A),), (ShownDiff(A, "ab", "x"),)),
        ),
        (
            '{"command": "str_replace", "path": "src/a.py", "edits": [{"old_str": "ab", "new_str": "x"}, {"old_str": "c',
            Card("Edit src/a.py", "edit", (Location(A),), (ShownDiff(A, "ab", "x"),)),
        ),
        (
            '{"command": "str_replace", "path": "src/a.py", "edits": [{"old_str": "ab", "new_str": "x"}, '
            '{"old_str": "cd", "new_str": "y',
            Card("Edit src/a.py", "edit", (Location(A),), (ShownDiff(A, "ab", "x"), ShownDiff(A, "cd", "y"))),
        ),
        (
            '{"command": "str_replace", "path": "src/a.py", "edits": [7, "x"',
            Card("Edit src/a.py", "edit", (Location(A),)),
        ),
        ('{"command": 7, "path": 8, "old_str": 9', None),
    ],
)
def test_a_card_grows_while_the_arguments_stream(prefix: str, card: Card | None) -> None:
    assert TOOL.sketch(prefix, ROOT) == card
