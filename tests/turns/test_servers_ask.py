"""Servers that want something themselves: a form filled in, a page visited, an answer of the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import UsageEvent
from openhands_acp.engine.messages import AssistantMessage, JsonObject, SystemMessage, Text, UserMessage
from openhands_acp.engine.person.door import Filled, Form, Link
from openhands_acp.engine.servers.door import Progress, RemoteResult, Sampled, SampleRefused, SampleRequest
from openhands_acp.engine.servers.remote_requests import RemoteRequests
from openhands_acp.engine.usage.budget import Limit, Limits
from tests.harness.check import TestBackend, agent, transcript
from tests.harness.editor import NEVER, allowed, dismissed, rejected
from tests.harness.model import Answer, ScriptedModel, Wait, call, say
from tests.harness.servers import MemoryServers
from tests.turns.serving import LIST, questions, results, said

pytestmark = pytest.mark.anyio

ONE_CHOICE: JsonObject = {"type": "object", "properties": {"sure": {"type": "boolean", "title": "Sure?"}}}
TWO_FIELDS: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}
HAIKU = SampleRequest("github", (UserMessage((Text("Write a haiku."),)),), "You are a poet.", 100)

Wish = Callable[[RemoteRequests], Awaitable[object]]


def wishing(wish: Wish, *answers: Answer, mode: str = "always-approve", limits: Limits | None = None) -> TestBackend:
    """A server that wants something in the middle of its one tool, and says what it got."""
    requests = RemoteRequests()

    async def run(_arguments: JsonObject, _progress: Progress) -> RemoteResult:
        try:
            return RemoteResult(f"got {await wish(requests)}")
        except SampleRefused as refused:
            return RemoteResult(f"refused: {refused}")

    model = ScriptedModel([*([[call("github__list_issues")]]), [say("Ok.")]])
    backend = TestBackend(
        model, mode=mode, servers=MemoryServers((LIST,), {"github__list_issues": run}), requests=requests
    )
    backend.by_purpose["sampling"] = ScriptedModel(answers, model="fake/sampling")
    backend.limits = limits or backend.limits
    return backend


def fill(schema: JsonObject) -> Wish:
    return lambda requests: requests.fill(Form("Which?", schema, "github"))


def sample(requests: RemoteRequests) -> Awaitable[Sampled]:
    return requests.sample(HAIKU)


def visit(requests: RemoteRequests) -> Awaitable[object]:
    return requests.visit(Link("Pay here.", "https://pay.example/1", "1", "github"))


# ---------------------------------------------------------------- forms and pages


TWO_VALUES: dict[str, Any] = {"a": "x", "b": 1}
WISHES: list[tuple[Wish, bool, Any, object]] = [
    (fill(TWO_FIELDS), True, {"action": "accept", "content": TWO_VALUES}, Filled(TWO_VALUES)),
    (fill(TWO_FIELDS), True, {"action": "decline"}, "declined"),
    (fill(TWO_FIELDS), True, {"action": "cancel"}, "dismissed"),
    (fill(TWO_FIELDS), False, None, "unable"),
    (fill(ONE_CHOICE), False, allowed("0"), Filled({"sure": True})),
    (fill(ONE_CHOICE), False, allowed("none"), "declined"),
    (visit, True, {"action": "accept"}, Filled({})),
    (visit, False, None, "unable"),
]


@pytest.mark.parametrize(("wish", "has_forms", "answer", "got"), WISHES)
async def test_what_a_server_wants_to_know_goes_to_the_person(
    tmp_path: Path, wish: Wish, has_forms: bool, answer: Any, got: object
) -> None:
    def reply(_params: dict[str, Any]) -> Any:
        return answer

    elicits = reply if has_forms else None
    async with agent(tmp_path, backend=wishing(wish), elicits=elicits, permission=reply) as running:
        await running.prompt("go")
        assert results(running) == [f"got {got}"]


async def test_a_form_has_the_call_that_it_belongs_to(tmp_path: Path) -> None:
    async with agent(
        tmp_path, backend=wishing(fill(TWO_FIELDS)), elicits=lambda _params: {"action": "decline"}
    ) as running:
        await running.prompt("go")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "github: list_issues", "name": "github__list_issues", "kind": "fetch", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}], "rawInput": {}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< 1 elicitation/create {"toolCallId": "id11", "mode": "form", "message": "github asks: Which?", "requestedSchema": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}}
> 1 = {"action": "decline"}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "got declined"}}]}
< agent_message_chunk ["id16", "Ok."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_form_is_withdrawn_when_the_turn_is_stopped(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=wishing(fill(TWO_FIELDS)), elicits=lambda _params: NEVER) as running:
        request = running.ask_prompt("go")
        asked = await running.editor.until(lambda message: message.get("method") == "elicitation/create")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        withdrawn = await running.editor.until(lambda message: message.get("method") == "$/cancel_request")
        assert withdrawn["params"]["requestId"] == asked["id"]


async def test_a_form_outside_of_any_call_goes_to_the_person_too(tmp_path: Path) -> None:
    backend = wishing(sample)
    answer: dict[str, Any] = {"action": "accept", "content": {"a": "x", "b": 1}}
    async with agent(tmp_path, backend=backend, elicits=lambda _params: answer) as running:
        requests = backend.sessions[running.session_id].ports.open_requests()
        assert requests is not None
        assert await requests.fill(Form("Which?", TWO_FIELDS, "github")) == Filled({"a": "x", "b": 1})


# ---------------------------------------------------------------- the model


async def test_the_model_answers_a_server_when_the_person_has_seen_what_it_is_asked(tmp_path: Path) -> None:
    backend = wishing(sample, [say("Slow is the old pond.")])
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        poet = backend.by_purpose["sampling"]
        assert isinstance(poet, ScriptedModel)
        [[first, *rest]] = poet.requests
        assert isinstance(first, SystemMessage)
        assert first.static.endswith("\n\nYou are a poet.")
        assert (rest, poet.offered) == ([UserMessage((Text("Write a haiku."),))], [()])
        assert results(running) == [f"got {Sampled('Slow is the old pond.', 'fake/sampling')}"]
        assert [event.purpose for entry in running.entries if isinstance(event := entry.event, UsageEvent)] == [
            "agent",
            "sampling",
            "agent",
        ]
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "github: list_issues", "name": "github__list_issues", "kind": "fetch", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}], "rawInput": {}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "github: list_issues", "kind": "fetch", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "The server `github` wants your model to answer this, in at most 100 tokens:\\n\\nTold first:\\n\\n```\\nYou are a poet.\\n```\\n\\n```\\nWrite a haiku.\\n```"}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always let github ask the model in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "The server `github` wants your model to answer this, in at most 100 tokens:\\n\\nTold first:\\n\\n```\\nYou are a poet.\\n```\\n\\n```\\nWrite a haiku.\\n```"}}]}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "got Sampled(text='Slow is the old pond.', model='fake/sampling', is_cut=False)"}}]}
< agent_message_chunk ["id18", "Ok."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
        await running.prompt("/cost")
        assert "sampling" in said(running)[-1]


REFUSALS: list[tuple[Any, Limits | None, str]] = [
    (rejected(), None, "refused: the person said no"),
    (allowed("anything"), None, "refused: the person said no"),
    (allowed(), Limits(Limit(max_tokens=10)), "refused: the budget of this session is spent"),
]


@pytest.mark.parametrize(("answer", "limits", "result"), REFUSALS)
async def test_a_server_is_refused_the_model(tmp_path: Path, answer: Any, limits: Limits | None, result: str) -> None:
    backend = wishing(sample, [say("Never.")], limits=limits)
    async with agent(tmp_path, backend=backend, permission=lambda _params: answer) as running:
        await running.prompt("go")
        outcomes = [u for u in running.editor.updates() if u.get("status") == "completed" and "content" in u]
        assert outcomes[0]["content"][0]["content"]["text"] == result
        poet = backend.by_purpose["sampling"]
        assert isinstance(poet, ScriptedModel)
        assert poet.requests == []


async def test_a_server_may_be_allowed_to_ask_the_model_for_the_session(tmp_path: Path) -> None:
    async def twice(requests: RemoteRequests) -> object:
        return [(await requests.sample(HAIKU)).text for _ in range(2)]

    backend = wishing(twice, [say("One.")], [say("Two.")])
    async with agent(tmp_path, backend=backend, permission=lambda _: allowed("allow_always")) as running:
        await running.prompt("go")
        assert [option["name"] for option in questions(running)[0]["options"]] == [
            "Allow once",
            "Always let github ask the model in this session",
            "Reject",
        ]
        assert (len(questions(running)), results(running)) == (1, ["got ['One.', 'Two.']"])


async def test_closing_the_question_stops_the_turn(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=wishing(sample), permission=lambda _: dismissed()) as running:
        assert await running.prompt("go") == {"stopReason": "cancelled"}


async def test_the_model_is_hung_up_on_when_the_turn_is_stopped(tmp_path: Path) -> None:
    backend = wishing(sample, [say("Slow"), Wait()])
    poet = backend.by_purpose["sampling"]
    assert isinstance(poet, ScriptedModel)
    async with agent(tmp_path, backend=backend) as running:
        request = running.ask_prompt("go")
        await running.editor.until(lambda message: bool(poet.requests) or message.get("id") == request)
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert (len(poet.requests), poet.closed) == (1, 1)


async def test_outside_of_its_calls_a_server_does_not_get_the_model(tmp_path: Path) -> None:
    backend = wishing(sample)
    async with agent(tmp_path, backend=backend):
        assert backend.requests is not None
        with pytest.raises(SampleRefused, match="no call of this server is running"):
            await backend.requests.sample(HAIKU)


async def test_a_long_answer_is_cut_to_what_the_server_wants(tmp_path: Path) -> None:
    async def short(requests: RemoteRequests) -> object:
        sampled = await requests.sample(SampleRequest("github", (AssistantMessage("So far."),), max_tokens=2))
        return sampled.text, sampled.is_cut

    async with agent(tmp_path, backend=wishing(short, [say("word " * 100)])) as running:
        await running.prompt("go")
        assert results(running) == ["got ('word wor', True)"]


async def test_who_gives_up_waiting_leaves_no_question_behind(tmp_path: Path) -> None:
    async def impatient(requests: RemoteRequests) -> object:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(requests.fill, Form("Which?", TWO_FIELDS, "github"))
                await shown.wait()
                scope.cancel()
        return "tired"

    def show(_params: dict[str, Any]) -> Any:
        shown.set()
        return NEVER

    shown = anyio.Event()
    async with agent(tmp_path, backend=wishing(impatient), elicits=show) as running:
        await running.prompt("go")
        assert results(running) == ["got tired"]
        await running.editor.until(lambda message: message.get("method") == "$/cancel_request")
