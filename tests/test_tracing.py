"""What is told to OpenTelemetry: turns, model calls and tools, in the trace of who asked, and nothing that was said."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from inline_snapshot import snapshot
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from openhands_acp.engine.tool import TurnError
from openhands_acp.tracing import Tracing, is_wanted
from tests.harness.check import TestBackend, agent
from tests.harness.editor import rejected
from tests.harness.model import Answer, ScriptedModel, Wait, call, say
from tests.harness.process import Server, eventually, prompt

pytestmark = pytest.mark.anyio

TRACE = "80e1afed08e019fc1110464cfa66635c"


class Traced:
    """A backend's model and wire, traced into memory."""

    def __init__(self, *answers: Answer) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Tracing(provider)
        self.backend = TestBackend(ScriptedModel(answers))
        self.backend.tracing = self.tracing

    def told(self, folder: Path) -> list[str]:
        """Write the spans for people, a line each, as they began."""
        spans = sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
        return [_line(span, spans).replace(str(folder), "ROOT") for span in spans]


def _line(span: ReadableSpan, spans: list[ReadableSpan]) -> str:
    parent = next((s.name for s in spans if span.parent and s.context and s.context.span_id == span.parent.span_id), "")
    above = parent or (f"{span.parent.trace_id:x}" if span.parent else "")
    attributes = {
        key: value
        for key, value in (span.attributes or {}).items()
        if key not in ("gen_ai.conversation.id", "gen_ai.tool.call.id")
    }
    return f"{above} > {span.name} {span.status.status_code.name} {attributes}"


async def test_turns_model_calls_and_tools_are_told_and_nothing_that_was_said(tmp_path: Path) -> None:
    traced = Traced([say("SECRET"), call("terminal", command="echo SECRET")], [say("SECRET, too.")])
    async with agent(tmp_path, backend=traced.backend, permission=lambda _params: rejected()) as running:
        meta = {"traceparent": f"00-{TRACE}-7a085853722dc6d2-01"}
        blocks = [{"type": "text", "text": "SECRET"}]
        await running.editor.request("session/prompt", sessionId=running.session_id, prompt=blocks, _meta=meta)
        told = traced.told(tmp_path)
        assert told == snapshot(
            [
                "80e1afed08e019fc1110464cfa66635c > invoke_agent openhands-acp UNSET {'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'openhands-acp', 'openhands.stop_reason': 'end_turn'}",
                "invoke_agent openhands-acp > chat model UNSET {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'fake', 'gen_ai.request.model': 'model', 'openhands.purpose': 'agent', 'gen_ai.response.finish_reasons': ('stop',), 'gen_ai.usage.input_tokens': 10, 'gen_ai.usage.output_tokens': 1, 'gen_ai.usage.cache_read.input_tokens': 0, 'gen_ai.usage.cache_creation.input_tokens': 0, 'gen_ai.usage.reasoning.output_tokens': 0, 'openhands.cost_usd': 0.01}",
                "invoke_agent openhands-acp > execute_tool terminal ERROR {'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'terminal', 'gen_ai.tool.type': 'function', 'error.type': 'rejected'}",
                "invoke_agent openhands-acp > chat model UNSET {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'fake', 'gen_ai.request.model': 'model', 'openhands.purpose': 'agent', 'gen_ai.response.finish_reasons': ('stop',), 'gen_ai.usage.input_tokens': 20, 'gen_ai.usage.output_tokens': 2, 'gen_ai.usage.cache_read.input_tokens': 0, 'gen_ai.usage.cache_creation.input_tokens': 0, 'gen_ai.usage.reasoning.output_tokens': 0, 'openhands.cost_usd': 0.01}",
            ]
        )
        assert "SECRET" not in str([span.to_json() for span in traced.exporter.get_finished_spans()])
        await running.prompt("again")
        assert traced.told(tmp_path)[len(told)].startswith(" > invoke_agent")


async def test_a_failure_and_a_stop_are_told_as_what_they_are(tmp_path: Path) -> None:
    traced = Traced([TurnError("auth", "SECRET")], [say("Half"), Wait()])
    async with agent(tmp_path, backend=traced.backend) as running:
        await running.prompt("go")
        request = running.ask_prompt("again")
        await running.editor.until(lambda m: "Half" in str(m))
        running.cancel()
        await running.editor.answer(request)
        assert traced.told(tmp_path) == snapshot(
            [
                " > invoke_agent openhands-acp ERROR {'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'openhands-acp', 'error.type': 'auth', 'openhands.stop_reason': 'end_turn'}",
                "invoke_agent openhands-acp > chat model ERROR {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'fake', 'gen_ai.request.model': 'model', 'openhands.purpose': 'agent', 'error.type': 'auth'}",
                " > invoke_agent openhands-acp UNSET {'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'openhands-acp', 'openhands.stop_reason': 'cancelled'}",
                "invoke_agent openhands-acp > chat model ERROR {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'fake', 'gen_ai.request.model': 'model', 'openhands.purpose': 'agent', 'error.type': 'cut_short'}",
            ]
        )


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_nothing_is_told_unless_the_environment_asks_for_it(environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environ) is wanted


def test_a_collector_is_sent_them(tmp_path: Path) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Keep stderr for what goes wrong."""

    collector = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=collector.serve_forever)
    thread.start()
    try:
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        with Server(tmp_path, "--model", "scripted/demo", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as server:
            server.initialize()
            session_id = server.new_session(tmp_path)
            server.ask("session/prompt", prompt(session_id, "hello"))
            server.ask("session/close", {"sessionId": session_id})
            eventually(lambda: bool(got))
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()
    assert [(path, name in body) for path, body in got for name in (b"invoke_agent", b"chat")] == [
        ("/v1/traces", True),
        ("/v1/traces", True),
    ]
