"""Programs that are talked to through pipes: what they see, what they say, and how they end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import anyio
import pytest

from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.processes import descendants, is_alive, look
from openhands_acp.local.programs import LocalProgram, LocalPrograms
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

# It says who it is and what it started, and hears no signal and no end of its input.
DEAF = "trap '' TERM HUP INT; setsid sleep 600 & echo $$ $!; while :; do sleep 600; done"
ORPHANS = "(setsid sleep 600 & echo $!); cat"


async def test_a_program_sees_what_commands_inherit_but_for_what_is_hidden(tmp_path: Path) -> None:
    environment = LoginEnvironment({"PATH": os.environ["PATH"], "SECRET": "s", "PLAIN": "p", "OWN": "theirs"})
    programs = LocalPrograms(environment, {"SECRET"})
    program = await programs.start("sh", ["-c", "echo $SECRET,$PLAIN,$OWN; pwd"], {"OWN": "mine"}, str(tmp_path))
    assert await _said(program) == f",p,mine\n{tmp_path}\n"
    await program.end()


async def test_what_is_sent_comes_back_whole_however_slowly_it_is_read(tmp_path: Path) -> None:
    program = await _started(tmp_path, "cat")
    data = os.urandom(500_000)
    received = b""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(program.send, data)
            while len(received) < len(data):
                received += await program.receive()
    assert received == data
    await program.end()


@pytest.mark.parametrize(
    ("script", "outcome", "said"),
    [
        ("echo no luck >&2; exit 3", "it exited with code 3", "no luck"),
        ("kill -KILL $$", "it was ended by SIGKILL", ""),
        ("trap '' TERM; exec >&-; exec sleep 600", "it closed its stdout", ""),
    ],
)
async def test_a_program_that_ends_by_itself_says_how(script: str, outcome: str, said: str, tmp_path: Path) -> None:
    program = await _started(tmp_path, script)
    with anyio.fail_after(PATIENCE):
        assert await program.receive() == b""
        await program.end()
    assert (program.outcome, program.said()) == (outcome, said)
    with pytest.raises(BrokenPipeError, match=outcome):
        await program.send(b"x")


@pytest.mark.parametrize(
    ("script", "has_proc"),
    [(DEAF, True), (ORPHANS, True), (DEAF, False)],
    ids=["hears nothing", "leaves orphans", "hears nothing, where ps alone tells who there is"],
)
async def test_a_program_ends_with_all_that_it_started(script: str, has_proc: bool, tmp_path: Path) -> None:
    program = await _started(tmp_path, script, has_proc=has_proc)
    with anyio.fail_after(PATIENCE):
        started = [look(int(pid)) for pid in (await program.receive()).split()]
        assert None not in started
        await program.end()
        await program.end()
    assert program.outcome in ("", "it exited with code 0")
    assert [pid for pid in descendants(os.getpid()) if look(pid) is not None] == []
    assert not any(process is not None and is_alive(process) for process in started)


async def test_who_waits_for_a_program_that_is_ended_waits_no_longer(tmp_path: Path) -> None:
    program = await _started(tmp_path, "exec sleep 600")
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(program.receive)
            await anyio.wait_all_tasks_blocked()
            await program.end()


async def test_a_program_dies_with_us_even_where_we_are_killed(tmp_path: Path) -> None:
    async with await anyio.open_process([sys.executable, "-c", _holding(tmp_path)]) as us:
        assert us.stdout is not None
        with anyio.fail_after(PATIENCE):
            started = [look(int(pid)) for pid in (await us.stdout.receive()).split()]
        everybody = [*started, *(look(pid) for pid in descendants(us.pid))]
        us.send_signal(signal.SIGKILL)
        assert len(started) == 2
        with anyio.fail_after(PATIENCE):
            await until(lambda: not any(process is not None and is_alive(process) for process in everybody))


def _holding(folder: Path) -> str:
    """Write a program that starts another, says what it said, and stays."""
    return f"""
import sys, time
import anyio
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.programs import LocalPrograms

async def main():
    program = await LocalPrograms(LoginEnvironment()).start("sh", ["-c", {DEAF!r}], {{}}, {str(folder)!r})
    print((await program.receive()).decode(), end="", flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


async def _started(folder: Path, script: str, *, has_proc: bool = True) -> LocalProgram:
    return await LocalPrograms(LoginEnvironment(), has_proc=has_proc).start("sh", ["-c", script], {}, str(folder))


async def _said(program: LocalProgram) -> str:
    said = b""
    with anyio.fail_after(PATIENCE):
        while more := await program.receive():
            said += more
    return said.decode()
