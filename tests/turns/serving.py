"""What the tests about servers of others share: some tools, and what of a turn they look at."""

from __future__ import annotations

from typing import Any

from openhands_acp.engine.messages import JsonObject, ToolMessage, UserMessage, plain_text
from tests.harness.check import Running, TestBackend
from tests.harness.model import Answer, ScriptedModel
from tests.harness.servers import MemoryServers, tool

ISSUE: JsonObject = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "milestone": {"type": "integer"},
    },
    "required": ["title"],
}
CREATE = tool("github", "create_issue", "Create an issue.", schema=ISSUE, title="Create issue")
CLOSE = tool("github", "close_issue", "Close an issue.")
LIST = tool("github", "list_issues", "List issues.", is_read_only=True, is_open_world=True)
READ = tool("notes", "read", "Read the notes.", is_read_only=True)


def backend(servers: MemoryServers, *answers: Answer, mode: str = "always-ask", **more: Any) -> TestBackend:
    return TestBackend(ScriptedModel(answers), servers=servers, mode=mode, **more)


def asked(running: Running) -> list[str]:
    """Titles of the questions that reached the person."""
    return [question["toolCall"]["title"] for question in questions(running)]


def questions(running: Running) -> list[dict[str, Any]]:
    log = running.editor.log
    return [m["params"] for d, m in log if d == "out" and m.get("method") == "session/request_permission"]


def results(running: Running) -> list[str]:
    """What the model read of its calls, in its last request."""
    return [m.text for m in running.model.requests[-1] if isinstance(m, ToolMessage)]


def told(running: Running, request: int = -1) -> list[str]:
    """What the model read as the person's words, in one of its requests."""
    return [plain_text(m.parts) for m in running.model.requests[request] if isinstance(m, UserMessage)]


def said(running: Running) -> list[str]:
    """What the person read in the chat."""
    return [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]


def remote(running: Running) -> list[list[str]]:
    """The names of the tools of servers, and of those that work with them, that the model was told of each time."""
    with_them = ("tool_search", "read_resource")
    return [
        [spec.name for spec in tools if "__" in spec.name or spec.name in with_them] for tools in running.model.offered
    ]
