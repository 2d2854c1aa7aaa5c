"""What a turn and a session may cost: at a limit the person is asked, and without an answer it stops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.choices import Choice
from openhands_acp.engine.events import Usage
from openhands_acp.engine.ports import Finish
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage.budget import Limit, Limits
from openhands_acp.engine.waiting import Persistence
from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.choices import FixedChoices
from tests.harness.editor import NEVER, Answerer, Refusal, allowed, dismissed
from tests.harness.model import Answer, ScriptedModel, call, say

pytestmark = pytest.mark.anyio

THINK = call("think", thought="Hm.")
BROKEN = TurnError("network", "The connection to Acme broke: reset. Check the network.", can_retry=True)
ONCE, ALWAYS, STOP = "deliberate_allow_once", "deliberate_allow_always", "reject_once"


def used(input_tokens: int = 10, cost: float | None = 0.01) -> Finish:
    return Finish("stop", Usage(input_tokens, 1, cost_usd=cost))


def limited(limits: Limits, *answers: Answer, titles: bool = False) -> TestBackend:
    return TestBackend(ScriptedModel(answers), limits=limits, titles=titles)


def said(running: Running) -> list[str]:
    return [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]


def asked(running: Running) -> list[dict[str, Any]]:
    log = running.editor.log
    return [m["params"] for d, m in log if d == "out" and m.get("method") == "session/request_permission"]


async def test_at_a_limit_the_person_is_asked_how_far_to_go_on(tmp_path: Path) -> None:
    backend = limited(Limits(session=Limit(max_cost=0.02)), THINK, THINK, [say("Done.")])
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(ONCE)) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_thought_chunk ["id14", "Hm."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< agent_thought_chunk ["id23", "\\n\\nHm."]
< tool_call {"toolCallId": "id26", "status": "pending", "title": "This session has cost $0.02, and its limit is $0.02: go on?", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "This session has cost $0.02, and its limit is $0.02. The limit is `max_cost` under `[limits.session]` in acp.toml."}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id26", "title": "This session has cost $0.02, and its limit is $0.02: go on?", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "This session has cost $0.02, and its limit is $0.02. The limit is `max_cost` under `[limits.session]` in acp.toml."}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "reject_once", "name": "Stop here", "kind": "reject_once"}, {"optionId": "deliberate_allow_once", "name": "Go on for $0.02 more", "kind": "reject_always"}, {"optionId": "deliberate_allow_always", "name": "Go on without this limit in this session", "kind": "reject_always"}]}
> 1 = {"outcome": {"optionId": "deliberate_allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id26", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "This session has cost $0.02, and its limit is $0.02. The limit is `max_cost` under `[limits.session]` in acp.toml."}}, {"type": "content", "content": {"type": "text", "text": "Go on for $0.02 more"}}]}
< agent_message_chunk ["id30", "Done."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (
            Limits(session=Limit(max_cost=0.02)),
            "Stopped: this session has cost $0.02, and its limit is $0.02. To go on, send a prompt and allow more, "
            "or raise `max_cost` under `[limits.session]` in acp.toml.",
        ),
        (
            Limits(Limit(max_cost=0.015)),
            "Stopped: this turn has cost $0.02, and its limit is $0.015. To go on, send a prompt and allow more, "
            "or raise `max_cost` under `[limits.turn]` in acp.toml.",
        ),
        (
            Limits(session=Limit(max_tokens=30)),
            "Stopped: this session has used 33 tokens, and its limit is 30. To go on, send a prompt and allow more, "
            "or raise `max_tokens` under `[limits.session]` in acp.toml.",
        ),
        (
            Limits(Limit(max_steps=2)),
            "Stopped: this turn has asked the model 2 times, and its limit is 2. To go on, send a prompt and allow "
            "more, or raise `max_steps` under `[limits.turn]` in acp.toml.",
        ),
    ],
)
async def test_without_an_answer_it_stops_with_the_reason(tmp_path: Path, limits: Limits, reason: str) -> None:
    def cannot_ask(_params: object) -> Any:
        raise Refusal(-32601, "Method not found")

    answers: list[Answerer] = [lambda _params: dismissed(), lambda _params: allowed(STOP), cannot_ask]
    for answer in answers:
        backend = limited(limits, THINK, THINK, [say("Never said.")])
        async with agent(tmp_path, backend=backend, permission=answer) as running:
            reply = await running.prompt("go")
            assert reply == {"stopReason": "max_turn_requests" if limits.turn.max_steps == 2 else "end_turn"}
            assert said(running)[-1] == reason
            assert len(running.model.requests) == 2


def first(options: Sequence[dict[str, Any]], *kinds: str) -> dict[str, Any] | None:
    return next((option for kind in kinds for option in options if option["kind"] == kind), None)


def answers_itself(params: dict[str, Any], *kinds: str, otherwise: str) -> Any:
    """A client that answers for the person, and what it does where no option is of the kind it looks for."""
    option = first(params["options"], *kinds)
    if option is None and otherwise == "first":
        option = params["options"][0]
    return allowed(option["optionId"]) if option else dismissed()


def _kinds(*kinds: str, otherwise: str) -> Answerer:
    return lambda params: answers_itself(params, *kinds, otherwise=otherwise)


CLIENTS: dict[str, Answerer] = {
    "acpx --approve-all": _kinds("allow_once", "allow_always", otherwise="first"),
    "acpx --deny-all": _kinds("reject_once", "reject_always", otherwise="none"),
    "VS Code, nobody there": _kinds("allow_always", "allow_once", otherwise="none"),
    "takes the first": lambda params: allowed(params["options"][0]["optionId"]),
    "says yes without looking": lambda _params: allowed("allow_once"),
    "says always without looking": lambda _params: allowed("allow_always"),
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
async def test_no_client_that_answers_by_itself_waves_a_budget_through(tmp_path: Path, client: Answerer) -> None:
    backend = limited(Limits(session=Limit(max_cost=0.01)), THINK, [say("Never said.")])
    backend.mode = "always-approve"
    async with agent(tmp_path, backend=backend, permission=client) as running:
        await running.prompt("go")
        assert len(asked(running)) == 1
        assert len(running.model.requests) == 1


async def test_as_much_again_counts_from_what_is_spent_and_always_is_for_the_session(tmp_path: Path) -> None:
    answers = [[*call("think", thought=f"Thought {number}."), used(cost=0.05)] for number in range(4)]
    backend = limited(Limits(session=Limit(max_cost=0.04)), *answers, [say("Done.")])
    choices = iter([ONCE, ALWAYS])
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(next(choices))) as running:
        await running.prompt("go")
        assert [question["toolCall"]["title"] for question in asked(running)] == [
            "This session has cost $0.05, and its limit is $0.04: go on?",
            "This session has cost $0.10, and its limit is $0.04: go on?",
        ]
        await running.prompt("more")
        assert len(running.model.requests) == 6


async def test_what_was_allowed_for_a_turn_ends_with_it(tmp_path: Path) -> None:
    backend = limited(Limits(Limit(max_steps=1)), THINK, [say("One.")], THINK, [say("Two.")])
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(ONCE)) as running:
        await running.prompt("go")
        await running.prompt("again")
        assert len(asked(running)) == 2


async def test_what_was_allowed_for_the_session_is_kept_with_it(tmp_path: Path) -> None:
    backend = limited(Limits(session=Limit(max_steps=1)), THINK, [say("One.")], [say("Two.")])
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(ALWAYS)) as running:
        await running.prompt("go")
        kept: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(tmp_path), "mcpServers": []}
        await running.editor.request("session/close", sessionId=running.session_id)
        await running.editor.request("session/load", **kept)
        await running.prompt("again")
        assert said(running)[-1] == "Two."
        assert len(asked(running)) == 1


async def test_an_unknown_price_is_not_zero(tmp_path: Path) -> None:
    backend = limited(Limits(session=Limit(max_cost=9)), [*THINK, used(cost=None)], [say("Done.")])
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(ALWAYS)) as running:
        await running.prompt("go")
        (question,) = asked(running)
        assert question["toolCall"]["title"] == (
            "What fake/model costs is not known, so the limit of $9.00 for this session cannot be kept: go on?"
        )
        assert [option["name"] for option in question["options"]] == [
            "Stop here",
            "Go on without this limit in this session",
        ]
        assert said(running) == ["Done."]


async def test_an_answer_that_broke_off_counts_before_the_next_attempt(tmp_path: Path) -> None:
    broken: Answer = [say("Hel"), BROKEN]
    backend = limited(Limits(Limit(max_steps=2)), broken, broken, [say("Hello.")])
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(ONCE)) as running:
        await running.prompt("go")
        assert said(running) == snapshot(
            [
                "Hel",
                """\


