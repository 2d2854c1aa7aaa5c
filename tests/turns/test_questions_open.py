"""What becomes of a question that is open when something else happens: stopped, closed, loaded, answered too late."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import ToolMessage
from tests.harness.check import Running, agent
from tests.harness.editor import NEVER, allowed
from tests.harness.model import Answer, call, say

pytestmark = pytest.mark.anyio

WHICH: Answer = [call("ask_user", questions=[{"question": "Which?", "options": ["red", "blue"]}])]
PLAN: Answer = [call("exit_plan_mode", plan="1. Write a.txt")]
DONE: Answer = [say("Done.")]

FORM, BUTTONS = "elicitation/create", "session/request_permission"


@dataclass(frozen=True, slots=True)
class Open:
    """A question that is asked, and an answer to it that comes when a test says so."""

    asking: Answer
    method: str
    mode: str
    answer: Any
    result: str

    @asynccontextmanager
    async def asked(self, tmp_path: Path) -> AsyncGenerator[tuple[Running, int, dict[str, Any]]]:
        """Have it asked; yields the prompt's id and the question besides."""
        elicits = never if self.method == FORM else None
        async with agent(tmp_path, self.asking, DONE, mode=self.mode, permission=never, elicits=elicits) as running:
            prompt = running.ask_prompt("go")
            yield running, prompt, await running.editor.until(lambda m: m.get("method") == self.method)


PICKED = Open(WHICH, BUTTONS, "always-ask", allowed("0"), "Which?\nAnswer: red")
FILLED = Open(WHICH, FORM, "always-ask", {"action": "accept", "content": {"answer1": "red"}}, "Which?\nAnswer: red")
PLANNED = Open(
    PLAN,
    BUTTONS,
    "plan",
    allowed("accept-edits"),
    "The person approved the plan; it is in accept-edits mode now. Carry the plan out.",
)
KINDS = pytest.mark.parametrize("question", [FILLED, PICKED, PLANNED], ids=["form", "buttons", "plan"])


def never(_params: dict[str, Any]) -> Any:
    return NEVER


def told(running: Running) -> list[str]:
    return [message.text for message in running.model.requests[-1] if isinstance(message, ToolMessage)]


@KINDS
async def test_a_question_is_withdrawn_with_its_turn_and_a_late_answer_is_nobodys(
    tmp_path: Path, question: Open
) -> None:
    async with question.asked(tmp_path) as (running, prompt, asked):
        running.cancel()
        assert (await running.editor.answer(prompt))["result"] == {"stopReason": "cancelled"}
        withdrawn = await running.editor.until(lambda m: m.get("method") == "$/cancel_request")
        assert withdrawn["params"] == {"requestId": asked["id"]}
        running.editor.say(id=asked["id"], result=question.answer)
        assert await running.prompt("again") == {"stopReason": "end_turn"}
        assert told(running) != [question.result]
        assert running.backend.sessions[running.session_id].mode == question.mode


@KINDS
async def test_a_session_can_be_closed_in_the_middle_of_a_question(tmp_path: Path, question: Open) -> None:
    async with question.asked(tmp_path) as (running, prompt, asked):
        assert await running.editor.request("session/close", sessionId=running.session_id) == {}
        assert (await running.editor.answer(prompt))["result"] == {"stopReason": "cancelled"}
        withdrawn = await running.editor.until(lambda m: m.get("method") == "$/cancel_request")
        assert withdrawn["params"] == {"requestId": asked["id"]}


@KINDS
async def test_a_question_stays_open_while_its_session_is_told_again(tmp_path: Path, question: Open) -> None:
    async with question.asked(tmp_path) as (running, prompt, asked):
        await running.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        running.editor.say(id=asked["id"], result=question.answer)
        assert (await running.editor.answer(prompt))["result"] == {"stopReason": "end_turn"}
        assert told(running) == [question.result]
        assert [m for _, m in running.editor.log if m.get("method") == "$/cancel_request"] == []


async def test_what_the_person_says_of_a_plan_counts_also_where_they_changed_the_mode_meanwhile(
    tmp_path: Path,
) -> None:
    async with PLANNED.asked(tmp_path) as (running, prompt, asked):
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="always-approve")
        running.editor.say(id=asked["id"], result=allowed("always-ask"))
        await running.editor.answer(prompt)
        assert running.backend.sessions[running.session_id].mode == "always-ask"
