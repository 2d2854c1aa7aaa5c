"""Has sub-agents do tasks: each a session of its own, in its own time, several side by side.

Knows neither what binds such a session (`session`) nor what is seen of it (`view`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from openhands_acp.engine.choices import Refused
from openhands_acp.engine.events import Entry, StopReason, Usage, UsageEvent
from openhands_acp.engine.guidance.inventory import AgentDefinition
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.messages import Text
from openhands_acp.engine.ports import Dismissed
from openhands_acp.engine.session import Session
from openhands_acp.engine.session_ports import KeptSubagent
from openhands_acp.engine.subagents.builtin import known, named
from openhands_acp.engine.subagents.course import Course
from openhands_acp.engine.subagents.events import SubagentStarted
from openhands_acp.engine.subagents.servers import connected
from openhands_acp.engine.subagents.session import Assignment, opened
from openhands_acp.engine.subagents.view import View
from openhands_acp.engine.tool import Errand, ToolError, ToolResult

DEEPEST = 2
"""Sub-agents have sub-agents, if their definition names the tool `task`, but these have none."""
AT_ONCE = 8
"""Sub-agents of one session that work at the same time; more wait."""


@dataclass(slots=True)
class _AtWork:
    """The tasks of one session that are being done."""

    ids: set[str] = field(default_factory=set[str])
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE))


async def delegated(session: Session, tool_call_id: str, errand: Errand) -> ToolResult:
    """Have a sub-agent do this, and wait for it. Raises ToolError, and Dismissed where the person wants to stop."""
    depth = session.ports.bounds.depth + 1
    if depth > DEEPEST:
        raise ToolError("whoever works for a sub-agent cannot start another one; do this yourself")
    definition = _definition(session, errand)
    model = session.model if definition.model is None else await _chosen(session, definition.model)
    at_work = session.recall(_AtWork)
    # From here to the event in one step: calls side by side must not get the same id.
    task_id = errand.resume or f"task_{len(session.transcript.tasks) + 1:08}"
    if task_id in at_work.ids:
        raise ToolError(f"{task_id} is being worked on at this moment; wait for its result")
    at_work.ids.add(task_id)
    session.emit(SubagentStarted(task_id, tool_call_id, definition.name))
    own_servers = frozenset(definition.servers) - {state.name for state in session.servers.states()}
    view = View(session, tool_call_id, Course(definition.name, errand.description), own_servers)
    try:
        async with at_work.limiter:
            view.tell()
            async with connected(session, definition) as servers:
                assignment = Assignment(task_id, definition, model, depth, servers)
                stop_reason = await _done(session, errand, assignment, view)
            return _result(view, task_id, stop_reason)
    finally:
        at_work.ids.discard(task_id)


async def _done(session: Session, errand: Errand, assignment: Assignment, view: View) -> StopReason:
    kept = await _kept(session, errand, assignment.task_id)
    shell = None
    try:
        # Side by side, and after a `cd`, one shell for all would be wrong for each.
        shell = session.ports.open_terminals() if session.ports.open_terminals is not None else None
        child = opened(session, assignment, kept, view, shell or session.world.terminals)
        try:
            return await _worked(session, child, errand, view)
        finally:
            await hooking.ended(child)
    finally:
        if shell is not None:
            # Bounded: what it started ends with it, also where the person stopped it.
            with anyio.CancelScope(shield=True):
                await shell.end()
        kept.close()


def _result(view: View, task_id: str, stop_reason: StopReason) -> ToolResult:
    # A question in the chat, which ends a turn, is a last word too.
    course, answer = view.course, view.course.answer or view.course.notice
    if stop_reason == "cancelled":
        # Nobody cancels a sub-agent alone: the person closed its question, and wants all of this to stop.
        raise Dismissed
    cause = view.failure or ("its last answer was cut off" if stop_reason == "max_tokens" else "")
    status = "failed" if cause else "completed"
    head = f"Task ID: {task_id}\nSubagent: {course.agent}\nStatus: {status}"
    said = [answer] if answer else [] if cause else ["(It ended without a word.)"]
    if cause:
        ended = cause if cause.endswith((".", "!", "?")) else f"{cause}."
        said.append(f"It did not finish: {ended} What it did stays done; `resume` with its task ID goes on with it.")
    shown = course.over(status, "\n\n".join([*([answer] if answer else []), *([cause] if cause else [])]))
    return ToolResult(
        "\n\n".join([head, *said]), shown, raw_output=course.figures(task_id, status), is_error=bool(cause)
    )


async def _worked(session: Session, child: Session, errand: Errand, view: View) -> StopReason:
    # In two parts, so that no task that begins with a slash is taken for a command.
    try:
        answer = child.begin((Text("Your task:\n\n"), Text(errand.prompt)))
        if session.turn is not None and child.turn is not None:
            child.turn.tool_limit = session.turn.tool_limit
        turn = child.turn
        stop_reason = await answer
        if turn is not None and turn.was_refused:
            view.failure, view.course.notice = view.course.notice, ""
    finally:
        for _ in range(child.transcript.spending.turn.untold):
            # An answer that came without figures cost something all the same, and nobody knows what.
            session.emit(UsageEvent(Usage(0, 0), child.model, None, "subagent"))
            view.course.used.add(Usage(0, 0))
    await anyio.to_thread.run_sync(child.sync)
    return stop_reason


# ---------------------------------------------------------------- which


def _definition(session: Session, errand: Errand) -> AgentDefinition:
    definitions = known(session.inventory)
    name = errand.agent
    if errand.resume is not None:
        tasks = session.transcript.tasks
        if errand.resume not in tasks:
            raise ToolError(f"there is no task {errand.resume!r}; there are: {', '.join(tasks) or 'none yet'}")
        name = tasks[errand.resume]
    definition = named(name, definitions)
    if definition is None:
        there = ", ".join(each.name for each in definitions)
        raise ToolError(f"there is no sub-agent {name!r}; there are: {there}")
    return definition


async def _chosen(session: Session, model: str) -> str:
    try:
        return (await session.choices.look_up(model)).value
    except Refused as refused:
        raise ToolError(f"its model {model!r} cannot be asked: {refused}") from refused


async def _kept(session: Session, errand: Errand, task_id: str) -> KeptSubagent:
    if session.ports.open_subagent is None:
        if errand.resume is not None:
            raise ToolError(f"what {task_id} did is not kept; start a new task")
        return KeptSubagent(_Forgetting())
    try:
        return await session.ports.open_subagent(task_id)
    except LookupError as error:
        raise ToolError(f"what {task_id} did cannot be read: {error}; start a new task") from error


@dataclass(frozen=True, slots=True)
class _Forgetting:
    """The journal of a sub-agent whose session keeps none."""

    def claim(self) -> None:
        pass

    def append(self, entry: Entry) -> None:
        pass

    def sync(self) -> None:
        pass
