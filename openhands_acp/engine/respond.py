"""One answer of the model: its stream as events, and the calls it made.

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

from openhands_acp.engine.events import (
    ActionEvent,
    CallDelta,
    Card,
    Event,
    MessageDelta,
    MessageEvent,
    Risk,
    ThoughtEvent,
    UsageEvent,
)
from openhands_acp.engine.messages import JsonObject, Text, without_images
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, CallChunk, Finish, TextChunk, ThoughtChunk
from openhands_acp.engine.tool import Tool, ToolError, TurnError
from openhands_acp.engine.transcript import Transcript

SKETCH_INTERVAL = 0.1
"""Seconds between two looks at arguments that are still streaming, so that long ones cost no more than their length."""


class Conversation(Protocol):
    """What the answer is given to."""

    root: AbsPath
    transcript: Transcript

    @property
    def tools(self) -> dict[str, Tool]: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    @property
    def drained(self) -> Callable[[], Awaitable[None]]:
        """Waits while the editor is behind."""
        ...


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call as the model made it, whole. `arguments` is None when they are not a JSON object."""

    tool_call_id: str
    action_id: str
    tool_name: str
    arguments: JsonObject | None
    tool: Tool | None
    card: Card | None
    risk: Risk


@dataclass(frozen=True, slots=True)
class Response:
    calls: tuple[CallRequest, ...]
    finish: Finish
    is_empty: bool


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


async def respond(session: Conversation, llm: LLM) -> Response:
    """Ask the model once and tell everything it says as it comes. Raises TurnError."""
    response_id, text_id, thought_id = session.new_id(), session.new_id(), session.new_id()
    calls: dict[int, _Streaming] = {}
    finish: Finish | None = None
    specs = tuple(tool.spec for tool in session.tools.values())
    history = session.transcript.history()
    if not llm.sees_images:
        # Here, and not when an image comes: the model may be another one by then.
        history = without_images(history)
    try:
        async with aclosing(llm.stream(history, specs)) as chunks:
            async for chunk in chunks:
                match chunk:
                    case TextChunk(text):
                        session.emit(MessageDelta(text_id, "text", text))
                    case ThoughtChunk(text):
                        session.emit(MessageDelta(thought_id, "thought", text))
                    case CallChunk():
                        _take_call(session, calls, chunk)
                    case Finish():
                        finish = chunk
                    case _:
                        assert_never(chunk)
                await session.drained()
    finally:
        # Also for an answer that was cut off: what was said is kept, and each card that was shown gets its call.
        is_empty = _keep_messages(session, response_id, text_id, thought_id, finish) and not calls
        made = tuple([_keep_call(session, response_id, call) for call in calls.values()])
    if finish is None:
        raise TurnError("network", f"{llm.model} stopped in mid-answer. Send the prompt again to go on.")
    if finish.usage is not None:
        session.emit(UsageEvent(finish.usage, llm.model, llm.context_window))
    return Response(made, finish, is_empty)


def _take_call(session: Conversation, calls: dict[int, _Streaming], chunk: CallChunk) -> None:
    call = calls.get(chunk.index)
    if call is None:
        tool = session.tools.get(chunk.name)
        call = calls[chunk.index] = _Streaming(session.new_id(), chunk.id, chunk.name, tool)
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


def _keep_messages(
    session: Conversation, response_id: str, text_id: str, thought_id: str, finish: Finish | None
) -> bool:
    """Make the streamed text durable; tell whether there was none."""
    thought, text = session.transcript.partial.get(thought_id), session.transcript.partial.get(text_id)
    blocks = finish.blocks if finish else None
    if thought is not None or blocks is not None:
        session.emit(ThoughtEvent(thought_id, response_id, thought.text if thought else "", blocks))
    if text is not None:
        session.emit(MessageEvent(text_id, "assistant", (Text(text.text),), response_id))
    return text is None


def _keep_call(session: Conversation, response_id: str, call: _Streaming) -> CallRequest:
    text = "".join(call.pieces)
    arguments = _json_object(text)
    card = _final_card(session, call, arguments)
    risk = _risk(arguments)
    action_id = session.emit(
        ActionEvent(call.tool_call_id, call.provider_id, call.name, text or "{}", response_id, risk, card)
    )
    return CallRequest(call.tool_call_id, action_id, call.name, arguments, call.tool, card, risk)


def _final_card(session: Conversation, call: _Streaming, arguments: JsonObject | None) -> Card | None:
    if call.tool is None or arguments is None:
        return call.card
    try:
        return call.tool.card(call.tool.parse(arguments), session.root)
    except ToolError:
        return call.card


def _risk(arguments: JsonObject | None) -> Risk:
    said = str((arguments or {}).get("security_risk", "")).upper()
    return cast("Risk", said) if said in get_args(Risk) else "UNKNOWN"


def _json_object(text: str) -> JsonObject | None:
    try:
        value: Any = json.loads(text or "{}", strict=False)
    except ValueError:
        return None
    return cast("JsonObject", value) if isinstance(value, dict) else None
