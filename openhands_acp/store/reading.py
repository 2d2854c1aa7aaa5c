"""A journal as it lies on the disk, back into entries: what is whole counts, what is not is told.

Changes nothing. Whatever the bytes are, the answer is entries and notes, or one of two refusals.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic_core import from_json as from_json_text

from openhands_acp.engine.events import Entry, TurnEnded, TurnStarted
from openhands_acp.store.blobs import Blobs, put_back
from openhands_acp.store.codec import VERSION, NewerRecord, UnknownRecord, from_json
from openhands_acp.store.lock import BINARY, NOFOLLOW

JOURNAL_NAME = "journal.jsonl"
BLOBS_NAME = "blobs"
_NOTES = 20
"""Notes on single records; more of them say nothing new."""


class NoSuchSession(Exception):
    """Nothing is kept under this id."""


class UnreadableSession(Exception):
    """It is there, but must not be shown or continued: a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Stored:
    entries: list[Entry]
    notes: tuple[str, ...]
    """Sentences for a person: what was cut off or left out, and why."""
    size: int
    """Bytes of the journal that were read whole; 0 for entries that come from elsewhere."""
    owner: str = ""
    """Who was in the middle of a turn of it, in words: `lock.owner_of`; empty if nobody was."""

    @property
    def is_in_a_turn(self) -> bool:
        """Whether its last turn has no end: it runs, or whoever took it was stopped."""
        turns = (e.event for e in reversed(self.entries) if isinstance(e.event, TurnStarted | TurnEnded))
        return isinstance(next(turns, None), TurnStarted)


def open_journal(folder: Path) -> BinaryIO:
    """Open a session's journal to read. Raises NoSuchSession and UnreadableSession."""
    path = folder / JOURNAL_NAME
    try:
        # Links are not followed: they could lead to any file.
        is_folder, status = stat.S_ISDIR(folder.lstat().st_mode), path.lstat()
        if not is_folder or not stat.S_ISREG(status.st_mode):
            raise NoSuchSession(folder.name)
        if not is_ours(status):
            raise UnreadableSession(f"this session belongs to another user of this machine ({path})")
        return os.fdopen(os.open(path, os.O_RDONLY | BINARY | NOFOLLOW), "rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchSession(folder.name) from error
    except OSError as error:
        raise UnreadableSession(f"this session cannot be read: {error.strerror} ({path})") from error


def is_ours(status: os.stat_result) -> bool:
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def read_journal(folder: Path) -> Stored:
    """Read a session. Raises NoSuchSession and UnreadableSession."""
    notes: list[str] = []
    try:
        with open_journal(folder) as file:
            entries, size = _read(file, Blobs(folder / BLOBS_NAME), notes)
            torn = file.tell() - size
    except OSError as error:
        raise UnreadableSession(f"this session cannot be read: {error.strerror} ({folder})") from error
    if len(notes) > _NOTES:
        notes[_NOTES:] = [f"and {len(notes) - _NOTES} more like these"]
    if torn:
        notes.append(
            f"the last {torn} bytes of the journal were left out: their record is not whole, because whoever wrote it "
            "was stopped, or is writing at this moment"
        )
    return Stored(entries, tuple(notes), size)


def _read(file: BinaryIO, blobs: Blobs, notes: list[str]) -> tuple[list[Entry], int]:
    """Return the entries, and how many bytes hold them; `notes` gets what was left out. Raises UnreadableSession."""
    entries: list[Entry] = []
    size = 0
    for number, line in enumerate(_whole_lines(file), 1):
        size += len(line)
        try:
            entries.append(_entry(line, number, blobs, notes))
        except NewerRecord as error:
            raise UnreadableSession(
                f"this session was written by a newer openhands-acp (records of version {error}, this one reads up to "
                f"{VERSION}); update openhands-acp to open it. Nothing was changed"
            ) from error
        except UnknownRecord as error:
            notes.append(f"line {number} of the journal was left out, because it cannot be read: {error}")
    return entries, size


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines up to the last record that is whole: it ends its line, and is JSON."""
    last = b""
    for line in file:
        if not line.endswith(b"\n"):
            break
        if last:
            yield last
        last = line
    if parsed(last) is not None:
        yield last


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return a record as JSON; None if it is not an object."""
    try:
        # Four times as fast; but it takes no lone surrogate, which a text may hold.
        record = from_json_text(line)
    except ValueError:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) else None


def _entry(line: bytes, number: int, blobs: Blobs, notes: list[str]) -> Entry:
    record = parsed(line)
    if record is None:
        raise UnknownRecord("it is no JSON object")
    if b'"$blob"' in line:
        before = len(notes)
        record = put_back(record, blobs.text, lambda loss: notes.append(f"in line {number} of the journal, {loss}"))
        if len(notes) > before and record.get("kind") == "ThoughtEvent":
            # A provider takes its own blocks back whole or not at all.
            record["blocks"] = None
    return from_json(record)
