"""Wrong arguments of `file_editor`: each is answered with one sentence that says what to do instead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.tool import ToolError
from openhands_acp.tools.file_editor import FileEditorArgs
from tests.harness.check import agent
from tests.harness.editing import TOOL, Place
from tests.harness.model import call, say

pytestmark = pytest.mark.anyio

EVERY = "command, path, file_text, old_str, new_str, edits, insert_line, view_range"
ONE = {"old_str": "a", "new_str": "b"}
COMMANDS = "'view', 'create', 'str_replace', 'insert' or 'undo_edit'"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        # Missing.
        ({"command": None, "path": None}, "`command` is missing; `path` is missing"),
        ({"command": "view", "path": None}, "`path` is missing"),
        ({"command": "create"}, "Parameter `file_text` is required for command: create"),
        ({"command": "str_replace"}, "Parameter `old_str` is required for command: str_replace"),
        ({"command": "str_replace", "edits": []}, "Parameter `old_str` is required for command: str_replace"),
        ({"command": "str_replace", "edits": [{"new_str": "x"}]}, "`edits[0].old_str` is missing"),
        ({"command": "insert", "new_str": "x"}, "Parameter `insert_line` is required for command: insert"),
        ({"command": "insert", "insert_line": 1}, "Parameter `new_str` is required for command: insert"),
        # Of a wrong type.
        ({"command": 7}, f"`command` must be one of {COMMANDS}, got 7"),
        ({"command": "delete"}, f"`command` must be one of {COMMANDS}, got 'delete'"),
        ({"command": "view", "path": 7}, "`path` must be a string, got 7"),
        ({"command": "view", "path": ["a", "b"]}, "`path` must be a string, got ['a', 'b']"),
        ({"command": "view", "view_range": "all"}, "`view_range` must be a list, got 'all'"),
        ({"command": "view", "view_range": ["a", 2]}, "`view_range[0]` must be a whole number, got 'a'"),
        ({"command": "view", "view_range": [3]}, "Invalid `view_range` parameter: it should be a list of two integers"),
        ({"command": "create", "file_text": {"a": 1}}, "`file_text` must be a string, got {'a': 1}"),
        ({"command": "insert", "insert_line": 1.5, "new_str": "x"}, "`insert_line` must be a whole number, got 1.5"),
        ({"command": "str_replace", "edits": "x"}, "`edits` must be a list, got 'x'"),
        ({"command": "str_replace", "edits": ["x"]}, "`edits[0]` must be an object, got 'x'"),
        # Of a wrong value.
        ({"command": "view", "path": " "}, "`path` is empty; name the file or directory"),
        ({"command": "view", "path": "a\0b"}, "`path` must be one line without NUL characters, got 'a\\x00b'"),
        ({"command": "view", "path": "a\nb"}, "`path` must be one line without NUL characters, got 'a\\nb'"),
        ({"command": "view", "path": "\ud800"}, "`path` has half a character in it: '\\ud800'; write the name anew"),
        (
            {"command": "str_replace", "old_str": "", "new_str": "x"},
            "`old_str` must not be empty; to add text use `insert`, for a new file `create`",
        ),
        (
            {"command": "str_replace", "old_str": "x", "new_str": "x"},
            "No replacement was performed. `new_str` and `old_str` must be different",
        ),
        (
            {"command": "str_replace", "edits": [ONE, {"old_str": "", "new_str": "c"}]},
            "edit 2: `old_str` must not be empty; to add text use `insert`, for a new file `create`",
        ),
        # More than there is.
        ({"command": "view", "lines": 5}, f"there is no argument `lines`; there are {EVERY}"),
        ({"command": "view", "regex": True, "n": 1}, f"there is no argument `regex` and no `n`; there are {EVERY}"),
        (
            {"command": "str_replace", "edits": [{**ONE, "regex": True}]},
            "there is no argument `regex`; an edit has old_str, new_str, replace_all",
        ),
        (
            {"command": "str_replace", "old_str": "x", "edits": [ONE]},
            "give either `edits`, or `old_str` and `new_str`, not both",
        ),
        # Left out, `new_str` deletes: that must not happen for want of the right name.
        (
            {"command": "str_replace", "old_str": "x", "file_text": "y"},
            "Parameter `file_text` does not go with command: str_replace. "
            "Text is replaced by `str_replace` with `old_str` and `new_str`",
        ),
        (
            {"command": "insert", "insert_line": 1, "old_str": "x", "new_str": "y"},
            "Parameter `old_str` does not go with command: insert. "
            "Text is replaced by `str_replace` with `old_str` and `new_str`",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(arguments: dict[str, JsonValue], error: str) -> None:
    with pytest.raises(ToolError) as caught:
        TOOL.parse({"path": "a.txt", **arguments})
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        # As other editors' tools call them.
        (
            {"command": "str_replace", "old_string": "x", "new_string": "y"},
            {"command": "str_replace", "old_str": "x", "new_str": "y"},
        ),
        ({"command": "create", "content": "x"}, {"command": "create", "file_text": "x"}),
        ({"command": "insert", "insert_line": 0, "text": "x"}, {"command": "insert", "insert_line": 0, "new_str": "x"}),
        (
            {"command": "str_replace", "old_str": "x", "new_str": "y", "replace_all": True},
            {"command": "str_replace", "edits": [{"old_str": "x", "new_str": "y", "replace_all": True}]},
        ),
        (
            {"command": "str_replace", "edits": [{"old_string": "x", "new_string": "y"}]},
            {"command": "str_replace", "edits": [{"old_str": "x", "new_str": "y"}]},
        ),
        # One where a list is wanted, a remark, a link, what is empty.
        ({"command": "str_replace", "edits": ONE}, {"command": "str_replace", "edits": [ONE]}),
        ({"command": "view", "summary": "look", "security_risk": "LOW"}, {"command": "view"}),
        ({"command": "view", "path": "file:///w/a%20b.txt"}, {"command": "view", "path": "/w/a b.txt"}),
        ({"command": "view", "path": "a.txt\n"}, {"command": "view"}),
        (
            {"command": "undo_edit", "old_str": "", "view_range": []},
            {"command": "undo_edit", "old_str": "", "view_range": []},
        ),
    ],
)
def test_what_is_meant_is_understood(arguments: dict[str, JsonValue], meant: dict[str, Any]) -> None:
    assert TOOL.parse({"path": "a.txt", **arguments}) == FileEditorArgs.model_validate({"path": "a.txt", **meant})


async def test_an_empty_range_is_none(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = place.put("a.txt", b"one\n")
    assert (await place.call("view", path, view_range=[])).text.endswith("     1\tone")


@pytest.mark.parametrize(
    ("command", "name", "arguments", "error"),
    [
        ("str_replace", "{root}", {"old_str": "x"}, "The path {root} is a directory and only the `view` command can be used on directories"),
        ("insert", "{root}", {"insert_line": 0, "new_str": "x"}, "The path {root} is a directory and only the `view` command can be used on directories"),
        ("view", "no.txt", {}, "The path {root}/no.txt does not exist. Please provide a valid path."),
        ("str_replace", "a.bin", {"old_str": "x"}, "{root}/a.bin: File appears to be binary: it cannot be read or edited as text. Use the terminal (file, xxd, or a program that knows the format)"),
        ("insert", "a.bin", {"insert_line": 0, "new_str": "x"}, "{root}/a.bin: File appears to be binary: it cannot be read or edited as text. Use the terminal (file, xxd, or a program that knows the format)"),
        ("view", "a.log", {"view_range": [1, 2]}, "{root}/a.log: File is too large (40.0 MB). Maximum allowed size is 10MB. Look at parts of it with the terminal (grep -n, sed -n '100,200p'), and change it there."),
        ("view", "pipe", {}, "{root}/pipe: not a regular file: a device, pipe or socket cannot be read or edited as text"),
        ("view", "x" * 300, {}, "{root}/" + "x" * 300 + ": File name too long"),
        ("view", "loop", {}, "{root}/loop: Too many levels of symbolic links"),
        ("undo_edit", "a.txt", {}, "No edit history found for {root}/a.txt"),
        ("create", "a.txt", {"file_text": "x"}, "File already exists at: {root}/a.txt. Cannot overwrite files using command `create`; view it, then use `str_replace` or `insert`"),
        ("create", "new.txt", {"file_text": "\ud800"}, "{root}/new.txt: the file's encoding is utf-8, which cannot hold '\\ud800' (U+D800)"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_answered_with_a_sentence(
    tmp_path: Path, command: str, name: str, arguments: dict[str, JsonValue], error: str
) -> None:
    place = Place(tmp_path)
    place.put("a.txt", b"one\n")
    place.put("a.bin", b"\x7fELF\0\1\2")
    with (place / "a.log").open("wb") as stream:
        stream.truncate(40 * 1024 * 1024)
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "pipe")
    root = str(tmp_path)
    assert await place.fails(command, name.format(root=root), **arguments) == error.format(root=root)


async def test_what_is_outside_is_asked_for_and_a_relative_way_out_is_no_way_round(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "a.txt").write_text("one\n")
    asked: list[str] = []

    def no(params: dict[str, Any]) -> Any:
        asked.append(params["toolCall"]["title"])
        return {"outcome": {"outcome": "selected", "optionId": "reject_once"}}

    edit = call("file_editor", command="str_replace", path="../a.txt", old_str="one", new_str="two")
    async with agent(tmp_path / "project", [edit], [say("Done.")], permission=no, mode="accept-edits") as running:
        await running.prompt("go")
    assert (asked, (tmp_path / "a.txt").read_text()) == ([f"Edit {tmp_path / 'a.txt'}"], "one\n")
