"""/ask, /goal, the critic, and another model's eyes."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import AssistantMessage, Image, SystemMessage, Text, UserMessage, plain_text
from openhands_acp.engine.ports import Finish
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage.budget import Critic, Limit, Limits
from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.editor import allowed
from tests.harness.model import Answer, ScriptedModel, Step, Wait, call, say

pytestmark = pytest.mark.anyio

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DONE = [say('Here it is: {"score": 1, "complete": true, "missing": ""}')]


def missing(what: str, score: float = 0.2) -> Answer:
    return [say(f'{{"score": {score}, "complete": false, "missing": "{what}"}}')]


def think(text: str) -> list[Step]:
    return call("think", thought=text)


def purposes(model: ScriptedModel, **others: list[Answer]) -> TestBackend:
    backend = TestBackend(model)
    for purpose, answers in others.items():
        backend.by_purpose[purpose] = ScriptedModel(answers, model=f"fake/{purpose}")
    return backend


def asked(backend: TestBackend, purpose: str) -> list[list[Any]]:
    model = backend.by_purpose[purpose]
    assert isinstance(model, ScriptedModel)
    return model.requests


def said(running: Running) -> list[str]:
    return [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]


# ---------------------------------------------------------------- /ask


async def test_a_question_aside_leaves_no_trace_in_the_conversation(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("Done.")], [say("It was ", "a.py.")], [say("Ok.")]]))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("mend it")
        await running.prompt("/ask which file was it?")
        await running.prompt("go on")
        before, aside, after = running.model.requests
        assert aside[: len(before)] == before
        assert plain_text(aside[-1].parts if isinstance(aside[-1], UserMessage) else ()).endswith("which file was it?")
        assert after == [
            SystemMessage("static", "dynamic"),
            UserMessage((Text("mend it"),)),
            AssistantMessage("Done."),
            UserMessage((Text("go on"),)),
        ]
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["mend it"]
< session_info_update {"title": "mend it"}
< agent_message_chunk ["id9", "Done."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["/ask which file was it?"]
< agent_message_chunk ["id18", "It was a.py."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 4 = {"stopReason": "end_turn"}
> 5 session/prompt ["go on"]
< agent_message_chunk ["id27", "Ok."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 5 = {"stopReason": "end_turn"}\
""")


async def test_a_question_aside_runs_nothing(tmp_path: Path) -> None:
    async with agent(tmp_path, [call("terminal", command="touch here")], mode="always-approve") as running:
        await running.prompt("/ask is it there?")
        assert said(running) == [
            "The model wanted to use its tools instead of answering, which a question aside does not let it. "
            "Send the question as a prompt, without `/ask`."
        ]
        assert not (tmp_path / "here").exists()


async def test_a_question_aside_can_be_stopped_and_told_again(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Half"), Wait()], [say("Ok.")]) as running:
        request = running.ask_prompt("/ask what?")
        await running.editor.until_update("agent_message_chunk")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        kept: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(tmp_path), "mcpServers": []}
        await running.editor.request("session/close", sessionId=running.session_id)
        await running.editor.request("session/load", **kept)
        assert said(running) == ["Half", "Half"]


# ---------------------------------------------------------------- /goal


async def test_a_goal_is_worked_on_until_a_judge_finds_it_reached(tmp_path: Path) -> None:
    backend = purposes(
        ScriptedModel([[say("Tests pass.")], [think("Which?")], [say("Now they do.")]]),
        goal=[missing("the tests were never run"), DONE],
    )
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("/goal make the tests pass")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["/goal make the tests pass"]
< session_info_update {"title": "make the tests pass"}
< agent_message_chunk ["id7", "Round 1 of 10."]
< agent_message_chunk ["id11", "\\n\\nTests pass."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< agent_message_chunk ["id16", "\\n\\nRound 2 of 10: still missing: the tests were never run"]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< agent_thought_chunk ["id24", "Which?"]
< agent_message_chunk ["id28", "Now they do."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.05, "currency": "USD"}}
< agent_message_chunk ["id33", "\\n\\nThe goal is reached, in 2 rounds."]
< 3 = {"stopReason": "end_turn"}\
""")
        told = [m for m in running.model.requests[-1] if isinstance(m, UserMessage)]
        assert [plain_text(message.parts) for message in told] == snapshot(
            [
                """\
make the tests pass

(Work until this is reached and you have seen that it is. Do not ask whether to go on.)\
""",
                "(It is not done yet. Still missing: the tests were never run)",
            ]
        )
        (_, first), _ = asked(backend, "goal")
        assert plain_text(first.parts) == snapshot("""\
<asked>
make the tests pass
</asked>

<work>
=== the person
make the tests pass

(Work until this is reached and you have seen that it is. Do not ask whether to go on.)

