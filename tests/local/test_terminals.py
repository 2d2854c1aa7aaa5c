from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command
from openhands_acp.local import terminals as terminals_module
from openhands_acp.local.processes import descendants, look
from openhands_acp.local.terminals import LocalTerminals, exit_watch, exit_watch_by_thread
from tests.harness.terminals_conformance import CASES, Case, Heard, check_case, run

Process = subprocess.Popen[bytes]
Watch = Callable[[Process], int]

pytestmark = pytest.mark.anyio


async def settled() -> list[int]:
    """Wait for our processes that are about to end; return those that live on.

    Without the dead ones that wait to be cleared away: of some, nobody can tell whose they are.
    """
    alive: list[int] = []
    with anyio.move_on_after(1):
        while alive := [pid for pid in descendants(os.getpid()) if look(pid)]:
            await anyio.lowlevel.checkpoint()
    return alive


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


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_local_terminals_conform(case: Case, cwd: AbsPath) -> None:
    await check_case(case, make, cwd)
    assert await settled() == []


async def test_cancelling_at_any_moment_leaves_neither_a_process_nor_a_file_open(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    await run(terminals, cwd, "true")
    before = open_files()
    for moments in range(40):
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                line = "echo a; sleep 60 & setsid sleep 60 & (setsid sleep 60 &); echo b; wait"
                tasks.start_soon(terminals.run, Command(line, cwd, 8), Heard())
                for _ in range(moments):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert (moments, await settled()) == (moments, [])
    assert open_files() == before


async def test_a_command_that_ends_leaves_no_file_open(cwd: AbsPath) -> None:
    terminals = make(frozenset())
    await run(terminals, cwd, "true")
    before = open_files()
    await run(terminals, cwd, "echo hi; exit 3")
    await run(terminals, cwd, "sleep 60", within=0.05)
    with pytest.raises(FileNotFoundError):
        await run(terminals, AbsPath(f"{cwd}/missing"), "true")
    assert open_files() == before


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
    with anyio.fail_after(5):
        await make(frozenset()).run(Command("echo a; sleep 0.4; echo b", cwd, 8), heard)
    assert heard.chunks == ["a\n", "", "b\n"]


async def test_a_shell_is_found_without_a_path(cwd: AbsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    heard, _ = await run(make(frozenset()), cwd, "echo $BASH_VERSION | cut -c1 || echo $0")
    assert heard != ""


async def test_programs_are_told_that_nobody_is_at_the_terminal(cwd: AbsPath) -> None:
    heard, _ = await run(
        make(frozenset()), cwd, 'echo $TERM $PAGER $GIT_TERMINAL_PROMPT; test -t 0; echo "$? ${CI-unset}"'
    )
    assert heard == f"dumb cat 0\n1 {os.environ.get('CI', 'unset')}\n"


@pytest.mark.parametrize("watch", [exit_watch, exit_watch_by_thread])
async def test_an_end_can_be_waited_for_with_and_without_process_descriptors(watch: Watch) -> None:
    process = start(["sh", "-c", "read line; exit 7"])
    ended = watch(process)
    with anyio.move_on_after(0.05) as early:
        await anyio.wait_readable(ended)
    assert early.cancelled_caught
    process.communicate(b"go\n")
    with anyio.fail_after(5):
        await anyio.wait_readable(ended)
    os.close(ended)
    assert process.wait() == 7


async def test_a_command_of_an_agent_in_a_command_is_known_to_both(
    cwd: AbsPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENHANDS_TERMINAL", "outer")
    heard, _ = await run(make(frozenset()), cwd, "echo $OPENHANDS_TERMINAL | wc -w")
    assert heard.strip() == "2"
