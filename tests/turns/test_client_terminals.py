"""A command in each kind of client: text, a terminal that displays what it is fed, a terminal of its own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.acp import terminals
from openhands_acp.engine.ports import Patience
from openhands_acp.rpc.errors import RemoteError
from tests.harness.check import Running, agent, check
from tests.harness.editor import rejected
from tests.harness.editor_terminals import EditorTerminals
from tests.harness.model import call, say
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

RED = call("terminal", command=r"printf '\033[31mred\033[0m\n'; exit 3")


async def test_a_client_without_terminals_is_shown_text(tmp_path: Path) -> None:
    assert await check(tmp_path, "go", [RED], [say("Done.")]) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "print", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ print\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\n```"}}], "rawInput": {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\n```"}}], "locations": [], "rawInput": {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow exactly this command in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\nred\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\nred\\n[exit code 3]\\n```"}}], "rawOutput": {"exit_code": 3, "signal": null, "timed_out": false, "seconds": 0, "output": "red\\n"}}
< agent_message_chunk ["id17", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_terminal_that_displays_is_fed(tmp_path: Path) -> None:
    assert await check(tmp_path, "go", [RED], [say("Done.")], draws=True) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "name": "terminal", "kind": "execute", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\n```"}}], "rawInput": {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3"}, "_meta": {"terminal_info": {"terminal_id": "id11", "cwd": "ROOT"}}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\n```"}}], "locations": [], "rawInput": {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow exactly this command in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "terminal", "terminalId": "id11"}]}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "_meta": {"terminal_output": {"terminal_id": "id11", "data": "\\u001b[31mred\\u001b[0m\\n"}}}
< tool_call_update {"toolCallId": "id11", "status": "failed", "rawOutput": {"exit_code": 3, "signal": null, "timed_out": false, "seconds": 0, "output": "red\\n"}, "_meta": {"terminal_exit": {"terminal_id": "id11", "exit_code": 3, "signal": null}}}
< agent_message_chunk ["id17", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_terminal_of_the_clients_own_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # However long it takes, it is looked at once.
    monkeypatch.setattr(terminals, "FIRST_PAUSE", 3600)
    assert await check(tmp_path, "go", [RED], [say("Done.")], runs_commands=True) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "print", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ print\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\n```"}}], "rawInput": {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "kind": "execute", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3\\n```"}}], "locations": [], "rawInput": {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow exactly this command in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< 2 terminal/create {"command": "printf '\\\\033[31mred\\\\033[0m\\\\n'; exit 3", "cwd": "ROOT", "env": [], "outputByteLimit": 262144}
> 2 = {"terminalId": "term-1"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "terminal", "terminalId": "term-1"}]}
< 3 terminal/wait_for_exit {"terminalId": "term-1"}
> 3 = {"exitCode": 3, "signal": null}
< 4 terminal/output {"terminalId": "term-1"}
> 4 = {"exitStatus": {"exitCode": 3, "signal": null}, "output": "\\u001b[31mred\\u001b[0m\\n", "truncated": false}
< 5 terminal/release {"terminalId": "term-1"}
> 5 = null
< tool_call_update {"toolCallId": "id11", "status": "failed", "rawOutput": {"exit_code": 3, "signal": null, "timed_out": false, "seconds": 0, "output": "red\\n"}}
< agent_message_chunk ["id17", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


def of_calls(running: Running) -> list[dict[str, Any]]:
    return [update for update in running.editor.updates() if update["sessionUpdate"].startswith("tool_call")]


def drawn(running: Running) -> str:
    fed = [update.get("_meta", {}).get("terminal_output", {}).get("data", "") for update in of_calls(running)]
    return "".join(fed)


def ends(running: Running) -> list[dict[str, Any]]:
    return [meta["terminal_exit"] for u in of_calls(running) if "terminal_exit" in (meta := u.get("_meta", {}))]


def own(running: Running) -> EditorTerminals:
    assert running.editor.terminals is not None
    return running.editor.terminals


async def test_where_the_client_runs_commands_none_is_announced_for_feeding(tmp_path: Path) -> None:
    async with agent(tmp_path, [RED], [say("Done.")], draws=True, runs_commands=True) as running:
        await running.prompt("go")
        assert [update for update in of_calls(running) if "_meta" in update] == []
        assert {"type": "terminal", "terminalId": "term-1"} in of_calls(running)[-2]["content"]


@pytest.mark.parametrize("draws", [True, False])
async def test_a_conversation_told_again_shows_text_and_no_terminal(tmp_path: Path, draws: bool) -> None:
    async with agent(tmp_path, [RED], [say("Done.")], draws=draws, runs_commands=not draws) as running:
        await running.prompt("go")
        told = len(of_calls(running))
        await running.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        again = of_calls(running)[told:]
        assert again[-1]["status"] == "failed"
        assert "red" in str(again)
        assert [update for update in again if "_meta" in update] == []
        assert [item["type"] for update in again for item in update.get("content", [])].count("terminal") == 0


@pytest.mark.parametrize("draws", [True, False])
async def test_a_no_shows_no_terminal(tmp_path: Path, draws: bool) -> None:
    no = rejected()
    async with agent(
        tmp_path, [RED], [say("Ok.")], permission=lambda _params: no, draws=draws, runs_commands=not draws
    ) as running:
        await running.prompt("go")
        assert [item["type"] for update in of_calls(running) for item in update.get("content", [])].count(
            "terminal"
        ) == 0
        assert (drawn(running), ends(running)) == ("", [])


async def test_stopping_a_turn_ends_the_terminal_that_displays(tmp_path: Path) -> None:
    waits = call("terminal", command="touch started; sleep 60")
    async with agent(tmp_path, [waits], draws=True, mode="always-approve") as running:
        request = running.ask_prompt("go")
        await until_there(tmp_path / "started")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        call_id = of_calls(running)[0]["toolCallId"]
        assert ends(running) == [{"terminal_id": call_id, "exit_code": None, "signal": None}]


async def test_stopping_a_turn_ends_what_runs_in_the_clients_terminal(tmp_path: Path) -> None:
    waits = call("terminal", command="touch started; sleep 60")
    async with agent(tmp_path, [waits], runs_commands=True, mode="always-approve") as running:
        request = running.ask_prompt("go")
        await running.editor.until(lambda message: message.get("method") == "terminal/wait_for_exit")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        await own(running).shown["term-1"].exited.wait()
        assert own(running).shown["term-1"].is_released
        assert {"type": "terminal", "terminalId": "term-1"} in of_calls(running)[-1]["content"]


async def test_of_a_flood_a_terminal_gets_what_can_be_seen(tmp_path: Path) -> None:
    flood = call("terminal", command="echo first; seq 1000000; echo last")
    async with agent(tmp_path, [flood], [say("Done.")], draws=True, mode="always-approve") as running:
        await running.prompt("go")
        assert drawn(running).startswith("first\n1\n2\n")
        assert drawn(running).endswith("1000000\nlast\n")
        assert "too fast to draw" in drawn(running)
        # Of two looks: the first piece is shown at once.
        assert len(drawn(running)) < 70_000


async def test_a_client_that_is_slow_gets_output_joined_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every piece is shown as it comes.
    monkeypatch.setattr(import_module("openhands_acp.tools.terminal"), "PACE", 0)
    line = "touch started; until [ -e gate ]; do sleep 0.01; done; for i in $(seq 100); do echo $i; sleep 0.001; done; touch done"
    talks = call("terminal", command=line)
    async with agent(tmp_path, [talks], [say("Done.")], draws=True, mode="always-approve") as running:
        request = running.ask_prompt("go")
        await until_there(tmp_path / "started")
        before = len(of_calls(running))
        running.editor.channel.gate = gate = anyio.Event()
        (tmp_path / "gate").touch()
        await until_there(tmp_path / "done")
        gate.set()
        await running.editor.answer(request)
        assert drawn(running) == "".join(f"{number}\n" for number in range(1, 101))
        # As many as the queue takes before it joins them, and what the writer held already.
        assert len(of_calls(running)) - before < 20


@pytest.fixture
def starts_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started in the background has had its say sooner than a person would think."""
    monkeypatch.setattr(import_module("openhands_acp.tools.terminal"), "START", Patience(silence=0.2, whole=10))


