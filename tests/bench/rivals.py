"""Our tools beside OpenHands' own (`make bench` installs them), at the same work on the same files in one run.

Both are called as their engines call them, without a model and without a question.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import Tool
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.tools.file_editor import file_editor
from openhands_acp.tools.grep import grep
from openhands_acp.tools.terminal import terminal
from tests.bench.figures import REPEATS, Figure, at_most, told
from tests.harness.hands import PlainHands

_THEIRS = Path(__file__).parents[2] / ".venv-openhands/bin/python"
_LINES = 10_000
_FILES, _FOLDERS = 50_000, 250
_TEXT = "def function(argument):\n    return argument + 1\n" * 20
_TELLING = 100
"""One file in so many has what is looked for."""


def rivals(home: Path) -> list[Figure]:
    if not _THEIRS.exists():
        return [told("OpenHands' tools beside ours", "not installed here: `make bench` says why")]
    home /= "rivals"
    home.mkdir()
    tree = home / "tree"
    _plant(tree)
    theirs = _theirs(home, tree)
    ours = anyio.run(_ours, home, tree)
    return [
        *_beside("echo, their pty", ours["echo"], theirs["echo (subprocess)"]),
        *_beside("echo, their tmux", ours["echo"], theirs.get("echo (tmux)", [])),
        *_beside(f"an edit of {_LINES:,} lines", ours["edit"], theirs["edit"]),
        *_beside(f"grep in {_FILES:,} files", ours["grep"], theirs["grep"]),
    ]


def _beside(what: str, ours: list[float], theirs: list[float]) -> list[Figure]:
    if not theirs:
        return [told(what, "theirs does not run here")]
    spread = f"ours {median(ours) * 1e3:.1f} ms, theirs {median(theirs) * 1e3:.1f} ms"
    return [at_most(f"{what}: ours / theirs", median(ours) / median(theirs), 1, "x", spread)]


def _plant(tree: Path) -> None:
    for folder in range(_FOLDERS):
        (tree / f"package_{folder}").mkdir(parents=True)
        for index in range(_FILES // _FOLDERS):
            needle = f"needle_{folder}\n" if index % _TELLING == 0 else ""
            (tree / f"package_{folder}/module_{index}.py").write_text(_TEXT + needle)


def _long_file(folder: Path) -> Path:
    folder.mkdir()
    file = folder / "long.py"
    file.write_text("".join(f"value_{index} = {index}\n" for index in range(_LINES)))
    return file


def _theirs(home: Path, tree: Path) -> dict[str, list[float]]:
    script = Path(__file__).with_name("openhands_tools.py")
    folder = _long_file(home / "theirs").parent
    done = subprocess.run(
        [_THEIRS, script, folder, tree, str(REPEATS)], stdout=subprocess.PIPE, check=True, timeout=600, cwd=folder
    )
    return json.loads(done.stdout)


@dataclass(slots=True)
class _Bench:
    hands: PlainHands

    async def timed(self, tool: Tool, arguments: Callable[[int], JsonObject]) -> list[float]:
        seconds: list[float] = []
        for index in range(REPEATS + 1):
            given = arguments(index)
            begun = time.perf_counter()
            run: Awaitable[Any] = tool.run(tool.parse(given), self.hands)
            result = await run
            seconds.append(time.perf_counter() - begun)
            assert not result.is_error, result.text
        # The first one warms up, as with theirs.
        return seconds[1:]


async def _ours(home: Path, tree: Path) -> dict[str, list[float]]:
    file = _long_file(home / "ours")
    terminals = LocalTerminals()
    bench = _Bench(PlainHands(AbsPath(str(file.parent)), terminals=terminals))
    edit = file_editor()
    try:
        return {
            "echo": await bench.timed(terminal(), lambda index: {"command": f"echo {index}"}),
            "edit": await bench.timed(
                edit,
                lambda index: {
                    "command": "str_replace",
                    "path": str(file),
                    "old_str": f"value_{5_000 + index} = {5_000 + index}\n",
                    "new_str": f"value_{5_000 + index} = -1\n",
                },
            ),
            "grep": await bench.timed(grep(), lambda _index: {"pattern": "needle_[0-9]+", "path": str(tree)}),
        }
    finally:
        await terminals.end()
