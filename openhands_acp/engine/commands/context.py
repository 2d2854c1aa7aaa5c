"""`/compact` and `/context`: what a person types to make room in the model's window, and to see what fills it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from openhands_acp.engine import preparing
from openhands_acp.engine.cards import CallKind
from openhands_acp.engine.context import compacting
from openhands_acp.engine.context.window import Gauge, in_words, weight_of_tool
from openhands_acp.engine.events import ActionEvent
from openhands_acp.engine.guidance.telling import MEMORY_BEGIN, RULES_BEGIN, SKILLS_BEGIN
from openhands_acp.engine.items import (
    Guidance,
    Step,
    Summary,
    weight_of,
    weight_of_call,
    weight_of_item,
    weight_of_result,
)
from openhands_acp.engine.messages import SystemMessage, UserMessage
from openhands_acp.engine.tool import TurnError

_OF_CALLS: Mapping[CallKind, str] = {
    "read": "Files that were read and edited",
    "edit": "Files that were read and edited",
    "search": "Searches",
    "execute": "Commands and their output",
}
_OTHER = "Other calls"


class Session(compacting.Session, preparing.Session, Protocol):
    pass


async def compact(session: Session, hint: str) -> str:
    return await compacting.compacted(session, hint)


async def context(session: Session, _argument: str) -> str:
    """Show what fills the window, as estimated. Asks no model, and nobody else."""
    system = await preparing.previewed(session)
    now = await measured(session, system)
    rows = [(name, now.tokens_of(weight)) for name, weight in _weights(session, system) if weight]
    whole = now.window or now.tokens
    lines = [f"| {name} | {in_words(tokens)} | {_percent(tokens, whole)} |" for name, tokens in rows]
    if now.window is not None:
        free = max(now.window - now.tokens, 0)
        lines.append(f"| Free | {in_words(free)} | {_percent(free, whole)} |")
    head = ["| What | Tokens, about | Share |", "| --- | ---: | ---: |"]
    return "\n".join([_title(session, now), "", *head, *lines, *_saved(session, now)])


async def measured(session: Session, system: SystemMessage) -> Gauge:
    """Estimate how full the window is, also where the model cannot be opened."""
    try:
        llm = await session.open_llm()
        window = session.windows.get(llm.model, llm.context_window)
    except TurnError:
        # A model that cannot be opened, as for want of a key, is not asked either: what it told last will do.
        window = session.transcript.spending.window
    return compacting.gauged(session, window, system)


def _title(session: Session, now: Gauge) -> str:
    model = session.transcript.model
    if now.window is None or now.limit is None:
        return f"**{in_words(now.tokens)}** tokens are in use; nobody knows how many {model} can read."
    return (
        f"**{in_words(now.tokens)}** of {in_words(now.window)} tokens that {model} can read are in use "
        f"({_percent(now.tokens, now.window)}). From {in_words(now.limit)} on, older parts are summed up; `/compact` "
        "does it now."
    )


def _saved(session: Session, now: Gauge) -> list[str]:
    hidden = [tool.spec for tool in session.toolbox.hidden]
    if not hidden:
        return []
    tokens = in_words(now.tokens_of(sum(map(weight_of_tool, hidden))))
    return ["", f"`tool_search` stands for {len(hidden)} more tools of MCP servers, which would take about {tokens}."]


def _weights(session: Session, system: SystemMessage) -> Iterator[tuple[str, int]]:
    # In this order they stand in it, each as far as there is any.
    rest, *_, memory = system.dynamic.partition(MEMORY_BEGIN)
    rest, *_, listed = rest.partition(SKILLS_BEGIN)
    surroundings, *_, rules = rest.partition(RULES_BEGIN)
    yield "System prompt", weight_of(system.static) + weight_of(surroundings)
    yield "Project rules", weight_of(rules)
    yield "List of skills", weight_of(listed)
    yield "Memory", weight_of(memory)
    remote = {tool.spec.name for tool in session.toolbox.remote}
    ours = [tool.spec for name, tool in session.tools.items() if name not in remote]
    theirs = [tool.spec for name, tool in session.tools.items() if name in remote]
    yield f"Tools, built in ({len(ours)})", sum(map(weight_of_tool, ours))
    yield f"Tools of MCP servers ({len(theirs)})", sum(map(weight_of_tool, theirs))
    yield from _weights_of_items(session).items()


def _weights_of_items(session: Session) -> dict[str, int]:
    kinds = _kinds(session)
    weights = dict.fromkeys(
        ("Summary of what was before", "Skills and folders' rules", "Your messages", "The agent's messages"), 0
    )
    weights |= dict.fromkeys((*_OF_CALLS.values(), _OTHER), 0)
    for item in session.transcript.items:
        match item:
            case Summary():
                weights["Summary of what was before"] += weight_of_item(item)
            case Guidance():
                weights["Skills and folders' rules"] += weight_of_item(item)
            case UserMessage():
                weights["Your messages"] += weight_of_item(item)
            case Step():
                of_calls = 0
                for key, call in item.calls.items():
                    weight = weight_of_call(call) + weight_of_result(*item.results.get(key, ("", ())))
                    weights[_OF_CALLS.get(kinds.get(key, "other"), _OTHER)] += weight
                    of_calls += weight
                weights["The agent's messages"] += weight_of_item(item) - of_calls
    return weights


def _kinds(session: Session) -> dict[str, CallKind]:
    events = [entry.event for entry in session.entries]
    calls = [event for event in events if isinstance(event, ActionEvent)]
    return {call.tool_call_id: call.card.kind for call in calls if call.card is not None}


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(whole, 1)
    return f"{share:.0f} %" if share >= 1 or not part else "< 1 %"
