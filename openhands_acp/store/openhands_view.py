"""Which events stand behind what a model reads: OpenHands' condensations name events, ours count items. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import count

from openhands_acp.engine.events import Condensation, Entry
from openhands_acp.engine.transcript import Transcript

_BYTES_OF_A_TOKEN = 4
_PROMPT = -1


@dataclass(slots=True)
class View:
    """A conversation as a model reads it, with OpenHands' events for it, in their order.

    Takes no answers that were dropped: then an item keeps its number.
    """

    _transcript: Transcript = field(default_factory=Transcript)
    _numbers: count[int] = field(default_factory=count)
    _items: list[int] = field(default_factory=list[int])
    """Numbers of the transcript's items, in their order."""
    _stands: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """OpenHands' events by their ids, each with the number of what it is a part of, or with several."""
    _answers: dict[str, int] = field(default_factory=dict[str, int])
    """Numbers of the model's answers, by our ids of them."""
    _unread: set[str] = field(default_factory=set[str])
    """Events that OpenHands' model does not read."""

    @property
    def tokens(self) -> int:
        """Estimate how much it is."""
        return self._transcript.weight // _BYTES_OF_A_TOKEN

    def apply(self, entry: Entry) -> None:
        """Take in what is no condensation."""
        self._transcript.apply(entry.event, entry.id)
        while len(self._items) < len(self._transcript.items):
            self._items.append(next(self._numbers))

    def prompts(self, event_id: str) -> None:
        """Note that the event is the prompt, which is no item."""
        self._stands.append((event_id, _PROMPT))

    def begins(self, event_id: str) -> None:
        """Note that the event is what the newest item begins with."""
        self._stands.append((event_id, self._items[-1]))

    def answers(self, event_id: str, response_id: str) -> None:
        """Note that the event is a part of an answer of the model's, which has just been told, or told of before."""
        self._stands.append((event_id, self._answers.setdefault(response_id, self._items[-1])))

    def stops(self, event_id: str) -> None:
        """Note that the event is where the person stopped a turn, of which only our model reads."""
        self.begins(event_id)
        self._unread.add(event_id)

    def joins(self, event_id: str, other_id: str) -> None:
        """Note that the event is a part of what another one is a part of."""
        number = next((number for known, number in reversed(self._stands) if known == other_id), None)
        if number is not None:
            self._stands.append((event_id, number))

    def condensing(self, event_ids: Collection[str], offset: int | None) -> tuple[int, tuple[int, ...]]:
        """Return `until` and `kept` of a condensation of ours that leaves out what these events stand for.

        `offset` is at which of the events that are left its summary stands, if it has one.
        """
        gone = {number for event_id, number in self._stands if event_id in event_ids}
        until = max((at for at, number in enumerate(self._items, 1) if number in gone), default=0)
        if offset is not None:
            read = [number for event_id, number in self._stands if number not in gone and event_id not in self._unread]
            behind = next((number for number in read[offset:] if number != _PROMPT), None)
            place = len(self._items) if behind is None else self._items.index(behind)
            # Where only stops are between, they are of what is told after it.
            while place > until and self._items[place - 1] not in read:
                place -= 1
            until = max(until, place)
        return until, tuple(at for at, number in enumerate(self._items[:until]) if number not in gone)

    def condense(self, entry: Entry, event: Condensation, summary_id: str) -> tuple[list[str], int]:
        """Apply a condensation; return the events that it leaves out, and where among the others its summary is."""
        gone = {number for at, number in enumerate(self._items[: event.until]) if at not in event.kept}
        stay, rest = [self._items[at] for at in event.kept], self._items[event.until :]
        comes_after = set(rest)
        forgotten = [event_id for event_id, number in self._stands if number in gone]
        left = [(event_id, number) for event_id, number in self._stands if number not in gone]
        place = next((at for at, (_, number) in enumerate(left) if number in comes_after), len(left))
        self._transcript.apply(entry.event, entry.id)
        summary = [next(self._numbers)] if event.summary else []
        self._items = [*stay, *summary, *rest]
        # Later events belong to answers that are still to come.
        self._answers.clear()
        self._stands = [*left[:place], *((summary_id, number) for number in summary), *left[place:]]
        # What was said before a call's result is told behind it.
        in_front = [*left[:place], *(pair for pair in left[place:] if pair[1] not in {*comes_after, _PROMPT})]
        return forgotten, sum(event_id not in self._unread for event_id, _ in in_front)
