"""A model that fails is asked again, then another is: as an editor sees it, and what models read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import ResponseDropped, UsageEvent
from openhands_acp.engine.messages import AssistantMessage, Message, ToolMessage, UserMessage, plain_text
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.waiting import Persistence, Waiting
from tests.harness.check import TestBackend, agent, transcript
from tests.harness.editor import Answerer, allowed, dismissed, rejected
from tests.harness.model import Answer, ScriptedModel, call, say, think
from tests.turns.test_replay import client_model

pytestmark = pytest.mark.anyio


def overloaded(wait: float | None = None) -> TurnError:
    detail = "Acme is overloaded and did not run fake/model (529): busy. Wait a little, then send the prompt again."
    return TurnError("rate_limit", detail, can_retry=True, wait=wait)


BROKEN = TurnError("network", "The connection to Acme broke: reset. Check the network.", can_retry=True)
NO_KEY = TurnError("auth", "Acme refused the key for fake/model (401): wrong key. Set LLM_API_KEY.")
NO_QUOTA = TurnError("quota", "Acme says that the quota for fake/model is used up (429): pay. Add credit.")


@dataclass(slots=True)
class Clock:
    """Time that passes only where somebody waits for it."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list[float])

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        await anyio.lowlevel.checkpoint()
        self.now += seconds

    def waiting(self, chance: float = 0.5) -> Waiting:
        return Waiting(self.pause, lambda: self.now, lambda: chance)


def backend(
    *answers: Answer, clock: Clock | None = None, retries: int = 5, **fallbacks: Sequence[Answer]
) -> TestBackend:
    """A backend whose model has these answers, and models to fall back to."""
    models = {f"fake/{name}": ScriptedModel(script, model=f"fake/{name}") for name, script in fallbacks.items()}
    return TestBackend(
        ScriptedModel(answers),
        by_name={**models},
        persistence=Persistence(retries, tuple(models)),
        waiting=(clock or Clock()).waiting(),
    )


async def wire(tmp_path: Path, backend: TestBackend, permission: Answerer = lambda _params: allowed()) -> str:
    async with agent(tmp_path, backend=backend, permission=permission) as running:
        await running.prompt("go")
        return transcript(running)


def said(messages: Sequence[Message]) -> list[str]:
    """What a model reads, without the prompt."""
    lines: list[str] = []
    for message in messages[1:]:
        match message:
            case UserMessage(parts):
                lines.append(f"user: {plain_text(parts)}")
            case AssistantMessage(text, calls):
                lines.append(f"assistant: {text}{[each.arguments for each in calls] or ''}")
            case ToolMessage():
                lines.append(f"tool: {message.text}")
            case _:
                raise AssertionError(message)
    return lines


async def test_it_is_asked_again_and_each_wait_is_told(tmp_path: Path) -> None:
    clock = Clock()
    model = backend([overloaded()], [BROKEN], [overloaded(7.0)], [say("Fine.")], clock=clock)
    assert await wire(tmp_path, model) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id11", "Acme is overloaded and did not run fake/model (529): busy. Trying again in 1 s (1 of 5)."]
