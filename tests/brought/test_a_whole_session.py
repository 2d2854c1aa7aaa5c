"""A turn that uses a real server for all that it can do, as the person sees it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed
from tests.harness.mcp_servers import everyday
from tests.harness.model import Answer, ScriptedModel, call, say
from tests.harness.waiting import PATIENCE, until
from tests.turns.serving import questions, remote, results

pytestmark = pytest.mark.anyio

EVERYDAY: dict[str, Any] = {"name": "everyday", "command": sys.executable, "args": [everyday.__file__], "env": []}


def shown(running: Running, text: str) -> bool:
    """Whether a card showed this at any time."""
    updates = [each for each in running.editor.updates() if each["sessionUpdate"] == "tool_call_update"]
    blocks = [block["content"] for each in updates for block in each.get("content", ()) if block["type"] == "content"]
    return any(text in block.get("text", "") for block in blocks)


async def test_a_server_is_used_for_all_that_it_can_do(root: Path, tmp_path: Path) -> None:
    answers: list[Answer] = [
        [call("everyday__counts", upto=2)],
        [call("everyday__asks", question="Where do you live?")],
        [call("everyday__samples", question="What is the capital of France?")],
        [call("read_resource", uri="memo://notes")],
        [call("everyday__grow")],
        [say("It grew.")],
        [call("everyday__grown")],
        [call("everyday__crash")],
        [say("That was all.")],
    ]
    backend = TestBackend(ScriptedModel(answers), home=tmp_path / "home")
    backend.by_purpose["sampling"] = ScriptedModel([[say("Paris")]], model="fake/sampling")

    def fill(params: dict[str, Any]) -> dict[str, Any]:
        assert params["message"] == "everyday asks: Where do you live?"
        return {"action": "accept", "content": {"home city": "Lyon"}}

    always = allowed("allow_always")
    async with agent(
        root, backend=backend, mcp_servers=[EVERYDAY], elicits=fill, permission=lambda _params: always
    ) as running:
        # A first prompt waits no longer than 5 s, which a busy machine may need for a server to start.
        servers = running.backend.sessions[running.session_id].servers
        with anyio.fail_after(PATIENCE):
            await until(lambda: [state.status for state in servers.states()] == ["ready"])
            await _finished(running, "use it")
            await until(lambda: "everyday__grown" in [tool.spec.name for tool in servers.tools()])
            await _finished(running, "use what is new")
        assert results(running) == [
            "counted",
            "accept: {'home city': 'Lyon'}",
            "the model says Paris",
            "remember the milk",
            "grown",
            "I am new",
            results(running)[-1],
        ]
        assert results(running)[-1].startswith("Error: the server 'everyday'")
        assert shown(running, "counted 1")
        assert any("What is the capital of France?" in str(each["toolCall"]) for each in questions(running))
        late = [name for name in remote(running)[-1] if name not in remote(running)[0]]
        assert late == ["everyday__grown"]


async def _finished(running: Running, prompt: str) -> None:
    """Prompt, however long it takes."""
    request = running.ask_prompt(prompt)
    await until(lambda: any(way == "out" and "method" not in m and m["id"] == request for way, m in running.editor.log))
