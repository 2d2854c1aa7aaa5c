from __future__ import annotations

import errno
import gc
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import SHOWN, Command, Exit, Patience, Running
from openhands_acp.local import output_log, shell_state
from openhands_acp.local import terminals as terminals_module
from openhands_acp.local.processes import descendants, look
from openhands_acp.local.shell import exit_watch, exit_watch_by_thread
from openhands_acp.local.terminals import LocalTerminals
from tests.harness.jobs_conformance import JOB_CASES
from tests.harness.terminals_conformance import (
    CASES,
    ENDLESS,
    LIMIT,
    Case,
    Heard,
    attend,
    check_case,
    leave,
    run,
)
from tests.harness.waiting import PATIENCE, until

BRIEF = Patience(None, 0.03)
Process = subprocess.Popen[bytes]
Watch = Callable[[Process], int]

pytestmark = pytest.mark.anyio


async def settled() -> list[int]:
    """Wait for our processes that are about to end; return those that live on.

    Without the dead ones that wait to be cleared away: of some, nobody can tell whose they are.
    """

    def alive() -> list[int]:
        return [pid for pid in descendants(os.getpid()) if look(pid)]

    # Less than what they sleep.
    with anyio.move_on_after(20):
        await until(lambda: not alive())
    return alive()


def make(hide: frozenset[str]) -> LocalTerminals:
    return LocalTerminals(hide=hide)


def start(line: list[str]) -> Process:
    return subprocess.Popen(line, stdin=subprocess.PIPE)


@pytest.fixture
def cwd(tmp_path: Path) -> AbsPath:
    return AbsPath(str(tmp_path))


def open_files() -> set[str]:
    """Name what each descriptor of this process is, so that two looks can be compared."""
    return {f"{name} {os.readlink(f'/proc/self/fd/{name}')}" for name in os.listdir("/proc/self/fd") if _is_open(name)}


def _is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


@pytest.mark.parametrize("case", (CASES | JOB_CASES).values(), ids=CASES | JOB_CASES)
async def test_local_terminals_conform(case: Case, cwd: AbsPath) -> None:
    await check_case(case, make, cwd)
    assert await settled() == []


async def test_cancelling_at_any_moment_leaves_neither_a_process_nor_a_file_open(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    await run(terminals, cwd, "true")
    before = open_files()
    for moments in range(40):
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                line = "echo a; sleep 60 & setsid sleep 60 & (setsid sleep 60 &); echo b; wait"
                tasks.start_soon(terminals.run, Command(line, cwd, LIMIT), Heard(), ENDLESS)
                for _ in range(moments):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert (moments, await settled()) == (moments, [])
    assert open_files() - before == set()


async def test_a_command_that_ends_leaves_no_file_open(cwd: AbsPath) -> None:
    gc.collect()  # The locks of terminals that other tests made are closed with them.
    terminals = make(frozenset())
    await run(terminals, cwd, "true")
    before = open_files()
    await run(terminals, cwd, "echo hi; exit 3")
    await run(terminals, cwd, "sleep 60", within=0.05)
    with pytest.raises(FileNotFoundError):
        await run(make(frozenset()), AbsPath(f"{cwd}/missing"), "true")
    _, running = await leave(terminals, cwd, "echo hi; sleep 60")
    await attend(terminals, running.job, "\x03")
    await leave(terminals, cwd, "sleep 60")
    await terminals.end()
    # But for the lock of the folder that the state was in, which is gone too.
    gone = before - open_files()
    assert (open_files() - before, [os.path.basename(name) for name in gone]) == (set(), ["lock"])


async def test_cancelling_who_attends_at_any_moment_leaves_neither_a_process_nor_a_file_open(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    await run(terminals, cwd, "true")
    before = open_files()
    for moments in range(14):
        with anyio.fail_after(PATIENCE):
            _, running = await leave(terminals, cwd, "echo a; setsid sleep 60 & (setsid sleep 60 &); cat", BRIEF)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(terminals.attend, running.job, "b\r", Heard(), ENDLESS)
                for _ in range(moments):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        # Cancelled before it began, it has not been attended.
        await terminals.end(running.job)
        assert (moments, await settled(), terminals.jobs()) == (moments, [], ())
    assert open_files() - before == set()


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("echo late > >(sleep 0.01; cat)", "late\n"),
        ("(setsid sleep 0.01; echo late) &", "late\n"),
        ("(setsid sleep 0.01 &)", ""),
    ],
)
async def test_what_outlives_the_shell_for_a_moment_is_heard_and_not_left_running(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch, line: str, output: str
) -> None:
    # As long a moment as a busy machine may take.
    monkeypatch.setattr(terminals_module, "LINGER", 5)
    terminals = make(frozenset())
    for _ in range(5):
        heard, ended = await run(terminals, cwd, line)
        assert (heard, ended.left_running, await settled()) == (output, (), [])


