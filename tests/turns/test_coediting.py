"""The person and the agent in one file at the same time, as the person sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import ToolMessage
from tests.harness.check import Running, agent
from tests.harness.editor import Answerer, allowed
from tests.harness.model import Answer, call, say

pytestmark = pytest.mark.anyio

BASE = "".join(f"line {number}\n" for number in range(1, 10))
EDIT: Answer = [call("file_editor", command="str_replace", path="a.txt", old_str="line 5", new_str="mine")]
VIEW: Answer = [call("file_editor", command="view", path="a.txt")]


def questions(running: Running) -> list[Any]:
    asked = [m for d, m in running.editor.log if d == "out" and m.get("method") == "session/request_permission"]
    return [message["params"]["toolCall"]["content"] for message in asked]


def last_result(running: Running) -> str:
    return [message.text for message in running.model.requests[-1] if isinstance(message, ToolMessage)][-1]


def typing(path: Path, texts: Sequence[str]) -> Answerer:
    """A person who changes the file before each answer, as long as there is something to type, and then allows."""
    left = list(texts)

    def answer(_params: dict[str, Any]) -> Any:
        if left:
            path.write_text(left.pop(0))
        return allowed()

    return answer


async def test_what_is_typed_elsewhere_during_the_question_stays_and_nobody_is_asked_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(BASE)
    typed = BASE.replace("line 9", "line 9, typed")
    async with agent(tmp_path, VIEW, EDIT, [say("Done.")], permission=typing(path, [typed])) as running:
        await running.prompt("go")
        assert path.read_text() == typed.replace("line 5", "mine")
        assert len(questions(running)) == 1
        assert "that was kept:" in last_result(running)


async def test_what_is_typed_at_the_place_during_the_question_stays_and_is_shown_to_the_model(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(BASE)
    typed = BASE.replace("line 5", "line 5, typed")
    async with agent(tmp_path, VIEW, EDIT, [say("Done.")], permission=typing(path, [typed])) as running:
        await running.prompt("go")
        assert path.read_text() == typed
        assert len(questions(running)) == 1
        assert "+line 5, typed" in last_result(running)
        assert "so nothing was done" in last_result(running)


async def test_unsaved_typing_and_a_command_on_the_disk_both_survive_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(BASE)
    command: Answer = [call("terminal", command="sed -i 's/line 9/by sed/' a.txt")]
    buffers = {str(path): BASE}

    def answer(params: dict[str, Any]) -> Any:
        # While asked about the command, the person types; the editor does not reload what the command writes.
        if params["toolCall"]["kind"] == "execute":
            buffers[str(path)] = BASE.replace("line 1\n", "line 1, typed\n")
        return allowed()

    answers = (VIEW, command, EDIT, [say("Done.")])
    async with agent(tmp_path, *answers, permission=answer, buffers=buffers) as running:
        await running.prompt("go")
        assert buffers[str(path)] == BASE.replace("line 1\n", "line 1, typed\n").replace("line 9", "by sed").replace(
            "line 5", "mine"
        )