=== the agent
Tests pass.
</work>\
""")


@pytest.mark.parametrize("verdict", ["I think so!", "", "{}", '{"complete": "yes"}', '{"complete": false'])
async def test_a_judgement_that_cannot_be_read_is_a_no(tmp_path: Path, verdict: str) -> None:
    backend = purposes(ScriptedModel([[say("Done.")], [say("Really.")]]), goal=[[say(verdict)], DONE])
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("/goal do it")
        assert said(running)[-1].strip() == "The goal is reached, in 2 rounds."


async def test_a_goal_is_tried_ten_times(tmp_path: Path) -> None:
    backend = purposes(ScriptedModel([[say(f"Try {n}.")] for n in range(12)]), goal=[missing("all")] * 12)
    async with agent(tmp_path, backend=backend) as running:
        assert await running.prompt("/goal square the circle") == {"stopReason": "end_turn"}
        assert len(running.model.requests) == 10
        assert said(running)[-1].strip() == "The goal is not reached in 10 rounds. Still missing: all"


async def test_stopping_ends_all_of_a_goal(tmp_path: Path) -> None:
    backend = purposes(ScriptedModel([[say("One.")], [say("Two"), Wait()]]), goal=[missing("all")] * 3)
    async with agent(tmp_path, backend=backend) as running:
        request = running.ask_prompt("/goal all of it")
        await running.editor.until(lambda m: "Two" in str(m))
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert len(asked(backend, "goal")) == 1


async def test_a_goal_keeps_to_its_budget(tmp_path: Path) -> None:
    backend = purposes(ScriptedModel([[say(f"Try {n}.")] for n in range(9)]), goal=[missing("all")] * 9)
    backend.limits = Limits(Limit(max_steps=3))
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed("reject_once")) as running:
        await running.prompt("/goal all of it")
        assert len(running.model.requests) == 3
        assert said(running)[-1].strip() == "The goal is not reached: its steps are used up."


# ---------------------------------------------------------------- critic


async def test_the_critic_sends_back_what_is_not_good_enough(tmp_path: Path) -> None:
    answers: list[Answer] = [[think("a")], [say("Done.")], [think("b")], [say("Now.")], [think("c")], [say("Yes.")]]
    backend = purposes(ScriptedModel(answers), critic=[missing("tests"), missing("docs", 0.5), missing("more", 0.6)])
    backend.critic = Critic()
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("build it")
        assert [text.strip() for text in said(running)] == [
            "Done.",
            "The critic sends this back (1 of 3): tests",
            "Now.",
            "The critic sends this back (2 of 3): docs",
            "Yes.",
        ]


@pytest.mark.parametrize(
    ("critic", "answers", "judgements"),
    [
        pytest.param(None, [[think("a")], [say("Done.")]], 0, id="off"),
        pytest.param(Critic(), [[say("Hello.")]], 0, id="only talk"),
        pytest.param(Critic(2), [[think("a")], [say("1")], [say("2")], [say("3")]], 2, id="often enough"),
    ],
)
async def test_the_critic_is_asked_no_more_than_it_should(
    tmp_path: Path, critic: Critic | None, answers: list[Answer], judgements: int
) -> None:
    backend = purposes(ScriptedModel(answers), critic=[missing("all")] * 5)
    backend.critic = critic
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert len(asked(backend, "critic")) == judgements
        assert len(running.model.requests) == len(answers)


async def test_work_is_done_whether_the_critic_can_be_asked_or_not(tmp_path: Path) -> None:
    backend = purposes(ScriptedModel([[think("a")], [say("Done.")]]), critic=[[TurnError("auth", "No key.")]])
    backend.critic = Critic()
    async with agent(tmp_path, backend=backend) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert [text.strip() for text in said(running)] == ["Done.", "The critic could not be asked: No key."]


# ---------------------------------------------------------------- vision


def with_image(running: Running, text: str) -> Any:
    blocks = [{"type": "text", "text": text}, {"type": "image", "mimeType": "image/png", "data": PNG}]
    return running.editor.request("session/prompt", sessionId=running.session_id, prompt=blocks)


async def test_another_model_sees_for_one_that_does_not(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b64decode(PNG))
    view = call("file_editor", command="view", path=str(tmp_path / "a.png"))
    backend = purposes(
        ScriptedModel([[say("Red.")], [view], [say("Red, too.")]]),
        vision=[[say("A red dot."), Finish("stop", Usage(50, 5, 0, 0.03))], [say("A red dot in a file.")]],
    )
    seer = backend.by_purpose["vision"]
    assert isinstance(seer, ScriptedModel)
    seer.sees_images = True
    async with agent(tmp_path, backend=backend) as running:
        await with_image(running, "what is it?")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["what is it?", "image"]
< session_info_update {"title": "what is it?"}
< agent_message_chunk ["id9", "fake/model cannot see images; fake/vision describes them to it."]
< agent_message_chunk ["id12", "\\n\\nRed."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
        assert seer.requests[0][-1] == UserMessage((Text("Describe this image."), Image("image/png", PNG)))
        await running.prompt("and in the file?")
        assert [str(running.model.requests[-1]).count(f"A red dot{rest}") for rest in (".", " in a file.")] == [1, 1]


async def test_an_image_that_cannot_be_described_is_said_to_be(tmp_path: Path) -> None:
    backend = purposes(ScriptedModel([[say("Ok.")]]), vision=[[TurnError("network", "It is offline.")]])
    seer = backend.by_purpose["vision"]
    assert isinstance(seer, ScriptedModel)
    seer.sees_images = True
    async with agent(tmp_path, backend=backend) as running:
        await with_image(running, "what is it?")
        assert [text.strip() for text in said(running)] == ["An image could not be described: It is offline.", "Ok."]
