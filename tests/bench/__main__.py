"""`python -m tests.bench [startup] [turns] [steps] [streams] [store] [sessions] [tools] [rivals]`: measure, and print one table.

Exits with 0 unless something is broken: figures over their budget are for people to judge.
"""

from __future__ import annotations

import compileall
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

import openhands_acp
from tests.bench.figures import Figure
from tests.bench.rivals import rivals
from tests.bench.sessions import sessions
from tests.bench.snapshots import snapshots
from tests.bench.startup import startup
from tests.bench.steps import steps
from tests.bench.store import store
from tests.bench.streams import streams
from tests.bench.tools import tools
from tests.bench.turns import turns

_GROUPS: Mapping[str, Callable[[Path], list[Figure]]] = {
    "startup": startup,
    "turns": turns,
    "steps": steps,
    "streams": streams,
    "store": store,
    "sessions": sessions,
    "tools": tools,
    "snapshots": snapshots,
    "rivals": rivals,
}
_COLOURS = {"ok": "green", "over": "yellow", "broken": "bold red", "": ""}


def main(names: list[str]) -> int:
    if unknown := set(names) - set(_GROUPS):
        sys.stderr.write(f"no such part: {', '.join(unknown)}; there is {', '.join(_GROUPS)}\n")
        return 2
    _compile()
    console = Console()
    table = Table("what", "measured", "budget", "verdict", title="openhands-acp, beside what it is measured against")
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="openhands-acp-bench-") as home:
        for name in names or _GROUPS:
            with console.status(f"measuring: {name}"):
                figures += _GROUPS[name](Path(home))
    for figure in figures:
        table.add_row(figure.what, figure.measured, figure.budget, figure.verdict, style=_COLOURS[figure.verdict])
    console.print(table)
    return 1 if any(figure.verdict == "broken" for figure in figures) else 0


def _compile() -> None:
    """Compile everything that is imported: without bytecode an import takes three times as long."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for folder in (Path(openhands_acp.__file__).parent, Path(__file__).parents[1], sysconfig.get_path("purelib")):
        compileall.compile_dir(folder, quiet=2, workers=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
