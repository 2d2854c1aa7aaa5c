"""One answer of the model: its stream as events, and the calls it made, read as they are meant.

Knows nothing of running them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any, Protocol, assert_never, cast, get_args

from openhands_acp.engine.arguments import Reading, Unreadable, fitted, read, tool_named
from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.cards import Card
from openhands_acp.engine.events import (
    ActionEvent,
    CallDelta,
    Event,
    MessageDelta,
    MessageEvent,
    NoticeEvent,
    Risk,
    ThoughtEvent,
    UsageEvent,
)
from openhands_acp.engine.messages import JsonObject, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, Aside, CallChunk, Chunk, Finish, TextChunk, ThoughtChunk
from openhands_acp.engine.stuck import Refrain
from openhands_acp.engine.tool import Tool, ToolError, TurnError
from openhands_acp.engine.transcript import Transcript

SKETCH_INTERVAL = 0.1
"""Seconds between two looks at arguments that are still streaming, so that long ones cost no more than their length."""


class Conversation(Protocol):
    """What the answer is given to."""

    root: AbsPath
    transcript: Transcript
    windows: dict[str, int]
    """Tokens that models can read, as their refusals told."""

    @property
    def tools(self) -> dict[str, Tool]: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    @property
    def drained(self) -> Callable[[], Awaitable[None]]:
        """Waits while the editor is behind."""
        ...


@dataclass(frozen=True, slots=True)
class Response:
    response_id: str
    calls: tuple[CallRequest, ...]
    finish: Finish
    text: str
    has_thought: bool = False
    is_refrain: bool = False
    """It only repeated itself, and was ended."""

    @property
    def is_empty(self) -> bool:
        return not self.text.strip() and not self.calls


@dataclass(slots=True)
class _Streaming:
    """A call while its arguments arrive."""

    tool_call_id: str
    provider_id: str
    name: str
    tool: Tool | None
    pieces: list[str] = field(default_factory=list[str])
    looked_at: float = -inf
    card: Card | None = None


@dataclass(slots=True)
class _Answer:
    """What has come so far."""

    response_id: str
    text_id: str
    thought_id: str
    calls: dict[int, _Streaming] = field(default_factory=dict[int, _Streaming])
    finish: Finish | None = None
    refrain: Refrain = field(default_factory=Refrain)
    is_refrain: bool = False


async def respond(session: Conversation, llm: LLM) -> Response:
    """Ask the model once and tell everything it says as it comes. Raises TurnError."""
    answer = _Answer(session.new_id(), session.new_id(), session.new_id())
    text, has_thought, calls = "", False, tuple[CallRequest, ...]()
    specs = tuple(tool.spec for tool in session.tools.values())
    # Here, and not when an image comes: the model may be another one by then.
    history = session.transcript.history(with_images=llm.sees_images)
    try:
        async with aclosing(llm.stream(history, specs)) as chunks:
            async for chunk in chunks:
                _take(session, answer, chunk)
                if answer.is_refrain:
                    break
                await session.drained()
    finally:
        # Also for an answer that was cut off: what was said is kept, and each card that was shown gets its call.
        text, has_thought = _keep_messages(session, answer)
        calls = _keep_calls(session, answer)
    if answer.finish is None and not answer.is_refrain:
        detail = f"{llm.model} stopped in mid-answer. Send the prompt again to go on."
        raise TurnError("network", detail, can_retry=True)
    finish = answer.finish or Finish("stop")
    if finish.usage is not None:
        window = session.windows.get(llm.model, llm.context_window)
        session.emit(UsageEvent(finish.usage, llm.model, window))
    return Response(answer.response_id, calls, finish, text, has_thought, answer.is_refrain)


def _take(session: Conversation, answer: _Answer, chunk: Chunk) -> None:
    match chunk:
        case TextChunk(text):
            session.emit(MessageDelta(answer.text_id, "text", text))
            answer.is_refrain = answer.refrain.goes_on(text)
        case ThoughtChunk(text):
            session.emit(MessageDelta(answer.thought_id, "thought", text))
            answer.is_refrain = answer.refrain.goes_on(text)
        case CallChunk():
            _take_call(session, answer.calls, chunk)
        case Aside(text):
            session.emit(NoticeEvent(session.new_id(), "text", text))
        case Finish():
            answer.finish = chunk
        case _:
            assert_never(chunk)


def _take_call(session: Conversation, calls: dict[int, _Streaming], chunk: CallChunk) -> None:
    call = calls.get(chunk.index)
    if call is None:
        name = tool_named(chunk.name, session.tools)
        tool = session.tools.get(name)
        call = calls[chunk.index] = _Streaming(session.new_id(), chunk.id, name, tool)
        _show(session, call, tool.announce if tool else Card(f"{chunk.name} (there is no such tool)", "other"))
    call.pieces.append(chunk.arguments)
    if call.tool is None or call.tool.announce is None or monotonic() - call.looked_at < SKETCH_INTERVAL:
        return
    arguments = "".join(call.pieces)
    call.pieces = [arguments]
    _show(session, call, call.tool.sketch(arguments, session.root))
    # After the look, and longer for longer arguments: the looks together stay linear.
    call.looked_at = monotonic() + len(arguments) / 1_000_000


def _show(session: Conversation, call: _Streaming, card: Card | None) -> None:
    if card is not None and card != call.card:
        call.card = card
        session.emit(CallDelta(call.tool_call_id, call.name, card))


def _keep_messages(session: Conversation, answer: _Answer) -> tuple[str, bool]:
    """Make the streamed text durable; return it, and tell whether there was a thought."""
    partial = session.transcript.partial
    thought, text = partial.get(answer.thought_id), partial.get(answer.text_id)
    blocks = answer.finish.blocks if answer.finish else None
    has_thought = thought is not None or blocks is not None
    if has_thought:
        session.emit(ThoughtEvent(answer.thought_id, answer.response_id, thought.text if thought else "", blocks))
    if text is None:
        return "", has_thought
    session.emit(MessageEvent(answer.text_id, "assistant", (Text(text.text),), answer.response_id))
    return text.text, has_thought


# ---------------------------------------------------------------- calls, read


@dataclass(frozen=True, slots=True)
class _Meant:
    """What there is of a call's arguments, up to where they cannot be used, and the reason."""

    reading: Reading | None = None
    arguments: JsonObject | None = None
    parsed: Any = None
    card: Card | None = None
    problem: str = ""

    @property
    def mended(self) -> str | None:
        """The arguments as JSON, if that is not what the model wrote."""
        if self.arguments is None or self.reading is None:
            return None
        is_as_written = self.reading.is_exact and self.arguments == self.reading.arguments
        return None if is_as_written else json.dumps(self.arguments, ensure_ascii=False)


