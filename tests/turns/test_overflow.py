"""A refusal for want of room says something of the model that refused, and of no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.waiting import Persistence
from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import Answer, ScriptedModel, call, say
from tests.harness.narrow import narrow

pytestmark = pytest.mark.anyio

AWAY = TurnError("quota", "Acme says that the quota is used up (429): pay. Add credit.")


def view(name: str) -> Answer:
    return call("file_editor", command="view", path=name)


def usages(running: Running) -> list[dict[str, Any]]:
    return [update for update in running.editor.updates() if update["sessionUpdate"] == "usage_update"]


def files(root: Path) -> None:
    for name in "abc":
        (root / name).write_text("".join(f"{name} line {number}\n" for number in range(250)))


async def test_what_a_refusal_said_of_the_window_is_told_from_then_on(tmp_path: Path) -> None:
    files(tmp_path)
    model = narrow(*map(view, "abc"), [say("Done.")], window=5_500, known=200_000)
    async with agent(tmp_path, backend=TestBackend(model, outputs=tmp_path / "outputs")) as running:
        await running.prompt("read all")
        assert running.backend.sessions[running.session_id].windows == {"fake/model": 5_500}
        # Of three calls; then of the summary that the refusal led to, of what is left, and of one call more.
        assert [usage["size"] for usage in usages(running)] == [200_000] * 3 + [5_500] * 3


async def test_a_fallback_that_cannot_read_all_says_nothing_of_the_sessions_own_model(tmp_path: Path) -> None:
    files(tmp_path)
    small = narrow([say("Done.")], window=5_000, known=200_000)
    small.model = "fake/small"
    own = ScriptedModel([*map(view, "abc"), *[[AWAY]] * 2, [say("Back.")]])
    backend = TestBackend(own, by_name={"fake/small": small}, persistence=Persistence(0, ("fake/small",)))
    backend.outputs = tmp_path / "outputs"
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("read all")
        assert len(small.refused) == 1
        windows = running.backend.sessions[running.session_id].windows
        assert set(windows) == {"fake/small"}
        assert usages(running)[-1]["size"] == windows["fake/small"]
        await running.prompt("and now?")
        assert usages(running)[-1]["size"] == 200_000


async def test_where_a_fallback_refused_it_sums_up_itself(tmp_path: Path) -> None:
    """The session's own model does not answer, or it would not have been asked."""
    files(tmp_path)
    small = narrow([say("Done.")], window=5_500, known=200_000)
    small.model = "other/name"
    own = ScriptedModel([*map(view, "abc"), *[[AWAY]] * 2])
    backend = TestBackend(own, by_name={"profile:small": small}, persistence=Persistence(0, ("profile:small",)))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("read all")
        assert (len(small.refused), len(small.summaries.requests)) == (1, 1)
        said = "".join(
            update["content"]["text"]
            for update in running.editor.updates()
            if update["sessionUpdate"] == "agent_message_chunk"
        )
        assert "tokens (a summary replaces 2 earlier steps" in said
        assert said.endswith("Done.")


async def test_the_model_that_is_set_for_summaries_writes_them_for_a_fallback_too(tmp_path: Path) -> None:
    files(tmp_path)
    small = narrow([say("Done.")], window=5_500, known=200_000)
    small.model = "fake/small"
    summing = ScriptedModel([[say("## Done\nAll was read.")]], model="fake/summing")
    own = ScriptedModel([*map(view, "abc"), *[[AWAY]] * 2])
    backend = TestBackend(own, by_name={"fake/small": small}, by_purpose={"compaction": summing})
    backend.persistence = Persistence(0, ("fake/small",))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("read all")
        assert (len(small.summaries.requests), len(summing.requests)) == (0, 1)