async def test_a_sink_hears_of_a_quiet_moment_once(cwd: AbsPath) -> None:
    heard = Heard()
    with anyio.fail_after(PATIENCE):
        await make(frozenset()).run(Command("echo a; sleep 0.4; echo b", cwd, LIMIT), heard, ENDLESS)
    assert heard.chunks == ["a\n", "", "b\n"]


async def test_a_shell_is_found_without_a_path(cwd: AbsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    heard, _ = await run(make(frozenset()), cwd, "echo $BASH_VERSION | cut -c1 || echo $0")
    assert heard != ""


async def test_programs_are_told_that_nobody_is_at_the_terminal(cwd: AbsPath) -> None:
    heard, _ = await run(make(frozenset()), cwd, 'echo $TERM $PAGER $EDITOR $GIT_TERMINAL_PROMPT "${CI-unset}"')
    assert heard == f"dumb cat true 0 {os.environ.get('CI', 'unset')}\n"


@pytest.mark.parametrize("watch", [exit_watch, exit_watch_by_thread])
async def test_an_end_can_be_waited_for_with_and_without_process_descriptors(watch: Watch) -> None:
    process = start(["sh", "-c", "read line; exit 7"])
    ended = watch(process)
    with anyio.move_on_after(0.05) as early:
        await anyio.wait_readable(ended)
    assert early.cancelled_caught
    process.communicate(b"go\n")
    with anyio.fail_after(PATIENCE):
        await anyio.wait_readable(ended)
    os.close(ended)
    assert process.wait() == 7


async def test_a_command_of_an_agent_in_a_command_is_known_to_both(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHANDS_TERMINAL", "outer")
    heard, _ = await run(make(frozenset()), cwd, "echo $OPENHANDS_TERMINAL | wc -w")
    assert heard.strip() == "2"


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("cat", True),
        ("read x", True),
        ("head -c1 | cat", True),
        (f"{sys.executable} -c 'input()'", True),
        (f"{sys.executable} -c 'import select; select.select([0], [], [])'", True),
        (f"{sys.executable} -c 'import select; p = select.poll(); p.register(0, 1); p.poll()'", True),
        (f"{sys.executable} -c 'import select; p = select.epoll(); p.register(0, 1); p.poll()'", True),
        (f"{sys.executable} -c 'import threading; threading.Thread(target=input).start()'", True),
        ("sleep 60", False),
        ("while :; do :; done", False),
        ("cat < $(mkfifo f; echo f)", False),
        ("cat /dev/zero > /dev/null", False),
        (f"{sys.executable} -c 'import select, os; r, _ = os.pipe(); select.select([0, r], [], [])'", False),
    ],
)
async def test_who_waits_for_the_keyboard_is_not_waited_for(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch, line: str, waits: bool
) -> None:
    monkeypatch.setattr(terminals_module, "KEYBOARD", 0.02)
    terminals = make(frozenset())
    with anyio.fail_after(PATIENCE):
        _, running = await leave(terminals, cwd, line, Patience(silence=30, whole=15 if waits else 0.2))
    assert (running.wants_input, running.seconds < 15) == (waits, True)
    await terminals.end()


def _named(file: Path) -> KeptOutput:
    data = file.read_bytes()
    return KeptOutput(AbsPath(str(file)), sha256(data).hexdigest(), len(data))


async def test_long_output_and_that_of_jobs_is_in_a_file_and_short_output_is_not(cwd: AbsPath, tmp_path: Path) -> None:
    terminals = LocalTerminals(spool=tmp_path / "session" / "output")
    _, short = await run(terminals, cwd, f"seq {SHOWN // 6 + 1} | head -c {SHOWN}")
    _, long = await run(terminals, cwd, "seq 20000; printf '\\033[1mbold\\033[0m 1%%\\r 2%%\\n\\377\\n'")
    _, running = await leave(terminals, cwd, "echo begun; read x; echo $x", Patience(0.2, 60), says="begun")
    _, ended = await attend(terminals, running.job, "typed\r")
    assert isinstance(ended, Exit)
    assert long.log is not None
    assert ended.log is not None
    assert (short.log, running.log) == (None, ended.log.path)
    whole, typed = Path(long.log.path), Path(ended.log.path)
    assert whole.read_text() == "".join(f"{i}\n" for i in range(1, 20001)) + " 2%d 1%\n�\n"
    assert typed.read_text() == "begun\ntyped\ntyped\n"
    assert (long.log, ended.log) == (_named(whole), _named(typed))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (whole, whole.parent)} == {0o600, 0o700}
    await terminals.end()
    assert whole.is_file()


