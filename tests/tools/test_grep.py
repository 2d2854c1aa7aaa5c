"""What the model reads of a search in files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.cards import Card, Location
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import TextFile
from openhands_acp.engine.tool import ToolError
from openhands_acp.local.files import LocalFiles
from openhands_acp.tools.editor_state import Seen
from openhands_acp.tools.grep import CHARACTERS, grep
from tests.harness.hands import PlainHands, called
from tests.harness.search_conformance import plant

pytestmark = pytest.mark.anyio

TOOL = grep()


@pytest.fixture
def anyio_backend() -> str:
    """One loop, for time: the tool itself waits for nothing but its hands."""
    return "asyncio"


call = partial(called, TOOL)


async def told(hands: PlainHands, **arguments: Any) -> list[str]:
    return (await call(hands, **arguments)).text.splitlines()


async def refused(hands: PlainHands, **arguments: Any) -> str:
    with pytest.raises(ToolError) as caught:
        await call(hands, **arguments)
    return str(caught.value).replace(hands.root, "ROOT")


async def test_lines_are_told_file_by_file_and_become_locations(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, {"src/a.py": "x = 1\ndef foo():\n    foo()\n", "b.py": "import foo\n", "c.md": "foo\n"})
    result = await call(hands, pattern="foo", include="*.py")
    assert result.text.splitlines() == [
        "3 lines match in 2 files:",
        "b.py",
        "  1: import foo",
        "src/a.py",
        "  2: def foo():",
        "  3:     foo()",
    ]
    at = [(os.path.relpath(each.path, tmp_path), each.line) for each in result.locations]
    assert (at, result.raw_output) == (
        [("b.py", 1), ("src/a.py", 2), ("src/a.py", 3)],
        {"files": 2, "lines": 3, "shown": 3},
    )


async def test_context_and_gaps(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, {"a.txt": "1\nx 2\n3\n4\n5\nx 6\n"})
    assert await told(hands, pattern="x", context=1) == [
        "2 lines match in 1 file:",
        "a.txt",
        "  1- 1",
        "  2: x 2",
        "  3- 3",
        "  --",
        "  5- 5",
        "  6: x 6",
    ]


async def test_files_and_counts_come_with_the_last_changed_first(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, {"old.py": "x\nx\n", "new.py": "x\n"})
    os.utime(tmp_path / "old.py", (1000, 1000))
    assert await told(hands, pattern="x", output="files") == [
        "2 files match, the last changed first:",
        "new.py",
        "old.py",
    ]
    assert await told(hands, pattern="x", output="count") == [
        "3 lines match in 2 files, the last changed first:",
        "1  new.py",
        "2  old.py",
    ]
    assert (await told(hands, pattern="x", output="files", max=1))[1:] == [
        "new.py",
        "[… 1 file is left out: narrow `path`, `include` or `pattern`]",
    ]


async def test_a_result_is_bounded_and_says_what_is_left_out(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, {"a.txt": "x\n" * 200, "b.txt": "x\n" * 200, "c.txt": "x\n"})
    rows = await told(hands, pattern="x")
    assert (rows[0], len(rows), rows[-1]) == (
        "401 lines match in 3 files:",
        1 + 2 + 250 + 1,
        "[… 151 lines are left out, all of 1 file among them: "
        "narrow `path`, `include` or `pattern`, or ask for `output` files]",
    )
    assert len(await told(hands, pattern="x", max=3)) == 1 + 1 + 3 + 1
    plant(tmp_path / "wide", {f"{number}.txt": f"{'y' * 390}\n" for number in range(90)})
    wide = await call(hands, pattern="y")
    assert CHARACTERS * 0.9 < len(wide.text) < CHARACTERS + 500
    assert len(wide.locations) == 20


async def test_a_hundred_files_are_enough(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, {f"{number:03}.txt": "x\n" for number in range(105)})
    rows = await told(hands, pattern="x")
    assert (len(rows), rows[-1].split(":")[0]) == (
        1 + 200 + 1,
        "[… 5 lines are left out, all of 5 files among them",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"pattern": "none"},
            "No line matches 'none'; upper and lower case counted (`ignore_case`), "
            "files named by .gitignore were left out (`ignored`).",
        ),
        (
            {"pattern": "none", "path": "src", "include": "*.py", "ignore_case": True, "ignored": True},
            "No line matches 'none' in src; only files that fit '*.py' were searched.",
        ),
        (
            {"pattern": "none", "ignore_case": True, "ignored": True},
            "No line matches 'none'; everything was searched.",
        ),
        (
            {"pattern": "src/a.py"},
            "No line matches 'src/a.py', which is a path: look into it with `path`, or find files with glob.",
        ),
        (
            {"pattern": r"one\|two"},
            "No line matches 'one\\\\|two'. A backslash before | takes it literally; write | for alternatives.",
        ),
    ],
)
async def test_nothing_found_says_what_may_be_in_the_way(
    arguments: dict[str, Any], said: str, hands: PlainHands, tmp_path: Path
) -> None:
    plant(tmp_path, {"src/a.py": "foo\n"})
    assert await told(hands, **arguments) == [said]


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "src"},
        {"path": "./src/"},
        {"path": "src/a.py"},
        {"path": "{root}/src"},
        {"path": "src/*.py"},
        {"path": "{root}/src/*.py"},
        {"path": "other/../src"},
        {"include": "src/*.py"},
        {"include": "./src/*.py"},
        {"include": "{root}/src/*.py"},
        {"include": "a.py"},
        {"include": "a.py, *.ts"},
        {"include": "a.{py,ts}"},
        {"include": "!*.md", "path": "."},
    ],
)
async def test_a_place_may_be_written_in_many_ways(
    arguments: dict[str, str], hands: PlainHands, tmp_path: Path
) -> None:
    plant(tmp_path, {"src/a.py": "foo\n", "b.md": "foo\n", "other/c.md": "foo\n"})
    written = {name: value.replace("{root}", str(tmp_path)) for name, value in arguments.items()}
    assert (await told(hands, pattern="foo", **written))[1:] == ["src/a.py", "  1: foo"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "`pattern` is missing"),
        ({"pattern": ""}, "`pattern` is empty; write the regular expression to look for"),
        ({"pattern": ["a"]}, "`pattern` must be a string, got ['a']"),
        ({"pattern": "a\0b"}, "`pattern` contains a NUL character; nothing that is searched can"),
        ({"pattern": "a", "path": "a\0"}, "`path` contains a NUL character; nothing that is searched can"),
        ({"pattern": "a\ud800"}, "`pattern` has half a character in it: 'a\\ud800'; write it anew"),
        ({"pattern": "a", "include": "\ud800"}, "`include` has half a character in it: '\\ud800'; write it anew"),
        ({"pattern": "a", "path": ["a"]}, "`path` must be a string, got ['a']"),
        ({"pattern": "a", "output": "all"}, "`output` must be one of 'lines', 'files' or 'count', got 'all'"),
        ({"pattern": "a", "context": "many"}, "`context` must be a whole number, got 'many'"),
        ({"pattern": "a", "context": 99}, "`context` should be less than or equal to 20, got 99"),
        ({"pattern": "a", "max": 0}, "`max` should be greater than or equal to 1, got 0"),
        ({"text": "a"}, "`pattern` is missing; unknown: 'text'"),
        (
            {"pattern": "foo("},
            "the pattern 'foo(' cannot be searched for: REASON. To find it as it stands, escape it: foo\\(",
        ),
        (
            {"pattern": "a\nb"},
            "the pattern 'a\\nb' cannot be searched for: it contains a line break, but lines are searched one at a "
            "time; look for one of the lines. To find it as it stands, escape it: a\nb",
        ),
        (
            {"pattern": "a", "path": "scr"},
            "The path ROOT/scr does not exist. Please provide a valid path. Maybe you meant src?",
        ),
        ({"pattern": "a", "path": "no/*.py"}, "The path ROOT/no does not exist. Please provide a valid path."),
        ({"pattern": "a", "path": "src/a.py/b"}, "ROOT/src/a.py/b is not a folder; give the folder to look in"),
    ],
)
async def test_bad_arguments_are_answered_with_what_to_do(
    arguments: dict[str, Any], said: str, hands: PlainHands, tmp_path: Path
) -> None:
    plant(tmp_path, {"src/a.py": "foo\n"})
    head, mark, tail = said.partition("REASON")
    answer = await refused(hands, **arguments)
    # The engine's own reason, whichever engine it is.
    assert answer == said or (mark and answer.startswith(head) and answer.endswith(tail) and len(answer) < 200)


class Unsaved(LocalFiles):
    """An editor that holds a.py unsaved."""

    async def read(self, path: AbsPath) -> TextFile:
        return TextFile("new\n") if path.endswith("a.py") else await super().read(path)


async def test_text_that_is_not_saved_is_searched(tmp_path: Path) -> None:
    plant(tmp_path, {"a.py": "old\n", "b.py": "old\n"})
    path = AbsPath(str(tmp_path / "a.py"))

    hands = PlainHands(AbsPath(str(tmp_path)), Unsaved())
    assert (await told(hands, pattern="old|new"))[1:] == ["a.py", "  1: old", "b.py", "  1: old"]
    hands.recall(Seen).note(path, TextFile("old\n"))
    assert (await told(hands, pattern="old|new"))[1:] == ["a.py", "  1: new", "b.py", "  1: old"]
    assert (await told(hands, pattern="old|new", path="b.py"))[1:] == ["b.py", "  1: old"]


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        ({"pattern": "foo"}, 'grep "foo"'),
        ({"pattern": "foo", "path": "/w/src", "include": "*.py"}, 'grep "foo" in src (*.py)'),
        ({"pattern": "a\nb\u202e", "path": "/etc"}, 'grep "a�b�" in /etc'),
        ({"pattern": "x" * 300}, f'grep "{"x" * 120}…"'),
    ],
)
def test_the_title_says_what_is_looked_for(arguments: dict[str, Any], title: str) -> None:
    assert TOOL.card(TOOL.parse(arguments), AbsPath("/w")) == Card(title, "search")


def test_it_only_reads_and_is_short() -> None:
    assert TOOL.is_read_only(TOOL.parse({"pattern": "x"}))
    assert len(TOOL.spec.description.encode()) <= 700
    assert TOOL.sketch('{"pattern": "fo', AbsPath("/w")) is None
    assert TOOL.sketch('{"pattern": "foo", "path": "', AbsPath("/w")) == Card('grep "foo"', "search")
    assert Location(AbsPath("/w")) == Location(AbsPath("/w"), None)
