"""What one editor lived through another can load: nothing in it needs what only the first can do."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.harness.check import TestBackend, agent
from tests.harness.model import Answer, call, say, think
from tests.turns.delegating import delegating, edit, file_in, task
from tests.turns.test_replay import client_model

pytestmark = pytest.mark.anyio


def filled(_params: dict[str, Any]) -> Any:
    return {"action": "accept", "content": {"answer1": "red"}}


CLIENTS: dict[str, dict[str, Any]] = {
    "bare": {},
    "draws and nests": {"draws": True, "nests": True, "shows_compactions": True, "elicits": filled},
    "runs commands": {"runs_commands": True, "buffers": {}},
}


def some_of_everything() -> TestBackend:
    steps: Answer = [
        think("Hm."),
        say("So:"),
        call("task_tracker", command="plan", task_list=[{"title": "Mend", "status": "in_progress"}]),
        call("terminal", 1, command="printf '\\033[31mred\\033[0m\\n'; exit 3"),
        call("ask_user", 2, questions=[{"question": "Which?", "options": ["red", "blue"]}]),
        call("no_such_tool", 3),
        task("MEND", 4),
    ]
    child: list[Answer] = [[edit("a.txt", "one", "two"), call("terminal", 1, command="echo hi")], say("Mended.")]
    backend = delegating(steps, say("Done."), MEND=child)
    backend.mode = "always-approve"
    return backend


@pytest.mark.parametrize("first", CLIENTS)
async def test_every_client_can_load_what_any_lived_through(tmp_path: Path, first: str) -> None:
    file_in(tmp_path)
    backend = some_of_everything()
    async with agent(tmp_path, backend=backend, **CLIENTS[first]) as running:
        await running.prompt("go")
    told: list[Any] = []
    for client in CLIENTS.values():
        later = TestBackend(backend.model, journals=dict(backend.journals), ids=itertools.count(1000))
        async with agent(tmp_path, backend=later, **client) as running:
            answer = await running.editor.request(
                "session/load", sessionId=next(iter(backend.sessions)), cwd=str(tmp_path), mcpServers=[]
            )
            model = client_model(running.editor.updates())
            # What a sub-agent called is not told to every client.
            calls = {key: call for key, call in model["calls"].items() if "rawInput" in call}
            told.append((answer, model["messages"], calls))
    assert [[*calls] for _, _, calls in told] == [["id12", "id13", "id14", "id15"]] * 3
    assert told[1:] == [told[0]] * 2
