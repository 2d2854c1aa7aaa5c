"""What the model reads of a search for files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.cards import Card
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import ToolError
from openhands_acp.tools.glob import glob
from tests.harness.hands import PlainHands, called
from tests.harness.search_conformance import plant

pytestmark = pytest.mark.anyio

TOOL = glob()


@pytest.fixture
def anyio_backend() -> str:
    """One loop, for time: the tool itself waits for nothing but its hands."""
    return "asyncio"


call = partial(called, TOOL)


async def test_files_come_with_the_last_changed_first(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, dict.fromkeys(["a.py", "src/b.py", "src/c.ts"], ""))
    os.utime(tmp_path / "a.py", (1000, 1000))
    result = await call(hands, pattern="*.py")
    assert result.text == "2 files, the last changed first:\nsrc/b.py\na.py"
    assert [os.path.relpath(each.path, tmp_path) for each in result.locations] == ["src/b.py", "a.py"]
    assert result.raw_output == {"files": 2}


async def test_a_hundred_are_told_and_the_rest_counted(hands: PlainHands, tmp_path: Path) -> None:
    plant(tmp_path, {f"{number}.txt": "" for number in range(130)})
    rows = (await call(hands, pattern="*.txt")).text.splitlines()
    assert (rows[0], len(rows), rows[-1]) == (
        "130 files, the last changed first:",
        102,
        "[… 30 files are left out: narrow the pattern or `path`]",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"pattern": "src/*.py"},
        {"pattern": "./src/*.py"},
        {"pattern": "{root}/src/*.py"},
        {"pattern": "{root}/src/a.py"},
        {"pattern": "src/a.py"},
        {"pattern": "a.py"},
        {"pattern": "src"},
        {"pattern": "src/"},
        {"pattern": "{root}/src"},
        {"pattern": "**/src/**"},
        {"pattern": "*.py", "path": "src"},
        {"pattern": "../src/*", "path": "other"},
        {"pattern": "*.py", "path": "sr*"},
        {"pattern": "**", "path": "{root}/src"},
    ],
)
async def test_a_pattern_may_be_written_in_many_ways(
    arguments: dict[str, str], hands: PlainHands, tmp_path: Path
) -> None:
    plant(tmp_path, {"src/a.py": "", "b.md": "", "other/c.md": ""})
    written = {name: value.replace("{root}", str(tmp_path)) for name, value in arguments.items()}
    assert (await call(hands, **written)).text == "1 file, the last changed first:\nsrc/a.py"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"pattern": "*.rs"},
            "No file fits '*.rs'; files named by .gitignore were left out (`ignored`).",
        ),
        (
            {"pattern": "deep/*.py", "path": "src", "ignored": True},
            "No file fits 'deep/*.py' in src. Try `**/deep/*.py`.",
        ),
    ],
)
async def test_nothing_found_says_what_may_be_in_the_way(
    arguments: dict[str, Any], said: str, hands: PlainHands, tmp_path: Path
) -> None:
    plant(tmp_path, {"src/a.py": ""})
    assert (await call(hands, **arguments)).text == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "`pattern` is missing"),
        ({"pattern": " "}, "`pattern` is no path: it is empty or contains a NUL character"),
        ({"pattern": "a\0"}, "`pattern` is no path: it is empty or contains a NUL character"),
        ({"pattern": "a", "path": "\ud800"}, "`path` has half a character in it: '\\ud800'; write it anew"),
        ({"pattern": ["*.py"]}, "`pattern` must be a string, got ['*.py']"),
        ({"pattern": "*", "ignored": "often"}, "`ignored` must be true or false, got 'often'"),
        ({"glob": "*"}, "`pattern` is missing; unknown: 'glob'"),
        (
            {"pattern": "*", "path": "scr"},
            "The path ROOT/scr does not exist. Please provide a valid path. Maybe you meant src?",
        ),
        ({"pattern": "*", "path": "src/a.py"}, "ROOT/src/a.py is not a folder; give the folder to look in"),
    ],
)
async def test_bad_arguments_are_answered_with_what_to_do(
    arguments: dict[str, Any], said: str, hands: PlainHands, tmp_path: Path
) -> None:
    plant(tmp_path, {"src/a.py": ""})
    with pytest.raises(ToolError) as caught:
        await call(hands, **arguments)
    assert str(caught.value).replace(str(tmp_path), "ROOT") == said


def test_it_only_reads_and_is_short() -> None:
    assert TOOL.is_read_only(TOOL.parse({"pattern": "x"}))
    assert len(TOOL.spec.description.encode()) <= 700
    assert TOOL.card(TOOL.parse({"pattern": "*.py", "path": "src"}), AbsPath("/w")) == Card(
        'glob "*.py" in src', "search"
    )
