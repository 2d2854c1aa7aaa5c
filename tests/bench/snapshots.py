"""Keeping the state of a large project round each turn: the first time, and every time after."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import anyio

from openhands_acp.engine.paths import AbsPath
from openhands_acp.local.snapshots import LocalSnapshots
from tests.bench.figures import REPEATS, Figure, holds, milliseconds, spread_of, told

_FOLDERS, _FILES = 1_000, 100
"""In all 100,000 files, the size of a large monorepo."""
_BUDGET = 1_000
"""Milliseconds that a turn may take longer. The look before it goes on beside the model; the one after is waited for."""
_MODEL = 1.0
"""Seconds until the first call of a quick model arrives."""


def snapshots(home: Path) -> list[Figure]:
    with TemporaryDirectory(dir=home) as folder:
        root = Path(folder) / "project"
        for number in range(_FOLDERS):
            _fill(root / f"package{number // 50}/module{number}")
        return anyio.run(_measured, root, Path(folder) / "home")


def _fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(_FILES):
        (folder / f"file{number}.py").write_text(f"def function_{number}():\n    return {number}\n" * 20)


async def _waited_for(kept: LocalSnapshots) -> float:
    """Take the two looks of a turn as it takes them; return the seconds that it had to wait."""
    taking = kept.begin()
    await anyio.sleep(_MODEL)
    began = time.perf_counter()
    await taking.done()
    await kept.begin().done()
    return time.perf_counter() - began


def _walk(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                _walk(entry.path)


async def _measured(root: Path, home: Path) -> list[Figure]:
    kept = LocalSnapshots(home, "bench", (AbsPath(str(root)),))
    began = time.perf_counter()
    await kept.begin().done()
    first = time.perf_counter() - began
    # What was only just written is read once more, as the clock of a disk is coarse.
    before = (await kept.begin().done()).id
    looks: list[float] = []
    turns: list[float] = []
    waits: list[float] = []
    edits: list[float] = []
    walks: list[float] = []
    undone: list[float] = []
    for number in range(REPEATS):
        began = time.perf_counter()
        _walk(str(root))
        walks.append(time.perf_counter() - began)
        began = time.perf_counter()
        before = (await kept.begin().done()).id
        looks.append(time.perf_counter() - began)
        path = root / f"package{number}/module{number * 50}/file7.py"
        path.write_text(f"changed {number}\n")
        after = (await kept.begin().done()).id
        changes = await kept.changes(before, after)
        turns.append(time.perf_counter() - began)
        began = time.perf_counter()
        await kept.restore({change.path: change.before for change in changes})
        undone.append(time.perf_counter() - began)
        began = time.perf_counter()
        await kept.begin([AbsPath(str(path))]).done()
        edits.append(time.perf_counter() - began)
        waits.append(await _waited_for(kept))
    is_whole = (await kept.begin().done()).id == before
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    await kept.close()
    return [
        told("walking them with `os.scandir` and `stat`, for comparison", f"{min(walks) * 1e3:.0f} ms"),
        told(f"keeping {_FOLDERS * _FILES:,} files the first time", f"{first:.1f} s, {size / 1e6:.0f} MB"),
        milliseconds("looking at them again", looks, _BUDGET / 2),
        milliseconds("what a turn that ran commands waits for it", waits, _BUDGET),
        told("both looks, and what changed between", f"{median(turns) * 1e3:.0f} ms  ({spread_of(turns)})"),
        milliseconds("the look after a turn that only edited files", edits, _BUDGET / 10),
        milliseconds("putting back what it changed", undone, 50),
        holds("what was put back is what was", str(is_whole), "True", is_so=is_whole),
    ]
