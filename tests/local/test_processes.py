from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import PIPE

import anyio
import pytest

from openhands_acp.local import processes, shell
from openhands_acp.local.processes import (
    Process,
    carries,
    descendants,
    end_tree,
    is_alive,
    look,
    reap_adopted,
    session_of,
    strays,
)
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


def start(
    line: list[str],
    *,
    stdin: int | None = None,
    stdout: int | None = None,
    env: dict[str, str] | None = None,
    start_new_session: bool = False,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(line, stdin=stdin, stdout=stdout, env=env, start_new_session=start_new_session)


def await_death(pid: int) -> None:
    """Wait until a child is dead, and leave it for whoever asks for its exit code."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_descendants_are_found_to_any_depth_and_in_any_session() -> None:
    line = "setsid sh -c 'sh -c \"echo up; exec sleep 60\"; :' & wait"
    with start(["sh", "-c", line], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = [process.pid, *descendants(process.pid)]
        assert len(found) == 3
        # Others' too: what an earlier test left dead stays until somebody knows whose it was.
        assert set(found) <= set(descendants(os.getpid()))
        process.kill()
    with anyio.fail_after(PATIENCE):
        await end_tree(lambda: [each for pid in found if (each := look(pid))])
    assert [pid for pid in found if look(pid)] == []


async def test_a_process_is_known_by_its_start_and_a_later_one_of_that_number_is_spared() -> None:
    with start(["sleep", "60"]) as process:
        seen = look(process.pid)
        assert seen is not None
        earlier = replace(seen, started=seen.started - 1)
        assert (is_alive(seen), is_alive(earlier)) == (True, False)
        assert await end_tree(lambda: [earlier]) == {earlier}
        assert process.poll() is None
        await end_tree(lambda: [seen])
        assert process.wait() == -15
    assert look(process.pid) is None


async def test_ending_a_tree_never_touches_the_first_process_or_this_one() -> None:
    spared = [each for pid in (1, os.getpid()) if (each := look(pid))]
    assert await end_tree(lambda: spared) == set(spared)


async def test_a_process_that_ignores_the_request_is_killed() -> None:
    line = "trap '' TERM; echo ready; while :; do sleep 60; done"
    with start(["sh", "-c", line], stdout=PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tree = [process.pid, *descendants(process.pid)]
        await end_tree(lambda: [each for pid in tree if (each := look(pid))], process.pid)
        assert process.wait() == -9


async def test_a_process_that_obeys_may_say_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    # As long as a busy machine may take.
    monkeypatch.setattr(processes, "GRACE", 5)
    line = "trap 'echo bye; exit 3' TERM; sleep 60 & echo ready; wait"
    with start(["bash", "-c", line], stdout=PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tree = [process.pid, *descendants(process.pid)]
        await end_tree(lambda: [each for pid in tree if (each := look(pid))], process.pid)
        assert (process.stdout.read(), process.wait()) == (b"bye\n", 3)


@pytest.mark.parametrize("leads_a_session", [False, True])
async def test_a_child_of_our_own_keeps_its_exit_code(leads_a_session: bool) -> None:
    with start(["sh", "-c", "exit 7"], start_new_session=leads_a_session) as process:
        await_death(process.pid)
        reap_adopted()
        assert process.wait() == 7


@contextmanager
def killed(process: subprocess.Popen[bytes]) -> Generator[None]:
    """End the process also when a check fails: leaving `start` waits for it."""
    try:
        yield
    finally:
        process.kill()


async def test_a_mark_is_seen_in_a_process_that_lives_and_in_none_that_is_dead() -> None:
    with start(["sleep", "60"], env={"MARK": "here"}) as process, killed(process):
        with anyio.fail_after(PATIENCE):
            # The kernel shows a new program's environment a moment after it has begun.
            await until(lambda: carries(process.pid, ["there", "here"]))
        assert carries(process.pid, ["there"]) is False
        assert session_of(process.pid) == os.getsid(0)
        process.kill()
        await_death(process.pid)
        assert carries(process.pid, ["here"]) is False
    assert session_of(process.pid) is None


ADOPTING = """
import os, subprocess
from openhands_acp.local.processes import adopt_orphans, children, descendants, kill_everything, look, reap_adopted
adopt_orphans()
line = 'sleep 60 & (setsid sleep 60 &) ; setsid sh -c "sleep 60 & sleep 60; :" & setsid sleep 60 & echo ready; wait'
shell = subprocess.Popen(["sh", "-c", line], stdout=-1)
shell.stdout.readline()
seen = [each for pid in descendants(os.getpid()) if (each := look(pid))]
assert len(seen) >= 5, seen
kill_everything()
living = [pid for pid in descendants(os.getpid()) if look(pid)]
shell.wait()
reap_adopted(seen)
print(living, children(os.getpid()), shell.returncode)
"""


async def test_at_exit_everything_below_us_is_killed_and_what_was_adopted_is_cleared_away() -> None:
    with start(["sleep", "60"]) as bystander:
        with anyio.fail_after(PATIENCE):
            done = await anyio.run_process([sys.executable, "-c", ADOPTING], stderr=None)
        assert done.stdout == b"[] [] -9\n"
        assert bystander.poll() is None
        bystander.kill()


AWAY = "setsid sh -c 'sleep 60 & echo $!; wait' & sleep 60 & echo $!; wait"


async def test_without_proc_those_who_left_the_group_are_found_by_who_their_parents_are() -> None:
    with start(["sh", "-c", AWAY], stdout=PIPE, start_new_session=True) as process, killed(process):
        assert process.stdout is not None
        said = {int(process.stdout.readline()) for _ in range(2)}
        tree = set(descendants(process.pid))
        outside = {pid for pid in tree if os.getpgid(pid) != process.pid}
        assert {each.pid for each in strays(process.pid, has_proc=False)} == outside
        assert len(outside) == 2
        assert said < tree
        assert strays(process.pid) == []
        await end_tree(lambda: [each for pid in tree if (each := look(pid))], process.pid)


async def test_a_command_ends_with_those_who_left_its_group_where_there_is_no_proc() -> None:
    with anyio.fail_after(10):
        command = shell.start(AWAY, "/", {"PATH": os.environ["PATH"]}, "mark", "sh")
        command.has_proc = False
        said = ""
        while said.count("\n") < 2:
            await command.ready(anyio.current_time() + 5)
            said += command.read()[0]
        started = [look(int(pid)) for pid in said.split()]
        assert None not in started
        ended = await command.end()
        command.release(keep_reading=False)
    assert not any(each is not None and is_alive(each) for each in started)
    reap_adopted(ended)


def test_what_does_not_exist_is_not_alive() -> None:
    assert look(2**22 + 1) is None
    assert descendants(2**22 + 1) == []
    assert is_alive(Process(2**22 + 1, 0)) is False
