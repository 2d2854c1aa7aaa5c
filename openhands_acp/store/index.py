"""What a list of sessions shows, kept in one file beside them, so that none of them has to be opened.

Rules of this file: the journals are the truth. A line says what a session was when its journal had
`size` bytes; an open one had an owner then, so what was written since is looked for. A line is one
`write` at the end of the file, shorter than 4 KiB; the file is replaced by a shorter one only while
nobody adds a line. Lines are JSON, but what they are sorted by stands at fixed places, because ten
thousand of them are not parsed in the time that a list may take.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from openhands_acp.engine.events import ConversationStarted, ConversationStateUpdateEvent, Entry, MessageEvent
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.codec import NewerRecord, UnknownRecord, from_json
from openhands_acp.store.listing import IsIn, Key, anywhere, is_name, key_of
from openhands_acp.store.lock import BINARY, NOFOLLOW, share_lock, try_lock
from openhands_acp.store.reading import JOURNAL_NAME, NoSuchSession, UnreadableSession, open_journal, parsed

INDEX_NAME = "index.jsonl"
_LOCK_NAME = "index.lock"
_LONGEST = 4096
_SPARE = 64
"""Lines that may be too many."""
_GROWN = 64 * 1024
"""Bytes of a journal that are not read again for every list."""

# ["<name>","<updated_at>",<0 or 1>,[<roots>],<title>,<messages>,<size>]
_NAME = slice(2, 34)
_UPDATED_AT = slice(37, 69)
_STAMP = 32
_OPEN = 71
_ROOTS = 74

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Glance:
    """A session as a list shows it, when its journal had `size` bytes."""

    updated_at: datetime = _NEVER
    roots: tuple[AbsPath, ...] = ()
    title: str | None = None
    messages: int = 0
    size: int = 0

    def after(self, entry: Entry) -> Glance:
        match entry.event:
            case ConversationStarted(roots=roots):
                return replace(self, roots=roots, updated_at=entry.timestamp)
            case MessageEvent():
                return replace(self, messages=self.messages + 1, updated_at=entry.timestamp)
            case ConversationStateUpdateEvent(key="title", value=title):
                return replace(self, title=title, updated_at=entry.timestamp)
            case _:
                return replace(self, updated_at=entry.timestamp)


NOTHING = Glance()


def glance_of(entries: Iterable[Entry], size: int, before: Glance = NOTHING) -> Glance:
    """Fold `entries`, which end where the journal has `size` bytes."""
    messages, updated_at = before.messages, before.updated_at
    for entry in entries:
        # Of most events nothing counts but their time.
        updated_at = entry.timestamp
        if isinstance(entry.event, MessageEvent):
            messages += 1
        elif isinstance(entry.event, ConversationStarted | ConversationStateUpdateEvent):
            before = before.after(entry)
    return replace(before, messages=messages, updated_at=updated_at, size=size)


class Index:
    """The file of one folder of sessions. A disk that fails is no error here: see the rules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / INDEX_NAME

    def note(self, name: str, glance: Glance, *, is_open: bool) -> None:
        """Add what a session is now."""
        with suppress(OSError):
            line = _line(name, glance, is_open=is_open)
            if len(line) > _LONGEST - 2:
                # Whoever wants to know looks at the journal.
                line = _line(name, NOTHING, is_open=True)
            # A line break in front as well: the line before it may be torn.
            self._append(f"\n{line}\n".encode())

    def newest(self, names: set[str], is_in: IsIn, start: Key | None) -> Iterator[tuple[Key, Glance]]:
        """Yield those of the sessions `names` that come after `start`, newest first, where they are asked for."""
        lines = self._current(names)
        if is_in is not anywhere:
            lines = {name: line for name, line in lines.items() if is_in(_first_root(line))}
        # One text is sorted faster than two.
        keys = [line[_UPDATED_AT] + name for name, line in lines.items()]
        if start is not None:
            keys = [key for key in keys if key < "".join(start)]
        for key in sorted(keys, reverse=True):
            updated_at, name = key[:_STAMP], key[_STAMP:]
            if glance := self._checked(name, _glance(lines[name]) or NOTHING):
                yield (updated_at, name), glance

    def _checked(self, name: str, glance: Glance) -> Glance | None:
        """Look again where the journal is not as long as it is said to be: a power cut can take lines of the index."""
        if size_of(f"{self._folder}/{name}/{JOURNAL_NAME}") == glance.size:
            return glance
        now = _look(self._folder / name, glance)
        if now is not None and now != glance:
            self.note(name, now, is_open=True)
        return now

    def _current(self, names: set[str]) -> dict[str, str]:
        """Return a line for each session; those that are not known, or were not closed, are looked at."""
        lines, count = self._read(names)
        unsure = [(name, _glance(line) or NOTHING) for name, line in lines.items() if line[_OPEN] == "1"]
        unknown = {name for name in names - lines.keys() if is_name(name)}
        for name, before in unsure + [(name, NOTHING) for name in unknown]:
            if before.size and size_of(f"{self._folder}/{name}/{JOURNAL_NAME}") == before.size:
                continue
            lines.pop(name, None)
            now = _look(self._folder / name, before)
            if now is None:
                continue
            # One that nobody told of has no owner who will: the next list need not look again.
            is_open = name not in unknown
            lines[name] = _line(name, now, is_open=is_open)
            if now.size - before.size > _GROWN or not before.size:
                self.note(name, now, is_open=is_open)
                count += 1
        if count > _SPARE + 2 * len(lines):
            self._shorten(names)
        return lines

    def _read(self, names: set[str]) -> tuple[dict[str, str], int]:
        """Return the last line of each of `names`, and how many lines there are of whatever."""
        try:
            fd = os.open(self._path, os.O_RDONLY | BINARY | NOFOLLOW)
            with os.fdopen(fd, "rb") as file:
                text = file.read().decode("ascii", "replace")
        except OSError:
            return {}, 0
        all_lines = text.split("\n")
        lines = {line[_NAME]: line for line in all_lines}
        # Where the last line of a session is torn, an earlier one is no use. Every other line is empty.
        whole = {name: line for name in names if (line := lines.get(name)) and _is_whole(line)}
        return whole, len(all_lines) // 2

    def _append(self, data: bytes) -> None:
        with self._lock() as lock:
            # Many may add lines at once; while somebody shortens the file, they wait for some milliseconds.
            share_lock(lock.fileno())
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY | NOFOLLOW, 0o600)
            try:
                os.write(fd, data)
            finally:
                os.close(fd)

    def _shorten(self, names: set[str]) -> None:
        """Replace the file by one with the last line of each of `names`, unless somebody adds to it."""
        temporary = self._folder / f"{INDEX_NAME}.{os.getpid()}"
        with suppress(OSError), self._lock() as lock:
            if not try_lock(lock.fileno()):
                return
            # Read again: somebody may have added lines, and even sessions, since.
            lines, _ = self._read({*names, *os.listdir(self._folder)})
            try:
                fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY | NOFOLLOW, 0o600)
                with os.fdopen(fd, "w", encoding="ascii", newline="\n") as file:
                    file.writelines(f"\n{line}\n" for line in lines.values())
                temporary.replace(self._path)
            finally:
                temporary.unlink(missing_ok=True)

    def _lock(self) -> IO[bytes]:
        fd = os.open(self._folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | BINARY | NOFOLLOW, 0o600)
        return os.fdopen(fd, "r+b", buffering=0)


