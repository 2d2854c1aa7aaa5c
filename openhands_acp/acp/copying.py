"""What a fork begins with: a conversation up to a message, closed where it was cut. Pure."""

from __future__ import annotations

from uuid import uuid4

from openhands_acp.engine.events import AgentErrorEvent, Durable, Entry, TurnEnded, TurnStarted
from openhands_acp.engine.session_ports import folded


def copied_up_to(entries: tuple[Entry, ...], message_id: str | None) -> tuple[Entry, ...]:
    """Copy a history up to and with a message; a turn that is cut there ends there. Raises LookupError."""
    end = len(entries)
    if message_id is not None:
        found = (i for i, e in enumerate(entries) if getattr(e.event, "message_id", None) == message_id)
        end = next(found, -1) + 1
    if end == 0:
        raise LookupError(f"the session has no message {str(message_id)[:100]!r}")
    copied = entries[:end]
    turns = [entry for entry in copied if isinstance(entry.event, TurnStarted | TurnEnded)]
    if turns and isinstance(turns[-1].event, TurnStarted):
        ended = TurnEnded(turns[-1].event.turn_id, "end_turn")
        events: list[Durable] = [*_not_copied(copied), ended]
        return (*copied, *(Entry(str(uuid4()), copied[-1].timestamp, event) for event in events))
    return copied


def _not_copied(entries: tuple[Entry, ...]) -> list[Durable]:
    """Close the calls whose results are not in the copy: a model wants one for each."""
    reason = "this conversation was copied before the call had a result; look before you repeat it"
    return [AgentErrorEvent(key, call.tool_name, reason) for key, call in folded(entries).open_calls.items()]
