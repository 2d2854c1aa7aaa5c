"""What can be undone and redone: the fold of a conversation's checkpoints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from openhands_acp.engine.events import CheckpointTaken, Entry


@dataclass(frozen=True, slots=True)
class Step:
    """Something that changed files: a turn, or going back to a checkpoint."""

    id: str
    title: str
    before: str
    """The state of the files before it, by its id."""
    after: str | None
    """None: it was cut short, so nobody knows where it ended."""


@dataclass(frozen=True, slots=True)
class Undone:
    step: Step
    before: str
    """The state before it was undone, and after."""
    after: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A state to which a person can go."""

    id: str
    at: datetime
    title: str
    """What came after it."""
    state: str
    changed: int | None
    """Files that changed then; None: nobody knows."""


@dataclass(slots=True)
class Timeline:
    done: list[Step] = field(default_factory=list[Step])
    undone: list[Undone] = field(default_factory=list[Undone])
    listed: dict[str, Listed] = field(default_factory=dict[str, Listed])

    def take(self, entry: Entry, event: CheckpointTaken) -> None:
        if event.moment != "after":
            self._close(event.before)
            changed = None if event.moment == "before" else event.changed
            self.listed[event.checkpoint_id] = Listed(
                event.checkpoint_id, entry.timestamp, event.title, event.before, changed
            )
        step = Step(event.checkpoint_id, event.title, event.before, event.after)
        match event.moment:
            case "before":
                self.done.append(step)
            case "after":
                self._end(step, event.changed)
            # A damaged journal may lack what is gone back on.
            case "undo" if self.done:
                self.undone.append(Undone(self.done.pop(), event.before, event.after or event.before))
            case "redo" if self.undone:
                self.done.append(self.undone.pop().step)
            case "restore":
                self.done.append(step)
                self.undone.clear()
            case _:
                pass

    def _close(self, state: str) -> None:
        """What was cut short ended, at the latest, where the next thing began."""
        if self.done and self.done[-1].after is None:
            self.done[-1] = replace(self.done[-1], after=state)

    def _end(self, step: Step, changed: int) -> None:
        if not self.done or self.done[-1].id != step.id:
            return
        if changed:
            self.done[-1] = step
            if step.id in self.listed:
                self.listed[step.id] = replace(self.listed[step.id], changed=changed)
            self.undone.clear()
        else:
            self.listed.pop(self.done.pop().id, None)


def timeline(entries: Sequence[Entry]) -> Timeline:
    told = Timeline()
    for entry in entries:
        if isinstance(entry.event, CheckpointTaken):
            told.take(entry, entry.event)
    return told


def next_id(entries: Sequence[Entry]) -> str:
    """Return the id of the next checkpoint: a number, because a person types it."""
    used = [entry.event.checkpoint_id for entry in entries if isinstance(entry.event, CheckpointTaken)]
    return str(1 + max((int(number) for number in used if number.isdecimal()), default=0))
