"""Whether what a project brings along may run: the person is asked, with all of it before their eyes.

Knows neither files nor how trust is kept. A client that answers for the person trusts nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from openhands_acp.engine.events import NoticeEvent
from openhands_acp.engine.guidance.inventory import Inventory, Withheld
from openhands_acp.engine.guidance.trust import Trust
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person import questions
from openhands_acp.engine.ports import Answer, Option


@dataclass(slots=True)
class Declined:
    """What the person was asked about in this session and does not trust, by digests."""

    digests: set[str] = field(default_factory=set[str])


T = TypeVar("T")


class Session(questions.Session, Protocol):
    root: AbsPath

    @property
    def inventory(self) -> Inventory: ...

    @property
    def trust(self) -> Trust: ...

    async def look_around(self) -> None: ...

    def recall(self, what: type[T]) -> T: ...


async def settle(session: Session) -> None:
    """Ask about what is withheld, once in a session; what is trusted then counts from now on.

    What changes later is another thing, and is asked about again.
    """
    declined = session.recall(Declined)
    asked = [thing for thing in session.inventory.withheld if thing.digest not in declined.digests]
    if not asked:
        return
    answer = await _ask(session, asked)
    if answer not in ("allow_once", "allow_always"):
        declined.digests |= {thing.digest for thing in asked}
        session.emit(NoticeEvent(session.new_id(), "text", _LEFT_OUT))
        return
    if failure := session.trust.extend(asked, for_good=answer == "allow_always"):
        session.emit(NoticeEvent(session.new_id(), "text", failure))
    await session.look_around()


def is_withheld(session: Session, command: str) -> bool:
    """Tell whether a slash command is there, or another one, once all is trusted that is not by now."""
    brought = [name for thing in session.inventory.withheld for name in thing.commands]
    return any(command == name or (name.endswith(":") and command.startswith(name)) for name in brought)


_LEFT_OUT = (
    "The project is not trusted: what it brings along stays out of this session. You are asked again in the next one; "
    "`/doctor` lists what it is. The setting `trusted` names folders that are always trusted."
)


async def _ask(session: Session, things: Sequence[Withheld]) -> Answer:
    # To say no comes first, because clients that answer for the person take what comes first.
    options = (
        Option("reject_once", "Do not trust it, and go on without"),
        Option("allow_once", "Trust it in this session", is_deliberate=True),
        Option("allow_always", "Always trust it, until it changes", is_deliberate=True),
    )
    return await questions.ask(session, "Trust this project?", in_words(things), options)


def in_words(things: Collection[Withheld]) -> str:
    """List all that would run, by folders: what is left out here would be trusted unseen."""
    parts = [
        "It brings along what can run programs on your machine, or tell the agent what to do. Trust it only if you "
        "know who wrote it:"
    ]
    for folder in dict.fromkeys(thing.folder for thing in things):
        # On one line each, whatever somebody wrote there: nothing may look like a line of ours.
        of_folder = [f"- {' '.join(thing.what.split())}" for thing in things if thing.folder == folder]
        parts.append("\n".join([f"In `{folder}`:", "", *of_folder]))
    return "\n\n".join(parts)
