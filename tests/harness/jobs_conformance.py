"""What every `Terminals` on this machine must do with what outlasts the patience of whoever runs it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Job, Patience, Running, Terminals
from tests.harness.terminals_conformance import (
    ALL_OF_TREE,
    ENDLESS,
    SHORT,
    TREE,
    Case,
    Heard,
    attend,
    leave,
    outcome,
    real,
    run,
    still_alive,
)
from tests.harness.waiting import until


async def _what_outlasts_the_patience_is_a_job(terminals: Terminals, cwd: AbsPath) -> None:
    line = "mkfifo gate; echo one; cat gate; echo three; exit 7"
    heard, running = await leave(terminals, cwd, line, says="one\n")
    assert (heard, outcome(running)) == ("one\n", Running(running.job, 0, wants_input=False))
    (job,) = terminals.jobs()
    assert replace(job, seconds=0) == Job(running.job, line, 0)
    assert (await run(terminals, cwd, "echo two > gate"))[0] == ""
    heard, ended = await attend(terminals, running.job)
    assert (heard, outcome(ended)) == ("two\nthree\n", Exit(7, None, timed_out=False, seconds=0))
    assert terminals.jobs() == ()
    with pytest.raises(LookupError):
        await attend(terminals, running.job)


async def _silence_is_what_patience_counts(terminals: Terminals, cwd: AbsPath) -> None:
    line = "for i in 1 2 3 4; do echo $i; sleep 0.08; done; sleep 60"
    heard, running = await leave(terminals, cwd, line, Patience(silence=0.6, whole=60))
    assert heard == "1\n2\n3\n4\n"
    assert running.seconds >= 0.8


async def _a_job_that_ends_alone_is_told_when_it_is_attended(terminals: Terminals, cwd: AbsPath) -> None:
    _, running = await leave(terminals, cwd, "mkfifo go; echo ready; cat go; echo late; kill -TERM $$", says="ready")
    await run(terminals, cwd, "echo now > go")
    await until(lambda: not terminals.jobs()[0].is_running)
    heard, ended = await attend(terminals, running.job)
    assert (heard, outcome(ended)) == ("now\nlate\n", Exit(None, "SIGTERM", timed_out=False, seconds=0))


async def _a_job_ends_when_its_time_is_over(terminals: Terminals, cwd: AbsPath) -> None:
    heard = Heard()
    running = await terminals.run(Command(f"{TREE}\nwait", cwd, 1.5), heard, Patience(None, 0.3))
    assert isinstance(running, Running)
    await until(lambda: not terminals.jobs()[0].is_running)
    assert len(heard.pids()) == 4
    assert still_alive(heard.pids()) == []
    _, ended = await attend(terminals, running.job)
    assert outcome(ended) == Exit(None, None, timed_out=True, seconds=0)
    assert ended.seconds >= 1.5


async def _a_prompt_is_answered(terminals: Terminals, cwd: AbsPath) -> None:
    line = "read -p 'name? ' name; read -sp 'secret? ' secret; echo; echo $name ${#secret}"
    heard, running = await leave(terminals, cwd, line, Patience(0.2, 60), says="name")
    assert (heard, running.wants_input) == ("name? ", True)
    heard, running = await attend(terminals, running.job, "Bob\r", Patience(0.2, 60), says="secret")
    assert isinstance(running, Running)
    assert (heard, running.wants_input) == ("Bob\nsecret? ", True)
    heard, ended = await attend(terminals, running.job, "1234\r")
    assert (heard, outcome(ended)) == ("\nBob 4\n", Exit(0, None, timed_out=False, seconds=0))


async def _control_keys_do_what_they_do(terminals: Terminals, cwd: AbsPath) -> None:
    _, running = await leave(terminals, cwd, "cat; sleep 60 & sleep 60")
    heard, running = await attend(terminals, running.job, "\x04", SHORT)
    assert isinstance(running, Running)
    heard, ended = await attend(terminals, running.job, "\x03")
    assert (heard, replace(ended, left_running=(), seconds=0)) == (
        "^C",
        Exit(None, "SIGINT", timed_out=False, seconds=0),
    )
    # In a group of its own, as `timeout` is, or caught.
    for line, code in (("timeout 60 sleep 60", 124), ("trap 'exit 9' INT; while :; do sleep 0.01; done", 9)):
        _, running = await leave(terminals, cwd, line)
        _, ended = await attend(terminals, running.job, "\x03")
        assert isinstance(ended, Exit)
        assert (line, ended.code or ended.signal) in [(line, code), (line, "SIGINT")]
    raw = "stty raw -echo; echo ready; head -c1 | od -An -tx1; stty sane"
    _, running = await leave(terminals, cwd, raw, Patience(0.3, 60), says="ready")
    heard, _ = await attend(terminals, running.job, "\x03")
    assert heard.strip() == "03"


async def _cancelling_who_attends_ends_the_tree(terminals: Terminals, cwd: AbsPath) -> None:
    heard, running = await leave(terminals, cwd, f"{TREE}\nwait", says=ALL_OF_TREE)
    pids = [int(word) for word in heard.split()]
    assert still_alive(pids) == pids
    with anyio.move_on_after(0.05) as scope:
        await terminals.attend(running.job, "", Heard(), ENDLESS)
    assert scope.cancelled_caught
    assert (len(pids), still_alive(pids), terminals.jobs()) == (4, [], ())


async def _a_job_is_ended_and_the_others_live_on(terminals: Terminals, cwd: AbsPath) -> None:
    first, one = await leave(terminals, cwd, f"{TREE}\nwait", says=ALL_OF_TREE)
    second, two = await leave(terminals, cwd, "x=job; echo $$; sleep 60", says="\n")
    await run(terminals, cwd, "cd /; x=1")
    await terminals.end(one.job)
    await terminals.end("no such job")
    assert still_alive([int(word) for word in first.split()]) == []
    assert still_alive([int(second)]) == [int(second)]
    assert [job.id for job in terminals.jobs()] == [two.job]
    assert (await run(terminals, cwd, "pwd; echo $x"))[0] == "/\n1\n"
    await terminals.end()
    assert (still_alive([int(second)]), terminals.jobs()) == ([], ())
    # Usable afterwards, and fresh.
    assert (await run(terminals, cwd, "pwd -P; echo [$x]"))[0] == f"{real(cwd)}\n[]\n"


async def _a_job_keeps_its_state_to_itself_unless_it_was_the_last_to_begin(terminals: Terminals, cwd: AbsPath) -> None:
    _, late = await leave(terminals, cwd, "mkfifo a; echo ready; cat a; x=late; cd /", says="ready")
    await run(terminals, cwd, "x=mine; echo > a")
    await attend(terminals, late.job)
    assert (await run(terminals, cwd, "echo $x; pwd -P"))[0] == f"mine\n{real(cwd)}\n"
    _, last = await leave(terminals, cwd, "mkfifo b; echo ready; cat b; x=last; cd /", says="ready")
    (Path(cwd) / "b").write_text("\n")
    await until(lambda: not terminals.jobs()[0].is_running)
    assert (await run(terminals, cwd, "echo $x; pwd"))[0] == "last\n/\n"
    await terminals.end(last.job)


async def _a_job_that_floods_holds_nobody_up(terminals: Terminals, cwd: AbsPath) -> None:
    _, running = await leave(terminals, cwd, "yes", says="y")
    # From here on: until then the test itself keeps all that it hears.
    tracemalloc.start()
    try:
        await run(terminals, cwd, "sleep 0.5")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    heard, _ = await attend(terminals, running.job, "\x03")
    assert heard.rstrip("^C\n").endswith("y\ny")


JOB_CASES: dict[str, Case] = {
    case.__name__.strip("_"): case
    for case in (
        _what_outlasts_the_patience_is_a_job,
        _silence_is_what_patience_counts,
        _a_job_that_ends_alone_is_told_when_it_is_attended,
        _a_job_ends_when_its_time_is_over,
        _a_prompt_is_answered,
        _control_keys_do_what_they_do,
        _cancelling_who_attends_ends_the_tree,
        _a_job_is_ended_and_the_others_live_on,
        _a_job_keeps_its_state_to_itself_unless_it_was_the_last_to_begin,
        _a_job_that_floods_holds_nobody_up,
    )
}
