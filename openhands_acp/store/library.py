"""All sessions on this disk: read, listed, continued and deleted by their ids.

Knows where they are, and that an id is the only way to one; nothing of what their events mean.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from errno import ENOENT, ENOTEMPTY
from pathlib import Path
from uuid import UUID

from openhands_acp.engine.events import ConversationStarted, Entry
from openhands_acp.engine.ports import Taken
from openhands_acp.engine.session_ports import OpenSubagent
from openhands_acp.store import subagents
from openhands_acp.store.index import Glance, Index, size_of
from openhands_acp.store.journal import LOCK_NAME, FileJournal
from openhands_acp.store.listing import IsIn, Key, Listing, Summary, page_of
from openhands_acp.store.lock import AGAIN, MOMENT, Lock, owner_of
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

_TRIES = 10
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Library:
    """A folder of sessions; each is a folder that is named for its id, without the dashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = Index(folder)

    def read(self, session_id: str) -> Stored:
        """Read a whole session; changes nothing. Raises NoSuchSession and UnreadableSession."""
        folder = self._place(session_id)
        while True:
            size = size_of(folder / JOURNAL_NAME)
            stored = read_journal(folder)
            if not stored.is_in_a_turn:
                return stored
            owner = owner_of(folder / LOCK_NAME)
            # Else whoever wrote meanwhile may have ended the turn, and gone.
            if owner or size_of(folder / JOURNAL_NAME) == size:
                return replace(stored, owner=owner)

    def journal(self, session_id: str, tell: Callable[[str], None], after: Stored | None = None) -> FileJournal:
        """Open a journal to write to, a new one or the continuation of what was read. Raises NoSuchSession."""
        return FileJournal(self._place(session_id), tell, after)

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

    def subagents(self, session_id: str) -> OpenSubagent:
        """Return what opens the conversations of a session's sub-agents."""
        return subagents.opening(self._place(session_id))

    def of_subagents(self, session_id: str, entries: Iterable[Entry]) -> Iterator[tuple[str, Stored]]:
        """Yield the conversations of its sub-agents, each with its place in the session's folder."""
        return subagents.conversations(self._place(session_id), entries)

    def output_folder(self, session_id: str) -> Path:
        """Return where a session's terminals put long outputs."""
        return self._place(session_id) / OUTPUT_NAME

    def page(self, cwd: str | None, cursor: str | None, *others: Listing) -> tuple[list[Summary], str | None]:
        """Return the next sessions, newest first, with those of others, and the cursor of the page after.

        Raises BadCursor.
        """
        return page_of(cwd, cursor, [self.newest, *others])

    def newest(self, is_in: IsIn, start: Key | None) -> Iterator[tuple[Key, Summary]]:
        """Yield them as a `Listing`."""
        for key, glance in self._index.newest(self.names(), is_in, start):
            if self._is_readable(key[1]):
                yield key, _summary(key[1], glance)

    def has(self, session_id: str) -> bool:
        """Tell whether anything is kept under this id, whoever may read it."""
        return _ID.fullmatch(session_id) is not None and size_of(self._place(session_id) / JOURNAL_NAME) >= 0

    def names(self) -> set[str]:
        """Name what may be sessions; the index looks closer at those that it does not know."""
        try:
            with os.scandir(self._folder) as entries:
                return {
                    entry.name for entry in entries if len(entry.name) == 32 and entry.is_dir(follow_symlinks=False)
                }
        except OSError:
            return set()

    def delete(self, session_id: str) -> None:
        """Delete a session, if it is there.

        Raises Taken, OSError, UnreadableSession for one of another user, and NoSuchSession for what is no id.
        """
        folder = self._place(session_id)
        try:
            status = folder.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(status.st_mode):
            return
        if not is_ours(status):
            raise UnreadableSession(f"this session belongs to another user of this machine ({folder})")
        try:
            lock = Lock(folder / LOCK_NAME)
        except (Taken, FileNotFoundError):
            # Whoever has it may be about to delete it, too, and has come no further yet.
            if not self._goes(session_id):
                raise
            return
        try:
            # First, so that nothing takes half a session for a whole one.
            (folder / JOURNAL_NAME).unlink(missing_ok=True)
            if sys.platform == "win32":
                # What is open cannot be deleted there.
                lock.release()
            _remove(folder)
        finally:
            lock.release()

    def _goes(self, session_id: str) -> bool:
        """Wait for a moment for what somebody else may be deleting; tell whether it is gone."""
        until = time.monotonic() + MOMENT
        while self.has(session_id):
            if time.monotonic() > until:
                return False
            time.sleep(AGAIN)
        return True

    def _place(self, session_id: str) -> Path:
        if not _ID.fullmatch(session_id):
            raise NoSuchSession(session_id)
        return self._folder / session_id.replace("-", "")

    def _is_readable(self, name: str) -> bool:
        try:
            open_journal(self._folder / name).close()
        except (NoSuchSession, UnreadableSession):
            return False
        return True


def _remove(folder: Path) -> None:
    """Remove a folder that somebody else may be removing, too. Raises OSError."""
    for tries_left in reversed(range(_TRIES)):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if tries_left and error.errno in (ENOENT, ENOTEMPTY) and folder.exists():
                continue
            if folder.exists():
                raise
        return


def _summary(name: str, glance: Glance) -> Summary:
    return Summary(str(UUID(name)), glance.roots, glance.title, glance.updated_at, glance.messages)
