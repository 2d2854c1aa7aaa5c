"""The conversations of sub-agents: each a journal of its own, in the folder of the session that it worked for.

So they are deleted with it, and copied. Knows nothing of what sub-agents do. That a disk fails is told by the
session's own journal, and here only logged: nobody wants to hear it once for each.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from anyio import to_thread

from openhands_acp.engine.events import Entry
from openhands_acp.engine.ports import Taken
from openhands_acp.engine.session_ports import KeptSubagent, OpenSubagent
from openhands_acp.engine.subagents.events import SubagentStarted
from openhands_acp.store.journal import FileJournal
from openhands_acp.store.outputs import copied
from openhands_acp.store.reading import NoSuchSession, Stored, UnreadableSession, read_journal

logger = logging.getLogger(__name__)

FOLDER = "subagents"
_ID = re.compile(r"task_[0-9]{8}")


def opening(session: Path) -> OpenSubagent:
    """Return what opens those of one session, whose folder this is."""

    async def opened(task_id: str) -> KeptSubagent:
        return await to_thread.run_sync(_opened, session, task_id)

    return opened


def conversations(session: Path, entries: Iterable[Entry]) -> Iterator[tuple[str, Stored]]:
    """Yield what sub-agents said that were at work in these entries, and theirs, each with its place under `session`.

    One that is lost, or cannot be read, is left out.
    """
    for task_id in tasks_in(entries):
        try:
            stored = read_journal(_place(session, task_id))
        except (NoSuchSession, UnreadableSession, LookupError):
            continue
        yield f"{FOLDER}/{task_id}", stored
        for place, inner in conversations(_place(session, task_id), stored.entries):
            yield f"{FOLDER}/{task_id}/{place}", inner


def copy(entries: Iterable[Entry], origin: Path, session: Path) -> None:
    """Give the copy of a session its own of the conversations that it names; what fails is left out."""
    for place, stored in conversations(origin, entries):
        journal = FileJournal(session / place, logger.warning)
        for entry in copied(stored.entries, session):
            journal.append(entry)
        try:
            journal.claim()
        except Taken:
            # It is there already.
            continue
        finally:
            journal.close()


def tasks_in(entries: Iterable[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.event.task_id for entry in entries if isinstance(entry.event, SubagentStarted)))


def _place(session: Path, task_id: str) -> Path:
    if not _ID.fullmatch(task_id):
        # A journal may say anything: no other text reaches the disk.
        raise LookupError(f"{task_id!r} is no id of a task")
    return session / FOLDER / task_id


def _opened(session: Path, task_id: str) -> KeptSubagent:
    """Raises LookupError."""
    folder = _place(session, task_id)
    try:
        stored = read_journal(folder)
    except NoSuchSession:
        stored = None
    except UnreadableSession as error:
        raise LookupError(str(error)) from error
    journal = FileJournal(folder, logger.warning, stored)
    return KeptSubagent(journal, tuple(stored.entries) if stored else (), journal.close, opening(folder))
