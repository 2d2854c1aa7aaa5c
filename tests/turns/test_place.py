"""The folders that a load or resume names are those that count from then on, whether the session is open or not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import Answer, ScriptedModel, call, say
from tests.turns.serving import asked, results

pytestmark = pytest.mark.anyio


async def take_up(running: Running, method: str, session_id: str, **more: Any) -> dict[str, Any]:
    running.session_id = session_id
    params = {"sessionId": session_id, "cwd": str(running.root), "mcpServers": list[Any](), **more}
    return await running.editor.request(method, **params)


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("method", ["session/load", "session/resume"])
async def test_other_folders_count_as_long_as_they_are_named(
    root: Path, tmp_path: Path, method: str, is_open: bool
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("far\n")
    look: Answer = [call("file_editor", command="view", path=str(other / "a.txt"))]
    go: list[Answer] = [look, say("Done.")]
    backend = TestBackend(ScriptedModel([*go, *go, *go]))
    async with agent(root, backend=backend) as running:
        session_id = running.session_id
        await running.prompt("look")
        assert len(asked(running)) == 1
        if not is_open:
            await running.editor.request("session/close", sessionId=session_id)
        await take_up(running, method, session_id, additionalDirectories=[str(other)])
        await running.prompt("look")
        assert len(asked(running)) == 1
        await take_up(running, method, session_id)
        await running.prompt("look")
        assert len(asked(running)) == 2


@pytest.mark.parametrize(
    "wrong",
    [{"cwd": "relative"}, {"cwd": "/nowhere"}, {"additionalDirectories": ["/nowhere"]}, {"mcpServers": [7]}],
    ids=str,
)
@pytest.mark.parametrize("method", ["session/load", "session/resume"])
async def test_what_makes_no_sense_changes_nothing(root: Path, method: str, wrong: dict[str, Any]) -> None:
    first = TestBackend(ScriptedModel([say("Hello.")]))
    async with agent(root, backend=first) as running:
        await running.prompt("hi")
        session_id = running.session_id
    model = ScriptedModel([call("terminal", command="pwd"), say("Done.")])
    later = TestBackend(model, mode="always-approve", journals=dict(first.journals), ids=itertools.count(1000))
    async with agent(root, backend=later) as running:
        assert (await take_up(running, method, session_id, **wrong))["code"] == -32602
        assert session_id not in later.sessions
        await take_up(running, method, session_id)
        session = later.sessions[session_id]
        roots, entries = session.roots, list(session.entries)
        assert (await take_up(running, method, session_id, **wrong))["code"] == -32602
        assert later.sessions[session_id] is session
        assert (session.roots, session.entries) == (roots, entries)
        assert await running.prompt("where?") == {"stopReason": "end_turn"}
        assert [text.splitlines()[0] for text in results(running)] == [str(root)]
