"""A session whose turn runs is told again: at any moment, whole, and what follows fits what was told.

The end of each conversation compares what this client knows then with what a load in another process tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.editor import NEVER, allowed
from tests.harness.model import Answer, ScriptedModel, Step, Wait, call, say, think
from tests.harness.servers import MemoryServers
from tests.turns.delegating import delegating, edit, file_in, task

pytestmark = pytest.mark.anyio

EDIT = edit("a.txt", "one", "two")
RUN = call("terminal", 1, command="printf 'hi\\n'; exit 3")
CLIENTS: dict[str, dict[str, Any]] = {
    "bare": {},
    "draws": {"draws": True},
    "runs commands": {"runs_commands": True},
}


def load(running: Running) -> int:
    return running.editor.ask("session/load", sessionId=running.session_id, cwd=str(running.root), mcpServers=[])


async def loaded(running: Running) -> None:
    assert "result" in await running.editor.answer(load(running))


@pytest.mark.parametrize("client", CLIENTS)
async def test_after_any_message_of_a_turn(tmp_path: Path, client: str) -> None:
    n, is_over = 0, False
    while not is_over:
        n += 1
        file_in(tmp_path)
        steps = [think("Hm", "m."), say("I will ", "do it."), EDIT, RUN]
        async with agent(tmp_path, steps, say("Do", "ne."), **CLIENTS[client]) as running:
            loads: list[int] = []
            running.editor.on_message = _after(n, lambda running=running, loads=loads: loads.append(load(running)))
            await running.prompt("go")
            is_over = not loads
            running.editor.on_message = lambda _message: None
            for request in loads:
                assert "result" in await running.editor.answer(request)
    assert n > 15


def _after(n: int, act: Callable[[], None]) -> Callable[[dict[str, Any]], None]:
    heard = 0

    def hear(_message: dict[str, Any]) -> None:
        nonlocal heard
        heard += 1
        if heard == n:
            act()

    return hear


@pytest.mark.parametrize(
    ("told", "first", "then"),
    [
        ("Hm", [think("Hm")], [think("m."), say("Hello.")]),
        ("I will", [think("Hm."), say("I will ")], [say("do it.")]),
        ('"name": "file_editor"', [say("So: "), EDIT[:2]], [EDIT[2:]]),
        ('"name": "terminal"', [EDIT, RUN[:2]], [RUN[2:]]),
    ],
)
async def test_while_the_model_still_speaks(
    tmp_path: Path, told: str, first: Sequence[Sequence[Step]], then: Sequence[Sequence[Step]]
) -> None:
    file_in(tmp_path)
    go_on = anyio.Event()
    async with agent(tmp_path, [*first, Wait(go_on), *then], say("Done."), mode="always-approve") as running:
        request = running.ask_prompt("go")
        await running.editor.until(lambda message: told in json.dumps(message))
        await loaded(running)
        go_on.set()
        await running.editor.answer(request)


@pytest.mark.parametrize("client", CLIENTS)
async def test_while_a_command_runs(tmp_path: Path, client: str) -> None:
    run = call("terminal", command="echo up; touch begun; until [ -e gate ]; do sleep 0.01; done; echo down")
    async with agent(tmp_path, run, say("Done."), mode="always-approve", **CLIENTS[client]) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("tool_call_update", status="in_progress")
        await loaded(running)
        (tmp_path / "gate").touch()
        await running.editor.answer(request)


@pytest.mark.parametrize("nests", [True, False])
async def test_while_sub_agents_ask(tmp_path: Path, nests: bool) -> None:
    file_in(tmp_path)
    steps: list[Answer] = [[say("x"), EDIT], call("terminal", command="echo hi"), say("Done.")]
    backend = delegating([task("MEND")], say("Done."), MEND=steps)
    async with agent(tmp_path, backend=backend, nests=nests, permission=lambda _params: NEVER) as running:
        request = running.ask_prompt("go")
        for is_asked in ("Edit a.txt", "echo hi"):
            asks = _asks(is_asked)
            question = await running.editor.until(asks)
            await loaded(running)
            running.editor.say(id=question["id"], result=allowed())
        await running.editor.answer(request)


def _asks(what: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message.get("method") == "session/request_permission" and what in json.dumps(message)


async def test_the_whole_wire(tmp_path: Path) -> None:
    file_in(tmp_path)
    async with agent(tmp_path, [say("So: "), EDIT], say("Done."), permission=lambda _params: NEVER) as running:
        request = running.ask_prompt("go")
        question = await running.editor.until(_asks("Edit a.txt"))
        await loaded(running)
        running.editor.say(id=question["id"], result=allowed())
        await running.editor.answer(request)
        lines = transcript(running).splitlines()
        at = next(at for at, line in enumerate(lines) if "session/load" in line)
        assert "\n".join(line if "configOptions" not in line else line[:20] for line in lines[at:]) == snapshot("""\
> 4 session/load {"cwd": "ROOT", "mcpServers": []}
< user_message_chunk ["id5", "go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id9", "So: "]
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Edit a.txt", "name": "file_editor", "kind": "edit", "locations": [{"path": "ROOT/a.txt"}], "content": [], "rawInput": {"command": "str_replace", "path": "a.txt", "old_str": "one", "new_str": "two"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 4 = {"configOption
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.txt", "oldText": "one\\n", "newText": "two\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/a.txt", "line": 1}], "rawOutput": {"path": "ROOT/a.txt", "first_line": 1, "last_line": 1}}
< agent_message_chunk ["id18", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_while_what_was_typed_is_not_read_yet(tmp_path: Path) -> None:
    come = anyio.Event()
    backend = TestBackend(ScriptedModel([say("Hello.")]), servers=MemoryServers(come=come))
    async with agent(tmp_path, backend=backend) as running:
        # It waits for servers first; so do the second and a command.
        requests = [running.ask_prompt(text) for text in ("one", "two", "/cost")]
        await anyio.wait_all_tasks_blocked()
        before = len(running.editor.updates())
        await loaded(running)
        said = [each for each in running.editor.updates()[before:] if each["sessionUpdate"] == "user_message_chunk"]
        assert [each["content"]["text"] for each in said] == ["one", "\n\ntwo", "\n\n/cost"]
        come.set()
        for request in requests:
            await running.editor.answer(request)
