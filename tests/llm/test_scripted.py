"""The demo's script: what it says to whatever its calls come to."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec
from openhands_acp.llm.scripted import CORRECTION, MISTAKE, Scripted, answer, task

pytestmark = pytest.mark.anyio

SYSTEM = SystemMessage("You are an agent.", "Project folder: /w")
PROMPT = UserMessage((Text(task("python3 -m unittest -v")),))
GOES_WELL = {
    ("task_tracker", 0): "Task list has been updated with 4 item(s).",
    ("file_editor", 0): f"    10\t    shipping = 0 if {MISTAKE} else SHIPPING",
    ("file_editor", 1): "     1\timport unittest",
    ("terminal", 0): "AssertionError: 5490 != 5000\n\nRan 3 tests in 0.001s\n\nFAILED (failures=1)\n[exit code 1]",
    ("file_editor", 2): "The file /w/basket.py has been edited.",
    ("terminal", 1): "Ran 3 tests in 0.001s\n\nOK\n[exit code 0]",
}
PLANS, VIEWS, RUN, EDIT = (
    ["task_tracker"],
    ["file_editor"] * 2,
    ["task_tracker", "terminal"],
    ["task_tracker", "file_editor"],
)


def played(results: Mapping[tuple[str, int], str], *before: Message) -> tuple[list[list[str]], str]:
    """Let the script talk to tools that answer with `results`: the calls of each answer, and its last words."""
    messages: list[Message] = [SYSTEM, *before, PROMPT]
    made: list[list[str]] = []
    counts: dict[str, int] = {}
    while calls := (reply := answer(messages)).calls:
        made.append([name for name, _ in calls])
        ids = [f"{len(messages)}-{index}" for index in range(len(calls))]
        calls_made = [CallMade(i, name, json.dumps(arguments)) for i, (name, arguments) in zip(ids, calls, strict=True)]
        messages.append(AssistantMessage(reply.text, tuple(calls_made)))
        for call in calls_made:
            number = counts[call.name] = counts.get(call.name, -1) + 1
            fallback = GOES_WELL.get((call.name, number), GOES_WELL["task_tracker", 0])
            messages.append(ToolMessage(call.id, call.name, results.get((call.name, number), fallback)))
    return made, reply.text


REJECTED = "Rejected: the person said no to this"


@pytest.mark.parametrize(
    ("results", "calls", "last_words"),
    [
        ({}, [PLANS, VIEWS, RUN, EDIT, RUN, PLANS], "**The tests pass.**"),
        ({("task_tracker", 0): "Error: no such tool"}, [PLANS], "I cannot keep a plan here"),
        ({("file_editor", 1): "Error: no such file"}, [PLANS, VIEWS], "I could not read the project"),
        ({("file_editor", 0): "print('hello')"}, [PLANS, VIEWS], "This is not the basket.py that I know"),
        ({("terminal", 0): REJECTED}, [PLANS, VIEWS, RUN], "The tests were not allowed to run"),
        ({("terminal", 0): "Ran 3 tests\n\nOK"}, [PLANS, VIEWS, RUN], "The tests pass already"),
        (
            {("terminal", 0): "python3: not found\n[exit code 127]"},
            [PLANS, VIEWS, RUN],
            "The tests did not run to their end, so I stop; nothing was changed. `[exit code 127]`",
        ),
        (
            {("file_editor", 2): REJECTED},
            [PLANS, VIEWS, RUN, EDIT],
            "The edit was not allowed, so basket.py is as it was",
        ),
        (
            {("file_editor", 2): "Error: the file changed"},
            [PLANS, VIEWS, RUN, EDIT],
            "The edit failed, so basket.py is not repaired. (What I was told: the file changed)",
        ),
        ({("terminal", 1): REJECTED}, [PLANS, VIEWS, RUN, EDIT, RUN], "basket.py is changed, but unchecked"),
        (
            {("terminal", 1): "FAILED (errors=1)"},
            [PLANS, VIEWS, RUN, EDIT, RUN],
            "basket.py is changed, but the tests still do not pass: `FAILED (errors=1)`",
        ),
    ],
)
def test_the_script_follows_what_its_calls_come_to(
    results: dict[tuple[str, int], str], calls: list[list[str]], last_words: str
) -> None:
    made, text = played(results)
    assert (made, text[: len(last_words)]) == (calls, last_words)


@pytest.mark.parametrize("results", [{}, {("terminal", 1): REJECTED}])
def test_only_a_run_that_passed_is_called_one(results: dict[tuple[str, int], str]) -> None:
    assert ("**The tests pass.**" in played(results)[1]) == (not results)


def test_a_session_can_be_asked_again() -> None:
    earlier = (
        PROMPT,
        AssistantMessage("I stop."),
        UserMessage((Text("And now?"),)),
        AssistantMessage("I am a script."),
    )
    assert played({}, *earlier) == played({})


@pytest.mark.parametrize(
    "messages",
    [
        [SYSTEM],
        [SYSTEM, UserMessage((Text("Write a poem."),))],
        [SYSTEM, PROMPT, AssistantMessage("I'll read"), UserMessage((Text("Stop, do this instead."),))],
    ],
)
def test_of_anything_else_it_says_that_it_is_a_script(messages: list[Message]) -> None:
    reply = answer(messages)
    assert (reply.calls, "I am the script behind `openhands-acp demo`" in reply.text) == ((), True)
    assert "LLM_MODEL" in reply.text


async def test_an_answer_comes_in_pieces_and_is_the_same_each_time() -> None:
    plan, views, run = (call("task_tracker"), call("file_editor"), call("terminal", 0))
    history: list[Message] = [SYSTEM, PROMPT, *plan, *views, *run]
    spec = ToolSpec("terminal", "Runs.", {"type": "object"})
    chunks = [chunk async for chunk in Scripted(pace=0).stream(history, (spec,))]
    again = [chunk async for chunk in Scripted(pace=0).stream(history, (spec,))]
    reply = answer(history)
    calls = [chunk for chunk in chunks if isinstance(chunk, CallChunk)]
    assert chunks == again
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, ThoughtChunk)) == reply.thought
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextChunk)) == reply.text
    assert [(chunk.index, chunk.id, chunk.name) for chunk in calls if chunk.id] == [
        (0, "call_3_0", "task_tracker"),
        (1, "call_3_1", "file_editor"),
    ]
    assert json.loads("".join(chunk.arguments for chunk in calls if chunk.index == 1)) == {
        "security_risk": "LOW",
        "command": "str_replace",
        "path": "basket.py",
        "old_str": MISTAKE,
        "new_str": CORRECTION,
    }
    assert min(sum(isinstance(chunk, kind) for chunk in chunks) for kind in (TextChunk, ThoughtChunk, CallChunk)) > 5


async def test_every_answer_ends_with_what_it_would_have_cost() -> None:
    script = Scripted(pace=0)
    chunks: list[Chunk] = [chunk async for chunk in script.stream([UserMessage((Text("x" * 400),))], ())]
    said = sum(len(chunk.text) for chunk in chunks if isinstance(chunk, TextChunk))
    assert chunks[-1] == Finish("stop", Usage(100, said // 4, cost_usd=0.0))
    assert (script.model, script.context_window, script.sees_images) == ("scripted/demo", 200_000, False)


def call(name: str, number: int = 0) -> tuple[Message, Message]:
    """One step of a conversation that goes well."""
    made = CallMade(f"{name}-{number}", name, "{}")
    return AssistantMessage("", (made,)), ToolMessage(made.id, name, GOES_WELL[name, number])
