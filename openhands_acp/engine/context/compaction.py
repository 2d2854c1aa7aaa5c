"""What to leave out of a conversation that has grown too long. Pure: plans, asks no model and writes no file.

A step, an answer of the model with the results of its calls, is left out whole or stays, and what a provider wants
to see together stays together (`_may_begin_at`). What the person said stays, word for word, as far as there is room.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from openhands_acp.engine.context.retelling import clipped
from openhands_acp.engine.context.window import Gauge
from openhands_acp.engine.events import Shortened
from openhands_acp.engine.items import Guidance, Item, Step, Summary, condensed, weight_of, weight_of_item
from openhands_acp.engine.messages import JsonValue, UserMessage, plain_text

RECENT = 4
"""Steps at the end whose results are worked with: they go last."""
_WORTH = 400
"""Bytes of a result, or of one argument, that is worth leaving out."""
_LEAST = 200
"""Bytes of a result that is cut to fit; below, it says nothing."""
_GAIN = 0.1
"""Of the room: what does not free so much is not begun with unless it must be."""

Where: TypeAlias = Callable[[str], str]
"""Says where the whole result of a call can be read again, by our id of the call."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a `Condensation` is to say."""

    stage: Literal["outputs", "summary", "cut"]
    shortened: tuple[Shortened, ...] = ()
    until: int = 0
    kept: tuple[int, ...] = ()
    summary: str = ""

    def of(self, items: Sequence[Item]) -> list[Item]:
        return condensed(items, self.until, self.kept, self.summary, self.shortened)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may stay, in bytes."""

    tail: int
    """The last steps."""
    last: int
    """The very last step, if no other fits: it is what the model works with."""
    words: int
    """What the person said before."""
    summary: int
    """What a model, or a list, says of what is gone; the facts come on top."""
    guidance: int = 0
    """Skills and rules of folders that the model was told before."""

    @property
    def longest_summary(self) -> int:
        """With the facts, and what is quoted (`summary_text`)."""
        return 2 * self.summary + self.words // 3 + _WORTH


_MOST = Budget(tail=140_000, last=140_000, words=70_000, summary=14_000, guidance=60_000)
"""However large the window is: each step is paid for with all that stays."""
_LEAST_SUMMARY = 1_500


def budget_of(gauge: Gauge, share: float = 1.0) -> Budget:
    """Divide the room: some of it stays free for what is to come."""
    # Where nobody knows the window, or the estimate is wrong, less than now is still less.
    room = gauge.bytes_of(min(gauge.room, 0.7 * gauge.tokens_of(gauge.weight))) * share
    return Budget(
        tail=min(int(0.3 * room), _MOST.tail),
        last=min(int(0.45 * room), _MOST.last),
        words=min(int(0.2 * room), _MOST.words),
        summary=max(min(int(0.15 * room), _MOST.summary), _LEAST_SUMMARY),
        guidance=min(int(0.15 * room), _MOST.guidance),
    )


def weight(items: Sequence[Item]) -> int:
    return sum(map(weight_of_item, items))


def is_worth_it(gauge: Gauge, freed: int) -> bool:
    """Tell whether leaving out so many bytes makes a difference."""
    return gauge.tokens_of(freed) >= _GAIN * gauge.room


# ---------------------------------------------------------------- first: old output


def without_old_outputs(items: Sequence[Item], where: Where) -> Plan | None:
    """Plan to leave out what calls resulted in, and long texts that they were given, but for the last steps'.

    None if there is nothing to leave out.
    """
    steps = [item for item in items if isinstance(item, Step)]
    shortened = [each for step in steps[:-RECENT] for key in step.calls if (each := _less_of(step, key, where))]
    return Plan("outputs", tuple(shortened)) if shortened else None


def _less_of(step: Step, key: str, where: Where) -> Shortened | None:
    text, images = step.results.get(key, ("", ()))
    result = _left_out(step, key, where) if images or weight_of(text) > _WORTH else None
    # A provider that signs thoughts may look whether the calls are still those that came with them.
    arguments = _without_long_texts(step.calls[key].arguments) if step.blocks is None else None
    return Shortened(key, result, arguments) if result is not None or arguments is not None else None


def _without_long_texts(arguments: str) -> str | None:
    """Return arguments with a note in the place of each long text; None if there is none, or they are no JSON."""
    if weight_of(arguments) <= _WORTH:
        return None
    try:
        given: JsonValue = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    less = _noted(given)
    return None if less == given else json.dumps(less, ensure_ascii=False)


def _noted(value: JsonValue) -> JsonValue:
    match value:
        case str() if weight_of(value) > _WORTH:
            return f"[{len(value):,} characters, which were here, are left out to save room]"
        case str():
            return value
        case Mapping():
            return {key: _noted(each) for key, each in value.items()}
        case Sequence():
            return [_noted(each) for each in value]
        case _:
            return value


def _left_out(step: Step, key: str, where: Where) -> str:
    size = len(step.results[key][0])
    return f"[{size:,} characters that {step.calls[key].name} resulted in are left out to save room; {where(key)}]"


# ---------------------------------------------------------------- then: old steps


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to stay of a conversation whose beginning goes."""

    until: int
    """Where the tail begins."""
    shortened: tuple[Shortened, ...]
    """Results in the tail that are too long for it."""
    words: tuple[int, ...]
    """Positions, before the tail, of what the person said."""
    quotes: tuple[str, ...]
    """What they said besides, oldest first, each cut to its gist."""
    guidance: tuple[int, ...] = ()
    """Positions, before the tail, of what still holds."""

    def gone(self, items: Sequence[Item]) -> list[Item]:
        """Return what a summary has to stand for."""
        return [
            item
            for at, item in enumerate(items[: self.until])
            if at not in self.words and not isinstance(item, Guidance)
        ]

    def with_summary(self, stage: Literal["summary", "cut"], text: str) -> Plan:
        return Plan(stage, self.shortened, self.until, tuple(sorted({*self.words, *self.guidance})), text)


