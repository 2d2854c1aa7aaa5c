"""What each subcommand of `sessions` does with what was found. Returns exit codes; raises `Refused`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

from rich.console import Console, RenderableType

from openhands_acp.engine.messages import JsonObject
from openhands_acp.sessions.shelf import Found, InUse, Refused, Shelf
from openhands_acp.sessions.show import conversation, table
from openhands_acp.sessions.story import scenes, totals
from openhands_acp.store.codec import to_json
from openhands_acp.store.trajectory import export_zip, to_openhands

OK, FAILED, MISUSED = 0, 1, 2
_STDOUT = Path("-")
_NO_TERMINAL = "there is no terminal to ask at; give --yes to delete without a question"


def list_(shelf: Shelf, console: Console, folder: str | None, *, as_json: bool) -> int:
    """List the sessions of `folder`, or all."""
    sessions = shelf.all(folder)
    if as_json:
        _write_json([_summary(found) for found in sessions])
    elif sessions:
        _print(console, table(sessions, console.width, datetime.now(UTC), with_folder=folder is None))
    elif folder is None:
        console.print("No session yet.")
    else:
        console.print(f"No session in {folder}; --all lists those of every folder.", markup=False, soft_wrap=True)
    return OK


def show(shelf: Shelf, console: Console, written: str, *, as_json: bool) -> int:
    found = shelf.find(written)
    stored = shelf.read(found)
    if as_json:
        events = [to_json(entry) for entry in stored.entries]
        _write_json({"session": _summary(found), "notes": list(stored.notes), "events": events})
        return OK
    for block in conversation(found, totals(stored.entries), scenes(stored.entries), stored.notes):
        _print(console, block)
    return OK


def _print(console: Console, block: RenderableType) -> None:
    if console.is_terminal:
        console.print(block)
        return
    # Rich fills lines up with spaces, which are in the way of whoever reads a file or compares two.
    with console.capture() as captured:
        console.print(block)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


@dataclass(frozen=True, slots=True)
class Export:
    """Where to, and how; without a file for it, JSON goes to stdout unless a page was asked for. `-` is stdout."""

    output: Path | None
    format: Literal["json", "zip"] | None
    html: Path | None


def export(shelf: Shelf, written: str, wanted: Export) -> int:
    wanted = _meant(wanted)
    if wanted.format == "zip" and wanted.output is None:
        sys.stderr.write("openhands-acp sessions export: a zip needs a file: give --output FILE\n")
        return MISUSED
    if wanted.html == wanted.output == _STDOUT:
        sys.stderr.write("openhands-acp sessions export: only one of them can go to stdout\n")
        return MISUSED
    found = shelf.find(written)
    stored = shelf.read(found)
    for note in stored.notes:
        sys.stderr.write(f"note: {note}\n")
    if wanted.html is not None:
        # Late: of all commands this one alone writes pages.
        from openhands_acp.sessions.page import page

        told = scenes(stored.entries, shelf.subagents(found, stored))
        text = page(found, totals(stored.entries), told, stored.notes)
        _write_file(wanted.html, lambda file: file.write(text.encode("utf-8", "replace")))
    if wanted.output is not None and wanted.format == "zip":
        others = shelf.subagents(found, stored)
        _write_file(wanted.output, lambda file: export_zip(stored.entries, file, others))
    elif wanted.output is not None:
        text_json = _json_text(to_openhands(stored.entries))
        _write_file(wanted.output, lambda file: file.write(text_json.encode()))
    elif wanted.html is None or wanted.format is not None:
        _write_json(to_openhands(stored.entries))
    return OK


def _meant(wanted: Export) -> Export:
    """Go by the file's suffix where no form is named."""
    if wanted.output is None or wanted.format is not None:
        return wanted
    match wanted.output.suffix.lower():
        case ".html" if wanted.html is None:
            return Export(None, None, wanted.output)
        case ".zip":
            return Export(wanted.output, "zip", wanted.html)
        case _:
            return wanted


def export_to(shelf: Shelf, written: str, path: Path) -> None:
    """Write one session to a file that is not there yet, in the form that its suffix names. Raises Refused."""
    if path.exists():
        raise Refused(f"{path} is there already; name another file")
    export(shelf, written, Export(path, None, None))


def delete(shelf: Shelf, console: Console, written: Sequence[str], *, says_yes: bool) -> int:
    wanted = {found.id: found for found in map(shelf.find, written)}
    foreign = [found for found in wanted.values() if found.is_openhands]
    if foreign:
        # Before the question: nobody is asked for what then cannot be.
        shelf.delete(foreign[0])
    return _delete(shelf, console, list(wanted.values()), says_yes=says_yes)


@dataclass(frozen=True, slots=True)
class Prune:
    """Which sessions are old, and whether they are only listed."""

    age: timedelta
    folder: str | None
    is_dry_run: bool


def prune(shelf: Shelf, console: Console, wanted: Prune, *, says_yes: bool) -> int:
    now = datetime.now(UTC)
    until = now - min(wanted.age, now - datetime.min.replace(tzinfo=UTC))
    ours = [found for found in shelf.all(wanted.folder) if not found.is_openhands]
    old = [found for found in ours if found.summary.updated_at < until]
    if not old:
        console.print("No session is that old.")
        return OK
    if wanted.is_dry_run:
        _print(console, table(old, console.width, now, with_folder=True))
        console.print(f"{_counted(old)} would be deleted.")
        return OK
    return _delete(shelf, console, old, says_yes=says_yes, spares_open=True)


def _delete(shelf: Shelf, console: Console, sessions: list[Found], *, says_yes: bool, spares_open: bool = False) -> int:
    _print(console, table(sessions, console.width, datetime.now(UTC), with_folder=True))
    if not says_yes:
        if not (sys.stdin is not None and sys.stdin.isatty()):
            sys.stderr.write(f"openhands-acp sessions: {_NO_TERMINAL}\n")
            return MISUSED
        if not _is_yes(console, f"Delete {_counted(sessions)} for good? [y/N] "):
            console.print("Nothing was deleted.")
            return FAILED
    kept = failed = 0
    for found in sessions:
        try:
            shelf.delete(found)
        except (Refused, InUse) as error:
            kept += 1
            # Whoever prunes asks for what is old, and not for these.
            failed += not (spares_open and isinstance(error, InUse))
            sys.stderr.write(f"openhands-acp sessions: {error}\n")
    console.print(f"Deleted {f'{len(sessions) - kept} of ' if kept else ''}{_counted(sessions)}.")
    return FAILED if failed else OK


def _counted(sessions: Sequence[Found]) -> str:
    return f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}"


def _is_yes(console: Console, question: str) -> bool:
    try:
        return console.input(question, markup=False).strip().lower() in ("y", "yes")
    except EOFError:
        # The cursor still stands behind the question.
        console.print()
        return False


def _summary(found: Found) -> dict[str, Any]:
    summary = found.summary
    return {
        "id": summary.session_id,
        "title": summary.title,
        "roots": list(summary.roots),
        "updated_at": summary.updated_at.isoformat(),
        "messages": summary.messages,
        "is_openhands": found.is_openhands,
    }


def _json_text(value: object) -> str:
    # In ASCII: a lone surrogate in some output can then neither stop it nor make it unreadable.
    return json.dumps(value, indent=2) + "\n"


def _write_json(value: JsonObject | Sequence[JsonObject]) -> None:
    sys.stdout.write(_json_text(value))


def _write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    if path == _STDOUT:
        write(sys.stdout.buffer)
        return
    try:
        with path.open("wb") as file:
            write(file)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror or error}") from error
