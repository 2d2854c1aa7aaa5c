"""The loop: ask the model, run the calls it makes, until it makes none.

Everything it needs hangs on the session; everything it does is an event.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import groupby
from typing import Protocol

import anyio
import anyio.lowlevel

from openhands_acp.engine import vision
from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.context import compacting
from openhands_acp.engine.context.compacting import answered_in_room, made_room
from openhands_acp.engine.events import (
    AgentErrorEvent,
    NoticeEvent,
    ObservationEvent,
    StopReason,
    UserRejectObservation,
)
from openhands_acp.engine.guidance import telling as guidance
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.ports import Dismissed
from openhands_acp.engine.respond import Response
from openhands_acp.engine.servers import news as server_news
from openhands_acp.engine.servers.news import renewed
from openhands_acp.engine.tool import Hands, Rejected, ToolError, ToolResult
from openhands_acp.engine.turns import Turn
from openhands_acp.engine.unstuck import Course, Outcome
from openhands_acp.engine.usage import limits
from openhands_acp.engine.usage.limits import checked
from openhands_acp.engine.vision import see_for

logger = logging.getLogger(__name__)


class Session(
    compacting.Session, guidance.Session, hooking.Session, limits.Session, server_news.Session, vision.Session, Protocol
):
    """What a turn works on."""

    turn: Turn | None

    async def prepare(self) -> None: ...

    async def take_prompts(self) -> bool:
        """Put waiting prompts into the history; tell whether there were any."""
        ...

    def hands(self, call: CallRequest) -> Hands: ...

    def cancel(self) -> None: ...


async def take_turn(session: Session) -> StopReason:
    """Work until the model is done. Raises TurnError; whatever is open then, `Session.settle` closes."""
    await session.prepare()
    if not await session.take_prompts() and session.turn is not None and session.turn.was_refused:
        return "end_turn"
    course = Course(session)
    while (stop := await checked(session)) is None:
        await renewed(session)
        await see_for(session)
        if await made_room(session) or (response := await answered_in_room(session)) is None:
            # It may have cost something: the limits are looked at first.
            continue
        outcomes = await run_calls(session, response.calls)
        # Whoever closed a question wants no model asked any more: nothing need wait from here to there.
        await anyio.lowlevel.checkpoint_if_cancelled()
        await guidance.after_calls(session, response.calls)
        if await session.take_prompts():
            course.begin()
            continue
        if any(outcome.ends_turn for outcome in outcomes):
            return _stop_reason(session, response)
        if not await course.corrected(response, outcomes) and not response.calls:
            return _stop_reason(session, response)
    return stop


async def run_calls(session: Session, calls: tuple[CallRequest, ...]) -> list[Outcome]:
    """Run one answer's calls in their order, read-only neighbours side by side; return what each came to."""
    outcomes: dict[str, Outcome] = {}

    async def run(call: CallRequest) -> None:
        outcomes[call.tool_call_id] = await run_call(session, call)

    for batch in _batches(calls):
        async with anyio.create_task_group() as tasks:
            for call in batch:
                tasks.start_soon(run, call)
    return [outcomes[call.tool_call_id] for call in calls]


async def run_call(session: Session, call: CallRequest) -> Outcome:
    """Run one call and tell its one result. Only cancellation passes."""
    try:
        result = await _run(session, call)
    except ToolError as error:
        return _failed(session, call, str(error))
    except Rejected as no:
        return _rejected(session, call, no)
    except Dismissed:
        outcome = _rejected(session, call, Rejected("the person stopped here"))
        session.cancel()
        return outcome
    except Exception as error:
        logger.exception("running %s", call.tool_name)
        text = f"a bug in openhands-acp stopped this tool ({type(error).__name__}); try another way"
        return _failed(session, call, text)
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
            result.output,
        )
    )
    return Outcome(result.text, result.is_error, result.ends_turn)


def _failed(session: Session, call: CallRequest, error: str) -> Outcome:
    shown = session.transcript.open_calls[call.tool_call_id].shown
    session.emit(AgentErrorEvent(call.tool_call_id, call.tool_name, error, shown))
    return Outcome(error)


def _rejected(session: Session, call: CallRequest, no: Rejected) -> Outcome:
    session.emit(
        UserRejectObservation(call.tool_call_id, call.action_id, call.tool_name, no.reason, no.source, no.shown)
    )
    return Outcome(no.reason)


async def _run(session: Session, call: CallRequest) -> ToolResult:
    if call.tool is None or call.problem:
        raise ToolError(call.problem)
    limit = session.turn.tool_limit if session.turn is not None else None
    if limit is not None and (refusal := limit.refusal(call.tool_name, call.arguments, session.root)) is not None:
        raise ToolError(refusal)
    tool = call.tool
    return await hooking.called(session, call, lambda hands: tool.run(call.parsed, hands))


def _batches(calls: tuple[CallRequest, ...]) -> Iterator[list[CallRequest]]:
    for is_read_only, group in groupby(calls, _is_read_only):
        if is_read_only:
            yield list(group)
        else:
            yield from ([call] for call in group)


def _is_read_only(call: CallRequest) -> bool:
    # What cannot run changes nothing, and keeps no neighbour waiting.
    return call.tool is None or bool(call.problem) or call.tool.is_read_only(call.parsed)


def _stop_reason(session: Session, response: Response) -> StopReason:
    match response.finish.reason:
        case "length":
            notice = "The answer reached the model's limit of tokens. To have the rest of it, say so."
            session.emit(NoticeEvent(session.new_id(), "text", notice))
            return "max_tokens"
        case "refusal":
            # Not the protocol's `refusal`: editors then remove the person's message (clients.md rule 13).
            session.emit(NoticeEvent(session.new_id(), "text", "The provider's content filter stopped this answer."))
            return "end_turn"
        case "stop":
            return "end_turn"
