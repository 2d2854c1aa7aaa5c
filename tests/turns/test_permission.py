"""What is asked, what is remembered, and what a no does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import ToolMessage
from tests.harness.check import Running, agent
from tests.harness.editor import Refusal, allowed, rejected
from tests.harness.model import Answer, call, say

pytestmark = pytest.mark.anyio


def edit(old: str, new: str, path: str = "a.txt") -> Answer:
    return [call("file_editor", command="str_replace", path=path, old_str=old, new_str=new)]


def run(line: str, **more: Any) -> Answer:
    return [call("terminal", command=line, **more)]


def asked(running: Running) -> list[str]:
    """Titles of the questions that reached the person."""
    questions = [m for d, m in running.editor.log if d == "out" and m.get("method") == "session/request_permission"]
    return [question["params"]["toolCall"]["title"] for question in questions]


def results(running: Running) -> list[str]:
    """What the model read of its calls, in its last request."""
    return [m.text for m in running.model.requests[-1] if isinstance(m, ToolMessage)]


@pytest.mark.parametrize(
    ("mode", "answers", "questions"),
    [
        ("always-ask", [edit("one", "two"), run("echo hi")], ["Edit a.txt", "echo hi"]),
        ("accept-edits", [edit("one", "two"), run("echo hi")], ["echo hi"]),
        ("always-approve", [edit("one", "two"), run("echo hi")], []),
        ("llm-approve", [run("echo hi", security_risk="LOW"), run("echo ho", security_risk="MEDIUM")], []),
        ("llm-approve", [run("echo hi", security_risk="HIGH"), run("echo ho")], ["echo hi", "echo ho"]),
        ("always-ask", [[call("file_editor", command="view", path="a.txt")]], []),
        ("always-ask", [[call("file_editor", command="view", path="/etc/hostname")]], ["Read /etc/hostname"]),
    ],
)
async def test_modes(tmp_path: Path, mode: str, answers: list[Answer], questions: list[str]) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    async with agent(tmp_path, *answers, [say("Done.")], mode=mode) as running:
        await running.prompt("go")
        assert asked(running) == questions


@pytest.mark.parametrize(
    ("answers", "questions"),
    [
        ([edit("one", "two"), edit("two", "three")], ["Edit a.txt"]),
        ([edit("one", "two"), edit("one", "two", "b.txt")], ["Edit a.txt", "Edit b.txt"]),
        ([run("git status"), run("git status --short")], ["git status"]),
        ([run("git status"), run("git status; echo")], ["git status", "git status; echo"]),
        ([run("sh -c true"), run("sh -c true"), run("sh -c false")], ["sh -c true", "sh -c false"]),
    ],
)
async def test_always_covers_what_its_name_says(tmp_path: Path, answers: list[Answer], questions: list[str]) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("one\n")
    permission = allowed("allow_always")
    async with agent(tmp_path, *answers, [say("Done.")], permission=lambda _params: permission) as running:
        await running.prompt("go")
        assert asked(running) == questions


async def test_a_no_reaches_the_model_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    answers = [edit("one", "two"), [say("Then not.")]]
    async with agent(tmp_path, *answers, permission=lambda _params: rejected()) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert (tmp_path / "a.txt").read_text() == "one\n"
        assert results(running)[0].startswith("Rejected: the person said no to this.")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        None,
        {"outcome": {}},
        {"outcome": "selected"},
        allowed("allow_everything"),
        {"outcome": {"outcome": "selected"}},
    ],
)
async def test_an_answer_that_is_none_is_a_no(tmp_path: Path, answer: Any) -> None:
    async with agent(tmp_path, run("touch x"), [say("Ok.")], permission=lambda _params: answer) as running:
        await running.prompt("go")
        assert not (tmp_path / "x").exists()


async def test_an_editor_that_cannot_ask_has_not_said_yes(tmp_path: Path) -> None:
    def refuse(_params: dict[str, Any]) -> None:
        raise Refusal(-32601, "Method not found")

    async with agent(tmp_path, run("touch x"), [say("Ok.")], permission=refuse) as running:
        await running.prompt("go")
        assert not (tmp_path / "x").exists()


async def test_plan_mode_only_reads_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    answers = [[*edit("one", "two"), call("terminal", 1, command="touch x")], [say("A plan.")]]
    async with agent(tmp_path, *answers, mode="plan") as running:
        await running.prompt("go")
        assert asked(running) == []
        assert (tmp_path / "a.txt").read_text() == "one\n"
        assert not (tmp_path / "x").exists()
        assert all("plan mode" in result for result in results(running))


async def test_a_mode_counts_from_the_next_question_on(tmp_path: Path) -> None:
    async with agent(tmp_path, run("echo 1"), run("echo 2"), [say("Done.")]) as running:

        def permit(_params: dict[str, Any]) -> dict[str, Any]:
            running.editor.notify("session/cancel", sessionId="nobody's")
            running.editor.ask("session/set_mode", sessionId=running.session_id, modeId="always-approve")
            return allowed()

        running.editor.permission = permit
        await running.prompt("go")
        assert asked(running) == ["echo 1"]


async def test_text_that_changed_during_the_question_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n")
    async with agent(tmp_path, edit("one", "two"), [say("Oh.")]) as running:

        def permit(_params: dict[str, Any]) -> dict[str, Any]:
            path.write_text("one\nand more\n")
            return allowed()

        running.editor.permission = permit
        await running.prompt("go")
        assert path.read_text() == "one\nand more\n"
        assert "and more" in results(running)[0]
