"""What stands where in a trajectory: OpenHands reads some events only at certain places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from openhands_acp.engine import events as ours
from openhands_acp.engine.events import Entry
from openhands_acp.store.openhands_calls import Wire


def without_dropped(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out answers that failed on their way, with the results of their calls: no model ever reads them."""
    events = [entry.event for entry in entries]
    dropped = {event.response_id for event in events if isinstance(event, ours.ResponseDropped)}
    calls = {
        event.tool_call_id for event in events if isinstance(event, ours.ActionEvent) and event.response_id in dropped
    }

    def stays(event: ours.Durable) -> bool:
        match event:
            case ours.MessageEvent(role="assistant") | ours.ThoughtEvent() | ours.ActionEvent():
                return response_id(event) not in dropped
            case ours.ObservationEvent() | ours.UserRejectObservation() | ours.AgentErrorEvent():
                return event.tool_call_id not in calls
            case _:
                return True

    return [entry for entry in entries if stays(entry.event)]


def response_id(event: ours.MessageEvent | ours.ThoughtEvent | ours.ActionEvent) -> str:
    return event.response_id or event.message_id if isinstance(event, ours.MessageEvent) else event.response_id


def prompt_first(entries: Sequence[Entry]) -> list[Entry]:
    """Keep the newest prompt alone: it is the one that counts."""
    prompts = [entry for entry in entries if isinstance(entry.event, ours.SystemPromptEvent)]
    return [*prompts[-1:], *(entry for entry in entries if not isinstance(entry.event, ours.SystemPromptEvent))]


def results_first(events: Iterable[Wire]) -> Iterator[Wire]:
    held, unanswered = list[Wire](), set[str]()
    for event in events:
        match event:
            case {"kind": "MessageEvent", "llm_message": {"role": "user"}} if unanswered:
                held.append(event)
                continue
            case {"kind": "ConversationStateUpdateEvent" | "ConversationErrorEvent"}:
                yield event
                continue
            case {"kind": kind, "tool_call_id": call_id} if kind != "ActionEvent":
                unanswered.discard(call_id)
                yield event
            case _:
                if held or event["kind"] != "ActionEvent":
                    # There is none: the process was ended before.
                    unanswered.clear()
                yield from held
                held.clear()
                yield event
        if event["kind"] == "ActionEvent":
            unanswered.add(event["tool_call_id"])
        if not unanswered:
            yield from held
            held.clear()
    yield from held