def _keep_calls(session: Conversation, answer: _Answer) -> tuple[CallRequest, ...]:
    is_whole = answer.finish is not None and answer.finish.reason != "length"
    calls = list(answer.calls.values())
    # An answer that was cut off was cut off in its last call.
    return tuple([_keep_call(session, answer, call, is_whole=is_whole or call is not calls[-1]) for call in calls])


def _keep_call(session: Conversation, answer: _Answer, call: _Streaming, *, is_whole: bool) -> CallRequest:
    text = "".join(call.pieces)
    meant = _meant(session, call, text, is_whole=is_whole)
    card = meant.card or (call.card if meant.problem else None)
    risk = _risk(meant.arguments)
    action_id = session.emit(
        ActionEvent(
            call.tool_call_id,
            call.provider_id,
            call.name,
            text or "{}",
            answer.response_id,
            risk,
            card,
            None if meant.problem else meant.mended,
        )
    )
    return CallRequest(
        call.tool_call_id,
        action_id,
        call.name,
        text,
        meant.arguments,
        call.tool,
        card,
        risk,
        meant.parsed,
        meant.problem,
    )


def _meant(session: Conversation, call: _Streaming, text: str, *, is_whole: bool) -> _Meant:
    if call.tool is None:
        return _Meant(problem=f"there is no tool {call.name!r}; the tools are {', '.join(session.tools)}")
    try:
        reading = read(text)
    except Unreadable as error:
        return _Meant(problem=_CUT if not is_whole else f"the arguments {error}; send the call again, whole")
    if not is_whole and not (text and reading.is_exact):
        return _Meant(reading, problem=_CUT)
    arguments = fitted(reading.arguments, call.tool.spec.parameters)
    try:
        parsed = call.tool.parse(arguments)
        card = call.tool.card(parsed, session.root)
    except ToolError as error:
        return _Meant(reading, arguments, problem=str(error))
    if _may_be_cut(reading, card, is_read_only=call.tool.is_read_only(parsed)):
        return _Meant(reading, arguments, card=card, problem=_CUT)
    return _Meant(reading, arguments, parsed, card)


_CUT = "the arguments end in the middle, so nothing was run; send the call again, whole, or in smaller parts"


def _may_be_cut(reading: Reading, card: Card | None, *, is_read_only: bool) -> bool:
    """Tell whether arguments without an end would do harm if there was more to come."""
    match reading.end:
        case "whole":
            return False
        case "no brackets":
            return card is not None and card.kind == "edit"
        case "no quote":
            return not is_read_only


def _risk(arguments: JsonObject | None) -> Risk:
    said = str((arguments or {}).get("security_risk", "")).upper()
    return cast("Risk", said) if said in get_args(Risk) else "UNKNOWN"
