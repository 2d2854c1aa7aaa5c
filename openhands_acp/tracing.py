"""Turns, model calls and tools as OpenTelemetry spans, where `openhands-acp[otel]` is installed and OTEL_* asks for it.

Watches what sessions publish and wraps what they ask; knows none of them from inside. Names are those of the
conventions for generative AI. Nothing that anybody wrote is in a span: no prompt, answer, argument or result.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    ConversationErrorEvent,
    Event,
    ObservationEvent,
    TurnEnded,
    TurnStarted,
    UserRejectObservation,
)
from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Chunk, Finish, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.wrapped import Wrapped

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

_FLUSH = 5_000
"""Milliseconds for what is not sent yet, at the end."""


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the standard variables ask for traces. Imports nothing."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
    return any(environ.get(name) for name in names)


def open_tracing(version: str) -> Tracing | None:
    """Send spans to where OTEL_* says, over HTTP; None, and a line in the log, if the packages are not there."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        logger.warning("OTEL_* asks for traces, and %s: pip install 'openhands-acp[otel]'", error)
        return None
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count more.
    resource = Resource.create({"service.name": "openhands-acp", "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


@dataclass(slots=True)
class _Session:
    """What is open in one."""

    asked_by: Mapping[str, str] = field(default_factory=dict[str, str])
    """The trace context that came with the last prompt."""
    turn: Span | None = None
    """The turn that runs; afterwards the last one, which what is done behind it (a title) belongs to."""
    tools: dict[str, Span] = field(default_factory=dict[str, "Span"])
    """By the ids of their calls."""


class Tracing:
    """The spans of one process's sessions."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("openhands_acp")
        self._propagator = TraceContextTextMapPropagator()
        self._sessions: dict[str, _Session] = {}

    def asked_by(self, session_id: str, meta: Mapping[str, Any]) -> None:
        """Take in the `_meta` of a prompt: the turn that it begins is part of the trace that it names, if any."""
        carrier = {name: value for name in ("traceparent", "tracestate") if isinstance(value := meta.get(name), str)}
        self._session(session_id).asked_by = carrier

    def watched(self, session_id: str, publish: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return `publish` that makes spans of what passes."""

        def publish_and_trace(event: Event) -> None:
            publish(event)
            self._take(session_id, event)

        return publish_and_trace

    def traced(self, session_id: str, llm: LLM, purpose: str) -> LLM:
        """Return the model with a span round each call of it."""
        return Wrapped(llm, partial(_ask, lambda: self._begin_call(session_id, llm.model, purpose)))

    def close_session(self, session_id: str) -> None:
        """Forget the session. May take seconds: sends what is not sent yet, called from a worker thread."""
        self._sessions.pop(session_id, None)
        self._provider.force_flush(_FLUSH)

    # ---------------------------------------------------------------- inside

    def _session(self, session_id: str) -> _Session:
        return self._sessions.setdefault(session_id, _Session())

    def _take(self, session_id: str, event: Event) -> None:
        session = self._session(session_id)
        match event:
            case TurnStarted():
                session.turn = self._begin_turn(session, session_id)
            case ActionEvent():
                session.tools[event.tool_call_id] = self._begin_tool(session, event)
            case ObservationEvent(is_error=False):
                _end(session.tools.pop(event.tool_call_id, None))
            case ObservationEvent():
                _end(session.tools.pop(event.tool_call_id, None), "failed")
            case UserRejectObservation():
                _end(session.tools.pop(event.tool_call_id, None), "rejected")
            case AgentErrorEvent():
                _end(session.tools.pop(event.tool_call_id, None), "tool_error")
            case ConversationErrorEvent():
                _fail(session.turn, event.code)
            case TurnEnded() if session.turn is not None:
                session.turn.set_attribute("openhands.stop_reason", event.stop_reason)
                session.turn.end()
            case _:
                pass

    def _begin_turn(self, session: _Session, session_id: str) -> Span:
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "openhands-acp",
            "gen_ai.conversation.id": session_id,
        }
        above, session.asked_by = self._propagator.extract(session.asked_by), {}
        return self._tracer.start_span("invoke_agent openhands-acp", above, attributes=attributes)

    def _begin_tool(self, session: _Session, event: ActionEvent) -> Span:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool_name,
            "gen_ai.tool.call.id": event.tool_call_id,
            "gen_ai.tool.type": "function",
        }
        return self._tracer.start_span(f"execute_tool {event.tool_name}", _within(session), attributes=attributes)

    def _begin_call(self, session_id: str, model: str, purpose: str) -> Span:
        from opentelemetry.trace import SpanKind

        provider, _, name = model.rpartition("/")
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider.partition("/")[0] or "unknown",
            "gen_ai.request.model": name,
            "gen_ai.conversation.id": session_id,
            "openhands.purpose": purpose,
        }
        within = _within(self._session(session_id))
        return self._tracer.start_span(f"chat {name}", within, SpanKind.CLIENT, attributes)


async def _ask(
    begin: Callable[[], Span], llm: LLM, messages: list[Message], tools: tuple[ToolSpec, ...]
) -> AsyncGenerator[Chunk]:
    span, failure = begin(), "cut_short"
    try:
        async with aclosing(llm.stream(messages, tools)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Finish):
                    failure = ""
                    _measure(span, chunk)
                yield chunk
    except TurnError as error:
        failure = error.code
        raise
    finally:
        _end(span, failure)


def _measure(span: Span, finish: Finish) -> None:
    span.set_attribute("gen_ai.response.finish_reasons", [finish.reason])
    if (usage := finish.usage) is not None:
        span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)
        span.set_attribute("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens)
        span.set_attribute("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens)
        span.set_attribute("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens)
        if usage.cost_usd is not None:
            span.set_attribute("openhands.cost_usd", usage.cost_usd)


def _within(session: _Session) -> Context | None:
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(session.turn) if session.turn is not None else None


def _fail(span: Span | None, error: str) -> None:
    from opentelemetry.trace import StatusCode

    if span is not None:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)


def _end(span: Span | None, failure: str = "") -> None:
    if failure:
        _fail(span, failure)
    if span is not None:
        span.end()
