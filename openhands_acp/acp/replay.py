"""A session told again, to a client that is to know all of it, or what it missed of it.

Knows nothing of the wire but how to wait for it. No turn begins before the rest is told, and while one runs all of it
is told in one go: what it says meanwhile would overtake what is still to be told, and close calls before they open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import anyio

from openhands_acp.acp.updates import Projector
from openhands_acp.engine.attachments import as_typed
from openhands_acp.engine.events import (
    CallProgress,
    MessageDelta,
    MessageEvent,
    NoticeEvent,
    TurnEnded,
    TurnStarted,
)
from openhands_acp.engine.messages import Part
from openhands_acp.engine.session import Session
from openhands_acp.engine.usage.cost import Spending


@dataclass(slots=True)
class Replay:
    session: Session
    projector: Projector
    spending: Spending
    """What the session had cost by the event that is told."""
    wanted: Collection[str] | None
    """Which events, by their ids; None: all, and what is under way."""
    told_all: Callable[[Projector], None]
    """Called before anything else is told, if it was all."""
    over: anyio.Event = field(default_factory=anyio.Event)
    _next: int = 0
    _told_ahead: str = ""
    _is_unread: bool = False
    """What the last turn was begun with is not taken in yet."""
    _is_told: bool = False

    async def tell(self, drained: Callable[[], Awaitable[None]], is_open: Callable[[], bool]) -> None:
        """Tell it as the client takes it in, unless the session closes meanwhile."""
        while not self._is_told and self.session.turn is None:
            await drained()
            if not is_open():
                return
            if not self._is_told:
                self._step()
        self.finish()

    def finish(self) -> None:
        """Tell the rest at once."""
        while not self._is_told:
            self._step()

    def _step(self) -> None:
        """Tell the next event. One that comes meanwhile was told already; again, else an older one would count."""
        entries = self.session.entries
        while self._next < len(entries):
            entry = entries[self._next]
            self._next += 1
            self.spending.apply(entry.event)
            if entry.id != self._told_ahead and (self.wanted is None or entry.id in self.wanted):
                self.projector.publish(entry.event)
                if isinstance(entry.event, TurnStarted):
                    self._tell_prompt(entry.event)
                return
        self._is_told = True
        if self.wanted is None:
            self._tell_what_is_under_way()
            self.told_all(self.projector)

    def _tell_prompt(self, started: TurnStarted) -> None:
        """Tell what a turn was begun with: it is taken in when questions that come first have been answered."""
        entries = self.session.entries
        for at in range(self._next, len(entries)):
            match entries[at].event:
                case MessageEvent(role="user") | NoticeEvent(channel="user") as prompt:
                    self._told_ahead = entries[at].id
                    self.projector.publish(prompt)
                    return
                case TurnEnded():
                    return
                case _:
                    pass
        self._is_unread = True
        self._tell_unread(started.prompt)

    def _tell_unread(self, typed: tuple[Part, ...]) -> None:
        self.projector.publish(MessageEvent(self.session.new_id(), "user", typed))

    def _tell_what_is_under_way(self) -> None:
        """Tell what no durable event tells of yet."""
        if (turn := self.session.turn) is not None:
            for prompt in (*turn.prompts[self._is_unread :], *turn.commands):
                self._tell_unread(as_typed(prompt))
        transcript = self.session.transcript
        for message_id, partial in transcript.partial.items():
            self.projector.publish(MessageDelta(message_id, partial.channel, partial.text))
        for call_id, call in transcript.open_calls.items():
            if call.announced is not None:
                self.projector.publish(call.announced)
            if call.has_started:
                self.projector.publish(CallProgress(call_id, call.shown or None))