def _line(name: str, glance: Glance, *, is_open: bool) -> str:
    updated_at, _ = key_of(glance.updated_at, name)
    record = [name, updated_at, int(is_open), glance.roots, glance.title, glance.messages, glance.size]
    return json.dumps(record, separators=(",", ":"))


def _first_root(line: str) -> str:
    root = line[_ROOTS + 1 : line.find('"', _ROOTS + 1)]
    if "\\" not in root:
        # Nearly every one, and faster by far than the whole line.
        return root
    glance = _glance(line)
    return glance.roots[0] if glance and glance.roots else ""


def _is_whole(line: str) -> bool:
    """Tell whether a line looks like one of ours, as far as can be seen without parsing it."""
    return line[-1:] == "]" and line[34:37] == '","' and line[69:71] == '",' and line[72:74] == ",["


def _glance(line: str) -> Glance | None:
    try:
        _, updated_at, _, roots, title, messages, size = json.loads(line)
        return Glance(datetime.fromisoformat(updated_at), tuple(map(AbsPath, roots)), title, int(messages), int(size))
    except (ValueError, TypeError):
        return None


def size_of(path: str | Path) -> int:
    """Return how long a file is, -1 if it is not there."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return -1


# ---------------------------------------------------------------- a session that the index is not sure of


def _look(folder: Path, before: Glance) -> Glance | None:
    """Bring `before` up to date from the journal; None if there is none that can be read."""
    try:
        with open_journal(folder) as file:
            if os.fstat(file.fileno()).st_size < before.size:
                before = NOTHING
            file.seek(before.size)
            glance = _scan(file, before)
    except (OSError, NoSuchSession, UnreadableSession, NewerRecord):
        return None
    return glance if glance.roots else None


_STARTED, _STATE, _MESSAGE = (
    f'"kind":"{kind.__name__}"'.encode() for kind in (ConversationStarted, ConversationStateUpdateEvent, MessageEvent)
)
_HEAD = 80
"""Bytes of a record in which its kind is found."""


def _scan(lines: Iterable[bytes], before: Glance) -> Glance:
    """Fold the lines of a journal. Of most of them no more than the beginning is looked at."""
    glance, size, messages, last = before, before.size, before.messages, b""
    for line in lines:
        if not line.endswith(b"\n"):
            break
        head = line[:_HEAD]
        if _STARTED in head or _STATE in head:
            glance = _after(glance, line)
        messages += _MESSAGE in head
        size += len(line)
        last = line
    glance = _after(glance, last) if last else glance
    return replace(glance, messages=messages, size=size)


def _after(glance: Glance, line: bytes) -> Glance:
    record = parsed(line)
    try:
        return glance if record is None else glance.after(from_json(record))
    except UnknownRecord:
        return glance
