"""A list of models that grows: every client is told, once, and nobody in the middle of something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.choices import Choice
from tests.harness.check import Running, TestBackend, agent
from tests.harness.choices import FixedChoices
from tests.harness.model import ScriptedModel, call, say
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


def backend(*answers: Any) -> TestBackend:
    model = ScriptedModel(answers)
    return TestBackend(model, models=FixedChoices([Choice("fake/model", "fake/model")]))


def grow(running: Running, name: str) -> None:
    models = running.backend.models
    assert models is not None
    models.choices = [*models.choices, Choice(name, name)]
    running.backend.changed()


def told(running: Running, session_id: str) -> list[list[str]]:
    """The lists that a session was told of behind its answers."""
    updates = [m["params"] for d, m in running.editor.log if d == "out" and m.get("method") == "session/update"]
    return [
        [choice["value"] for choice in params["update"]["configOptions"][1]["options"]]
        for params in updates
        if params["sessionId"] == session_id and params["update"]["sessionUpdate"] == "config_option_update"
    ]


async def announced(running: Running, number: int = 1) -> None:
    """Wait until so many sessions were told their commands, which is the last thing behind an answer."""

    def commands() -> int:
        return [u["sessionUpdate"] for u in running.editor.updates()].count("available_commands_update")

    await running.editor.until(lambda _message: commands() == number)


async def test_every_session_is_told_what_is_new_and_nothing_else(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend()) as running:
        other = (await running.editor.request("session/new", cwd=str(tmp_path), mcpServers=[]))["sessionId"]
        await announced(running, 2)
        running.backend.changed()
        grow(running, "new/one")
        running.backend.changed()
        await running.prompt("/title T")
        assert told(running, running.session_id) == told(running, other) == [["fake/model", "new/one"]]


async def test_a_session_is_told_nothing_before_its_answer_and_what_it_missed_then(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend()) as running:
        await announced(running)
        running.editor.channel.gate = anyio.Event()
        request_id = running.editor.ask("session/new", cwd=str(tmp_path), mcpServers=[])
        with anyio.fail_after(PATIENCE):
            while len(running.backend.sessions) == 1:
                await anyio.lowlevel.checkpoint()
        grow(running, "new/one")
        running.editor.channel.gate.set()
        session_id = (await running.editor.answer(request_id))["result"]["sessionId"]
        await announced(running, 2)
        await running.prompt("/title T")
        # The monitor has seen that nothing came before the answer.
        assert told(running, session_id) == [["fake/model", "new/one"]]


async def test_a_history_is_told_to_its_end_before_anything_else(tmp_path: Path) -> None:
    turns = 30
    answers = [answer for _ in range(turns) for answer in (call("think", thought="Hm."), [say("Done.")])]
    async with agent(tmp_path, backend=backend(*answers)) as running:
        await announced(running)
        for _ in range(turns):
            await running.prompt("go on")
        at = len(running.editor.log)

        def grows(message: dict[str, Any]) -> None:
            if kind(message) == "user_message_chunk":
                running.editor.on_message = lambda _message: None
                grow(running, "new/one")

        running.editor.on_message = grows
        await running.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        await announced(running, 2)
        await running.prompt("/title T")
        kinds = [kind(message) for direction, message in running.editor.log[at:] if direction == "out"]
        assert kinds.count("user_message_chunk") == turns
        assert kinds.index("config_option_update") > kinds.index("") > kinds.index("user_message_chunk")
        assert told(running, running.session_id) == [["fake/model", "new/one"]]


def kind(message: dict[str, Any]) -> str:
    """Of an update; empty for an answer."""
    return message.get("params", {}).get("update", {}).get("sessionUpdate", "")


async def test_a_model_may_be_chosen_as_soon_as_it_is_known(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend()) as running:
        grow(running, "new/one")
        answer = await running.editor.request(
            "session/set_config_option", sessionId=running.session_id, configId="model", value="new/one"
        )
        assert [option["currentValue"] for option in answer["configOptions"] if option["id"] == "model"] == ["new/one"]
        assert running.backend.sessions[running.session_id].model == "new/one"
