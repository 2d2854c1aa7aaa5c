"""The conversations kept on this machine: ours, and OpenHands' own, which are only ever read.

Knows both stores and puts them into one list; knows nothing of sessions that are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import anyio.to_thread

from openhands_acp.acp.sessions import BadCursor, InUse, Kept, Listed, NotKept, OnlyRead
from openhands_acp.engine.events import Entry, SystemPromptEvent
from openhands_acp.engine.ports import Taken
from openhands_acp.engine.session_ports import folded
from openhands_acp.store import listing as store
from openhands_acp.store.library import Library, NoSuchSession, UnreadableSession
from openhands_acp.store.listing import IsIn, Key, Summary, is_name
from openhands_acp.store.openhands import folder_of, names, newest, read_conversation

_SHOWN_CANDIDATES = 5


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

    async def copied(self, entries: tuple[Entry, ...], session_id: str) -> Kept:
        return await anyio.to_thread.run_sync(self._copied, entries, session_id)

    async def latest(self, cwd: str) -> str | None:
        """Return the newest conversation in a folder, if there is one."""
        page, _ = await self.listed(cwd, None)
        return page[0].session_id if page else None

    async def found(self, written: str) -> str:
        """Return the id that a person meant: one, or the beginning of one. Raises NotKept."""
        return await anyio.to_thread.run_sync(self._found, written)

    def _kept(self, session_id: str) -> Kept:
        try:
            stored = self.library.read(session_id)
        except NoSuchSession:
            pass
        except UnreadableSession as error:
            raise NotKept(str(error)) from error
        else:
            return Kept(tuple(stored.entries), stored.notes, stored, stored.owner, folded(stored.entries))
        try:
            foreign = read_conversation(self.conversations, session_id)
        except (NoSuchSession, UnreadableSession) as error:
            raise NotKept(self._spelt_otherwise(session_id) or _no_session(session_id)) from error
        # Their prompt speaks of their tools: ours is written when the conversation goes on.
        entries = tuple([entry for entry in foreign.entries if not isinstance(entry.event, SystemPromptEvent)])
        return Kept(entries, foreign.notes, folded=folded(entries))

    def _copied(self, entries: tuple[Entry, ...], session_id: str) -> Kept:
        history = self.library.copied(entries, session_id)
        return Kept(history, folded=folded(history))

    def _spelt_otherwise(self, session_id: str) -> str | None:
        """Say how the id is written that this one means: a client would go on to call the session by another name."""
        try:
            meant = str(UUID(session_id))
        except ValueError:
            return None
        is_there = self.library.has(meant) or folder_of(self.conversations, meant) is not None
        return f"the ID of this session is written {meant}" if is_there and meant != session_id else None

    def _delete(self, session_id: str) -> None:
        theirs = folder_of(self.conversations, session_id)
        if theirs is not None and not self.library.has(session_id):
            raise OnlyRead(f"it is only read here, and never deleted; its folder is {theirs}")
        try:
            self.library.delete(session_id)
        except (Taken, UnreadableSession) as error:
            raise InUse(str(error)) from error
        except NoSuchSession:
            # Whatever it is called, it is not there afterwards.
            return

    def _listed(self, cwd: str | None, cursor: str | None) -> tuple[list[Listed], str | None]:
        try:
            page, following = self.library.page(cwd, cursor, self._theirs)
        except store.BadCursor as error:
            raise BadCursor from error
        return [_listed(summary) for summary in page], following

    def _theirs(self, is_in: IsIn, start: Key | None) -> Iterator[tuple[Key, Summary]]:
        """Yield OpenHands' as a `Listing`; one that was continued here is ours."""
        for key, summary in newest(self.conversations, is_in, start):
            if not self.library.has(summary.session_id):
                yield key, summary

    def _found(self, written: str) -> str:
        wanted = written.replace("-", "").lower()
        known = {*self.library.names(), *names(self.conversations)}
        ids = [str(UUID(name)) for name in known if wanted and name.startswith(wanted) and is_name(name)]
        found = sorted(each for each in ids if self.library.has(each) or folder_of(self.conversations, each))
        match found:
            case [session_id]:
                return session_id
            case []:
                raise NotKept(_no_session(written))
            case _:
                some = ", ".join(found[:_SHOWN_CANDIDATES])
                more = f" and {len(found) - _SHOWN_CANDIDATES} more" if len(found) > _SHOWN_CANDIDATES else ""
                raise NotKept(f"{written!r} is the beginning of {len(found)} sessions: {some}{more}")


def _listed(summary: Summary) -> Listed:
    return Listed(summary.session_id, summary.roots, summary.title, summary.updated_at, summary.messages)


def _no_session(session_id: str) -> str:
    return f"there is no session {session_id[:100]!r} on this machine (one that was never prompted is not kept)"
