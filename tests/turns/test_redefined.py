"""What the person always allows is the program that the line names: where a shell would run another, they are asked."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.ports import Patience
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed
from tests.harness.model import Answer, ScriptedModel, call, say
from tests.harness.process import eventually

pytestmark = pytest.mark.anyio

CHANGED = "You allowed this before, but earlier commands may have changed what it runs: "


def run(line: str) -> Answer:
    return [call("terminal", command=line)]


def questions(running: Running) -> list[tuple[str, str, str]]:
    """The title of each question that reached the person, why it was asked though allowed, and what always covers."""
    asked = [
        m["params"] for d, m in running.editor.log if d == "out" and m.get("method") == "session/request_permission"
    ]
    return [
        (
            each["toolCall"]["title"],
            "".join(block["content"]["text"] for block in each["toolCall"]["content"][1:]),
            each["options"][1]["name"],
        )
        for each in asked
    ]


async def asked(root: Path, *lines: str) -> list[tuple[str, str, str]]:
    """Run these, with a person who always allows everything; return what they were asked."""
    permission = allowed("allow_always")
    answers = [*map(run, lines), [say("Done.")]]
    async with agent(root, *answers, permission=lambda _params: permission) as running:
        await running.prompt("go")
        return questions(running)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("git() { touch stolen; }", "`git` is not the program of that name."),
        ("git() { touch stolen; }; export -f git", "`git` is not the program of that name."),
        ("alias git='touch stolen;'", "`git` is not the program of that name."),
        ("PATH=$PWD:$PATH", "`PATH` changed."),
        ("export GIT_EXTERNAL_DIFF=./x GIT_PAGER=./y", "`GIT_EXTERNAL_DIFF`, `GIT_PAGER` changed."),
        ("unset GIT_PAGER", "`GIT_PAGER` changed."),
        ("export LD_PRELOAD=", "`LD_PRELOAD` changed."),
        ("export BASH_ENV=./x", "`BASH_ENV` changed."),
    ],
)
async def test_what_was_always_allowed_is_asked_again_where_it_may_be_another(
    tmp_path: Path, change: str, why: str
) -> None:
    always = "Always allow `git status …` in this session"
    first, _, again, *more = await asked(
        tmp_path, "git status", change, "git status -s", "git status", "git status --branch"
    )
    assert (first, again) == (
        ("git status", "", always),
        ("git status -s", CHANGED + why, f"{always}, with the shell as it is now"),
    )
    # What they allowed then, they are not asked again.
    assert more == []


@pytest.mark.parametrize(
    "change",
    [
        "cd .. && x=1; export FOO=2",
        "gti() { :; }; alias g=git",
        "git() { :; }; unset -f git",
        "export FOO; set -x",
        "(git() { :; })",
    ],
)
async def test_what_is_the_same_program_still_is_not_asked_again(tmp_path: Path, change: str) -> None:
    assert [title for title, *_ in await asked(tmp_path, "git status", change, "git status -s")] == [
        "git status",
        change,
    ]


async def test_a_line_that_is_more_than_words_is_asked_again_whatever_is_defined_anew(tmp_path: Path) -> None:
    line = "for x in 1; do date; done"
    _, defined, again = await asked(tmp_path, line, "date() { touch stolen; }", line)
    assert defined[0] == "date() { touch stolen; }"
    assert again == (
        line,
        f"{CHANGED}`date` is not the program of that name.",
        "Always allow exactly this command in this session, with the shell as it is now",
    )


async def test_a_fresh_shell_is_not_the_one_that_was_allowed(tmp_path: Path) -> None:
    async with agent(
        tmp_path,
        run("git() { echo mine; }"),
        run("git status"),
        [call("terminal", reset=True)],
        run("git status"),
        [say("Done.")],
        permission=lambda _params: allowed("allow_always"),
    ) as running:
        await running.prompt("go")
        assert questions(running)[2:] == [
            (
                "git status",
                "You allowed this as the shell was then. It is another one now.",
                "Always allow `git status …` in this session",
            )
        ]


async def test_what_the_persons_own_shell_defines_is_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("git() { command git \"$@\"; }; alias ls='ls -a'; export PATH=$PATH:/opt/mine\n")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "env"))
    lines = ("git status", "ls", "git status -s", "ls -l")
    assert [title for title, *_ in await asked(tmp_path, *lines)] == ["git status", "ls"]


async def test_a_job_that_ends_while_the_person_is_asked_does_not_change_what_they_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By its full name: the package has a function called the same.
    monkeypatch.setattr(import_module("openhands_acp.tools.terminal"), "START", Patience(silence=0.1, whole=10))
    wait = "until [ -e go ]; do sleep 0.01; done; git() { touch stolen; }"
    answers = [[call("terminal", command=wait, background=True)], run("git status"), [say("Done.")]]
    answer = iter(["allow_once", "allow_always", "reject_once"])

    def meanwhile(params: dict[str, Any]) -> dict[str, Any]:
        if params["toolCall"]["title"] == "git status" and not (tmp_path / "go").exists():
            (tmp_path / "go").touch()
            eventually(lambda: not running.backend.sessions[running.session_id].world.terminals.jobs()[0].is_running)
        return allowed(next(answer))

    async with agent(tmp_path, *answers, permission=meanwhile) as running:
        await running.prompt("go")
        assert [(title, why) for title, why, _ in questions(running)][1:] == [
            ("git status", ""),
            ("git status", f"{CHANGED}`git` is not the program of that name."),
        ]
    assert not (tmp_path / "stolen").exists()


async def test_a_command_that_is_known_to_read_is_not_known_to_where_it_is_another(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.txt").write_text("one\n")
    answers = [run("cat() { echo two > a.txt; }"), [say("Done.")], run("cat a.txt"), [say("Read.")]]
    backend = TestBackend(ScriptedModel(answers), mode="always-approve", checkpoints=tmp_path / "home")
    async with agent(root, backend=backend) as running:
        await running.prompt("define")
        await running.prompt("read")
        assert (root / "a.txt").read_text() == "two\n"
        await running.prompt("/undo")
        assert (root / "a.txt").read_text() == "one\n"
