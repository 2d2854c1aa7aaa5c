"""What a person chose for a session and allowed in it counts in it again, in whichever process, and nowhere else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.web.fetching import FetchingWeb
from tests.harness.check import MemoryJournal, Running, TestBackend, agent
from tests.harness.editor import allowed, rejected
from tests.harness.model import Answer, ScriptedModel, call, say
from tests.harness.servers import MemoryServers
from tests.harness.site import Answer as Page
from tests.harness.site import Site, site
from tests.turns.serving import CREATE, asked

pytestmark = pytest.mark.anyio

CHOSEN = {"mode": "accept-edits", "model": "fake/other", "thought_level": "high"}


@pytest.fixture
def served() -> Iterator[Site]:
    with site({"/": Page(b"one", "text/plain")}) as made:
        yield made


def process(journals: dict[str, MemoryJournal], *answers: Answer) -> TestBackend:
    """One of this machine's, with a server and the web."""
    servers, web = MemoryServers((CREATE,)), FetchingWeb("test", ("*",))
    # Ids of its own, as those of any process are.
    ids = itertools.count(1000 * len(journals) + 1)
    model = ScriptedModel(answers)
    return TestBackend(model, servers=servers, web=web, levels=("low", "high"), journals=journals, ids=ids)


def calls(outside: Path, served: Site) -> Answer:
    """One for each kind of rule."""
    return [
        call("terminal", command="touch made"),
        call("file_editor", 1, command="view", path=str(outside)),
        call("fetch", 2, url=served.url()),
        call("github__create_issue", 3, title="Slow", security_risk="MEDIUM"),
    ]


def options(answer: dict[str, Any]) -> dict[str, str]:
    return {option["id"]: option["currentValue"] for option in answer["configOptions"]}


async def ask(running: Running, method: str, session_id: str) -> dict[str, Any]:
    answer = await running.editor.request(method, sessionId=session_id, cwd=str(running.root), mcpServers=[])
    running.session_id = answer.get("sessionId", session_id)
    return answer


@pytest.mark.parametrize("method", ["session/load", "session/resume", "session/fork"])
async def test_it_is_as_it_was(root: Path, tmp_path: Path, served: Site, method: str) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("far\n")
    go: list[Answer] = [calls(outside, served), say("Done.")]
    first = process({}, *go)
    async with agent(root, backend=first, permission=lambda _params: allowed("allow_always")) as running:
        await running.prompt("go")
        assert len(asked(running)) == 4
        for option, value in CHOSEN.items():
            await running.editor.request(
                "session/set_config_option", sessionId=running.session_id, configId=option, value=value
            )
        session_id = running.session_id
    second = process(dict(first.journals), *go, *go)
    async with agent(root, backend=second, permission=lambda _params: rejected()) as running:
        new = running.session_id
        answer = await ask(running, method, session_id)
        assert (options(answer), answer["modes"]["currentModeId"]) == (CHOSEN, "accept-edits")
        await running.prompt("again")
        assert (asked(running), second.opened[-1]) == ([], ("fake/other", "high"))
        running.session_id = new
        await running.prompt("again")
        assert len(asked(running)) == 4
