"""A conversation as text: whole, for the file in which it can be looked up, and bounded, for a model that sums it up.

Pure. Calls are numbered through the whole conversation, so that one can be pointed to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from openhands_acp.engine.cards import ShownDiff
from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CheckpointTaken,
    Condensation,
    Durable,
    Entry,
    MessageEvent,
    ObservationEvent,
    PlanEntry,
    UserRejectObservation,
)
from openhands_acp.engine.guidance.events import SkillActivated
from openhands_acp.engine.items import Guidance, Item, Step, Summary
from openhands_acp.engine.messages import UserMessage, plain_text
from openhands_acp.engine.paths import AbsPath

_MARKS = {"pending": " ", "in_progress": "~", "completed": "x"}


def numbers_in(entries: Iterable[Entry]) -> dict[str, int]:
    """Number the calls of a conversation, by their ids."""
    events = [entry.event for entry in entries]
    made = [event.tool_call_id for event in events if isinstance(event, ActionEvent)]
    return {tool_call_id: number for number, tool_call_id in enumerate(made, 1)}


def results_in(entries: Iterable[Entry]) -> dict[str, str]:
    """Return what each call came to, whole, whatever the model reads of it now."""
    results: dict[str, str] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ObservationEvent | UserRejectObservation | AgentErrorEvent):
            results.setdefault(event.tool_call_id, _result(event))
    return results


def parts_of(entries: Sequence[Entry]) -> list[Sequence[Entry]]:
    """Divide a conversation as it was put into files: the last part is not in one yet."""
    parts: list[Sequence[Entry]] = []
    start = 0
    for at, entry in enumerate(entries):
        if isinstance(entry.event, Condensation) and entry.event.output is not None:
            parts.append(entries[start:at])
            start = at
    return [*parts, entries[start:]]


def told_whole(entries: Iterable[Entry], numbers: Mapping[str, int]) -> str:
    return "\n\n".join(text for entry in entries for text in _told(entry.event, numbers)) + "\n"


def _told(event: Durable, numbers: Mapping[str, int]) -> Iterator[str]:
    match event:
        case MessageEvent(role="user"):
            yield f"=== the person\n{plain_text(event.content)}"
        case MessageEvent():
            yield f"=== the agent\n{plain_text(event.content)}"
        case CheckpointTaken(told=str() as told):
            yield f"=== the person\n{told}"
        case SkillActivated():
            yield f"=== guidance: {event.name}\n{event.text}"
        case ActionEvent():
            yield f"=== call {numbers[event.tool_call_id]}: {event.tool_name}\n{event.arguments}"
        case ObservationEvent() | UserRejectObservation() | AgentErrorEvent():
            number = numbers.get(event.tool_call_id, 0)
            yield f"=== result of call {number}: {event.tool_name}\n{_result(event)}"
        case _:
            pass


def _result(event: ObservationEvent | UserRejectObservation | AgentErrorEvent) -> str:
    match event:
        case ObservationEvent():
            return event.text
        case UserRejectObservation():
            return f"Rejected: {event.rejection_reason}"
        case AgentErrorEvent():
            return f"Error: {event.error}"
        case _:
            assert_never(event)


# ---------------------------------------------------------------- bounded


def told_in(room: int, items: Sequence[Item], results: Mapping[str, str]) -> str:
    """Tell `items` in at most `room` characters: all of it shortened alike, then the middle left out."""
    # What a step is about must be seen, however many there are; long ones differ only in what is in their middle.
    for longest in (4_000, 2_000, 1_000, 500, 250, 120):
        pieces = [_told_item(item, results, longest) for item in items]
        if sum(map(len, pieces)) + 2 * len(pieces) <= room:
            return "\n\n".join(pieces)
    return clipped("\n\n".join(pieces), room)


def _told_item(item: Item, results: Mapping[str, str], longest: int) -> str:
    match item:
        case UserMessage(parts):
            return f"=== the person\n{clipped(plain_text(parts), 2 * longest)}"
        case Summary(text):
            return f"=== summary of what was before\n{clipped(text, 4 * longest)}"
        case Guidance():
            # Named only: it stays beside the summary, whole.
            return f"=== guidance: {item.name}"
        case Step():
            lines = [f"=== the agent\n{clipped(item.text, longest)}"] if item.text.strip() else []
            for key, call in item.calls.items():
                result = results.get(key, item.results.get(key, ("(none)", ()))[0])
                lines += [
                    f"=== call: {call.name} {clipped(call.arguments, longest)}",
                    f"--- result: {clipped(result, longest)}",
                ]
            return "\n".join(lines)
        case _:
            assert_never(item)


def clipped(text: str, longest: int) -> str:
    """Leave out the middle of a text that is too long."""
    if len(text) <= longest:
        return text
    note = f" [… {len(text) - longest:,} characters left out …] "
    room = longest - len(note)
    if room < len(note):
        return f"{text[: max(longest - 1, 0)]}…"
    return text[: room - room // 3] + note + text[-(room // 3) :]


# ---------------------------------------------------------------- what must not be forgotten


def changed_files(entries: Iterable[Entry]) -> list[AbsPath]:
    """List the files that the session changed, by its tools and by its commands, the last changed last."""
    paths: dict[AbsPath, None] = {}
    for entry in entries:
        match entry.event:
            case ObservationEvent(shown=shown):
                changed = [each.path for each in shown if isinstance(each, ShownDiff)]
            case CheckpointTaken(paths=(_, *_) as changed):
                pass
            case _:
                continue
        for path in changed:
            paths.pop(path, None)
            paths[path] = None
    return list(paths)


def plan_in_words(plan: Iterable[PlanEntry]) -> str:
    return "\n".join(f"- [{_MARKS[entry.status]}] {entry.content}" for entry in plan)
