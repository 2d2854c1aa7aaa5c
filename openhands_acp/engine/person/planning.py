"""Plan mode: what the model is told of it, and how it ends: the person is asked what comes next.

What may not be done meanwhile, `policy` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.events import CallProgress, Entry, Event, NoticeEvent
from openhands_acp.engine.messages import JsonObject, Text, UserMessage
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.person.door import Button, Filled, Form, Person, Pick, Picked
from openhands_acp.engine.transcript import Transcript

TOLD = (
    "(This session is in plan mode now: read and search as you need, change and run nothing. For work that changes "
    "something, end by putting a plan to me (with `exit_plan_mode` if you have it), and start only when I approve it. "
    "A question is answered as ever.)"
)
_OVER = "(Plan mode is over: from now on you may change and run things, as far as I permit it.)"
_KEEP = "plan"
_WISH: JsonObject = {
    "type": "object",
    "properties": {"wish": {"type": "string", "title": "What should be different?"}},
}


class Session(Protocol):
    transcript: Transcript
    entries: list[Entry]

    @property
    def mode(self) -> Mode: ...

    @property
    def person(self) -> Person: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def set_option(self, key: str, value: str) -> None: ...


@dataclass(slots=True)
class Told:
    """What the model was told of the mode."""

    of_plan: bool | None = None
    """None: not looked up yet in what was said before this process."""


def tell(session: Session, told: Told) -> None:
    """Tell the model if plan mode has begun or ended since it was told last."""
    is_planning = session.mode == "plan"
    if told.of_plan is None:
        told.of_plan = _was_told(session.entries)
    # Cleared, taken back or summed up since: it reads nothing of it any more.
    is_forgotten = is_planning and UserMessage((Text(TOLD),)) not in session.transcript.items
    if is_planning == told.of_plan and not is_forgotten:
        return
    told.of_plan = is_planning
    shown = "*Plan mode: nothing is changed before you approve a plan.*" if is_planning else "*Plan mode is over.*"
    session.emit(NoticeEvent(session.new_id(), "text", shown, TOLD if is_planning else _OVER))


def _was_told(entries: Sequence[Entry]) -> bool:
    """Tell whether the last that was said of it is that plan mode has begun."""
    notices = (entry.event.told for entry in reversed(entries) if isinstance(entry.event, NoticeEvent))
    return next((told == TOLD for told in notices if told in (TOLD, _OVER)), False)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the person said of a plan."""

    mode: Mode | None
    """In which it is carried out; None: not yet."""
    wish: str = ""
    """What they want otherwise, if they said so."""
    was_asked: bool = True
    """False: the client could not ask them, or there was no need to."""


async def decided(session: Session, tool_call_id: str, title: str, told: Told) -> Decision:
    """Ask whether the plan, which the person has read in the chat, is carried out, and in which mode."""
    if session.mode != "plan":
        return Decision(session.mode, was_asked=False)
    card = Card(title, "switch_mode", (), (ShownText("The plan is above. What comes next?"),))
    answer = await session.person.pick(Pick(tool_call_id, card, _buttons(session.transcript.mode_before_plan)))
    match answer:
        case Picked(button) if button != _KEEP:
            session.set_option("mode", button)
            # By the result of the call.
            told.of_plan = False
            session.emit(CallProgress(tool_call_id))
            return Decision(session.mode)
        case Picked():
            return Decision(None, await _wish(session, tool_call_id))
        case "dismissed":
            return Decision(None)
        case "unable":
            return Decision(None, was_asked=False)
        case _:
            assert_never(answer)


async def _wish(session: Session, tool_call_id: str) -> str:
    message = "You want to go on planning. Leave this empty to say more in the chat."
    reply = await session.person.fill(Form(message, _WISH, tool_call_id=tool_call_id))
    return str(reply.values.get("wish", "")).strip() if isinstance(reply, Filled) else ""


def _buttons(before: str | None) -> tuple[Button, ...]:
    """Offer the careful way first, which clients choose that answer by themselves; freer ones only to a person."""
    as_before = {
        "llm-approve": "Carry it out, asking before what the model calls risky, as before",
        "always-approve": "Carry it out without asking at all, as before",
    }
    return (
        Button("always-ask", "Carry it out, asking before each change and command", "allow_once"),
        Button("accept-edits", "Carry it out, asking before commands only", "allow_always"),
        *([Button(before, as_before[before])] if before in as_before else []),
        Button(_KEEP, "Keep planning", "reject_once"),
    )
