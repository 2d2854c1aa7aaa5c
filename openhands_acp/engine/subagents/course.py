"""What is to be seen of a sub-agent's work in the card of the task that it does, and what comes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from openhands_acp.engine.cards import Card, Shown, ShownCommand, ShownText
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.usage.cost import Used, dollars

State: TypeAlias = Literal["running", "waiting", "completed", "failed"]

_NEWEST = 8
"""Steps that are listed while it works."""
_LISTED = 50
"""The same when it is over."""
_LONGEST = 160
"""Characters of one line."""
_PRINTED = 600
"""Characters that are shown of what a command prints."""
_KEPT = 4_000
"""Characters that are kept of what a step printed; a sub-agent's own journal has all of it."""
_MARKS: dict[State, str] = {
    "running": " …",
    "waiting": " (waits for your answer)",
    "completed": "",
    "failed": " (failed)",
}


@dataclass(slots=True)
class _Step:
    card: Card
    state: State = "running"


@dataclass(slots=True)
class Course:
    agent: str
    description: str
    used: Used = field(default_factory=Used)
    answer: str = ""
    """What it said last, or gave as its result."""
    notice: str = ""
    """What it last told the person beside its work: that a provider is waited for, say."""
    _printed: str = ""
    """The end of what the command prints that runs now."""
    _steps: dict[str, _Step] = field(default_factory=dict[str, _Step])

    def step(self, call_id: str, card: Card) -> None:
        """Begin a step, or tell it better."""
        known = self._steps.setdefault(call_id, _Step(card))
        known.card = card
        self.notice = ""

    def progress(self, shown: tuple[Shown, ...]) -> None:
        """Take in what a step shows while it runs."""
        for item in shown:
            if isinstance(item, ShownCommand) and item.output:
                self._printed = item.output[-_PRINTED:]

    def state(self, call_id: str, state: State) -> None:
        if state != "running":
            self._printed = ""
        if step := self._steps.get(call_id):
            step.state = state

    def said(self, text: str) -> None:
        if text.strip():
            self.answer = text.strip()
        self.notice = ""

    def shown(self) -> tuple[Shown, ...]:
        """Return what its card shows while it works."""
        printed = [fenced(self._printed, "console")] if self._printed else []
        last = [f"> {_line(self.answer)}"] if self.answer else []
        return (ShownText("\n\n".join([self._head(), *self._list(_NEWEST), *printed, *last, *self._notice()])),)

    def over(self, status: str, answer: str) -> tuple[Shown, ...]:
        """Return what its card shows when it is over."""
        said = [f"**{status}**"] if status != "completed" else []
        return (ShownText("\n\n".join([self._head(), *self._list(_LISTED), *said, *([answer] if answer else [])])),)

    def figures(self, task_id: str, status: str) -> JsonObject:
        return {
            "task_id": task_id,
            "subagent": self.agent,
            "status": status,
            "steps": len(self._steps),
            "tokens": self.used.tokens,
            "cost_usd": self.used.cost_usd,
        }

    def _head(self) -> str:
        count = len(self._steps)
        figures = [f"{count} step{'' if count == 1 else 's'}"]
        if self.used.tokens:
            figures.append(f"{self.used.tokens:,} tokens")
        if self.used.calls and self.used.cost_usd is not None:
            figures.append(dollars(self.used.cost_usd))
        named = f"**{self.agent}**" + (f": {_line(self.description)}" if self.description else "")
        return f"{named}\n{', '.join(figures)}"

    def _list(self, most: int) -> list[str]:
        steps = list(self._steps.values())
        earlier = len(steps) - most
        lines = [f"- … {earlier} earlier"] if earlier > 0 else []
        lines += [f"- {_titled(step.card)}{_MARKS[step.state]}" for step in steps[-most:]]
        return ["\n".join(lines)] if lines else []

    def _notice(self) -> list[str]:
        return [f"*{_line(self.notice)}*"] if self.notice else []


def bounded(shown: tuple[Shown, ...]) -> tuple[Shown, ...]:
    """Return what is kept of what a step shows: the end of long texts, and changes whole."""
    return tuple(_bounded(item) for item in shown)


def _bounded(item: Shown) -> Shown:
    match item:
        case ShownText(text):
            return ShownText(_end_of(text))
        case ShownCommand(line, str() as output):
            return ShownCommand(line, _end_of(output))
        case _:
            return item


def _end_of(text: str) -> str:
    return text if len(text) <= _KEPT else f"[…]\n{text[-_KEPT:]}"


def _titled(card: Card) -> str:
    title = _line(card.title)
    return f"`{title}`" if card.kind == "execute" and "`" not in title else title


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