< agent_message_chunk ["id16", "\\n\\nThe connection to Acme broke: reset. Trying again in 2 s (2 of 5)."]
< agent_message_chunk ["id21", "\\n\\nAcme is overloaded and did not run fake/model (529): busy. Trying again in 8 s (3 of 5)."]
< agent_message_chunk ["id24", "\\n\\nFine."]
< usage_update {"used": 44, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
    assert clock.waits == [1.0, 2.0, 7.35]


async def test_what_a_broken_answer_said_stays_on_the_screen_and_no_model_reads_it(tmp_path: Path) -> None:
    model = backend(
        [think("Hm."), say("I will loo"), call("file_editor", command="view", path="a.txt")[:2], BROKEN],
        [say("Nothing to do.")],
        [say("Still nothing.")],
    )
    async with agent(tmp_path, backend=model) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_thought_chunk ["id10", "Hm."]
< agent_message_chunk ["id9", "I will loo"]
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "rawInput": {"arguments": "{\\"command\\": \\"view\\", \\"pat"}}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "the answer broke off before this call was whole; nothing was run"}}], "rawOutput": {"error": "the answer broke off before this call was whole; nothing was run"}}
< agent_message_chunk ["id17", "The connection to Acme broke: reset. The answer begins anew in 1 s (1 of 5)."]
< agent_message_chunk ["id20", "\\n\\nNothing to do."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
        await running.prompt("and now?")
        assert said(running.model.requests[1]) == ["user: go"]
        assert said(running.model.requests[2]) == ["user: go", "assistant: Nothing to do.", "user: and now?"]
        live = client_model(running.editor.updates())
        told = len(running.editor.updates())
        await running.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        assert client_model(running.editor.updates()[told:]) == live


async def test_it_gives_up_in_one_sentence_and_the_next_prompt_works(tmp_path: Path) -> None:
    model = backend([overloaded()], [overloaded()], [overloaded()], [say("Fine.")], retries=2)
    async with agent(tmp_path, backend=model) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert await running.prompt("again") == {"stopReason": "end_turn"}
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id11", "Acme is overloaded and did not run fake/model (529): busy. Trying again in 1 s (1 of 2)."]
< agent_message_chunk ["id16", "\\n\\nAcme is overloaded and did not run fake/model (529): busy. Trying again in 2 s (2 of 2)."]
< agent_message_chunk ["id21", "\\n\\nAcme is overloaded and did not run fake/model (529): busy. It was tried 3 times. Wait a little, then send the prompt again."]
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["again"]
< agent_message_chunk ["id29", "Fine."]
< usage_update {"used": 44, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 4 = {"stopReason": "end_turn"}\
""")


@pytest.mark.parametrize("failure", [NO_KEY, TurnError("request", "No. Sorry.")])
async def test_what_no_attempt_can_help_ends_the_turn_at_once(tmp_path: Path, failure: TurnError) -> None:
    model = backend([failure], other=[[say("Fine.")]])
    async with agent(tmp_path, backend=model) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert running.editor.updates()[-1]["content"]["text"] == failure.detail
        assert len(running.model.requests) == 1


async def test_another_model_answers_this_once(tmp_path: Path) -> None:
    model = backend(
        [overloaded()],
        [say("Hel"), overloaded()],
        [say("Fine again.")],
        retries=1,
        other=[[call("think", thought="x")]],
        third=[],
    )
    async with agent(tmp_path, backend=model) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id11", "Acme is overloaded and did not run fake/model (529): busy. Trying again in 1 s (1 of 1)."]
< agent_message_chunk ["id14", "\\n\\nHel"]
< agent_message_chunk ["id18", "\\n\\nAcme is overloaded and did not run fake/model (529): busy. Going on with fake/other for this answer."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_thought_chunk ["id26", "x"]
< agent_message_chunk ["id30", "Fine again."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
        events = [entry.event for entry in running.entries]
        assert [event.model for event in events if isinstance(event, UsageEvent)] == ["fake/other", "fake/model"]
        assert running.backend.sessions[running.session_id].model == "fake/model"


@pytest.mark.parametrize("failure", [NO_QUOTA, TurnError("model", "Acme has no model fake/model. Choose another.")])
async def test_a_model_that_is_not_to_be_had_is_not_waited_for(tmp_path: Path, failure: TurnError) -> None:
    clock = Clock()
    model = backend([failure], clock=clock, other=[[say("Fine.")]])
    async with agent(tmp_path, backend=model) as running:
        await running.prompt("go")
        said = [update for update in running.editor.updates() if update["sessionUpdate"] == "agent_message_chunk"]
        assert said[-1]["content"]["text"].endswith("Fine.")
    assert clock.waits == []


async def test_a_model_that_failed_all_its_attempts_gets_but_one_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    model = backend(*[[BROKEN]] * 4, [say("Back.")], clock=clock, retries=1, other=[[say("1")], [say("2")], [say("3")]])
    async with agent(tmp_path, backend=model) as running:
        await running.prompt("one")
        assert (len(running.model.requests), clock.waits) == (2, [1.0])
        await running.prompt("two")
        assert (len(running.model.requests), clock.waits) == (3, [1.0])
        clock.now += 300
        await running.prompt("three")
        assert (len(running.model.requests), clock.waits) == (5, [1.0, 1.0])


async def test_when_none_answers_each_is_named_with_its_cause(tmp_path: Path) -> None:
    model = backend([overloaded()], [overloaded()], retries=1, other=[[NO_QUOTA]], third=[[BROKEN], [BROKEN]])
    async with agent(tmp_path, backend=model) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert running.editor.updates()[-1]["content"]["text"] == snapshot("""\


None of 3 models answered. Acme is overloaded and did not run fake/model (529): busy. It was tried 2 times. Acme says that the quota for fake/model is used up (429): pay. The connection to Acme broke: reset. It was tried 2 times. Choose another model, or send the prompt again later.\
""")


async def test_a_failure_of_a_fallback_that_nothing_helps_against_is_the_end(tmp_path: Path) -> None:
    model = backend([NO_QUOTA], other=[[NO_KEY]])
    async with agent(tmp_path, backend=model) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert running.editor.updates()[-1]["content"]["text"].endswith(NO_KEY.detail)


# ---------------------------------------------------------------- waits that are long


async def test_for_a_long_wait_the_person_is_asked(tmp_path: Path) -> None:
    clock = Clock()
    resets = TurnError("quota", NO_QUOTA.detail, wait=3 * 3600)
    model = backend([say("Hel"), resets], [say("Fine.")], clock=clock, other=[])
    assert await wire(tmp_path, model, lambda _params: allowed("deliberate_allow_once")) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id9", "Hel"]
< tool_call {"toolCallId": "id12", "status": "pending", "title": "fake/model cannot answer for 3 h: wait?", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "Acme says that the quota for fake/model is used up (429): pay."}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id12", "title": "fake/model cannot answer for 3 h: wait?", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Acme says that the quota for fake/model is used up (429): pay."}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "reject_once", "name": "Stop here", "kind": "reject_once"}, {"optionId": "deliberate_allow_once", "name": "Wait 3 h", "kind": "reject_always"}, {"optionId": "deliberate_allow_always", "name": "Go on with fake/other for this answer", "kind": "reject_always"}]}
> 1 = {"outcome": {"optionId": "deliberate_allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id12", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "Acme says that the quota for fake/model is used up (429): pay."}}, {"type": "content", "content": {"type": "text", "text": "Wait 3 h"}}]}
< agent_message_chunk ["id16", "Acme says that the quota for fake/model is used up (429): pay. The answer begins anew in 3 h (1 of 5)."]
< agent_message_chunk ["id19", "\\n\\nFine."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
    assert clock.waits == [3 * 3600 + 0.5]


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (allowed("allow_once"), "Fine."),
        (allowed("allow_always"), "Fine, too."),
        (rejected(), "did not run fake/model (529): busy. Wait a little, then send the prompt again."),
        (dismissed(), "did not run fake/model (529): busy. Wait a little, then send the prompt again."),
    ],
)
async def test_the_person_may_have_another_model_or_stop(tmp_path: Path, answer: dict[str, Any], last: str) -> None:
    clock = Clock()
    model = backend([overloaded(90)], [say("Fine.")], clock=clock, other=[[say("Fine, too.")]])
    async with agent(tmp_path, backend=model, permission=lambda _params: answer) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        texts = [update["content"]["text"] for update in running.editor.updates() if "messageId" in update]
        assert texts[-1].endswith(last)
    assert clock.waits == ([90.5] if last == "Fine." else [])


async def test_nobody_is_asked_to_wait_for_days(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend([overloaded(5 * 86_400)], [say("Fine.")])) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert running.editor.updates()[-1]["content"]["text"] == overloaded().detail


# ---------------------------------------------------------------- meanwhile


@dataclass(slots=True)
class Stopped:
    """A wait that goes on until it is cancelled, or released."""

    begun: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)

    async def pause(self, _seconds: float) -> None:
        self.begun.set()
        await self.over.wait()


async def test_a_wait_ends_with_the_turn(tmp_path: Path) -> None:
    model = backend([TurnError("network", BROKEN.detail, can_retry=True, wait=30)], [say("Fine.")])
    model.waiting = Waiting()
    async with agent(tmp_path, backend=model) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert await running.prompt("again") == {"stopReason": "end_turn"}


async def test_a_model_that_is_chosen_meanwhile_is_asked_next_with_attempts_of_its_own(tmp_path: Path) -> None:
    stopped = Stopped()
    model = backend([overloaded()], [say("Not asked.")], retries=1, other=[[overloaded()], [say("Fine.")]])
    model.persistence = Persistence(1)
    model.waiting = Waiting(stopped.pause, lambda: 0.0, lambda: 0.5)
    async with agent(tmp_path, backend=model) as running:
        request = running.ask_prompt("go")
        await stopped.begun.wait()
        await running.editor.request(
            "session/set_config_option", sessionId=running.session_id, configId="model", value="fake/other"
        )
        stopped.over.set()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "end_turn"}
        said = [update for update in running.editor.updates() if update["sessionUpdate"] == "agent_message_chunk"]
        assert said[-1]["content"]["text"].endswith("Fine.")
        assert len(running.model.requests) == 1


async def test_a_provider_that_wants_to_be_left_alone_is_so_by_all_sessions(tmp_path: Path) -> None:
    clock = Clock()
    first, second = backend([overloaded(20)], [say("Fine.")], clock=clock, retries=0), backend([say("Fine.")])
    first.persistence, second.waiting = Persistence(1), first.waiting
    stopped = Stopped()
    first.waiting.pause = stopped.pause
    async with agent(tmp_path, backend=first) as one:
        request = one.ask_prompt("go")
        await stopped.begun.wait()
        first.waiting.pause = clock.pause
        assert await wire(tmp_path, second) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id8", "The provider of fake/model wants to be left alone for 24 s; waiting."]
< agent_message_chunk ["id11", "\\n\\nFine."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
        assert clock.waits == [pytest.approx(20.5 * 1.125)]
        stopped.over.set()
        assert (await one.editor.answer(request))["result"] == {"stopReason": "end_turn"}


async def test_every_answer_that_failed_is_dropped_once(tmp_path: Path) -> None:
    """For all places at which an answer can break off."""
    whole = [think("Hm."), say("a", "b"), call("think", thought="x"), call("terminal", 1, command="echo hi")]
    steps = [step for part in whole for step in part]
    for n in range(len(steps) + 1):
        model = backend([*steps[:n], BROKEN], [say("Fine.")])
        async with agent(tmp_path, backend=model) as running:
            assert await running.prompt("go") == {"stopReason": "end_turn"}
            drops = [entry.event for entry in running.entries if isinstance(entry.event, ResponseDropped)]
            assert len(drops) == min(n, 1)
            assert said(running.model.requests[-1]) == ["user: go"]


async def test_a_fallback_that_is_the_sessions_own_model_is_not_asked_twice(tmp_path: Path) -> None:
    model = backend([NO_QUOTA], [say("Not asked.")])
    model.persistence = Persistence(5, ("fake/model", "fake/model"))
    async with agent(tmp_path, backend=model) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert running.editor.updates()[-1]["content"]["text"] == NO_QUOTA.detail
