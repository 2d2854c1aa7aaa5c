"""Questions to the person: as a form, as buttons, in the chat; and the one at the end of plan mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import ToolMessage, UserMessage, plain_text
from tests.harness.check import Running, agent, check
from tests.harness.editor import NEVER, Answerer, Refusal, allowed, dismissed
from tests.harness.model import Answer, call, say

pytestmark = pytest.mark.anyio

OPTIONS = [{"label": "SQLite", "description": "one file"}, {"label": "Postgres"}]
WHICH: Answer = [call("ask_user", questions=[{"question": "Which database?", "options": OPTIONS}])]
NAME: Answer = [call("ask_user", questions=[{"question": "What is the project called?"}])]
BOTH: Answer = [
    call(
        "ask_user",
        questions=[{"question": "Which database?", "options": OPTIONS}, {"question": "What is the project called?"}],
    )
]
DONE: Answer = [say("Done.")]


def accepted(**content: Any) -> Answerer:
    return lambda _params: {"action": "accept", "content": content}


def answered(message: Any) -> Answerer:
    return lambda _params: message


def results(running: Running) -> list[str]:
    """What the model read of its calls, in its last request."""
    return [m.text for m in running.model.requests[-1] if isinstance(m, ToolMessage)]


def requests(running: Running, method: str) -> list[dict[str, Any]]:
    return [m["params"] for d, m in running.editor.log if d == "out" and m.get("method") == method]


async def test_a_client_with_forms_shows_one(tmp_path: Path) -> None:
    wire = await check(tmp_path, "go", WHICH, DONE, elicits=accepted(answer1="SQLite", more=""))
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Ask you something", "name": "ask_user", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Which database?", "content": [{"type": "content", "content": {"type": "text", "text": "Which database?\\n\\n- **SQLite**: one file\\n- **Postgres**"}}], "rawInput": {"questions": [{"question": "Which database?", "options": [{"label": "SQLite", "description": "one file"}, {"label": "Postgres"}]}]}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 elicitation/create {"toolCallId": "id11", "mode": "form", "message": "Which database?", "requestedSchema": {"type": "object", "properties": {"answer1": {"type": "string", "title": "Your answer", "oneOf": [{"const": "SQLite", "title": "SQLite", "description": "one file"}, {"const": "Postgres", "title": "Postgres"}]}, "more": {"type": "string", "title": "In your words", "description": "If no choice fits, or to say more"}}}}
> 1 = {"action": "accept", "content": {"answer1": "SQLite", "more": ""}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "**Which database?** SQLite"}}]}
< agent_message_chunk ["id16", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_client_without_forms_shows_buttons(tmp_path: Path) -> None:
    wire = await check(tmp_path, "go", WHICH, DONE, permission=lambda _params: allowed("1"))
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Ask you something", "name": "ask_user", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Which database?", "content": [{"type": "content", "content": {"type": "text", "text": "Which database?\\n\\n- **SQLite**: one file\\n- **Postgres**"}}], "rawInput": {"questions": [{"question": "Which database?", "options": [{"label": "SQLite", "description": "one file"}, {"label": "Postgres"}]}]}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "Which database?", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Which database?\\n\\n- **SQLite**: one file"}}], "locations": []}, "options": [{"optionId": "none", "name": "Do not answer", "kind": "reject_once"}, {"optionId": "0", "name": "SQLite", "kind": "reject_always"}, {"optionId": "1", "name": "Postgres", "kind": "reject_always"}]}
> 1 = {"outcome": {"optionId": "1", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "**Which database?** Postgres"}}]}
< agent_message_chunk ["id16", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_what_no_button_can_say_is_asked_in_the_chat_and_ends_the_turn(tmp_path: Path) -> None:
    wire = await check(tmp_path, "go", NAME)
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Ask you something", "name": "ask_user", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "What is the project called?", "content": [{"type": "content", "content": {"type": "text", "text": "What is the project called?"}}], "rawInput": {"questions": [{"question": "What is the project called?"}]}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_message_chunk ["id14", "What is the project called?"]
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "Asked in the chat."}}]}
< 3 = {"stopReason": "end_turn"}\
""")


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (accepted(answer1="Postgres"), "Which database?\nAnswer: Postgres"),
        (
            accepted(answer1="Postgres", more="the newest"),
            "Which database?\nAnswer: Postgres\n\nIn their words: the newest",
        ),
        (accepted(more="none at all"), "Which database?\nAnswer: (none)\n\nIn their words: none at all"),
        (
            accepted(),
            "The person sent the form without an answer: decide yourself and say what you assumed.",
        ),
        (
            answered({"action": "decline"}),
            "The person chose not to answer. Decide yourself and say what you assumed, or go on without it.",
        ),
    ],
)
async def test_what_comes_of_a_form_reaches_the_model(tmp_path: Path, answer: Answerer, result: str) -> None:
    async with agent(tmp_path, WHICH, DONE, elicits=answer) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert results(running) == [result]


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({"question": "Which?", "options": ["red", "blue"]}, "Which?\nAnswer: red"),
        ({"questions": ["Which?"]}, "Which?\nAnswer: red"),
        ({"questions": []}, "Error: `questions` must have one question or more"),
        (
            {"questions": [{"question": "Which?", "options": ["red"]}]},
            "Error: `questions[0].options` must be two or more that differ, or none at all",
        ),
    ],
)
async def test_a_question_may_be_written_short(tmp_path: Path, arguments: dict[str, Any], result: str) -> None:
    async with agent(tmp_path, [call("ask_user", **arguments)], DONE, elicits=accepted(answer1="red")) as running:
        await running.prompt("go")
        assert results(running) == [result]