@pytest.mark.usefixtures("starts_soon")
async def test_what_ends_without_an_exit_code_is_said_in_the_terminal(tmp_path: Path) -> None:
    answers = [
        [call("terminal", command="echo up; sleep 60", background=True)],
        [call("terminal", reset=True)],
        [say(".")],
    ]
    async with agent(tmp_path, *answers, draws=True, mode="always-approve") as running:
        await running.prompt("go")
        assert drawn(running).startswith("up\n\x1b[0m\n[job 1 still runs")
        assert [(end["exit_code"], end["signal"]) for end in ends(running)] == [(None, None)]


@pytest.mark.usefixtures("starts_soon")
async def test_a_server_in_the_clients_terminal_is_a_job_like_any(tmp_path: Path) -> None:
    answers = [
        [
            call(
                "terminal",
                command="echo up; until [ -e gate ]; do sleep 0.01; done; echo down; exit 4",
                background=True,
            )
        ],
        [call("terminal", command="touch gate")],
        [call("terminal", job="e1")],
        [say("Done.")],
    ]
    async with agent(tmp_path, *answers, runs_commands=True, mode="always-approve") as running:
        await running.prompt("go")
        results = [u["rawOutput"] for u in of_calls(running) if "rawOutput" in u]
        assert [(each["exit_code"], each["output"]) for each in results] == [(None, "up\n"), (0, ""), (4, "down\n")]
        assert [shown.is_released for shown in own(running).shown.values()] == [True, True]


