"""What every `Terminals` on this machine must do, with real processes: `check_terminals` runs it all."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Terminals
from openhands_acp.local.processes import look

MakeTerminals = Callable[[frozenset[str]], Terminals]
"""Make one that hides the variables of these names from its commands."""

HIDDEN, SEEN = "OPENHANDS_TEST_HIDDEN", "OPENHANDS_TEST_SEEN"
TREE = """
sleep 60 & echo $!
setsid sleep 60 & echo $!
(setsid sh -c 'echo $$; exec sleep 60' &)
sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &
"""
"""A child, one in its own session, one without a parent besides, and one that will not be asked."""


@dataclass(slots=True)
class Heard:
    """A sink: what it was given, and what it does each time."""

    chunks: list[str] = field(default_factory=list[str])
    then: Callable[[str], None] = lambda _text: None

    async def __call__(self, text: str) -> None:
        self.chunks.append(text)
        self.then(self.text)

    @property
    def text(self) -> str:
        return "".join(self.chunks)

    def pids(self) -> list[int]:
        return [int(word) for word in self.text.split() if word.isdecimal()]


async def check_terminals(make: MakeTerminals, cwd: AbsPath) -> None:
    for name, case in CASES.items():
        await check_case(case, make, cwd)
        assert not os.environ.get(HIDDEN), name


async def check_case(case: Case, make: MakeTerminals, cwd: AbsPath) -> None:
    with anyio.fail_after(10), pytest.MonkeyPatch.context() as patch:
        patch.setenv(HIDDEN, "secret")
        patch.setenv(SEEN, "shown")
        terminals = make(frozenset({HIDDEN}))
        try:
            await case(terminals, cwd)
        finally:
            await terminals.close()


async def run(terminals: Terminals, cwd: AbsPath, line: str, within: float = 8) -> tuple[str, Exit]:
    heard = Heard()
    ended = await terminals.run(Command(line, cwd, within), heard)
    return heard.text, ended


def still_alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if look(pid) is not None]


def real(path: AbsPath) -> str:
    return os.path.realpath(path)


async def _says_and_ends(terminals: Terminals, cwd: AbsPath) -> None:
    cases: list[tuple[str, str, int | None, str | None]] = [
        ("echo hi", "hi\n", 0, None),
        ("true", "", 0, None),
        ("exit 3", "", 3, None),
        ("kill -KILL $$", "", None, "SIGKILL"),
        ("echo a; echo b >&2; echo c; echo d >&2", "a\nb\nc\nd\n", 0, None),
        ("echo '€ and é'", "€ and é\n", 0, None),
        (r"printf '\342\202'; sleep 0.02; printf '\254\n'", "€\n", 0, None),
        (r"printf 'a\377b\n'", "a�b\n", 0, None),
        (r"printf 'cut \342\202'", "cut �", 0, None),
        ("cat; echo end of input", "end of input\n", 0, None),
        ("exec >&- 2>&-; sleep 0.02; exit 4", "", 4, None),
        ("cat <<END | tr a-z A-Z\none\ntwo\nEND\n", "ONE\nTWO\n", 0, None),
    ]
    for line, output, code, signal in cases:
        heard, ended = await run(terminals, cwd, line)
        assert (line, heard, replace(ended, seconds=0)) == (
            line,
            output,
            Exit(code, signal, timed_out=False, seconds=0),
        )


async def _a_command_runs_where_it_is_told(terminals: Terminals, cwd: AbsPath) -> None:
    heard, _ = await run(terminals, cwd, "pwd -P")
    assert heard == real(cwd) + "\n"


async def _each_command_has_a_fresh_shell(terminals: Terminals, cwd: AbsPath) -> None:
    await run(terminals, cwd, "cd /; export OPENHANDS_TEST_LEFT=1")
    heard, _ = await run(terminals, cwd, 'pwd -P; echo "[$OPENHANDS_TEST_LEFT]"')
    assert heard == real(cwd) + "\n[]\n"


async def _a_missing_directory_is_an_os_error(terminals: Terminals, cwd: AbsPath) -> None:
    with pytest.raises(FileNotFoundError):
        await run(terminals, AbsPath(f"{cwd}/missing"), "echo hi")


async def _what_is_hidden_is_not_in_the_environment(terminals: Terminals, cwd: AbsPath) -> None:
    heard, _ = await run(terminals, cwd, f'echo "[${HIDDEN}][${SEEN}]"; env | grep -c {HIDDEN}')
    assert heard == "[][shown]\n0\n"


async def _a_timeout_ends_the_tree_and_keeps_the_output(terminals: Terminals, cwd: AbsPath) -> None:
    heard = Heard()
    ended = await terminals.run(Command(f"{TREE}\nwait", cwd, 0.5), heard)
    assert len(heard.pids()) == 4
    assert still_alive(heard.pids()) == []
    assert replace(ended, seconds=0) == Exit(None, None, timed_out=True, seconds=0)
    assert ended.seconds >= 0.5


async def _a_timeout_interrupts_a_flood(terminals: Terminals, cwd: AbsPath) -> None:
    heard, ended = await run(terminals, cwd, "yes", within=0.2)
    assert ended.timed_out
    assert heard.startswith("y\ny\n")


async def _cancelling_ends_the_tree(terminals: Terminals, cwd: AbsPath) -> None:
    heard = Heard()
    with anyio.CancelScope() as scope:
        heard.then = lambda text: scope.cancel() if len(text.split()) == 4 else None
        await terminals.run(Command(f"{TREE}\nwait", cwd, 8), heard)
    assert scope.cancelled_caught
    assert len(heard.pids()) == 4
    assert still_alive(heard.pids()) == []


async def _cancelling_a_sink_that_is_stuck_ends_the_tree(terminals: Terminals, cwd: AbsPath) -> None:
    pids: list[int] = []

    async def stuck(text: str) -> None:
        pids.extend(map(int, text.split()))
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await terminals.run(Command("echo $$; setsid sleep 60; :", cwd, 8), stuck)
    assert len(pids) == 1
    assert still_alive(pids) == []


async def _a_sink_that_fails_ends_the_tree(terminals: Terminals, cwd: AbsPath) -> None:
    pids: list[int] = []

    async def failing(text: str) -> None:
        pids.extend(map(int, text.split()))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await terminals.run(Command("echo $$; sleep 60; :", cwd, 8), failing)
    assert still_alive(pids) == []


async def _what_is_left_running_lives_until_close(terminals: Terminals, cwd: AbsPath) -> None:
    heard = Heard()
    ended = await terminals.run(Command(f"{TREE}\nuntil [ -s ready ]; do sleep 0.01; ls > ready; done", cwd, 8), heard)
    pids = heard.pids()
    assert ended.code == 0
    # The stubborn one has a child of its own.
    assert set(pids) <= set(ended.left_running)
    assert still_alive(pids) == pids
    await terminals.close()
    assert still_alive(pids) == []


async def _what_is_left_running_may_go_on_printing(terminals: Terminals, cwd: AbsPath) -> None:
    # The last word goes by another way: what it printed after the shell had ended is not kept.
    server = "sleep 0.1; head -c 300000 /dev/zero; echo more; echo survived > gate"
    _, ended = await run(terminals, cwd, f"mkfifo gate; ({server}) &")
    heard, _ = await run(terminals, cwd, "cat gate")
    assert (ended.code, heard) == (0, "survived\n")


async def _commands_side_by_side_keep_to_themselves(terminals: Terminals, cwd: AbsPath) -> None:
    ends: dict[str, tuple[str, Exit]] = {}

    async def go(line: str) -> None:
        ends[line] = await run(terminals, cwd, line)

    lines = ("sleep 60 & echo $!", "(setsid sleep 60 & echo $!)", "sleep 0.1; echo; exit 5")
    async with anyio.create_task_group() as tasks:
        for line in lines:
            tasks.start_soon(go, line)
    left = {line: ended.left_running for line, (_, ended) in ends.items()}
    assert left == {line: tuple(map(int, ends[line][0].split())) for line in lines}
    assert ends[lines[2]][1].code == 5


async def _a_flood_waits_for_the_sink(terminals: Terminals, cwd: AbsPath) -> None:
    size = 0

    async def slow(text: str) -> None:
        nonlocal size
        assert len(text) <= 65536
        size += len(text)
        await anyio.lowlevel.checkpoint()

    tracemalloc.start()
    try:
        await terminals.run(Command("head -c 20000000 /dev/zero", cwd, 8), slow)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 20_000_000
    assert peak < 2_000_000


async def _seconds_are_those_it_took(terminals: Terminals, cwd: AbsPath) -> None:
    before = time.monotonic()
    _, ended = await run(terminals, cwd, "sleep 0.05")
    assert 0.05 <= ended.seconds <= time.monotonic() - before


Case = Callable[[Terminals, AbsPath], Awaitable[None]]
CASES: Mapping[str, Case] = {
    case.__name__.strip("_"): case
    for case in (
        _says_and_ends,
        _a_command_runs_where_it_is_told,
        _each_command_has_a_fresh_shell,
        _a_missing_directory_is_an_os_error,
        _what_is_hidden_is_not_in_the_environment,
        _a_timeout_ends_the_tree_and_keeps_the_output,
        _a_timeout_interrupts_a_flood,
        _cancelling_ends_the_tree,
        _cancelling_a_sink_that_is_stuck_ends_the_tree,
        _a_sink_that_fails_ends_the_tree,
        _what_is_left_running_lives_until_close,
        _what_is_left_running_may_go_on_printing,
        _commands_side_by_side_keep_to_themselves,
        _a_flood_waits_for_the_sink,
        _seconds_are_those_it_took,
    )
}
