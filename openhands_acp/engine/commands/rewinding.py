"""`/clear` and `/rewind`: the model reads less of what was said, and the person keeps seeing all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from openhands_acp.engine.checkpoints.timeline import timeline
from openhands_acp.engine.commands import context
from openhands_acp.engine.commands.undo import clock
from openhands_acp.engine.context.compaction import weight
from openhands_acp.engine.context.rewinding import Place, places
from openhands_acp.engine.context.window import in_words
from openhands_acp.engine.events import Condensation, Entry, NoticeEvent, PlanEntry, PlanUpdated
from openhands_acp.engine.preparing import previewed
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.titles import cleaned

_LISTED = 30
_QUOTED = 4_000
"""Characters of a prompt that are shown again, to be sent in other words."""
_TAKEN_BACK = (
    "(I took our conversation back to this point. Files were changed after it: look at them again before you rely on "
    "what you saw.)"
)


class Session(context.Session, Protocol):
    entries: list[Entry]


async def clear(session: Session, _argument: str) -> str:
    """Have the model forget all that was said. Its instructions stay, and are told anew where they had changed."""
    if not session.transcript.items:
        return "There is nothing to clear: nothing was said yet."
    freed = await _left(session, 0, ())
    return (
        f"Cleared: the model knows nothing of what was said above, which frees about {in_words(freed)} tokens. "
        "Title, mode, model and files stay as they are."
    )


async def rewind(session: Session, argument: str) -> str:
    """Take the conversation back to before a prompt, named by its number."""
    found = places(session.entries)
    if not found:
        return "There is nothing to take back: the model reads no prompt of yours."
    place = next((place for place in found if str(place.number) == argument.strip().lstrip("#")), None)
    if place is None:
        return _listed(found)
    files = [each for each in timeline(session.entries).listed.values() if each.at >= place.at]
    freed = await _left(session, place.items, place.plan)
    back = f"Files stay as they are; `/restore {files[0].id}` brings them back to how they were then." if files else ""
    told = (
        f"Went back to before prompt {place.number}, which frees about {in_words(freed)} tokens. {back}".rstrip(),
        f"You had said:\n\n{fenced(place.prompt[:_QUOTED])}",
    )
    session.emit(NoticeEvent(session.new_id(), "text", "\n\n".join(told), _TAKEN_BACK if files else None))
    return ""


async def _left(session: Session, items: int, plan: tuple[PlanEntry, ...]) -> int:
    """Leave so many of the first items to the model, with the plan of that time; return the tokens that are freed."""
    now = await context.measured(session, await previewed(session))
    transcript = session.transcript
    after = replace(now, weight=weight(transcript.items[:items]))
    if transcript.plan != plan:
        session.emit(PlanUpdated(plan))
    count = len(transcript.items)
    session.emit(Condensation(session.new_id(), "cut", now.tokens, after.tokens, count, tuple(range(items))))
    return max(now.tokens - after.tokens, 0)


def _listed(found: Sequence[Place]) -> str:
    older = [f"- and {len(found) - _LISTED} older ones"] if len(found) > _LISTED else []
    return "\n".join(
        [
            "The conversation can go back to before each of these prompts:",
            "",
            *[_line(place) for place in reversed(found[-_LISTED:])],
            *older,
            "",
            "`/rewind NUMBER` goes to before one; `/clear` forgets all of them.",
        ]
    )


def _line(place: Place) -> str:
    return f"- `{place.number}` {clock(place.at)}, **{cleaned(place.prompt) or 'without text'}**"