The connection to Acme broke: reset. The answer begins anew in 1 s (1 of 5).\
""",
                """\


Hel\
""",
                """\


The connection to Acme broke: reset. The answer begins anew in 2 s (2 of 5).\
""",
                "Hello.",
            ]
        )
        assert len(asked(running)) == 1
        assert len(running.model.requests) == 3


async def test_what_broke_off_is_paid_for_by_its_length_and_limits_hold(tmp_path: Path) -> None:
    broken: Answer = [say("Hel"), TurnError("network", BROKEN.detail, can_retry=True, spent=Usage(9, 1, cost_usd=0.02))]
    backend = limited(Limits(session=Limit(max_cost=0.03)), broken, broken, [say("Never said.")])
    async with agent(tmp_path, backend=backend, permission=lambda _params: dismissed()) as running:
        await running.prompt("go")
        assert len(running.model.requests) == 2
        assert said(running)[-1].startswith("Stopped: this session has cost $0.04, and its limit is $0.03.")
        await running.prompt("/cost")
        assert said(running)[-1] == snapshot("""\
**This session has cost $0.04.**

| model | for | calls | read | of it cached | put into cache | written | of it thought | cost |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| `fake/model` | broken off | 2 | 18 | 0 | 0 | 2 | 0 | $0.04 |