def what_stays(items: Sequence[Item], budget: Budget, where: Where) -> Kept:
    """Choose the tail, and what stays of the person's words in front of it."""
    until, shortened = _tail(items, budget, where)
    words, quotes = _words(items, until, budget.words)
    return Kept(until, shortened, words, quotes, _guidance(items, until, budget.guidance))


def _tail(items: Sequence[Item], budget: Budget, where: Where) -> tuple[int, tuple[Shortened, ...]]:
    """Return where the last steps begin that fit, and what of them has to be shortened for it."""
    # What the person said last, and nobody answered yet, stays at the end, however long.
    end = len(items) - (1 if items and isinstance(items[-1], UserMessage) else 0)
    start, used = end, 0
    for at in reversed(range(end)):
        used += weight_of_item(items[at])
        if used > budget.tail or isinstance(items[at], Summary):
            break
        if _may_begin_at(items, at):
            start = at
    last = items[end - 1] if end else None
    if start == end and isinstance(last, Step) and _may_begin_at(items, end - 1):
        if weight_of_item(last) <= budget.last:
            return end - 1, ()
        shortened = _cut_to_fit(last, budget.last, where)
        return (end - 1, shortened) if shortened else (end, ())
    return start, ()


def _may_begin_at(items: Sequence[Item], at: int) -> bool:
    """Tell whether the conversation may be cut in front of an item.

    A provider that signs thoughts wants to see those with which the model set out, up to the next word of the person.
    """
    item = items[at]
    if not isinstance(item, Step) or item.blocks is not None:
        return True
    for before in reversed(items[:at]):
        if not isinstance(before, Step):
            return True
        if before.blocks is not None:
            return False
    return True


def _cut_to_fit(step: Step, room: int, where: Where) -> tuple[Shortened, ...]:
    """Shorten the results of a step so that it fits; nothing if it does not all the same."""
    said = weight_of_item(replace(step, results={}))
    share = (room - said) // max(len(step.results), 1)
    shortened: list[Shortened] = []
    for key, (text, images) in step.results.items():
        if not images and weight_of(text) <= share:
            continue
        note = f"\n[this was {len(text):,} characters, shortened to save room; {where(key)}]"
        left = share - weight_of(note)
        if left < _LEAST:
            return ()
        shortened.append(Shortened(key, _within(left, text) + note))
    return tuple(shortened)


