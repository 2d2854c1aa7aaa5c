"""All sessions on this disk: read, listed, continued and deleted by their ids.

Knows where they are, and that an id is the only way to one; nothing of what their events mean.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from openhands_acp.engine.events import ConversationStarted, Entry
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.session_ports import OpenSubagent
from openhands_acp.store import subagents
from openhands_acp.store.index import Glance, Index, Key
from openhands_acp.store.journal import LOCK_NAME, FileJournal
from openhands_acp.store.lock import Lock
from openhands_acp.store.outputs import OUTPUT_NAME, copied
from openhands_acp.store.reading import (
    JOURNAL_NAME,
    NoSuchSession,
    Stored,
    UnreadableSession,
    is_ours,
    open_journal,
    read_journal,
)

PAGE = 50
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BadCursor(Exception):
    """Not a cursor that was given out for this list."""


@dataclass(frozen=True, slots=True)
class Summary:
    session_id: str
    roots: tuple[AbsPath, ...]
    title: str | None
    updated_at: datetime
    messages: int


class Library:
    """A folder of sessions; each is a folder that is named for its id, without the dashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = Index(folder)

    def read(self, session_id: str) -> Stored:
        """Read a whole session; changes nothing. Raises NoSuchSession and UnreadableSession."""
        return read_journal(self._place(session_id))

    def journal(self, session_id: str, on_failure: Callable[[str], None], after: Stored | None = None) -> FileJournal:
        """Open a journal to write to, a new one or the continuation of what was read. Raises NoSuchSession."""
        return FileJournal(self._place(session_id), on_failure, after)

    def copied(self, entries: Iterable[Entry], session_id: str) -> tuple[Entry, ...]:
        """Return a conversation for a session of its own, whose folder gets the files that it names.

        And the conversations of its sub-agents.
        """
        kept = tuple(entries)
        place = self._place(session_id)
        ids = [entry.event.session_id for entry in kept if isinstance(entry.event, ConversationStarted)]
        # The last first: it has what they said since it was itself a copy.
        for origin in dict.fromkeys(reversed(ids)):
            if _ID.fullmatch(origin):
                subagents.copy(kept, self._place(origin), place)
        return tuple(copied(kept, place))

    def subagents(self, session_id: str, on_failure: Callable[[str], None]) -> OpenSubagent:
        """Return what opens the conversations of a session's sub-agents."""
        return subagents.opening(self._place(session_id), on_failure)

    def of_subagents(self, session_id: str, entries: Iterable[Entry]) -> Iterator[tuple[str, Stored]]:
        """Yield the conversations of its sub-agents, each with its place in the session's folder."""
        return subagents.conversations(self._place(session_id), entries)

    def output_folder(self, session_id: str) -> Path:
        """Return where a session's terminals put long outputs."""
        return self._place(session_id) / OUTPUT_NAME

    def page(self, cwd: str | None, cursor: str | None) -> tuple[list[Summary], str | None]:
        """Return the next sessions, newest first, and the cursor of the page after. Raises BadCursor."""
        start = _start_of(cursor, cwd) if cursor is not None else None
        root = os.path.normpath(cwd) if cwd is not None else None
        page: list[Summary] = []
        last: Key | None = None
        for key, glance in self._index.newest(self._names(), root, start):
            if last is not None and len(page) == PAGE:
                return page, _cursor(last, cwd)
            if self._is_readable(key[1]):
                last = key
                page.append(_summary(key[1], glance))
        return page, None

    def delete(self, session_id: str) -> None:
        """Delete a session, if it is there.

        Raises Taken, OSError, UnreadableSession for one of another user, and NoSuchSession for what is no id.
        """
        folder = self._place(session_id)
        if folder.is_symlink() or not folder.is_dir():
            return
        if not is_ours(folder.lstat()):
            raise UnreadableSession(f"this session belongs to another user of this machine ({folder})")
        lock = Lock(folder / LOCK_NAME)
        try:
            # First, so that nothing takes half a session for a whole one.
            (folder / JOURNAL_NAME).unlink(missing_ok=True)
            if sys.platform == "win32":
                # What is open cannot be deleted there.
                lock.release()
            shutil.rmtree(folder)
        finally:
            lock.release()

    def _place(self, session_id: str) -> Path:
        if not _ID.fullmatch(session_id):
            raise NoSuchSession(session_id)
        return self._folder / session_id.replace("-", "")

    def _names(self) -> set[str]:
        """Return what may be sessions; the index looks closer at those that it does not know."""
        try:
            with os.scandir(self._folder) as entries:
                return {
                    entry.name for entry in entries if len(entry.name) == 32 and entry.is_dir(follow_symlinks=False)
                }
        except OSError:
            return set()

    def _is_readable(self, name: str) -> bool:
        try:
            open_journal(self._folder / name).close()
        except (NoSuchSession, UnreadableSession):
            return False
        return True


def _summary(name: str, glance: Glance) -> Summary:
    return Summary(str(UUID(name)), glance.roots, glance.title, glance.updated_at, glance.messages)


def _cursor(last: Key, cwd: str | None) -> str:
    return urlsafe_b64encode(" ".join([*last, _check(last, cwd)]).encode()).decode()


def _start_of(cursor: str, cwd: str | None) -> Key:
    try:
        updated_at, name, check = urlsafe_b64decode(cursor.encode()).decode().split(" ")
    except ValueError as error:
        raise BadCursor(cursor) from error
    if check != _check((updated_at, name), cwd):
        raise BadCursor(cursor)
    return updated_at, name


def _check(key: Key, cwd: str | None) -> str:
    """Tell our cursors from others', and one list's from another's. No secret: nothing is won by a forged one."""
    return sha256(f"{key} {cwd!r}".encode()).hexdigest()[:16]
