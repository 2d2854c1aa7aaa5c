"""Small and older models, through the whole server: told little, their printed calls run, prompted without tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.prompt import SLIM
from tests.harness import replies
from tests.harness.process import CANARY, Server, prompt
from tests.harness.provider import Provider
from tests.wire.lived import say, take_up, updates_in

pytestmark = pytest.mark.slow

VIEW = {"command": "view", "path": "notes.txt"}
TAGS = "<function=file_editor>\n<parameter=command>\nview\n</parameter>\n<parameter=path>\nnotes.txt\n</parameter>\n"
PRINTED = f"I look.\n```json\n{json.dumps({'name': 'file_editor', 'arguments': VIEW})}\n```"


def served(home: Path, provider: Provider, model: str) -> Server:
    return Server(home, LLM_MODEL=model, LLM_BASE_URL=provider.url, LLM_API_KEY=CANARY)


def told_first(body: dict[str, Any]) -> tuple[str, list[str]]:
    """The begin of what a model was told, and the tools that it was offered."""
    return body["messages"][0]["content"][: len(SLIM)], [tool["function"]["name"] for tool in body.get("tools", ())]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "notes.txt").write_text("The release is on Friday.\n")
    return tmp_path / "project"


def test_a_small_model_is_told_little_and_the_session_keeps_that_with_another(tmp_path: Path, project: Path) -> None:
    with Provider([replies.Text("Hello.")], [replies.Text("Hello again.")]) as provider:
        with served(tmp_path / "home", provider, "openai/qwen2.5-coder-1.5b") as server:
            server.initialize()
            session_id = server.new_session(project)
            assert say(server, session_id) == ("end_turn", "Hello.")
        with served(tmp_path / "home", provider, "openai/large") as server:
            server.initialize()
            take_up(server, session_id, project)
            server.ask(
                "session/set_config_option", {"sessionId": session_id, "configId": "model", "value": "openai/large"}
            )
            assert say(server, session_id) == ("end_turn", "Hello again.")
        first, second = (request.body for request in provider.requests)
    assert len(json.dumps(first)) < 3_500
    assert told_first(first) == told_first(second) == (SLIM, ["terminal", "file_editor"])
    assert (first["model"], second["model"]) == ("qwen2.5-coder-1.5b", "large")


def test_a_model_that_makes_no_calls_reads_a_file_whether_it_prints_them_or_is_prompted(
    tmp_path: Path, project: Path
) -> None:
    refused = replies.openai_error(400, "gemma:2b does not support tools")
    friday = [replies.Text("Friday.")]
    script: list[replies.Reply] = [[replies.Text(PRINTED)], friday, [refused], [replies.Text(TAGS)], friday]
    with Provider(*script) as provider:
        with served(tmp_path / "home", provider, "openai/gemma:2b") as server:
            server.initialize()
            printed, prompted = read_the_file(server, project), read_the_file(server, project)
        results = [request.body["messages"][-1]["content"] for request in (provider.requests[1], provider.requests[-1])]
    assert (printed, prompted) == (
        "I look.\nFriday.",
        "openai/gemma:2b has no tools of its own here, so they are described in its prompt and its calls are read "
        'from its text. Set `tool_calls = "prompted"` in acp.toml to begin so.Friday.',
    )
    assert ["The release is on Friday." in result for result in results] == [True, True]


def read_the_file(server: Server, project: Path) -> str:
    """Ask in a session of its own for what is in the file, which it reads; return what was said."""
    session_id = server.new_session(project)
    *before, answer = server.answer(server.put("session/prompt", prompt(session_id, "When is the release?")))
    updates = updates_in(before)
    assert answer["result"] == {"stopReason": "end_turn"}
    assert [each["rawInput"] for each in updates if "rawInput" in each] == [VIEW]
    return "".join(each["content"]["text"] for each in updates if each["sessionUpdate"] == "agent_message_chunk")