What answers cost that broke off is estimated, by their length.\
""")


async def test_no_other_model_is_asked_beyond_a_limit(tmp_path: Path) -> None:
    backend = limited(Limits(Limit(max_steps=1)), [say("Hel"), BROKEN])
    other = ScriptedModel([[say("Never said.")]], model="fake/other")
    backend.by_name, backend.persistence = {"fake/other": other}, Persistence(0, ("fake/other",))
    async with agent(tmp_path, backend=backend, permission=lambda _params: dismissed()) as running:
        assert await running.prompt("go") == {"stopReason": "max_turn_requests"}
        assert other.requests == []


async def test_nobody_is_asked_for_a_title(tmp_path: Path) -> None:
    backend = limited(Limits(session=Limit(max_cost=0.01)), [say("Done.")], titles=True)
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        await running.prompt("/cost")
        assert asked(running) == []
        assert len(running.model.requests) == 1


def profiled(*answers: Answer, **limits: Limits) -> TestBackend:
    """A session of no limit, and profiles of these."""
    backend = limited(Limits(Limit()), *answers)
    names = ("fake/model", *(f"profile:{name}" for name in limits))
    backend.models = FixedChoices([Choice(name, name) for name in names])
    backend.limits_of = {f"profile:{name}": each for name, each in limits.items()}
    return backend


async def choose(running: Running, model: str) -> None:
    session_id = running.session_id
    await running.editor.request("session/set_config_option", sessionId=session_id, configId="model", value=model)


async def test_limits_of_a_profile_count_while_it_is_the_sessions_model(tmp_path: Path) -> None:
    place = {"max_cost": "profiles.small."}
    backend = profiled(THINK, [say("One.")], [say("Two.")], small=Limits(session=Limit(0.02, places=place)))
    async with agent(tmp_path, backend=backend, permission=lambda _params: dismissed()) as running:
        await running.prompt("one")
        assert asked(running) == []
        await choose(running, "profile:small")
        await running.prompt("two")
        assert said(running)[-1] == (
            "Stopped: this session has cost $0.02, and its limit is $0.02. To go on, send a prompt and allow more, "
            "or raise `max_cost` under `[profiles.small.limits.session]` in acp.toml."
        )
        await choose(running, "fake/model")
        await running.prompt("three")
        assert said(running)[-1] == "Two."


async def test_what_was_allowed_for_one_profile_lowers_no_limit_of_another(tmp_path: Path) -> None:
    small, large = Limits(session=Limit(max_cost=0.01)), Limits(session=Limit(max_cost=0.05))
    backend = profiled(THINK, [say("One.")], THINK, [say("Two.")], small=small, large=large)
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed(ONCE)) as running:
        await choose(running, "profile:small")
        await running.prompt("one")
        await choose(running, "profile:large")
        await running.prompt("two")
        assert [params["toolCall"]["title"] for params in asked(running)] == [
            "This session has cost $0.01, and its limit is $0.01: go on?"
        ]
        assert said(running)[-1] == "Two."


async def test_stopping_the_turn_withdraws_the_question(tmp_path: Path) -> None:
    backend = limited(Limits(Limit(max_steps=1)), THINK)
    async with agent(tmp_path, backend=backend, permission=lambda _params: NEVER) as running:
        request = running.ask_prompt("go")
        await running.editor.until(lambda m: m.get("method") == "session/request_permission")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        await running.editor.until(lambda m: m.get("method") == "$/cancel_request")
