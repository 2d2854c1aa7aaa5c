"""Modes and config options: two ways to say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


def told(running: Running) -> tuple[str, dict[str, str]]:
    """What the client last heard of mode and options."""
    updates = running.editor.updates()
    modes = [u["currentModeId"] for u in updates if u["sessionUpdate"] == "current_mode_update"]
    options = [u["configOptions"] for u in updates if u["sessionUpdate"] == "config_option_update"]
    return modes[-1] if modes else "", {o["id"]: o["currentValue"] for o in options[-1]}


async def test_both_ways_say_the_same(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        session = running.session_id
        assert await running.editor.request("session/set_mode", sessionId=session, modeId="plan") == {}
        assert told(running) == ("plan", {"mode": "plan", "model": "fake/model"})
        answer = await running.editor.request(
            "session/set_config_option", sessionId=session, configId="mode", value="accept-edits"
        )
        assert {o["id"]: o["currentValue"] for o in answer["configOptions"]} == {
            "mode": "accept-edits",
            "model": "fake/model",
        }
        assert told(running)[0] == "accept-edits"


async def test_another_model_is_the_one_that_is_named(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        await running.editor.request(
            "session/set_config_option", sessionId=running.session_id, configId="model", value="fake/other"
        )
        assert running.backend.sessions[running.session_id].model == "fake/other"
        assert told(running) == ("", {"mode": "always-ask", "model": "fake/other"})


@pytest.mark.parametrize(
    ("method", "params", "details"),
    [
        ("session/set_mode", {"modeId": "yolo"}, "mode cannot be 'yolo'; it is one of always-ask, "),
        (
            "session/set_config_option",
            {"configId": "model", "value": "x"},
            "model cannot be 'x': there is no such model; these can be chosen: fake/model, ",
        ),
        ("session/set_config_option", {"configId": "model", "value": True}, "model cannot be True; it is one of "),
        (
            "session/set_config_option",
            {"configId": "mood", "value": "x"},
            "there is no option 'mood'; the options are ",
        ),
        ("session/set_mode", {}, "modeId: field required"),
    ],
)
async def test_what_cannot_be_chosen_is_refused_with_the_list(
    tmp_path: Path, method: str, params: dict[str, Any], details: str
) -> None:
    async with agent(tmp_path) as running:
        error = await running.editor.request(method, sessionId=running.session_id, **params)
        assert error["code"] == -32602
        assert error["data"]["details"].startswith(details)


async def choose(running: Running, level: str, session: str | None = None) -> Any:
    return await running.editor.request(
        "session/set_config_option",
        sessionId=session or running.session_id,
        configId="thought_level",
        value=level,
    )


async def test_how_much_a_model_thinks_counts_from_its_next_call_and_is_kept(tmp_path: Path) -> None:
    answers = [call("think", thought="Hm."), [say("One.")], [say("Two.")], [say("Three.")]]
    backend = TestBackend(ScriptedModel(answers), levels=("default", "low", "high"))
    async with agent(tmp_path, backend=backend) as running:
        assert (await choose(running, "off"))["data"]["details"].startswith("thought_level cannot be 'off'")
        await choose(running, "high")
        assert told(running)[1] == {"mode": "always-ask", "model": "fake/model", "thought_level": "high"}
        await running.prompt("hi")
        kept: dict[str, Any] = {"cwd": str(tmp_path), "mcpServers": []}
        fork = await running.editor.request("session/fork", sessionId=running.session_id, **kept)
        await running.editor.request("session/close", sessionId=running.session_id)
        loaded = await running.editor.request("session/load", sessionId=running.session_id, **kept)
        for taken_up in (fork, loaded):
            assert {o["id"]: o["currentValue"] for o in taken_up["configOptions"]}["thought_level"] == "high"
        await running.prompt("more")
        assert set(backend.opened) == {("fake/model", "high")}


async def test_a_model_that_does_not_think_offers_no_level(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        assert (await choose(running, "low"))["data"]["details"].startswith("there is no option 'thought_level'")
