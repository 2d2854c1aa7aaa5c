"""The loop: ask the model, run the calls it makes, until it makes none.

Everything it needs hangs on the session; everything it does is an event.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import groupby
from typing import Protocol

import anyio

from openhands_acp.engine.events import (
    AgentErrorEvent,
    NoticeEvent,
    ObservationEvent,
    StopReason,
    UserRejectObservation,
)
from openhands_acp.engine.guard import Dismissed
from openhands_acp.engine.ports import LLM
from openhands_acp.engine.respond import CallRequest, Conversation, Response, respond
from openhands_acp.engine.tool import Hands, Rejected, ToolError, ToolResult

logger = logging.getLogger(__name__)


class Session(Conversation, Protocol):
    """What a turn works on."""

    max_steps: int

    async def prepare(self) -> None: ...

    def check_budget(self) -> None: ...

    async def open_llm(self) -> LLM: ...

    async def take_prompts(self) -> bool:
        """Put waiting prompts into the history; tell whether there were any."""
        ...

    def hands(self, call: CallRequest) -> Hands: ...

    def cancel(self) -> None: ...


async def take_turn(session: Session) -> StopReason:
    """Work until the model is done. Raises TurnError; whatever is open then, `Session.settle` closes."""
    await session.prepare()
    await session.take_prompts()
    for _ in range(session.max_steps):
        session.check_budget()
        response = await respond(session, await session.open_llm())
        ends_turn = await run_calls(session, response.calls)
        if await session.take_prompts():
            continue
        if ends_turn or not response.calls:
            return _stop_reason(session, response)
    return "max_turn_requests"


async def run_calls(session: Session, calls: tuple[CallRequest, ...]) -> bool:
    """Run one answer's calls in their order, read-only neighbours side by side; tell whether one ends the turn."""
    ends_turn = False

    async def run(call: CallRequest) -> None:
        nonlocal ends_turn
        result = await run_call(session, call)
        ends_turn = ends_turn or (result is not None and result.ends_turn)

    for batch in _batches(calls):
        async with anyio.create_task_group() as tasks:
            for call in batch:
                tasks.start_soon(run, call)
    return ends_turn


async def run_call(session: Session, call: CallRequest) -> ToolResult | None:
    """Run one call and tell its one result. Only cancellation passes."""
    try:
        result = await _run(session, call)
    except ToolError as error:
        session.emit(_failed(session, call, str(error)))
    except Rejected as no:
        session.emit(
            UserRejectObservation(call.tool_call_id, call.action_id, call.tool_name, no.reason, no.source, no.shown)
        )
    except Dismissed:
        reason = "the person stopped here"
        session.emit(UserRejectObservation(call.tool_call_id, call.action_id, call.tool_name, reason))
        session.cancel()
    except Exception as error:
        logger.exception("running %s", call.tool_name)
        text = f"a bug in openhands-acp stopped this tool ({type(error).__name__}); try another way"
        session.emit(_failed(session, call, text))
    else:
        session.emit(
            ObservationEvent(
                call.tool_call_id,
                call.action_id,
                call.tool_name,
                result.text,
                result.is_error,
                result.shown,
                result.locations,
                result.raw_output,
                result.images,
            )
        )
        return result
    return None


def _failed(session: Session, call: CallRequest, error: str) -> AgentErrorEvent:
    shown = session.transcript.open_calls[call.tool_call_id].shown
    return AgentErrorEvent(call.tool_call_id, call.tool_name, error, shown)


async def _run(session: Session, call: CallRequest) -> ToolResult:
    if call.tool is None:
        raise ToolError(f"there is no tool {call.tool_name!r}; the tools are {', '.join(session.tools)}")
    if call.arguments is None:
        raise ToolError("the arguments are not a JSON object; send the call again, whole")
    return await call.tool.run(call.tool.parse(call.arguments), session.hands(call))


def _batches(calls: tuple[CallRequest, ...]) -> Iterator[list[CallRequest]]:
    for is_read_only, group in groupby(calls, _is_read_only):
        if is_read_only:
            yield list(group)
        else:
            yield from ([call] for call in group)


def _is_read_only(call: CallRequest) -> bool:
    # What cannot run changes nothing, and keeps no neighbour waiting.
    if call.tool is None or call.arguments is None:
        return True
    try:
        return call.tool.is_read_only(call.tool.parse(call.arguments))
    except ToolError:
        return True


def _stop_reason(session: Session, response: Response) -> StopReason:
    match response.finish.reason:
        case "length":
            return "max_tokens"
        case "refusal":
            # Not the protocol's `refusal`: editors then remove the person's message (clients.md rule 13).
            session.emit(NoticeEvent(session.new_id(), "text", "The provider's content filter stopped this answer."))
            return "end_turn"
        case "stop":
            if response.is_empty:
                session.emit(NoticeEvent(session.new_id(), "text", "The model answered with nothing. Try again."))
            return "end_turn"
