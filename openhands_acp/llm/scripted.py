"""The model of `openhands-acp demo`: a script that needs no key, and repairs one small program with real tools.

What it says next follows from the conversation alone. Knows the demo's project, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import anyio

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import (
    AssistantMessage,
    JsonObject,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
    plain_text,
)
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec

MODEL = "scripted/demo"
PROGRAM = "basket.py"
TESTS = "test_basket.py"
MISTAKE = "goods > FREE_SHIPPING_FROM"
CORRECTION = "goods >= FREE_SHIPPING_FROM"

_TASK = (
    "`{command}` fails. Find the mistake in {program}, correct it there and run the tests again. The tests are right."
)
_IS_TASK = re.compile(re.escape(_TASK).replace(r"\{command\}", "(?P<command>[^`]+)").replace(r"\{program\}", ".+"))

_NOT_MINE = (
    "I am the script behind `openhands-acp demo` and know nothing but its small project. To work on yours, choose a "
    "model: run `openhands-acp setup` in a terminal, or set `LLM_MODEL` and `LLM_API_KEY`."
)


def task(command: str) -> str:
    """Return the prompt that the script answers; `command` runs the tests."""
    return _TASK.format(command=command, program=PROGRAM)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the model, before it is cut into pieces."""

    text: str
    calls: tuple[tuple[str, JsonObject], ...] = ()
    thought: str = ""


