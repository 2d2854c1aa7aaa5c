"""A person's own slash commands as they are written: a Markdown file each, called as its file is.

Knows the fields and how a file's place names a command; knows neither the places nor what comes of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from openhands_acp.engine.commands.table import ALWAYS_THERE
from openhands_acp.engine.guidance.inline_commands import commands_in as lines_in
from openhands_acp.engine.guidance.inventory import Origin, OwnCommand, Withheld, digest, quoted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.shelf import Shelf
from openhands_acp.extensions.skills import bounded

_DEPTH = 3
_NAME = re.compile(r"[\w.-]+(:[\w.-]+)*")


def commands_in(folder: Path, origin: Origin, shelf: Shelf, prefix: str = "") -> list[OwnCommand]:
    """Read all commands of a folder, or the one that is a file; what is in a subfolder is called `folder:name`."""
    files = [(folder, f"{prefix}{folder.stem}")] if folder.suffix == ".md" else _files(folder, shelf, prefix, _DEPTH)
    return [own for file, name in files if (own := _command(file, name, origin, shelf)) is not None]


def withheld_command(root: AbsPath, own: OwnCommand) -> Withheld:
    """Say what a project's command is, for whoever decides whether it counts."""
    where = str(own.path).removeprefix(str(root)).lstrip("/\\")
    lines = lines_in(own.text)
    runs = f", which runs {', '.join(map(quoted, lines))}" if lines else ""
    what = f"the command {quoted(f'/{own.name}')} ({quoted(where)}){runs}"
    return Withheld(root, what, digest("command", repr(own)), (own.name,))


def _files(folder: Path, shelf: Shelf, prefix: str, depth: int) -> Iterator[tuple[Path, str]]:
    for file in shelf.files(folder, "*.md"):
        if file.name.lower() != "readme.md":
            yield file, f"{prefix}{file.stem}"
    for inner in shelf.folders(folder) if depth else ():
        yield from _files(inner, shelf, f"{prefix}{inner.name}:", depth - 1)


def _command(file: Path, name: str, origin: Origin, shelf: Shelf) -> OwnCommand | None:
    if (document := shelf.document(file)) is None:
        return None
    if not document.body:
        shelf.problem(file, "has no text")
        return None
    if not _NAME.fullmatch(name):
        shelf.problem(file, f"{name!r} cannot be typed as a command: letters, digits, dots and hyphens can")
        return None
    if name in ALWAYS_THERE:
        shelf.problem(file, f"`/{name}` is always there, and cannot be replaced")
        return None
    return OwnCommand(
        name,
        " ".join(shelf.string(document, "description").split()),
        bounded(document.body, file),
        AbsPath(str(file)),
        " ".join(shelf.string(document, "argument-hint").split()),
        shelf.tools(document, "allowed-tools"),
    )