def _guidance(items: Sequence[Item], until: int, room: int) -> tuple[int, ...]:
    """Choose what stays of skills and rules before the tail, newest first, and of each the newest.

    What does not is told again when it comes to matter again.
    """
    names = {item.name for item in items[until:] if isinstance(item, Guidance)}
    kept: list[int] = []
    for at in reversed(range(until)):
        item = items[at]
        if isinstance(item, Guidance) and item.name not in names and weight_of_item(item) <= room:
            names.add(item.name)
            kept.append(at)
            room -= weight_of_item(item)
    return tuple(reversed(kept))


def _words(items: Sequence[Item], until: int, room: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Choose what stays word for word of what the person said before the tail, newest first; quote the rest."""
    said = [(at, item) for at, item in enumerate(items[:until]) if isinstance(item, UserMessage)]
    is_latest_in_tail = any(isinstance(item, UserMessage) for item in items[until:])
    kept: list[int] = []
    quotes: list[str] = []
    left, left_for_quotes = room, room // 3
    for at, item in reversed(said):
        size = weight_of_item(item)
        is_latest = not kept and not quotes and not is_latest_in_tail
        if is_latest or size <= left:
            kept.append(at)
            left -= size
            continue
        quote = clipped(plain_text(item.parts), 400)
        if weight_of(quote) <= left_for_quotes:
            quotes.append(quote)
            left_for_quotes -= weight_of(quote)
    return tuple(reversed(kept)), tuple(reversed(quotes))


# ---------------------------------------------------------------- what is read instead


@dataclass(frozen=True, slots=True)
class Facts:
    """What stays true whatever was left out."""

    plan: str = ""
    files: tuple[str, ...] = ()
    """Those that were changed."""
    place: str = ""
    """Where all that was left out can be read."""


def summary_text(said: str, quotes: Collection[str], facts: Facts, budget: Budget) -> str:
    """Put together what stands for the steps that are gone: `said` about them, and the facts word for word."""
    sections = [_within(budget.summary, said.strip())] if said.strip() else []
    if quotes:
        sections.append("The person also said, shortened:\n" + "\n".join(f"- {quote}" for quote in quotes))
    if facts.plan:
        sections.append(f"The plan as it stands:\n{_within(budget.summary // 2, facts.plan)}")
    if facts.files:
        files = [f"- {file}" for file in _last_of(facts.files, budget.summary // 2)]
        sections.append("\n".join(["Files changed so far:", *files]))
    if facts.place:
        sections.append(facts.place)
    return "\n\n".join(sections)


def _within(room: int, text: str) -> str:
    """Clip a text to so many bytes, of which a character has several in some scripts."""
    return clipped(text, room * len(text) // max(weight_of(text), 1))


def _last_of(lines: Sequence[str], room: int) -> list[str]:
    """Keep the last lines that fit, and count the others."""
    kept: list[str] = []
    for line in reversed(lines):
        room -= weight_of(line) + 3
        if room < 0 and kept:
            return [f"({len(lines) - len(kept)} more)", *reversed(kept)]
        kept.append(line)
    return list(reversed(kept))


def list_of_steps(items: Sequence[Item], room: int) -> str:
    """Say what was done without a model: a line for each call, the last ones that fit."""
    before = next((item.text for item in reversed(items) if isinstance(item, Summary)), "")
    lines = [
        f"- {call.name} {clipped(call.arguments, 160)}"
        for item in items
        if isinstance(item, Step)
        for call in item.calls.values()
    ]
    parts = [clipped(before, room // 2)] if before else []
    if lines:
        parts.append("What you did since, the last of it:\n" + "\n".join(_last_of(lines, room // 2)))
    return "\n\n".join(parts)