async def test_several_questions_are_one_form(tmp_path: Path) -> None:
    async with agent(tmp_path, BOTH, DONE, elicits=accepted(answer1="SQLite", answer2="Apollo")) as running:
        await running.prompt("go")
        assert results(running) == [
            "Which database?\nAnswer: SQLite\n\nWhat is the project called?\nAnswer: Apollo",
        ]
        (form,) = requests(running, "elicitation/create")
        assert list(form["requestedSchema"]["properties"]) == ["answer1", "answer2", "more"]


async def test_a_form_that_is_closed_ends_the_turn(tmp_path: Path) -> None:
    async with agent(tmp_path, WHICH, elicits=answered({"action": "cancel"})) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert len(running.model.requests) == 1


async def test_what_does_not_fit_is_asked_for_again_with_the_reason(tmp_path: Path) -> None:
    answers = iter([{"answer1": "Oracle"}, {"answer1": "SQLite"}])
    async with agent(
        tmp_path, WHICH, DONE, elicits=lambda _params: {"action": "accept", "content": next(answers)}
    ) as running:
        await running.prompt("go")
        assert [form["message"] for form in requests(running, "elicitation/create")] == [
            "Which database?",
            "Which database?\n\nThis did not fit: “Your answer” must be one of SQLite, Postgres.",
        ]
        assert results(running) == ["Which database?\nAnswer: SQLite"]


@pytest.mark.parametrize(
    "answer",
    [
        accepted(answer1="Oracle"),
        answered({"action": "accept", "content": {"answer1": ["SQLite"]}}),
        answered({"action": "_later"}),
        answered(None),
    ],
)
async def test_a_client_that_never_gives_an_answer_that_fits_is_asked_with_buttons(
    tmp_path: Path, answer: Answerer
) -> None:
    async with agent(tmp_path, WHICH, DONE, elicits=answer, permission=lambda _params: allowed("0")) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert results(running) == ["Which database?\nAnswer: SQLite"]
        assert len(requests(running, "elicitation/create")) <= 3


def refused(_params: dict[str, Any]) -> Any:
    raise Refusal(-32602, "no forms today")


