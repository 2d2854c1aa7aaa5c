"""When hooks are asked, and what comes of it: a call is refused, a prompt kept out, something added for the model.

Knows neither files nor processes. A hook that does not work blocks nothing, and the person is told so, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import anyio

from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.events import Entry, Event, NoticeEvent, TurnStarted
from openhands_acp.engine.hooks import EventName, Hook, Verdict, judged, matches, payload
from openhands_acp.engine.inventory import Inventory, quoted
from openhands_acp.engine.messages import Part, plain_text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.tool import Hands, Rejected, ToolResult
from openhands_acp.engine.turns import Turn

T = TypeVar("T")

_FAREWELL = 3.0
"""Seconds for all hooks of a session's end."""


class Session(Protocol):
    id: str
    root: AbsPath
    ports: Ports
    turn: Turn | None
    entries: list[Entry]

    @property
    def inventory(self) -> Inventory: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def recall(self, what: type[T]) -> T: ...


class Caller(Session, Protocol):
    def hands(self, call: CallRequest) -> Hands: ...


@dataclass(slots=True)
class _Past:
    """What this process did with the hooks of a session."""

    has_begun: bool = False
    told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Of what the person was told: commands, and what is wrong with them."""


# ---------------------------------------------------------------- calls


async def called(session: Caller, call: CallRequest) -> ToolResult:
    """Run a call, with the hooks before and after it. Raises ToolError, Rejected, Dismissed."""
    assert call.tool is not None
    name, given = call.tool_name, call.arguments or {}
    before = await _asked(session, "PreToolUse", name, tool_name=name, tool_input=given)
    if before.is_blocked:
        # Before the person is asked: what cannot be done is no question.
        raise Rejected(f"a hook blocked this call: {before.reason}", "mode")
    result = await call.tool.run(call.parsed, session.hands(call))
    response = {"content": result.text, "is_error": result.is_error}
    after = await _asked(session, "PostToolUse", name, tool_name=name, tool_input=given, tool_response=response)
    remarks = [*before.additions, *after.additions, *([after.reason] if after.is_blocked else [])]
    if not remarks:
        return result
    text = "\n\n".join([result.text, *(f"(A hook says: {remark})" for remark in remarks)])
    # Who objects to what was done wants it to be read.
    return replace(result, text=text, ends_turn=result.ends_turn and not after.is_blocked)


# ---------------------------------------------------------------- prompts


async def prompted(session: Session, parts: Sequence[Part]) -> Verdict:
    """Ask about what the person wants the model to read."""
    if session.ports.bounds.depth:
        return Verdict()
    if session.turn is not None:
        session.turn.is_watched = any(hook.event == "UserPromptSubmit" for hook in session.inventory.hooks)
    text = plain_text(parts)
    return await _asked(session, "UserPromptSubmit", "", message=text, prompt=text)


async def admitted(session: Session, parts: Sequence[Part]) -> bool:
    """Ask about the first prompt of those that wait, and take it out; tell whether the model may read it."""
    assert session.turn is not None
    verdict = await prompted(session, parts)
    session.turn.prompts.pop(0)
    session.turn.was_refused = kept_out(session, plain_text(parts), verdict)
    if not verdict.is_blocked:
        add(session, verdict)
    return not verdict.is_blocked


def kept_out(session: Session, typed: str, verdict: Verdict) -> bool:
    """Tell the person, if a hook keeps their prompt from the model."""
    if verdict.is_blocked:
        session.emit(NoticeEvent(session.new_id(), "user", typed))
        said = f"A hook kept this prompt from the agent: {verdict.reason}"
        session.emit(NoticeEvent(session.new_id(), "text", said))
    return verdict.is_blocked


def add(session: Session, verdict: Verdict) -> None:
    """Have the model read what a hook adds; the person sees it beside."""
    for addition in verdict.additions:
        told = f"(A hook adds: {addition})"
        session.emit(NoticeEvent(session.new_id(), "thought", f"A hook adds: {addition}", told))


# ---------------------------------------------------------------- beginnings and ends


async def begun(session: Session) -> None:
    """Ask once in a session, at its first turn, or the first since it was taken up again."""
    past = session.recall(_Past)
    if not past.has_begun and not session.ports.bounds.depth:
        past.has_begun = True
        turns = sum(isinstance(entry.event, TurnStarted) for entry in session.entries)
        # As Claude calls them.
        source = "resume" if turns > 1 else "startup"
        add(session, await _asked(session, "SessionStart", source, source=source))


async def stopped(session: Session, *, again: bool) -> str:
    """Ask whether the turn may end; return why not. `again`: it was sent back before."""
    verdict = await _asked(session, "Stop", "", stop_hook_active=again)
    add(session, verdict)
    return verdict.reason if verdict.is_blocked else ""


async def ended(session: Session) -> None:
    """Tell the hooks of a session that had a turn. Bounded, whatever they do."""
    if session.recall(_Past).has_begun:
        with anyio.move_on_after(_FAREWELL, shield=True):
            await _asked(session, "SessionEnd", "", reason="other")


async def _asked(session: Session, event: EventName, name: str, **fields: Any) -> Verdict:
    """Ask all hooks of an event in their order, up to the first that blocks."""
    additions: list[str] = []
    for hook in session.inventory.hooks:
        if not matches(hook, event, name, fields.get("tool_input") or {}):
            continue
        told = payload(event, session.id, hook.folder or session.root, **fields)
        verdict = judged(await session.ports.open_hooks().run(hook, told))
        if verdict.complaint:
            _complain(session, hook, verdict.complaint)
        additions += verdict.additions
        if verdict.is_blocked:
            return replace(verdict, additions=tuple(additions))
    return Verdict(additions=tuple(additions))


def _complain(session: Session, hook: Hook, complaint: str) -> None:
    told = session.recall(_Past).told
    if (hook.command, complaint) not in told:
        told.add((hook.command, complaint))
        where = f"The {hook.event} hook {quoted(hook.command)} ({quoted(hook.source)})"
        session.emit(NoticeEvent(session.new_id(), "text", f"{where} {complaint}. It blocked nothing."))
