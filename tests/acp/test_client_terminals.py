"""Commands in an editor's terminals: real processes, and editors that are bad at it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.acp import terminals as terminals_module
from openhands_acp.acp.terminals import LIMIT, ClientTerminals, news
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Job, Patience, Running, Spelt
from openhands_acp.local.elsewhere import Elsewhere
from openhands_acp.local.processes import look
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.rpc.errors import RemoteError
from tests.harness.editor_terminals import EditorTerminals
from tests.harness.jobs_conformance import JOB_CASES
from tests.harness.terminals_conformance import CASES, check_case
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

PATIENT = Patience(None, 60)
APPLICABLE = [
    "a_command_runs_where_it_is_told",
    "a_command_finds_what_the_last_one_left",
    "nothing_that_a_command_does_spoils_the_shell",
    "a_folder_that_is_gone_is_said_once_and_left",
    "a_missing_directory_is_an_os_error",
    "seconds_are_those_it_took",
    "what_outlasts_the_patience_is_a_job",
    "silence_is_what_patience_counts",
]
LEFT_OUT = "[… the editor kept no more of what came before …]\n"


@dataclass(slots=True)
class Bench:
    """An editor's terminals, and what the agent makes of them."""

    editor: EditorTerminals
    terminals: ClientTerminals
    cwd: AbsPath
    heard: list[str] = field(default_factory=list[str])
    placed: list[str] = field(default_factory=list[str])

    async def run(self, line: str, patience: Patience = PATIENT, limit: float = 60) -> Exit | Running:
        ended = await self.terminals.run(self.command(line, limit), self.sink, patience)
        return replace(ended, seconds=0)

    async def attend(self, job: str, keys: str = "", patience: Patience = PATIENT) -> Exit | Running:
        return replace(await self.terminals.attend(job, keys, self.sink, patience), seconds=0)

    def command(self, line: str, limit: float = 60) -> Command:
        return Command(line, self.cwd, limit, self.place)

    def place(self, terminal_id: str) -> None:
        self.placed.append(terminal_id)
        # In order with what is asked.
        self.editor.asked.append(("placed", {"terminalId": terminal_id}))

    async def sink(self, text: str) -> None:
        self.heard.append(text)

    @property
    def output(self) -> str:
        return "".join(self.heard)

    def methods(self) -> list[str]:
        names = [method.removeprefix("terminal/") for method, _ in self.editor.asked]
        # However often it looks.
        return [name for name, before in zip(names, ["", *names], strict=False) if name != before]


def spell(command: Command) -> Spelt:
    return Spelt(command.line, command.cwd, {"PAGER": "cat"})


@asynccontextmanager
async def bench(cwd: AbsPath) -> AsyncGenerator[Bench]:
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            editor = EditorTerminals(tasks)
            terminals = ClientTerminals("s", editor.ask, LocalTerminals(), spell)
            yield Bench(editor, terminals, cwd)
            await terminals.end()
            assert [shown for shown in editor.shown.values() if not shown.is_released] == []
            editor.close()


def refusing(*methods: str) -> Any:
    def fails(method: str) -> None:
        if method in methods:
            raise RemoteError(-32603, "Internal error")

    return fails


@pytest.fixture
def cwd(tmp_path: Any) -> AbsPath:
    return AbsPath(str(tmp_path))


async def test_a_terminal_is_made_shown_waited_for_read_and_given_back(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        assert await it.run("echo one; echo two >&2; exit 3") == Exit(3, None, timed_out=False, seconds=0)
        assert (it.output, it.placed) == ("one\ntwo\n", ["term-1"])
        assert it.methods() == ["create", "placed", "wait_for_exit", "output", "release"]
        assert it.editor.asked[0] == (
            "terminal/create",
            {
                "sessionId": "s",
                "command": "echo one; echo two >&2; exit 3",
                "cwd": cwd,
                "env": [{"name": "PAGER", "value": "cat"}],
                "outputByteLimit": LIMIT,
            },
        )


@pytest.mark.parametrize(
    ("line", "ended"),
    [
        ("true", Exit(0, None, timed_out=False, seconds=0)),
        ("exit 70", Exit(70, None, timed_out=False, seconds=0)),
        ("kill -KILL $$", Exit(None, "SIGKILL", timed_out=False, seconds=0)),
    ],
)
async def test_how_it_ended(cwd: AbsPath, line: str, ended: Exit) -> None:
    async with bench(cwd) as it:
        assert (await it.run(line), it.output) == (ended, "")


async def test_no_exit_code_is_not_zero(cwd: AbsPath) -> None:
    async with bench(cwd) as it:

        async def ask(method: str, params: dict[str, Any]) -> Any:
            answer = await it.editor.ask(method, params)
            return {"exitCode": None, "signal": None} if method == "terminal/wait_for_exit" else answer

        it.terminals.ask = ask
        assert await it.run("true") == Exit(None, None, timed_out=False, seconds=0)


async def test_output_is_heard_while_it_runs(cwd: AbsPath) -> None:
    async with bench(cwd) as it, anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, "echo one; until [ -e gate ]; do sleep 0.01; done; echo two")
        await until(lambda: it.output == "one\n")
        (Path(cwd) / "gate").touch()
    assert it.output == "one\ntwo\n"