async def test_a_client_that_can_show_nothing_after_all_has_it_in_the_chat(tmp_path: Path) -> None:
    async with agent(tmp_path, WHICH, elicits=refused, permission=refused) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        said = [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
        assert said == ["Which database?\n\n- **SQLite**: one file\n- **Postgres**"]


@pytest.mark.parametrize(
    ("answer", "stop", "result"),
    [
        (
            allowed("none"),
            "end_turn",
            ["The person chose not to answer. Decide yourself and say what you assumed, or go on without it."],
        ),
        (dismissed(), "end_turn", []),
    ],
)
async def test_buttons_can_be_left(tmp_path: Path, answer: Any, stop: str, result: list[str]) -> None:
    async with agent(tmp_path, WHICH, DONE, permission=lambda _params: answer) as running:
        assert await running.prompt("go") == {"stopReason": stop}
        assert results(running) == result


async def test_no_client_that_answers_for_the_person_chooses_for_them(tmp_path: Path) -> None:
    async with agent(tmp_path, WHICH, DONE, permission=lambda _params: allowed("none")) as running:
        await running.prompt("go")
        (asked,) = requests(running, "session/request_permission")
        assert [option["kind"] for option in asked["options"]] == ["reject_once", "reject_always", "reject_always"]


async def test_stopping_withdraws_the_form(tmp_path: Path) -> None:
    async with agent(tmp_path, WHICH, elicits=answered(NEVER)) as running:
        prompt = running.ask_prompt("go")
        form = await running.editor.until(lambda m: m.get("method") == "elicitation/create")
        running.cancel()
        assert (await running.editor.answer(prompt))["result"] == {"stopReason": "cancelled"}
        withdrawn = await running.editor.until(lambda m: m.get("method") == "$/cancel_request")
        assert withdrawn["params"] == {"requestId": form["id"]}


@pytest.mark.parametrize(
    ("question", "is_refused"),
    [
        ({"question": "What is your API key?"}, True),
        ({"question": "Please paste a GitHub access token"}, True),
        ({"question": "The database password?"}, True),
        ({"question": "Paste your token here"}, True),
        ({"question": "What is the key for the staging server?"}, True),
        ({"question": "Your npm token?"}, True),
        ({"question": "Which verification code did you get?"}, True),
        ({"question": "Wie lautet das Passwort?"}, True),
        ({"question": "Какой пароль?"}, True),
        ({"question": "Which key binding should open it?"}, False),
        ({"question": "How many tokens may a prompt have?"}, False),
        ({"question": "Which secret store?", "options": OPTIONS}, False),
        ({"question": "Where are tokens parsed?"}, False),
    ],
)
async def test_nobody_is_asked_for_a_secret(tmp_path: Path, question: dict[str, Any], is_refused: bool) -> None:
    asked: Answer = [call("ask_user", questions=[question])]
    async with agent(tmp_path, asked, DONE, elicits=accepted(more="x", answer1="SQLite")) as running:
        await running.prompt("go")
        assert results(running)[0].startswith("Error: `questions` must not have the person type a secret") == is_refused
        assert bool(requests(running, "elicitation/create")) != is_refused


# ---------------------------------------------------------------- plan mode

PLAN: Answer = [call("exit_plan_mode", plan="1. Write a.txt")]
WRITE: Answer = [call("file_editor", command="create", path="a.txt", file_text="one\n")]


async def test_an_approved_plan_switches_the_mode(tmp_path: Path) -> None:
    def approved(params: dict[str, Any]) -> Any:
        return allowed("accept-edits" if params["toolCall"]["kind"] == "switch_mode" else "allow_once")

    wire = await check(tmp_path, "go", PLAN, WRITE, DONE, mode="plan", permission=approved)
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id8", "*Plan mode: nothing is changed before you approve a plan.*"]
< tool_call {"toolCallId": "id13", "status": "pending", "title": "Carry out this plan?", "name": "exit_plan_mode", "kind": "switch_mode", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id13", "status": "pending", "rawInput": {"plan": "1. Write a.txt"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_message_chunk ["id16", "1. Write a.txt"]
< 1 session/request_permission {"toolCall": {"toolCallId": "id13", "title": "Carry out this plan?", "kind": "switch_mode", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "The plan is above. What comes next?"}}], "locations": []}, "options": [{"optionId": "always-ask", "name": "Carry it out, asking before each change and command", "kind": "allow_once"}, {"optionId": "accept-edits", "name": "Carry it out, asking before commands only", "kind": "allow_always"}, {"optionId": "plan", "name": "Keep planning", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "accept-edits", "outcome": "selected"}}
< current_mode_update {"currentModeId": "accept-edits"}
< config_option_update {"configOptions": [{"id": "mode", "name": "Mode", "category": "mode", "type": "select", "currentValue": "accept-edits", "options": [{"value": "always-ask", "name": "Always ask", "description": "Ask before every change and every command"}, {"value": "accept-edits", "name": "Accept edits", "description": "Change files of the project without asking, ask before commands"}, {"value": "llm-approve", "name": "Model decides", "description": "Ask only for what the model itself calls risky"}, {"value": "always-approve", "name": "Always approve", "description": "Never ask"}, {"value": "plan", "name": "Plan", "description": "Read only: look around and make a plan"}]}, {"id": "model", "name": "Model", "category": "model", "type": "select", "currentValue": "fake/model", "options": [{"value": "fake/model", "name": "fake/model"}, {"value": "fake/other", "name": "fake/other"}]}]}
< tool_call_update {"toolCallId": "id13", "status": "in_progress"}
< tool_call_update {"toolCallId": "id13", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "Carried out in `accept-edits` mode."}}]}
< tool_call {"toolCallId": "id23", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id23", "status": "pending", "title": "Create a.txt", "kind": "edit", "locations": [{"path": "ROOT/a.txt"}], "content": [{"type": "diff", "path": "ROOT/a.txt", "oldText": "", "newText": "one\\n"}], "rawInput": {"command": "create", "path": "a.txt", "file_text": "one\\n"}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id23", "status": "in_progress"}
< tool_call_update {"toolCallId": "id23", "status": "completed", "locations": [{"path": "ROOT/a.txt", "line": 1}], "rawOutput": {"path": "ROOT/a.txt", "lines": 1}}
< agent_message_chunk ["id28", "Done."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
    assert (tmp_path / "a.txt").read_text() == "one\n"


async def test_a_plan_that_is_not_approved_ends_the_turn_and_changes_nothing(tmp_path: Path) -> None:
    async with agent(tmp_path, PLAN, mode="plan", permission=lambda _params: allowed("plan")) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert running.backend.sessions[running.session_id].mode == "plan"
        assert len(running.model.requests) == 1


async def test_what_should_be_different_reaches_the_model(tmp_path: Path) -> None:
    answers = iter([allowed("plan"), allowed("always-ask")])
    async with agent(
        tmp_path,
        PLAN,
        PLAN,
        DONE,
        mode="plan",
        permission=lambda _params: next(answers),
        elicits=accepted(wish="b.txt instead"),
    ) as running:
        await running.prompt("go")
        assert results(running) == [
            "The person wants to keep planning, with this changed: b.txt instead\nRevise the plan and present it again.",
            "The person approved the plan; it is in always-ask mode now. Carry the plan out.",
        ]


@pytest.mark.parametrize(
    ("before", "options"),
    [
        ("always-ask", ["always-ask", "accept-edits", "plan"]),
        ("always-approve", ["always-ask", "accept-edits", "always-approve", "plan"]),
    ],
)
async def test_the_mode_before_is_offered_again(tmp_path: Path, before: str, options: list[str]) -> None:
    async with agent(tmp_path, PLAN, mode=before, permission=lambda _params: allowed("plan")) as running:
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="plan")
        await running.prompt("go")
        (asked,) = requests(running, "session/request_permission")
        assert [option["optionId"] for option in asked["options"]] == options
        # Whoever answers for the person takes the careful way.
        assert asked["options"][0]["kind"] == "allow_once"


async def test_the_model_is_told_of_plan_mode_once_and_when_it_is_over(tmp_path: Path) -> None:
    async with agent(tmp_path, DONE, DONE, DONE, mode="plan") as running:
        await running.prompt("one")
        await running.prompt("two")
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="always-ask")
        await running.prompt("three")
        told = [plain_text(m.parts)[:24] for m in running.model.requests[-1] if isinstance(m, UserMessage)]
        assert told == ["one", "(This session is in plan", "two", "three", "(Plan mode is over: from"]


async def test_a_plan_outside_of_plan_mode_asks_nothing(tmp_path: Path) -> None:
    async with agent(tmp_path, PLAN, DONE) as running:
        await running.prompt("go")
        assert requests(running, "session/request_permission") == []
        assert results(running) == [
            "The session was not in plan mode; it is in always-ask mode now. Carry the plan out.",
        ]
