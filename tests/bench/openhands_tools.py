"""OpenHands' own tools at the work of ours, timed: run by the interpreter that has them installed (`rivals`).

Prints one JSON object: what was done, and the seconds of each time. Imports nothing of ours.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def main(folder: Path, tree: Path, repeats: int) -> None:
    seconds: dict[str, list[float]] = {}
    for kind in ("subprocess", *(["tmux"] if shutil.which("tmux") else [])):
        seconds[f"echo ({kind})"] = _echo(folder, kind, repeats)
    seconds["edit"] = _edit(folder / "long.py", repeats)
    seconds["grep"] = _grep(tree, repeats)
    json.dump(seconds, sys.stdout)


def _echo(folder: Path, kind: str, repeats: int) -> list[float]:
    terminal = import_module("openhands.tools.terminal")
    executor = import_module("openhands.tools.terminal.impl").TerminalExecutor(str(folder), terminal_type=kind)
    try:
        return _timed(lambda index: executor(terminal.TerminalAction(command=f"echo {index}")), repeats)
    finally:
        executor.close()


def _edit(file: Path, repeats: int) -> list[float]:
    editor = import_module("openhands.tools.file_editor")
    executor = import_module("openhands.tools.file_editor.impl").FileEditorExecutor(str(file.parent))

    def edit(index: int) -> Any:
        return executor(
            editor.FileEditorAction(
                command="str_replace",
                path=str(file),
                old_str=f"value_{5_000 + index} = {5_000 + index}\n",
                new_str=f"value_{5_000 + index} = -1\n",
            )
        )

    return _timed(edit, repeats)


def _grep(tree: Path, repeats: int) -> list[float]:
    grep = import_module("openhands.tools.grep")
    executor = import_module("openhands.tools.grep.impl").GrepExecutor(str(tree))
    return _timed(lambda _index: executor(grep.GrepAction(pattern="needle_[0-9]+")), repeats)


def _timed(work: Callable[[int], Any], repeats: int) -> list[float]:
    seconds: list[float] = []
    for index in range(repeats + 1):
        begun = time.perf_counter()
        observation = work(index)
        seconds.append(time.perf_counter() - begun)
        assert not observation.is_error, observation
    # The first one warms up.
    return seconds[1:]


if __name__ == "__main__":
    # What they log is not what is measured, and their stdout is ours here.
    logging.disable(logging.CRITICAL)
    os.environ["OPENHANDS_SUPPRESS_BANNER"] = "1"
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
