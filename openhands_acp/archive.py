"""The conversations kept on this machine: ours, and OpenHands' own, which are only ever read.

Knows both stores and puts them into one list; knows nothing of sessions that are open.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import anyio.to_thread

from openhands_acp.acp.sessions import BadCursor, InUse, Kept, Listed, NotKept, OnlyRead
from openhands_acp.engine.events import Entry, SystemPromptEvent
from openhands_acp.engine.ports import Taken
from openhands_acp.store import library as store
from openhands_acp.store.library import Library, NoSuchSession, Summary, UnreadableSession
from openhands_acp.store.openhands import conversations, folder_of, read_conversation


@dataclass(frozen=True, slots=True)
class Archive:
    folder: Path
    """Our sessions."""
    conversations: Path
    """OpenHands'."""

    @property
    def library(self) -> Library:
        return Library(self.folder)

    async def kept(self, session_id: str) -> Kept:
        """Read one. Ours comes with its place in the journal as origin; OpenHands' has none. Raises NotKept."""
        return await anyio.to_thread.run_sync(self._kept, session_id)

    async def listed(self, cwd: str | None, cursor: str | None) -> tuple[list[Listed], str | None]:
        return await anyio.to_thread.run_sync(self._listed, cwd, cursor)

    async def delete(self, session_id: str) -> None:
        """Delete one of ours, if there is one of this id. Raises InUse and OnlyRead."""
        await anyio.to_thread.run_sync(self._delete, session_id)

    async def copied(self, entries: tuple[Entry, ...], session_id: str) -> tuple[Entry, ...]:
        return await anyio.to_thread.run_sync(self.library.copied, entries, session_id)

    async def latest(self, cwd: str) -> str | None:
        """Return the newest conversation in a folder, or anywhere if there is none in it."""
        for where in (cwd, None):
            page, _ = await self.listed(where, None)
            if page:
                return page[0].session_id
        return None

    async def found(self, start: str) -> str:
        """Return the id that begins like this, as lists show it; `start` itself if none or several do."""
        cursor: str | None = None
        found: set[str] = set()
        while True:
            page, cursor = await self.listed(None, cursor)
            found |= {listed.session_id for listed in page if listed.session_id.startswith(start)}
            if cursor is None or len(found) > 1:
                return found.pop() if len(found) == 1 else start

    def _kept(self, session_id: str) -> Kept:
        try:
            stored = self.library.read(session_id)
        except NoSuchSession:
            pass
        except UnreadableSession as error:
            raise NotKept(str(error)) from error
        else:
            return Kept(tuple(stored.entries), stored.notes, stored)
        try:
            foreign = read_conversation(self.conversations, session_id)
        except (NoSuchSession, UnreadableSession) as error:
            raise NotKept(f"there is no session {session_id[:100]!r} on this machine") from error
        # Their prompt speaks of their tools: ours is written when the conversation goes on.
        entries = [entry for entry in foreign.entries if not isinstance(entry.event, SystemPromptEvent)]
        return Kept(tuple(entries), foreign.notes)

    def _delete(self, session_id: str) -> None:
        theirs = folder_of(self.conversations, session_id)
        if theirs is not None and not self._is_ours(session_id):
            raise OnlyRead(f"it is only read here, and never deleted; its folder is {theirs}")
        try:
            self.library.delete(session_id)
        except (Taken, UnreadableSession) as error:
            raise InUse(str(error)) from error
        except NoSuchSession:
            # Whatever it is called, it is not there afterwards.
            return

    def _is_ours(self, session_id: str) -> bool:
        """Tell it of an id that a list gave out: one of theirs that was continued here is ours, too."""
        return (self.folder / session_id.replace("-", "")).is_dir()

    def _listed(self, cwd: str | None, cursor: str | None) -> tuple[list[Listed], str | None]:
        cwd = cwd and os.path.normpath(cwd)
        inner, since = _read(cursor) if cursor is not None else (None, None)
        try:
            ours, following = self.library.page(cwd, inner)
        except store.BadCursor as error:
            raise BadCursor from error
        # Theirs come between ours by their time: each page takes those down to its own last one.
        until = ours[-1].updated_at if ours and following else None
        theirs = [
            summary
            for summary in conversations(self.conversations)
            if (cwd is None or summary.roots[:1] == (cwd,))
            and (since is None or summary.updated_at < since)
            and (until is None or summary.updated_at >= until)
            and not self._is_ours(summary.session_id)
        ]
        page = sorted([*ours, *theirs], key=lambda summary: summary.updated_at, reverse=True)
        return [_listed(summary) for summary in page], _write(following, until) if following and until else None


def _listed(summary: Summary) -> Listed:
    return Listed(summary.session_id, summary.roots, summary.title, summary.updated_at, summary.messages)


def _write(inner: str, since: datetime) -> str:
    return base64.urlsafe_b64encode(json.dumps([inner, since.isoformat()]).encode()).decode()


def _read(cursor: str) -> tuple[str, datetime]:
    try:
        value: Any = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        inner, since = cast("list[Any]", value)
        return str(inner), datetime.fromisoformat(since)
    except (ValueError, TypeError) as error:
        raise BadCursor from error
