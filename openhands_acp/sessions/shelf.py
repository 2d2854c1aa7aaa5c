"""Every conversation on this machine: ours, and OpenHands' own, which are only read.

Knows both stores, and what a person writes for an id; words what cannot be done as sentences for them.
Whatever is taken from the shelf has its keys masked, so that nothing that shows it can forget to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from openhands_acp.engine.events import Entry
from openhands_acp.engine.ports import Taken
from openhands_acp.options import Options
from openhands_acp.sessions.masking import Mask, masked_stored, masked_summary, masking
from openhands_acp.settings import load_settings
from openhands_acp.store.library import Library, NoSuchSession, Stored, UnreadableSession
from openhands_acp.store.listing import Summary, only_in
from openhands_acp.store.openhands import newest, read_conversation
from openhands_acp.store.outputs import what_is_lost

LAST = "last"
_SHOWN_CANDIDATES = 5


class Refused(Exception):
    """It cannot be done: a sentence for the person who asked."""


class InUse(Exception):
    """Somebody has the session open: a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Found:
    summary: Summary
    is_openhands: bool

    @property
    def id(self) -> str:
        return self.summary.session_id

    @property
    def title(self) -> str:
        return self.summary.title or "(no title)"


@dataclass(frozen=True, slots=True)
class Shelf:
    library: Library
    conversations: Path
    """OpenHands' folder."""
    mask: Mask
    place: Path
    """Where snapshots are kept beside the sessions."""

    def all(self, folder: str | None = None) -> list[Found]:
        """List everything, or what works in `folder`, newest first."""
        return [self._masked(found) for found in self._all(folder)]

    def _all(self, folder: str | None) -> list[Found]:
        """A conversation of OpenHands that went on here is ours."""
        is_in = only_in(folder)
        ours = [Found(summary, False) for _, summary in self.library.newest(is_in, None)]
        theirs = [
            Found(summary, True)
            for _, summary in newest(self.conversations, is_in)
            if not self.library.has(summary.session_id)
        ]
        return sorted([*ours, *theirs], key=lambda each: each.summary.updated_at, reverse=True)

    def find(self, written: str) -> Found:
        """Find what a person meant: an id, the beginning of one, or "last". Raises Refused."""
        everything = self._all(None)
        if written == LAST:
            if not everything:
                raise Refused("there is no session yet")
            return self._masked(everything[0])
        wanted = written.replace("-", "").lower()
        matching = [found for found in everything if found.id.replace("-", "").startswith(wanted)] if wanted else []
        match matching:
            case [found]:
                return self._masked(found)
            case []:
                self._say_why(wanted)
                raise Refused(f"no session {written!r}; `openhands-acp sessions list --all` shows what there is")
            case _:
                some = ", ".join(found.id for found in matching[:_SHOWN_CANDIDATES])
                more = f" and {len(matching) - _SHOWN_CANDIDATES} more" if len(matching) > _SHOWN_CANDIDATES else ""
                raise Refused(f"{written!r} is the beginning of {len(matching)} sessions: {some}{more}")

    def read(self, found: Found) -> Stored:
        """Read one. Raises Refused."""
        try:
            if found.is_openhands:
                return masked_stored(read_conversation(self.conversations, found.id), self.mask)
            stored = self.library.read(found.id)
            lost = tuple(what_is_lost(stored.entries))
            return masked_stored(replace(stored, notes=stored.notes + lost), self.mask)
        except NoSuchSession as error:
            raise Refused(f"session {found.id} is gone") from error
        except UnreadableSession as error:
            raise Refused(str(error)) from error

    def subagents(self, found: Found, stored: Stored) -> dict[str, list[Entry]]:
        """Read what a session's sub-agents said, by the folders that it is kept in."""
        if found.is_openhands:
            return {}
        inner = self.library.of_subagents(found.id, stored.entries)
        return {place: masked_stored(each, self.mask).entries for place, each in inner}

    def delete(self, found: Found) -> None:
        """Delete one of ours. Raises Refused and InUse."""
        # Late: a database is opened for this alone.
        from openhands_acp.local.snapshots import forget_session

        if found.is_openhands:
            where = self.conversations / UUID(found.id).hex
            raise Refused(f"{found.id} is OpenHands' own and only read here; its folder is {where}")
        try:
            self.library.delete(found.id)
        except Taken as error:
            raise InUse(f"{found.id}: {error}") from error
        except UnreadableSession as error:
            raise Refused(f"{found.id}: {error}") from error
        except OSError as error:
            raise Refused(f"{found.id} cannot be deleted: {error.strerror or error} ({error.filename})") from error
        forget_session(self.place, found.id)

    def _masked(self, found: Found) -> Found:
        return replace(found, summary=masked_summary(found.summary, self.mask))

    def _say_why(self, wanted: str) -> None:
        """Raise Refused if a whole id is there, but not listed because it cannot be read."""
        try:
            self.library.read(str(UUID(wanted)))
        except (ValueError, NoSuchSession):
            pass
        except UnreadableSession as error:
            raise Refused(str(error)) from error


def shelf(environ: Mapping[str, str] = os.environ) -> Shelf:
    """Open the stores where the server keeps and finds sessions."""
    home = load_settings(Options(), environ).home
    theirs = environ.get("OPENHANDS_CONVERSATIONS_DIR")
    conversations = Path(theirs) if theirs else home / "conversations"
    place = home / "acp"
    return Shelf(Library(place / "sessions"), conversations, masking(environ, home), place)
