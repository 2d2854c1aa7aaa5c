"""What is done with a session on a person's word besides having it work: examined, exported, copied.

Knows the stores and how sessions are shown; knows nothing of sessions that are open.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import anyio.to_thread

from openhands_acp.acp.sessions import Kept
from openhands_acp.engine.events import ConversationStateUpdateEvent, Entry
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Taken
from openhands_acp.engine.upkeep import Finding, NotDone
from openhands_acp.options import Options
from openhands_acp.settings import load_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionUpkeep:
    """Of one session (`engine.upkeep.Upkeep`)."""

    session_id: str
    home: Callable[[], Path]
    options: Options
    copied: Callable[[tuple[Entry, ...], str], Awaitable[Kept]]
    """Gives a conversation files of its own, under an id."""

    async def examine(self) -> Sequence[Finding]:
        return await anyio.to_thread.run_sync(self._examined)

    async def export(self, path: AbsPath) -> None:
        await anyio.to_thread.run_sync(self._export, Path(path))

    async def copy(self, entries: Sequence[Entry], title: str) -> str:
        copy_id = str(uuid4())
        history = (await self.copied(tuple(entries), copy_id)).entries
        named = Entry(str(uuid4()), history[-1].timestamp, ConversationStateUpdateEvent("title", title))
        await anyio.to_thread.run_sync(self._write, copy_id, (*history, named))
        return copy_id

    def _examined(self) -> Sequence[Finding]:
        from openhands_acp.doctor import examine

        return examine(load_settings(self.options), os.environ)

    def _export(self, path: Path) -> None:
        # Late: what shows sessions, to pages and to terminals, is of no use to those that nobody exports.
        from openhands_acp.sessions.commands import export_to
        from openhands_acp.sessions.shelf import Refused, shelf

        try:
            export_to(shelf(), self.session_id, path)
        except Refused as reason:
            raise NotDone(str(reason)) from reason

    def _write(self, session_id: str, entries: Sequence[Entry]) -> None:
        from openhands_acp.store.library import Library

        library = Library(self.home() / "acp" / "sessions")
        journal = library.journal(session_id, logger.warning)
        try:
            journal.keep(entries)
        except Taken as taken:
            raise NotDone(str(taken)) from taken
        except OSError as error:
            journal.close()
            with suppress(OSError, Taken):
                # What the disk took of it: files that it names, and the folder.
                library.delete(session_id)
            raise NotDone(f"the copy cannot be saved: {error.strerror}") from error
        finally:
            journal.close()
