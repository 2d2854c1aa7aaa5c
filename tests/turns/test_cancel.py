"""Stop, at every moment: always answered `cancelled`, always with everything closed, and the session goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.events import TurnEnded
from openhands_acp.engine.messages import Text
from openhands_acp.engine.tool import TurnError
from tests.harness.check import Running, agent
from tests.harness.editor import NEVER, dismissed
from tests.harness.model import Answer, Step, Wait, call, say, think

pytestmark = pytest.mark.anyio

LONG = [say("Working."), call("terminal", command="echo started; sleep 600 & sleep 600; wait")]


async def in_the_stream(running: Running) -> None:
    await running.editor.until_update("agent_message_chunk")


async def in_a_command(running: Running) -> None:
    def has_output(message: dict[str, Any]) -> bool:
        return "started\\n" in str(message.get("params", {}).get("update", {}).get("content", ""))

    await running.editor.until(has_output)


async def in_a_question(running: Running) -> None:
    await running.editor.until(lambda m: m.get("method") == "session/request_permission")


async def at_once(_running: Running) -> None:
    pass


@pytest.mark.parametrize(
    ("moment", "mode", "answer"),
    [
        (at_once, "always-ask", [say("Hel"), Wait()]),
        (in_the_stream, "always-ask", [think("Hm."), say("Hel"), Wait()]),
        (in_the_stream, "always-ask", [say("Hel"), call("terminal", command="echo hi")[:2], Wait()]),
        (in_a_command, "always-approve", LONG),
        (in_a_question, "always-ask", LONG),
    ],
    ids=["at once", "in the stream", "in the arguments", "in a command", "in a question"],
)
async def test_cancel_is_answered_and_the_next_prompt_works(
    tmp_path: Path, moment: Callable[[Running], Awaitable[None]], mode: str, answer: Answer
) -> None:
    async with agent(tmp_path, answer, [say("Fine.")], mode=mode, permission=lambda _params: NEVER) as running:
        request = running.ask_prompt("go")
        await moment(running)
        running.cancel()
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert running.backend.sessions[running.session_id].transcript.open_calls == {}
        if running.model.requests:
            assert await running.prompt("again") == {"stopReason": "end_turn"}


async def test_a_stop_right_behind_a_turn_stops_the_command_that_waited_for_it(tmp_path: Path) -> None:
    end = anyio.Event()
    async with agent(tmp_path, [say("One."), Wait(end)]) as running:
        session = running.backend.sessions[running.session_id]
        request = running.ask_prompt("go")
        await in_the_stream(running)
        # Received while the turn runs; when its task looks at what became of that, the stop was there.
        command = session.begin((Text("/title Named"),))
        end.set()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "end_turn"}
        await running.editor.request("session/delete", sessionId=running.session_id)
        assert (await command, session.transcript.title) == ("cancelled", "go")


async def test_a_pending_question_is_withdrawn(tmp_path: Path) -> None:
    async with agent(tmp_path, LONG, permission=lambda _params: NEVER) as running:
        request = running.ask_prompt("go")
        asked = await running.editor.until(lambda m: m.get("method") == "session/request_permission")
        running.cancel()
        await running.editor.answer(request)
        withdrawn = await running.editor.until(lambda m: m.get("method") == "$/cancel_request")
        assert withdrawn["params"] == {"requestId": asked["id"]}
        running.editor.say(id=asked["id"], result=dismissed())  # late, as the protocol wants it
        assert (await running.editor.request("session/close", sessionId=running.session_id)) == {}


async def test_a_dismissed_question_ends_the_turn(tmp_path: Path) -> None:
    async with agent(tmp_path, LONG, permission=lambda _params: dismissed()) as running:
        assert await running.prompt("go") == {"stopReason": "cancelled"}


async def test_cancelling_the_request_itself_is_the_same(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Hel"), Wait()]) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        running.editor.notify("$/cancel_request", requestId=request)
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}


async def test_cancel_when_idle_does_nothing_to_the_next_turn(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Fine.")]) as running:
        running.cancel()
        assert await running.prompt("go") == {"stopReason": "end_turn"}


async def test_what_was_said_before_the_stop_is_remembered(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Half a sen"), Wait()], [say("Fine.")]) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        running.cancel()
        await running.editor.answer(request)
        await running.prompt("again")
        assert [type(m).__name__ for m in running.model.requests[1]] == [
            "SystemMessage",
            "UserMessage",
            "AssistantMessage",
            "UserMessage",
            "UserMessage",
        ]
        assert "I stopped you here" in str(running.model.requests[1][3])


async def test_closing_the_session_ends_its_turn(tmp_path: Path) -> None:
    async with agent(tmp_path, LONG, mode="always-approve") as running:
        request = running.ask_prompt("go")
        await in_a_command(running)
        assert await running.editor.request("session/close", sessionId=running.session_id) == {}
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert (await running.prompt("more"))["code"] == -32002


def flat(answer: Answer) -> list[Step]:
    steps: list[Step] = []
    for item in answer:
        steps += item if isinstance(item, Sequence) else [item]
    return steps


def script() -> list[Answer]:
    return [
        [
            think("Look."),
            say("Reading ", "it."),
            call("file_editor", command="view", path="a.txt"),
            call("think", 1, thought="x"),
        ],
        [
            call("file_editor", command="str_replace", path="a.txt", old_str="one", new_str="two"),
            call("terminal", 1, command="echo hi"),
        ],
        [
            call("task_tracker", command="plan", task_list=[{"title": "t", "status": "done"}]),
            call("finish", 1, message="Done."),
        ],
    ]


async def test_cancelling_after_any_message_leaves_a_sound_conversation(tmp_path: Path) -> None:
    """The sweep: the monitor and the model's strictness check every one of these conversations."""
    reasons: list[str] = []
    for n in range(1, 100):
        (tmp_path / "a.txt").write_text("one\n")
        async with agent(tmp_path, *script(), [say("Fine.")]) as running:
            seen = 0

            def count(_message: dict[str, Any], running: Running = running, n: int = n) -> None:
                nonlocal seen
                seen += 1
                if seen == n:
                    running.cancel()

            running.editor.on_message = count
            result = await running.prompt("go")
            running.editor.on_message = lambda _message: None
            ended = next(e.event for e in running.entries if isinstance(e.event, TurnEnded))
            assert ended.stop_reason == result["stopReason"]
            assert await running.prompt("and now?") == {"stopReason": "end_turn"}
            reasons.append(result["stopReason"])
        if result == {"stopReason": "end_turn"}:
            break
    assert set(reasons[:-1]) == {"cancelled"}
    assert reasons[-1] == "end_turn"
    assert len(reasons) > 15


async def test_failing_at_any_message_of_the_model_leaves_a_sound_conversation(tmp_path: Path) -> None:
    failure = TurnError("network", "The provider hung up. Send the prompt again.")
    steps = flat(script()[0])
    for n in range(len(steps) + 1):
        (tmp_path / "a.txt").write_text("one\n")
        async with agent(tmp_path, [*steps[:n], failure], [say("Fine.")]) as running:
            assert await running.prompt("go") == {"stopReason": "end_turn"}
            assert "The provider hung up" in str(running.editor.updates()[-1])
            assert await running.prompt("again") == {"stopReason": "end_turn"}
