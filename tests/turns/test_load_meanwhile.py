"""What an editor asks while a session is told again to it, slowly."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.events import ConversationStateUpdateEvent
from tests.harness.check import Running, agent
from tests.harness.model import say

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def stuck(root: Path, method: str = "session/load") -> AsyncGenerator[tuple[Running, int]]:
    """Live through a turn behind more than waits in line; have it told again to an editor that does not read."""
    async with agent(root, say("One."), say("Two.")) as running:
        for mode in ["plan", "always-ask"] * 40:
            await running.editor.request("session/set_mode", sessionId=running.session_id, modeId=mode)
        await running.prompt("first")
        running.editor.channel.gate = gate = anyio.Event()
        request = take_up(running, method)
        await anyio.wait_all_tasks_blocked()
        yield running, request
        gate.set()


def take_up(running: Running, method: str = "session/load", **more: Any) -> int:
    params: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(running.root), "mcpServers": [], **more}
    return running.editor.ask(method, **params)


def go_on(running: Running) -> None:
    assert running.editor.channel.gate is not None
    running.editor.channel.gate.set()


def updates(running: Running) -> list[dict[str, Any]]:
    """Return what was told since it was asked for."""
    log = running.editor.log
    since = next(at for at, (_, m) in enumerate(log) if m.get("method") in ("session/load", "session/resume"))
    return [m["params"]["update"] for way, m in log[since:] if way == "out" and m.get("method") == "session/update"]


def chunks(running: Running) -> list[str]:
    return [each["content"]["text"] for each in updates(running) if each["sessionUpdate"].endswith("_chunk")]


async def test_a_prompt_comes_behind_all_of_it(tmp_path: Path) -> None:
    async with stuck(tmp_path) as (running, loading):
        prompting = running.ask_prompt("second")
        await anyio.wait_all_tasks_blocked()
        go_on(running)
        for request in (loading, prompting):
            assert "result" in await running.editor.answer(request)
        assert chunks(running) == ["first", "One.", "Two."]


async def test_another_load_comes_behind_the_first(tmp_path: Path) -> None:
    async with stuck(tmp_path) as (running, loading):
        requests = [loading, take_up(running)]
        await anyio.wait_all_tasks_blocked()
        go_on(running)
        for request in requests:
            assert "result" in await running.editor.answer(request)
        assert chunks(running) == ["first", "One."] * 2
        told = [at for at, (_, m) in enumerate(running.editor.log) if "One." in str(m)]
        answers = [at for at, (way, m) in enumerate(running.editor.log) if way == "out" and m.get("id") in requests]
        assert told[1] < answers[0] < told[2] < answers[1]


async def test_a_load_that_is_taken_back_stops_and_leaves_the_session_to_be_loaded(tmp_path: Path) -> None:
    async with stuck(tmp_path) as (running, loading):
        running.editor.notify("$/cancel_request", requestId=loading)
        await anyio.wait_all_tasks_blocked()
        go_on(running)
        assert (await running.editor.answer(loading))["error"]["code"] == -32800
        assert chunks(running) == []
        assert "result" in await running.editor.answer(take_up(running))
        assert chunks(running) == ["first", "One."]


async def test_a_load_elsewhere_ends_the_first_and_counts(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with stuck(tmp_path) as (running, loading):
        again = take_up(running, cwd=str(other))
        await anyio.wait_all_tasks_blocked()
        go_on(running)
        assert (await running.editor.answer(loading))["error"]["code"] == -32002
        assert "result" in await running.editor.answer(again)
        assert running.backend.sessions[running.session_id].root == str(other)
        assert chunks(running)[-2:] == ["first", "One."]


async def test_a_title_that_comes_meanwhile_is_the_one_that_stays(tmp_path: Path) -> None:
    async with stuck(tmp_path) as (running, loading):
        running.backend.sessions[running.session_id].emit(ConversationStateUpdateEvent("title", "A better one"))
        go_on(running)
        await running.editor.answer(loading)
        titles = [each["title"] for each in updates(running) if each["sessionUpdate"] == "session_info_update"]
        assert titles[-1] == "A better one"


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
async def test_a_cancel_is_about_no_turn(tmp_path: Path, method: str) -> None:
    async with stuck(tmp_path, method) as (running, loading):
        running.cancel()
        go_on(running)
        assert "result" in await running.editor.answer(loading)
        assert await running.prompt("second") == {"stopReason": "end_turn"}
