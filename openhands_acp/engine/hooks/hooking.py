"""When hooks are asked, and what comes of it: a call is refused or asked about, a prompt kept out, something added.

Knows neither files nor processes. A hook that does not work blocks nothing, and the person is told so, once. Those of
a session look at the calls of its sub-agents, too; those of a sub-agent's definition at all that it does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import anyio

from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.events import Entry, Event, NoticeEvent, TurnStarted
from openhands_acp.engine.guidance.inventory import Inventory, quoted
from openhands_acp.engine.hooks.definitions import EventName, Hook, Ran, Verdict, judged, matches, payload
from openhands_acp.engine.messages import JsonObject, Part, plain_text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.tool import Hands, Rejected, ToolError, ToolResult
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
    """Of what the person was told, or is to be: commands, and what is wrong with them."""
    to_tell: list[str] = field(default_factory=list[str])
    """What comes at any moment, between two pieces of an answer, say, and waits for a better one."""


# ---------------------------------------------------------------- calls


async def called(session: Caller, call: CallRequest, run: Callable[[Hands], Awaitable[ToolResult]]) -> ToolResult:
    """Run a call, with the hooks before and after it. Raises ToolError, Rejected, Dismissed."""
    before = await _asked(session, "PreToolUse", call.tool_name, tool_name=call.tool_name, tool_input=_given(call))
    if before.is_blocked:
        # Before the person is asked: what cannot be done is no question.
        raise Rejected(f"a hook blocked this call: {before.reason}", "hook")
    hands = session.hands(replace(call, hook_asks=before.question))
    try:
        result = await run(hands)
    except ToolError as error:
        # It was tried, and may have done a part of it.
        after = await _after(session, call, str(error), is_error=True)
        raise ToolError(_with_remarks(str(error), before, after)) from error
    after = await _after(session, call, result.text, is_error=result.is_error)
    # Who objects to what was done wants it to be read.
    ends_turn = result.ends_turn and not after.is_blocked
    return replace(result, text=_with_remarks(result.text, before, after), ends_turn=ends_turn)


async def _after(session: Session, call: CallRequest, text: str, *, is_error: bool) -> Verdict:
    told = {"tool_name": call.tool_name, "tool_input": _given(call)}
    response = {"content": text, "is_error": is_error}
    return await _asked(session, "PostToolUse", call.tool_name, **told, tool_response=response)


def _given(call: CallRequest) -> JsonObject:
    return call.arguments or {}


def _with_remarks(text: str, before: Verdict, after: Verdict) -> str:
    remarks = [*before.additions, *after.additions, *([after.reason] if after.is_blocked else [])]
    return "\n\n".join([text, *(f"(A hook says: {remark})" for remark in remarks)])


# ---------------------------------------------------------------- prompts


def watch(session: Session) -> None:
    """Note whether hooks look at prompts: one that is stopped before they did is not for the model."""
    if session.turn is not None:
        session.turn.is_watched = any(hook.event == "UserPromptSubmit" for hook in session.inventory.hooks)


async def prompted(session: Session, parts: Sequence[Part]) -> Verdict:
    """Ask about what the person wants the model to read."""
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
    _tell(session)
    past = session.recall(_Past)
    if not past.has_begun:
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
    questions: list[str] = []
    for hook in session.inventory.hooks:
        if not matches(hook, event, name, fields.get("tool_input") or {}):
            continue
        told = payload(event, session.id, hook.folder or session.root, **fields)
        if hook.is_async and event != "SessionEnd":
            session.ports.open_hooks().begin(hook, told, _listening(session, hook))
            continue
        # At a session's end nothing runs on behind it.
        verdict = judged(await session.ports.open_hooks().run(hook, told))
        _look_at(session, hook, verdict)
        additions += verdict.additions
        questions += [verdict.question] if verdict.question else []
        if verdict.is_blocked:
            break
    else:
        verdict = Verdict(question="; ".join(questions))
    _tell(session)
    return replace(verdict, additions=tuple(additions))


# ---------------------------------------------------------------- hooks that do not work


def _listening(session: Session, hook: Hook) -> Callable[[Ran], None]:
    return lambda ran: _look_at(session, hook, judged(ran))


def _look_at(session: Session, hook: Hook, verdict: Verdict) -> None:
    if verdict.complaint:
        complain(session, hook, f"{verdict.complaint}. It blocked nothing")
    elif verdict.question and hook.event != "PreToolUse":
        complain(session, hook, "wants you to be asked, which only a PreToolUse hook can have")


def complain(session: Session, hook: Hook, complaint: str) -> None:
    """Have the person told what is wrong with a hook, once."""
    if session.ports.bounds.complain is not None:
        session.ports.bounds.complain(hook, complaint)
        return
    past = session.recall(_Past)
    if (hook.command, complaint) not in past.told:
        past.told.add((hook.command, complaint))
        past.to_tell.append(f"The {hook.event} hook {quoted(hook.command)} ({quoted(hook.source)}) {complaint}.")


def _tell(session: Session) -> None:
    past = session.recall(_Past)
    for sentence in past.to_tell:
        session.emit(NoticeEvent(session.new_id(), "text", sentence))
    past.to_tell.clear()