async def test_a_disk_that_fails_costs_the_file_and_not_the_command(cwd: AbsPath, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    heard, ended = await run(LocalTerminals(spool=tmp_path / "file"), cwd, "seq 20000")
    assert (len(heard), ended.code, ended.log) == (108_894, 0, None)


async def test_a_file_of_output_has_an_end(cwd: AbsPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_log, "LARGEST", 50_000)
    _, ended = await run(LocalTerminals(spool=tmp_path), cwd, "seq 200000")
    assert ended.log is not None
    assert ended.log == _named(Path(ended.log.path))
    text = Path(ended.log.path).read_text()
    assert 50_000 <= len(text) <= 50_000 + 65_536 + 100
    assert text.endswith("this file holds no more …]\n")


async def test_sh_carries_its_directory_and_what_is_exported(cwd: AbsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_state, "shell_path", lambda: "/bin/sh")
    terminals = make(frozenset())
    await run(terminals, cwd, "cd /; export A='two words' B='two\nlines'; umask 027; unset HOME; exit 3")
    heard, ended = await run(terminals, cwd, 'pwd; echo "$A$B[$HOME]"; umask; test -t 0 && echo terminal; exit 4')
    assert (heard, ended.code) == ("/\ntwo wordstwo\nlines[]\n0027\nterminal\n", 4)


async def test_a_persons_own_bash_env_counts_and_ours_is_not_seen(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "env.sh").write_text("FROM_THEIRS=yes\n")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "env.sh"))
    terminals = make(frozenset())
    for _ in range(2):
        line = "echo $FROM_THEIRS; unset FROM_THEIRS; bash -c 'echo $FROM_THEIRS'; env | grep -c OPENHANDS_SHELL"
        heard, _ = await run(terminals, cwd, f"{line}; FROM_THEIRS=yes")
        assert heard == "yes\nyes\n0\n"
    monkeypatch.delenv("BASH_ENV")
    assert (await run(make(frozenset()), cwd, "echo [$BASH_ENV]"))[0] == "[]\n"


async def test_the_files_of_the_shells_state_are_private_and_gone_in_the_end(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    terminals = make(frozenset())
    await run(terminals, cwd, "x=1")
    _, running = await leave(terminals, cwd, "sleep 60")
    (folder,) = tmp_path.iterdir()
    (file,) = [path for path in folder.iterdir() if path.name != "lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, file)} == {0o600, 0o700}
    await attend(terminals, running.job, "\x03")
    assert [path.name for path in folder.iterdir()] == ["lock"]
    # Swept away by somebody who tidies up: the state lives on.
    shutil.rmtree(folder)
    assert (await run(terminals, cwd, "echo $x"))[0] == "1\n"
    await terminals.end()
    assert list(tmp_path.iterdir()) == []


async def test_values_of_any_bytes_are_carried_over(cwd: AbsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD", "\udcff'\u2028\"$x`\\\x01")
    terminals = make(frozenset())
    await run(terminals, cwd, "N=$'\\xfe\\n'")
    heard, _ = await run(terminals, cwd, 'printf %s "$ODD$N" | od -An -tx1')
    assert heard.split() == "ff 27 e2 80 a8 22 24 78 60 5c 01 fe 0a".split()


async def test_more_than_the_program_reads_is_not_waited_for(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    _, running = await leave(terminals, cwd, "sleep 60", Patience(None, 0.1))
    heard, running = await attend(terminals, running.job, "x" * 50 + "\r" + "line\r" * 10_000, Patience(None, 0.3))
    assert isinstance(running, Running)
    assert "bytes were not typed: the program does not read them]" in heard
    await terminals.end()


async def test_a_command_that_closed_its_terminal_can_be_looked_at_and_interrupted(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    # One long command: between two short ones a shell takes an interrupt for the first one's, which just ended.
    _, running = await leave(terminals, cwd, "exec 0<&- 1>&- 2>&-; sleep 60; :", Patience(0.1, 60))
    _, running = await attend(terminals, running.job, "", Patience(0.1, 60))
    assert isinstance(running, Running)
    _, ended = await attend(terminals, running.job, "\x03")
    assert isinstance(ended, Exit)
    assert ended.signal == "SIGINT"


async def test_all_jobs_are_ended_in_the_time_of_one(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    stubborn = "trap '' TERM; echo $$; while :; do sleep 0.01; done"
    pids = [int((await leave(terminals, cwd, stubborn, says="\n"))[0]) for _ in range(3)]
    await terminals.end()
    assert await settled() == []
    assert [pid for pid in pids if look(pid)] == []


async def test_where_no_terminal_is_to_be_had_commands_run_without(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "no more terminals")

    monkeypatch.setattr(os, "openpty", none_left)
    terminals = make(frozenset())
    assert (await run(terminals, cwd, "cd /; cat; x=1; exit 3"))[1].code == 3
    assert (await run(terminals, cwd, "pwd; test -t 1 || echo $x"))[0] == "/\n1\n"
    _, running = await leave(terminals, cwd, "sleep 60")
    heard, running = await attend(terminals, running.job, "y\r", Patience(0.1, 60))
    assert "2 bytes were not typed" in heard
    _, ended = await attend(terminals, running.job, "\x03") if isinstance(running, Running) else ("", running)
    assert isinstance(ended, Exit)
    assert ended.signal == "SIGINT"
