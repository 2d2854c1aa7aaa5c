"""Modes and config options: two ways to say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.check import Running, agent

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
            "model cannot be 'x'; it is one of fake/model, ",
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
