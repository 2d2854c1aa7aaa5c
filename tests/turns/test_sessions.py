"""Sessions that are taken up again: by another process, in another window, as a copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.events import ActionEvent, AgentErrorEvent, Entry, NoticeEvent, TurnEnded
from openhands_acp.engine.messages import AssistantMessage, ToolMessage, UserMessage
from openhands_acp.engine.ports import Taken
from tests.harness.check import MemoryJournal, Running, TestBackend, agent
from tests.harness.editor import PATIENCE, allowed
from tests.harness.model import Answer, ScriptedModel, Wait, call, say, think
from tests.harness.waiting import until
from tests.turns.test_replay import client_model

pytestmark = pytest.mark.anyio


def later(earlier: TestBackend, *answers: Answer) -> TestBackend:
    """Another process on the same machine."""
    return TestBackend(ScriptedModel(answers), journals=dict(earlier.journals))


async def lived(root: Path) -> tuple[TestBackend, str, list[dict[str, Any]]]:
    """Live through a session; return its machine, its id and what the client was told."""
    (root / "a.txt").write_text("one\n")
    edit = call("file_editor", command="str_replace", path="a.txt", old_str="one", new_str="two")
    run = call("terminal", 1, command="exit 3")
    async with agent(root, [think("Hm."), say("Editing."), edit, run], [say("Done.")]) as running:
        running.editor.permission = lambda _params: allowed("allow_always")
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="llm-approve")
        await running.prompt("go")
        return running.backend, running.session_id, list(running.editor.updates())


async def load(running: Running, session_id: str, method: str = "session/load") -> tuple[Any, list[dict[str, Any]]]:
    """Take a session up; return the answer, and the updates that came before it."""
    before = len(running.editor.log)
    answer = await running.editor.request(method, sessionId=session_id, cwd=str(running.root), mcpServers=[])
    log = running.editor.log[before:]
    end = next(i for i, (d, m) in enumerate(log) if d == "out" and "method" not in m)
    told = [m["params"]["update"] for d, m in log[:end] if d == "out" and m.get("method") == "session/update"]
    return answer, told


async def test_load_tells_everything_again_before_its_answer(tmp_path: Path) -> None:
    machine, session_id, live = await lived(tmp_path)
    async with agent(tmp_path, backend=later(machine, [say("Going on.")])) as running:
        answer, told = await load(running, session_id)
        assert answer["modes"]["currentModeId"] == "llm-approve"
        assert client_model(told) == client_model(live)
        assert [u["content"]["text"] for u in told if u["sessionUpdate"] == "user_message_chunk"] == ["go"]
        running.session_id = session_id
        assert await running.prompt("and?") == {"stopReason": "end_turn"}
        kinds = [type(message) for message in running.model.requests[0][1:]]
        assert kinds == [UserMessage, AssistantMessage, ToolMessage, ToolMessage, AssistantMessage, UserMessage]


async def test_resume_tells_nothing_again_and_keeps_what_was_allowed(tmp_path: Path) -> None:
    machine, session_id, _ = await lived(tmp_path)
    again = [call("file_editor", command="str_replace", path="a.txt", old_str="two", new_str="three")]
    async with agent(tmp_path, backend=later(machine, again, [say("Done.")])) as running:
        answer, told = await load(running, session_id, "session/resume")
        assert (answer["modes"]["currentModeId"], told) == ("llm-approve", [])
        running.session_id = session_id
        await running.prompt("again")
        assert (tmp_path / "a.txt").read_text() == "three\n"
        assert not any(m.get("method") == "session/request_permission" for _, m in running.editor.log)


async def test_load_of_a_session_that_is_open_here_tells_it_too(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Hello.")]) as running:
        await running.prompt("hi")
        _, told = await load(running, running.session_id)
        assert "Hello." in str(told)
        assert await running.prompt("more") == {"stopReason": "end_turn"}


async def test_another_folder_counts_from_then_on(tmp_path: Path) -> None:
    machine, session_id, _ = await lived(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    where = [call("terminal", command="pwd", security_risk="LOW")]
    async with agent(other, backend=later(machine, where, [say("There.")])) as running:
        await load(running, session_id)
        running.session_id = session_id
        await running.prompt("where?")
        result = running.model.requests[1][-1]
        assert isinstance(result, ToolMessage)
        assert result.text.startswith(str(other))


@pytest.mark.parametrize(("is_cut", "prompts"), [(False, 3), (True, 2)])
async def test_a_fork_has_the_history_and_a_life_of_its_own(tmp_path: Path, is_cut: bool, prompts: int) -> None:
    async with agent(tmp_path, [say("One.")], [say("Two.")], [say("Fork.")]) as running:
        await running.prompt("first")
        first = await running.editor.until_update("agent_message_chunk")
        await running.prompt("second")
        meta: dict[str, Any] = {"_meta": {"messageId": first["messageId"]}} if is_cut else {}
        params: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(tmp_path), "mcpServers": []}
        forked = await running.editor.request("session/fork", **params, **meta)
        original, running.session_id = running.session_id, forked["sessionId"]
        assert original != forked["sessionId"]
        await running.prompt("third")
        assert sum(isinstance(message, UserMessage) for message in running.model.requests[2]) == prompts
        assert len(running.backend.sessions[original].transcript.history()) == 5
        unknown = await running.editor.request("session/fork", **params, _meta={"messageId": "nobody's"})
        assert unknown["code"] == -32002


async def test_a_fork_of_a_running_turn_says_what_was_not_copied(tmp_path: Path) -> None:
    # Meta that is no object is none: the schema says so.
    run = call("terminal", command="echo started; read -r < go")
    os.mkfifo(tmp_path / "go")
    async with agent(tmp_path, [run], [say("Done.")], [say("Copied.")], mode="always-approve") as running:
        prompt = running.ask_prompt("hi")
        await running.editor.until_update("tool_call_update", status="in_progress")
        fork = await running.editor.request(
            "session/fork", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[], _meta="none"
        )
        copy = running.backend.sessions[fork["sessionId"]]
        told = [entry.event.error for entry in copy.entries if isinstance(entry.event, AgentErrorEvent)]
        assert told == ["this conversation was copied before the call had a result; look before you repeat it"]
        (tmp_path / "go").write_text("go\n")
        assert (await running.editor.answer(prompt))["result"] == {"stopReason": "end_turn"}


async def test_a_crash_is_closed_by_loading_and_nothing_is_run(tmp_path: Path) -> None:
    machine, session_id, _ = await lived(tmp_path)
    whole = machine.journals[session_id].entries
    for length in range(1, len(whole)):
        crashed = later(machine, [say("Fine.")])
        crashed.journals[session_id] = MemoryJournal(whole[:length])
        (tmp_path / "a.txt").write_text("untouched\n")
        async with agent(tmp_path, backend=crashed) as running:
            _, told = await load(running, session_id)
            calls = client_model(told)["calls"].values()
            assert {call["status"] for call in calls} <= {"completed", "failed"}
            assert running.backend.sessions[session_id].transcript.turn_id is None
            running.session_id = session_id
            assert await running.prompt("and now?") == {"stopReason": "end_turn"}
        assert (tmp_path / "a.txt").read_text() == "untouched\n"


async def test_a_crash_while_one_is_closed_is_told_once(tmp_path: Path) -> None:
    machine, session_id, _ = await lived(tmp_path)
    whole = machine.journals[session_id].entries
    began = next(at for at, entry in enumerate(whole) if isinstance(entry.event, ActionEvent)) + 1
    closed = await entries_after_loading(tmp_path, machine, session_id, whole[:began])
    for length in range(began, len(closed) + 1):
        again = await entries_after_loading(tmp_path, machine, session_id, closed[:length])
        told = [entry.event for entry in again if isinstance(entry.event, NoticeEvent | AgentErrorEvent | TurnEnded)]
        assert [type(event) for event in told] == [AgentErrorEvent, NoticeEvent, TurnEnded]


async def entries_after_loading(root: Path, machine: TestBackend, session_id: str, entries: list[Entry]) -> list[Entry]:
    """Load this in another process; return what is then kept."""
    crashed = later(machine)
    crashed.journals[session_id] = MemoryJournal(entries)
    async with agent(root, backend=crashed) as running:
        await load(running, session_id)
        return list(crashed.journals[session_id].entries)


@pytest.mark.parametrize("method", ["session/load", "session/resume", "session/fork"])
async def test_what_is_not_there_is_said_so(tmp_path: Path, method: str) -> None:
    async with agent(tmp_path) as running:
        params: dict[str, Any] = {"sessionId": "../etc", "cwd": str(tmp_path), "mcpServers": []}
        error = await running.editor.request(method, **params)
        assert (error["code"], error["data"]["details"]) == (-32002, "there is no session '../etc'")
        error = await running.editor.request(method, **{**params, "cwd": "relative"})
        assert error["code"] == -32602


async def test_delete_is_idempotent_and_ends_what_runs(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Hello.")]) as running:
        await running.prompt("hi")
        for _ in range(2):
            assert await running.editor.request("session/delete", sessionId=running.session_id) == {}
        assert (await running.prompt("more"))["code"] == -32002


async def test_list_tells_what_a_client_shows(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        listed = await running.editor.request("session/list")
        assert listed["sessions"] == [
            {
                "sessionId": running.session_id,
                "cwd": "/w",
                "title": "t",
                "updatedAt": "2026-01-01T00:00:00+00:00",
                "_meta": {"messageCount": 1},
            }
        ]
        assert (await running.editor.request("session/list", cursor="x"))["code"] == -32602
        assert (await running.editor.request("session/list", cwd="relative"))["code"] == -32602


async def test_a_session_that_another_process_owns_is_not_written(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Hello.")]) as running:
        journal = running.backend.journals[running.session_id]
        journal.owner = Taken("another window (process 7) works on this session; close it there first")
        assert await running.prompt("hi") == {"stopReason": "end_turn"}
        assert "process 7" in str(running.editor.updates()[-1])
        assert running.model.requests == []
        assert not any(isinstance(entry.event, TurnEnded) for entry in journal.entries)


async def test_a_title_in_the_models_words_comes_after_the_first_turn(tmp_path: Path) -> None:
    title = [say('"Greeting', ' a person"\n', "and more")]
    backend = TestBackend(ScriptedModel([[say("Hello.")], title, [say("Again.")]]), titles=True)
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("hi   there")
        await running.editor.until_update("session_info_update", title="Greeting a person")
        await running.prompt("more")
        titles = [u["title"] for u in running.editor.updates() if u["sessionUpdate"] == "session_info_update"]
        assert titles == ["hi there", "Greeting a person"]
        assert len(running.model.requests) == 3


async def test_two_prompts_of_one_turn_make_one_title(tmp_path: Path) -> None:
    go_on, think_of_it = anyio.Event(), anyio.Event()
    title = [Wait(think_of_it), say("A title")]
    model = ScriptedModel([[say("One."), Wait(go_on)], [say("Two.")], title, [say("Three.")]])
    async with agent(tmp_path, backend=TestBackend(model, titles=True)) as running:
        session = running.backend.sessions[running.session_id]
        requests = [running.ask_prompt("go")]
        await running.editor.until_update("agent_message_chunk")
        requests.append(running.ask_prompt("and this"))
        with anyio.fail_after(PATIENCE):
            await until(lambda: session.turn is not None and session.turn.prompts)
            go_on.set()
            for request_id in requests:
                await running.editor.answer(request_id)
            # Both are behind their answers, and one of them has asked.
            await until(lambda: running.backend.journals[session.id].syncs == len(model.requests) - 1 == 2)
        await anyio.wait_all_tasks_blocked()
        think_of_it.set()
        await running.editor.until_update("session_info_update", title="A title")
        assert len(model.requests) == 3


async def test_a_person_names_a_session_and_no_model_renames_it(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("Hello.")]]), titles=True)
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("/title  My   session ")
        assert running.editor.updates()[-2]["title"] == "My session"
        await running.prompt("hi")
        assert running.backend.sessions[running.session_id].transcript.title == "My session"
        assert len(running.model.requests) == 1


async def test_what_another_process_owns_is_not_deleted_and_stays_open(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Hello.")]) as running:
        running.backend.journals[running.session_id].owner = Taken("another window works on this session")
        error = await running.editor.request("session/delete", sessionId=running.session_id)
        assert error["data"]["details"] == "another window works on this session"
        assert await running.editor.request("session/close", sessionId=running.session_id) == {}