@dataclass(frozen=True, slots=True)
class Scripted:
    """An `LLM`."""

    pace: float = 0.006
    """Seconds between two pieces."""

    @property
    def model(self) -> str:
        return MODEL

    @property
    def context_window(self) -> int:
        return 200_000

    @property
    def sees_images(self) -> bool:
        return False

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        reply = answer(messages)
        written = 0
        for chunk in _chunks(reply, _answers(messages)):
            await anyio.sleep(self.pace)
            written += len(chunk.arguments if isinstance(chunk, CallChunk) else chunk.text)
            yield chunk
        read = sum(len(_text_of(message)) for message in messages) + sum(len(json.dumps(t.parameters)) for t in tools)
        # A script has no tokens: characters / 4 is the usual estimate, and makes the editor's gauge move.
        yield Finish("stop", Usage(read // 4, written // 4, cost_usd=0.0))


def answer(messages: Sequence[Message]) -> Answer:
    """Decide what to say next."""
    asked_at = max((at for at, message in enumerate(messages) if isinstance(message, UserMessage)), default=None)
    if asked_at is None:
        return Answer(_NOT_MINE)
    asked = _IS_TASK.search(_text_of(messages[asked_at]))
    step = _answers(messages[asked_at:])
    if asked is None or step >= len(_STEPS):
        return Answer(_NOT_MINE)
    return _STEPS[step](asked["command"], _last_results(messages[asked_at:]))


# ---------------------------------------------------------------- the script

_Results = Mapping[str, str]
"""What the calls of the last answer came to, by tool; several of one tool are joined."""


def _plan(_command: str, _results: _Results) -> Answer:
    return Answer("I'll read the program and its tests first, then see the failure for myself.", (_plan_at(0),))


def _look(_command: str, results: _Results) -> Answer:
    if trouble := _trouble(results):
        return Answer(f"I cannot keep a plan here, so I stop: {trouble}")
    return Answer("", (_view(PROGRAM), _view(TESTS)))


def _reproduce(command: str, results: _Results) -> Answer:
    if trouble := _trouble(results):
        return Answer(f"I could not read the project, so I stop; nothing was changed. {trouble}")
    if MISTAKE not in results["file_editor"]:
        return Answer(f"This is not the {PROGRAM} that I know how to repair; nothing was changed. {_NOT_MINE}")
    return Answer("Now the tests, before I touch anything.", (_plan_at(1), _run(command)))


def _repair(_command: str, results: _Results) -> Answer:
    output = results["terminal"]
    verdict = _verdict(output)
    match verdict:
        case "rejected":
            return Answer("The tests were not allowed to run, so I stop; nothing was changed.")
        case "passes":
            return Answer("The tests pass already: there is nothing to repair, and nothing was changed.")
        case "unknown":
            return Answer(f"The tests did not run to their end, so I stop; nothing was changed. {_last_line(output)}")
        case "fails":
            failure = re.search(r"^AssertionError: (.+)$", output, re.MULTILINE)
            return Answer(
                f"{f'The failure is `{failure[1]}`: a' if failure else 'A'} basket of exactly 50.00 still pays for "
                f"shipping. {PROGRAM} asks for *more* than the limit where its own docstring says *from* the limit on.",
                (_plan_at(2), _replace()),
                "The test expects no shipping at exactly 5000 cents. The program compares with `>`, so 5000 itself "
                "still pays. It has to be `>=`. The other tests do not touch the limit, so one character is enough.",
            )
        case _:
            assert_never(verdict)


def _check(command: str, results: _Results) -> Answer:
    edit = results["file_editor"]
    if edit.startswith("Rejected:"):
        return Answer(f"The edit was not allowed, so {PROGRAM} is as it was and the test still fails.")
    if edit.startswith("Error:"):
        return Answer(f"The edit failed, so {PROGRAM} is not repaired. {_after(edit)}")
    return Answer("The same tests again:", (_plan_at(3), _run(command)))


def _tick(_command: str, results: _Results) -> Answer:
    output = results["terminal"]
    verdict = _verdict(output)
    match verdict:
        case "rejected":
            return Answer(f"{PROGRAM} is changed, but unchecked: the tests were not allowed to run again.")
        case "fails" | "unknown":
            return Answer(f"{PROGRAM} is changed, but the tests still do not pass: {_last_line(output)}")
        case "passes":
            return Answer("", (_plan_at(4),))
        case _:
            assert_never(verdict)


def _report(_command: str, _results: _Results) -> Answer:
    return Answer(
        f"**The tests pass.** In `{PROGRAM}` the limit for free shipping was compared with `>`; it is `>=` now, so a "
        "basket of exactly 50.00 ships free, as the docstring says. I ran the tests before and after the change, and "
        "touched nothing else."
    )


_STEPS: tuple[Callable[[str, _Results], Answer], ...] = (_plan, _look, _reproduce, _repair, _check, _tick, _report)


# ---------------------------------------------------------------- its calls

_PLAN = ("Read the program and its tests", "See the test fail", "Correct the mistake", "See the tests pass")


def _plan_at(current: int) -> tuple[str, JsonObject]:
    """Everything before `current` is done."""
    tasks = [
        {"title": title, "status": "done" if at < current else "in_progress" if at == current else "todo"}
        for at, title in enumerate(_PLAN)
    ]
    return "task_tracker", {"command": "plan", "task_list": tasks}


def _view(path: str) -> tuple[str, JsonObject]:
    return "file_editor", {"security_risk": "LOW", "command": "view", "path": path}


def _run(command: str) -> tuple[str, JsonObject]:
    return "terminal", {"security_risk": "LOW", "command": command, "timeout": 60}


def _replace() -> tuple[str, JsonObject]:
    edit = {"command": "str_replace", "path": PROGRAM, "old_str": MISTAKE, "new_str": CORRECTION}
    return "file_editor", {"security_risk": "LOW", **edit}


# ---------------------------------------------------------------- reading the conversation


def _answers(messages: Sequence[Message]) -> int:
    return sum(isinstance(message, AssistantMessage) for message in messages)


def _last_results(messages: Sequence[Message]) -> _Results:
    results: dict[str, str] = {}
    for message in messages:
        match message:
            case AssistantMessage(calls=calls):
                results = {call.name: "" for call in calls}
            case ToolMessage(name=name, text=text):
                results[name] = f"{results.get(name, '')}\n{text}".lstrip("\n")
            case _:
                pass
    return results


def _verdict(output: str) -> Literal["passes", "fails", "rejected", "unknown"]:
    """Read what unittest printed last."""
    if output.startswith("Rejected:"):
        return "rejected"
    ends = re.findall(r"^(OK|FAILED)\b", output, re.MULTILINE)
    return "unknown" if not ends else "passes" if ends[-1] == "OK" else "fails"


def _trouble(results: _Results) -> str:
    """Return the first result that says no; empty if all went well."""
    lines = [line for text in results.values() for line in text.splitlines()]
    return next((_after(line) for line in lines if line.startswith(("Rejected:", "Error:"))), "")


def _after(result: str) -> str:
    reason = result.partition(":")[2].strip().partition("\n")[0]
    return f"(What I was told: {reason})"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"`{lines[-1]}`" if lines else "There was no output."


def _text_of(message: Message) -> str:
    match message:
        case SystemMessage(static, dynamic):
            return static + dynamic
        case UserMessage(parts):
            return plain_text(parts)
        case AssistantMessage(text, calls, thought):
            return text + thought + "".join(call.arguments for call in calls)
        case ToolMessage(text=text):
            return text
        case _:
            assert_never(message)


# ---------------------------------------------------------------- in pieces


def _chunks(reply: Answer, number: int) -> Iterator[TextChunk | ThoughtChunk | CallChunk]:
    """Cut `reply` up as models send theirs; `number` makes the ids of its calls unique."""
    yield from map(ThoughtChunk, _words(reply.thought))
    yield from map(TextChunk, _words(reply.text))
    for index, (name, arguments) in enumerate(reply.calls):
        yield CallChunk(index, f"call_{number}_{index}", name)
        text = json.dumps(arguments)
        yield from (CallChunk(index, arguments=text[at : at + 32]) for at in range(0, len(text), 32))


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)