@pytest.mark.parametrize("method", ["terminal/wait_for_exit", "terminal/kill", "terminal/release"])
async def test_an_editor_that_cannot_do_this_does_no_harm(cwd: AbsPath, method: str) -> None:
    async with bench(cwd) as it:
        it.editor.fails = refusing(method)
        assert await it.run("echo hi; exit 3") == Exit(3, None, timed_out=False, seconds=0)
        assert it.output == "hi\n"
        it.editor.fails = refusing()
        await it.editor.ask("terminal/release", {"terminalId": "term-1"}) if method == "terminal/release" else None


async def test_a_terminal_that_is_gone_is_an_error(cwd: AbsPath) -> None:
    async with bench(cwd) as it:

        def fails(method: str) -> None:
            if method in ("terminal/output", "terminal/wait_for_exit"):
                raise RemoteError(-32602, "no such terminal")

        it.editor.fails = fails
        with pytest.raises(OSError, match="the editor closed the terminal"):
            await it.run("sleep 60")
        await it.editor.shown["term-1"].exited.wait()


@pytest.mark.parametrize("bad", ["refusal", "no name", "null"])
async def test_an_editor_that_makes_no_terminal_has_the_command_run_here(
    cwd: AbsPath, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(cwd) as it:

        async def ask(method: str, params: dict[str, Any]) -> Any:
            if method == "terminal/create" and bad != "refusal":
                return None if bad == "null" else {"terminalId": 5}
            return await it.editor.ask(method, params)

        it.terminals.ask, it.editor.fails = ask, refusing("terminal/create")
        assert await it.run("echo hi; pwd") == Exit(0, None, timed_out=False, seconds=0)
        assert (it.output.replace("\r", ""), it.placed) == (f"hi\n{os.path.realpath(cwd)}\n", [])
        assert "the command runs without the editor" in caplog.text


async def test_an_editor_that_takes_too_long_is_not_asked_again(cwd: AbsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals_module, "_PATIENCE", 0.05)
    async with bench(cwd) as it:
        it.editor.slow["terminal/create"] = anyio.Event()
        assert await it.run("echo hi") == await it.run("echo hi") == Exit(0, None, timed_out=False, seconds=0)
        assert it.methods() == ["create"]


async def test_a_folder_that_is_gone_is_told_as_the_system_does(cwd: AbsPath) -> None:
    async with bench(AbsPath(f"{cwd}/gone")) as it:
        with pytest.raises(FileNotFoundError):
            await it.run("echo hi")


async def test_its_time_ends_it_and_what_it_said_is_kept(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        ended = await it.run("echo before; sleep 60", limit=1)
        assert (ended, it.output) == (Exit(None, None, timed_out=True, seconds=0), "before\n")
        assert it.methods()[-4:] == ["kill", "wait_for_exit", "output", "release"]
        assert look(it.editor.shown["term-1"].process.pid) is None


@pytest.mark.parametrize("method", ["terminal/create", "terminal/wait_for_exit", "terminal/output"])
@pytest.mark.parametrize("fails", [(), ("terminal/kill",)])
async def test_cancelling_at_any_moment_ends_it(cwd: AbsPath, method: str, fails: tuple[str, ...]) -> None:
    async with bench(cwd) as it:
        it.editor.fails = refusing(*fails)
        with anyio.CancelScope() as scope:
            it.editor.on_ask = lambda asked: scope.cancel() if asked == method else None
            await it.run("sleep 60")
        assert scope.cancelled_caught
        it.editor.on_ask = lambda _asked: None
        [shown] = it.editor.shown.values()
        await shown.exited.wait()
        assert (shown.is_released, it.methods()[-2:], it.terminals.jobs()) == (True, ["kill", "release"], ())


async def test_a_sink_that_fails_ends_it(cwd: AbsPath) -> None:
    async def failing(_text: str) -> None:
        raise ZeroDivisionError

    async with bench(cwd) as it:
        with pytest.raises(ZeroDivisionError):
            await it.terminals.run(it.command("echo hi; sleep 60"), failing, PATIENT)
        await it.editor.shown["term-1"].exited.wait()


async def test_silence_leaves_a_job_that_can_be_attended_to_its_end(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        line = "echo one; until [ -e gate ]; do sleep 0.01; done; echo two; exit 5"
        left = await it.run(line, Patience(0.2, 60))
        while it.output != "one\n":
            # On a busy machine it begins late.
            left = await it.attend("e1", patience=Patience(0.2, 60))
        assert (left, it.output) == (Running("e1", 0, wants_input=False), "one\n")
        assert [replace(job, seconds=0) for job in it.terminals.jobs()] == [Job("e1", line, 0)]
        assert await it.attend("e1", patience=Patience(0.2, 60)) == left
        # Beside it.
        assert await it.run("touch gate") == Exit(0, None, timed_out=False, seconds=0)
        assert await it.attend("e1") == Exit(5, None, timed_out=False, seconds=0)
        assert (it.output, it.placed, it.terminals.jobs()) == ("one\ntwo\n", ["term-1", "term-2"], ())
        with pytest.raises(LookupError):
            await it.attend("e1")


async def test_what_goes_on_talking_is_left_when_patience_is_over(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        left = await it.run("while sleep 0.02; do echo tick; done", Patience(30, 0.5))
        assert left == Running("e1", 0, wants_input=False)
        while not it.output.startswith("tick\ntick\n"):
            assert await it.attend("e1", patience=Patience(30, 0.5)) == left
        await it.terminals.end("e1")
        assert (it.terminals.jobs(), it.methods()[-2:]) == ((), ["kill", "release"])


async def test_a_job_is_interrupted_and_nothing_else_can_be_typed(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        await it.run("sleep 60", Patience(0.1, 60))
        with pytest.raises(OSError, match="only the person can type"):
            await it.attend("e1", "yes\n")
        assert await it.attend("e1", "\x03") == Exit(None, "SIGKILL", timed_out=False, seconds=0)


async def test_jobs_here_and_there_are_told_apart(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        await it.run("sleep 60", Patience(0.1, 60))
        with pytest.raises(LookupError):
            await it.attend("1")
        await it.terminals.end("1")
        assert len(it.terminals.jobs()) == 1
        await it.terminals.end()
        assert it.terminals.jobs() == ()


async def test_a_job_nobody_followed_when_its_time_was_over_is_ended(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        limit = anyio.current_time() + 0.2
        await it.run("sleep 60", Patience(0.05, 60), limit=0.2)
        await anyio.sleep_until(limit)
        await it.run("true")
        assert (it.terminals.jobs(), it.editor.shown["term-1"].is_released) == ((), True)


async def test_a_job_that_ended_alone_is_known_to_have_by_the_next_command(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        await it.run("until [ -e gate ]; do sleep 0.01; done; echo late; exit 4", Patience(0.1, 60))
        (Path(cwd) / "gate").touch()
        await it.editor.shown["term-1"].exited.wait()
        await it.run("true")
        assert [job.is_running for job in it.terminals.jobs()] == [False]
        assert await it.attend("e1") == Exit(4, None, timed_out=False, seconds=0)
        assert (it.output, it.terminals.jobs()) == ("late\n", ())


async def test_of_a_flood_the_editor_keeps_the_end(cwd: AbsPath) -> None:
    async with bench(cwd) as it:
        await it.run("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end")
        # Where it is slow, some of what came first was seen before the editor let go of it.
        seen, left_out, kept = it.output.rpartition(LEFT_OUT)
        assert (set(seen.replace(LEFT_OUT, "")) <= {"x"}, left_out) == (True, LEFT_OUT)
        assert kept == "x" * (len(kept) - len("\nend\n")) + "\nend\n"
        assert len(kept) <= LIMIT


@pytest.mark.parametrize("name", APPLICABLE)
async def test_what_any_terminals_do_these_do_too(cwd: AbsPath, name: str) -> None:
    # Not what takes a terminal of our own: keys, trees that leave their group, the end of what nobody follows.
    async with anyio.create_task_group() as tasks:
        editor, local = EditorTerminals(tasks), LocalTerminals()
        elsewhere = Elsewhere(local.state, None)
        await check_case(
            (CASES | JOB_CASES)[name], lambda _hide: ClientTerminals("s", editor.ask, local, elsewhere.spell), cwd
        )
        assert {shown.is_released for shown in editor.shown.values()} <= {True}
        editor.close()


@pytest.mark.parametrize(
    ("given", "output", "fresh"),
    [
        ("", "", ""),
        ("", "a\n", "a\n"),
        ("a\n", "a\nb\n", "b\n"),
        ("a", "ab", "b"),
        ("a\n", "a\n", ""),
        # A screen that was drawn anew: all from the first line that is another.
        ("one\ntwo 50%\n", "one\ntwo 100%\nthree\n", "two 100%\nthree\n"),
        ("one\n", "uno\n", "uno\n"),
        ("one\ntwo\n", "one\n", ""),
        # The beginning is gone: what follows the line that was given last, if it is still there.
        ("one\ntwo\n", f"{LEFT_OUT}two\nthree\n", "three\n"),
        ("one\ntwo\n", f"{LEFT_OUT}three\n", f"{LEFT_OUT}three\n"),
        (f"{LEFT_OUT}one\ntwo\n", f"{LEFT_OUT}two\nthree\n", "three\n"),
        (f"{LEFT_OUT}one\n", f"{LEFT_OUT}nine\n", f"{LEFT_OUT}nine\n"),
        ("", f"{LEFT_OUT}three\n", f"{LEFT_OUT}three\n"),
    ],
)
def test_news(given: str, output: str, fresh: str) -> None:
    assert news(given, output) == fresh
