"""What our tools cost beside the bare programs that do such work, on the same files in the same run."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import anyio

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.search import Query
from openhands_acp.local.search import LocalSearch, find_ripgrep
from tests.bench.figures import REPEATS, Figure, at_most, told

_FILES, _FOLDERS = 50_000, 500
_LINES = 40
_TELLING = 500
"""One file in so many has what is looked for."""
_PATTERN = "needle_[0-9]+"

Timed = Callable[[], Awaitable[None]]


def tools(home: Path) -> list[Figure]:
    tree = home / "searched"
    _plant(tree)
    return anyio.run(_searching, tree)


def _plant(tree: Path) -> None:
    words = "    result = value.index(name) if token else self.error\n" * _LINES
    for number in range(_FILES):
        folder = tree / f"package_{number % _FOLDERS}"
        if number < _FOLDERS:
            folder.mkdir(parents=True)
        needle = f"needle_{number} = 1\n" if number % _TELLING == 0 else ""
        (folder / f"module_{number}.py").write_text(f"def f{number}():\n{words}{needle}")
    (tree / ".gitignore").write_text("node_modules/\n*.log\n__pycache__/\n*.py[co]\n/build/\ndocs/_build\n")


async def _searching(tree: Path) -> list[Figure]:
    program, plain = find_ripgrep(), _search(LocalSearch(lambda _path: None), tree)
    figures: list[Figure] = []
    what = f"grep in {_FILES:,} files"
    if program is not None:
        bare = _bare([program, "--no-config", "--line-number", _PATTERN, str(tree)])
        figures.append(await _beside(f"{what}, with ripgrep: ours / rg", _search(LocalSearch(), tree), bare, 1.5))
    else:
        figures.append(told(f"{what}, with ripgrep", "it is not installed here"))
    if grep := shutil.which("grep"):
        figures.append(
            await _beside(f"{what}, without: ours / grep -rnE", plain, _bare([grep, "-rnE", _PATTERN, str(tree)]), 5)
        )
    figures.append(
        await _beside(f"glob in {_FILES:,} files, without ripgrep: ours / find", _listing(tree), _find(tree), 5)
    )
    return figures


def _search(search: LocalSearch, tree: Path) -> Timed:
    async def run() -> None:
        found = await search.matches(Query(_PATTERN, AbsPath(str(tree))), {})
        assert (len(found.files), found.cut) == (_FILES // _TELLING, "")

    return run


def _listing(tree: Path) -> Timed:
    async def run() -> None:
        found = await LocalSearch(lambda _path: None).paths("*_1*.py", AbsPath(str(tree)), ignored=False)
        assert found.cut == ""

    return run


def _find(tree: Path) -> Timed:
    return _bare([shutil.which("find") or "find", str(tree), "-name", "*_1*.py"])


def _bare(line: list[str]) -> Timed:
    async def run() -> None:
        await anyio.run_process(line, stderr=subprocess.DEVNULL)

    return run


async def _beside(what: str, ours: Timed, theirs: Timed, most: float) -> Figure:
    """Take turns, so that the machine's noise falls on both alike."""
    mine: list[float] = []
    bare: list[float] = []
    for _ in range(REPEATS):
        mine.append(await _seconds(ours))
        bare.append(await _seconds(theirs))
    each = f"{median(mine) * 1e3:.0f} ms against {median(bare) * 1e3:.0f}"
    return at_most(what, median(mine) / median(bare), most, "x", each)


async def _seconds(run: Timed) -> float:
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began
