"""A session's title: at once from the first prompt, then in the model's words, once, where the model did its work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.tool import TurnError
from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import Answer, ScriptedModel, Wait, call, say
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

TITLE: Answer = [say("In its words")]
ANSWER: Answer = [say("Done.")]
FAILURE: Answer = [TurnError("auth", "The key was refused.")]
Blocks = list[dict[str, Any]]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


FILE: dict[str, Any] = {"type": "resource", "resource": {"uri": "file:///p/a.py", "text": "x = 1"}}
IMAGE: dict[str, Any] = {"type": "image", "mimeType": "image/png", "data": "aGk="}


def titles(running: Running) -> list[str]:
    return [update["title"] for update in running.editor.updates() if update["sessionUpdate"] == "session_info_update"]


async def send(running: Running, blocks: Blocks, requests: int) -> None:
    """Send a prompt, and wait until the model was asked so often."""
    request = running.editor.ask("session/prompt", sessionId=running.session_id, prompt=blocks)
    await running.editor.answer(request)
    with anyio.fail_after(PATIENCE):
        await until(lambda: len(running.model.requests) == requests)


Prompted = tuple[Blocks, list[Answer]]
"""A prompt, and what the model says from then on."""

ROWS: list[tuple[list[Prompted], list[str], str]] = [
    ([([text("mend it")], [ANSWER, TITLE])], ["mend it", "In its words"], "mend it"),
    # Commands are about the session, and what failed is about nothing yet.
    ([([text("/status")], []), ([text("mend it")], [ANSWER, TITLE])], ["mend it", "In its words"], "mend it"),
    ([([text("a")], [FAILURE]), ([text("b")], [ANSWER, TITLE])], ["a", "In its words"], "a"),
    # Once is enough, whatever came of it.
    ([([text("a")], [ANSWER, FAILURE]), ([text("b")], [ANSWER])], ["a"], "a"),
    ([([text("a")], [ANSWER, TITLE]), ([text("b")], [ANSWER])], ["a", "In its words"], "a"),
    ([([text("a")], [ANSWER, [say(" \n")]]), ([text("b")], [ANSWER])], ["a"], "a"),
    # The model may do its work without a word.
    ([([text("a")], [[call("finish", message="Done.")], TITLE])], ["a", "In its words"], "a"),
    # What is attached is not what it is about, unless there is nothing else.
    ([([FILE, text("mend it")], [ANSWER, TITLE])], ["mend it", "In its words"], "mend it"),
    ([([text("mend "), FILE], [ANSWER, TITLE])], ["mend", "In its words"], "mend"),
    ([([FILE], [[say("It is short.")], TITLE])], ["a.py", "In its words"], "It is short."),
    ([([IMAGE], [[say("A cat.")], TITLE])], ["Image", "In its words"], "A cat."),
    # Small models think aloud, and label what they were asked for.
    ([([text("a")], [ANSWER, [say("<think>\nHm.\n</think>\n\n**Title:** A *b*\n")]])], ["a", "A *b*"], "a"),
    ([([text("x" * 5_000)], [ANSWER, TITLE])], ["x" * 59 + "…", "In its words"], "x" * 2_000),
]


@pytest.mark.parametrize(("prompts", "told", "asked_about"), ROWS)
async def test_what_it_is_called(tmp_path: Path, prompts: list[Prompted], told: list[str], asked_about: str) -> None:
    answers = [answer for _, answers in prompts for answer in answers]
    async with agent(tmp_path, backend=TestBackend(ScriptedModel(answers), titles=True)) as running:
        requests = 0
        for blocks, answers in prompts:
            requests += len(answers)
            await send(running, blocks, requests)
        with anyio.fail_after(PATIENCE):
            await until(lambda: titles(running) == told)
        about = [messages[1:] for messages in running.model.requests if "Write a title" in str(messages[0])]
        assert about == [[UserMessage((Text(asked_about),))]]


async def test_a_title_is_put_off_for_a_prompt(tmp_path: Path) -> None:
    """A model of this machine answers one at a time."""
    model = ScriptedModel([ANSWER, [say("Half"), Wait()], ANSWER, TITLE])
    async with agent(tmp_path, backend=TestBackend(model, titles=True)) as running:
        await send(running, [text("a")], 2)
        await send(running, [text("b")], 4)
        with anyio.fail_after(PATIENCE):
            await until(lambda: titles(running) == ["a", "In its words"])
        assert model.closed == 4


async def test_nobody_is_asked_for_a_title_of_what_was_stopped(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("One."), Wait()], [say("Two.")], TITLE]), titles=True)
    async with agent(tmp_path, backend=backend) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        running.cancel()
        await running.editor.answer(request)
        assert titles(running) == ["go"]
        await send(running, [text("on")], 3)
        await running.editor.until_update("session_info_update", title="In its words")