SWEPT = call("terminal", command="echo one; echo two; exit 3")


@pytest.mark.parametrize("draws", [True, False])
async def test_stopping_after_any_message_leaves_a_sound_conversation(tmp_path: Path, draws: bool) -> None:
    is_over, stopped = False, 0
    for n in range(1, 100):
        async with agent(
            tmp_path, [SWEPT], [say("Fine.")], [say(".")], draws=draws, runs_commands=not draws
        ) as running:
            heard = 0

            def stop_after(_message: dict[str, Any], running: Running = running, n: int = n) -> None:
                nonlocal heard
                heard += 1
                if heard == n:
                    running.cancel()

            request = running.ask_prompt("go")
            running.editor.on_message = stop_after
            answer = (await running.editor.answer(request))["result"]
            is_over = heard < n
            running.editor.on_message = lambda _message: None
            # The last messages may come when there is nothing left to stop.
            stopped += answer == {"stopReason": "cancelled"}
            if not draws:
                assert {shown.is_released for shown in own(running).shown.values()} <= {True}
                for shown in own(running).shown.values():
                    await shown.exited.wait()
            assert running.backend.sessions[running.session_id].transcript.open_calls == {}
        if is_over:
            break
    assert is_over
    assert stopped > 2


async def test_whatever_the_client_fails_at_the_turn_goes_on(tmp_path: Path) -> None:
    n, failed = 0, True
    while failed:
        n, failed = n + 1, False
        async with agent(tmp_path, [SWEPT], [say("Fine.")], runs_commands=True, mode="always-approve") as running:
            asked = 0

            def fails(_method: str, n: int = n) -> None:
                nonlocal asked, failed
                asked += 1
                if asked == n:
                    failed = True
                    raise RemoteError(-32603, "Internal error")

            own(running).fails = fails
            assert await running.prompt("go") == {"stopReason": "end_turn"}
            last = of_calls(running)[-1]
            assert (last["status"], last["rawOutput"]["exit_code"]) == ("failed", 3)
            assert n == 2 or last["rawOutput"]["output"] == "one\ntwo\n", n
    # To make one, wait, look, and give it back.
    assert n == 5


async def until_there(path: Path) -> None:
    with anyio.fail_after(PATIENCE):
        await until(path.exists)
