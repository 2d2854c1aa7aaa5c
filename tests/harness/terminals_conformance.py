"""What every `Terminals` on this machine must do, with real processes; `jobs_conformance` goes on."""

from __future__ import annotations

import os
import re
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Patience, Running, Terminals
from openhands_acp.local.processes import look
from tests.harness.waiting import PATIENCE

MakeTerminals = Callable[[frozenset[str]], Terminals]
"""Make one that hides the variables of these names from its commands."""

ENDLESS = Patience(silence=None, whole=60)
"""For what is waited for to its end."""
SHORT = Patience(silence=None, whole=0.1)
LIMIT = 60
"""Seconds for a command that is to come to its own end."""
HIDDEN, SEEN = "OPENHANDS_TEST_HIDDEN", "OPENHANDS_TEST_SEEN"
TREE = """
sleep 60 & echo $!
setsid sleep 60 & echo $!
(setsid sh -c 'echo $$; exec sleep 60' &)
sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &
"""
"""A child, one in its own session, one without a parent besides, and one that will not be asked."""
ALL_OF_TREE = r"(\d+\s+){4}"
"""What it says."""


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


async def check_case(case: Case, make: MakeTerminals, cwd: AbsPath) -> None:
    with anyio.fail_after(PATIENCE), pytest.MonkeyPatch.context() as patch:
        patch.setenv(HIDDEN, "secret")
        patch.setenv(SEEN, "shown")
        terminals = make(frozenset({HIDDEN}))
        try:
            await case(terminals, cwd)
        finally:
            await terminals.end()


async def run(terminals: Terminals, cwd: AbsPath, line: str, within: float = LIMIT) -> tuple[str, Exit]:
    heard = Heard()
    ended = await terminals.run(Command(line, cwd, within), heard, ENDLESS)
    assert isinstance(ended, Exit)
    return heard.text, ended


async def leave(
    terminals: Terminals, cwd: AbsPath, line: str, patience: Patience = SHORT, says: str = ""
) -> tuple[str, Running]:
    """Run what outlasts `patience`, which is had again until this pattern was heard: on a busy machine it takes long."""
    heard = Heard()
    came_to = await _looked_after(
        terminals, await terminals.run(Command(line, cwd, LIMIT), heard, patience), heard, patience, says
    )
    assert isinstance(came_to, Running)
    return heard.text, came_to


async def attend(
    terminals: Terminals, job: str, keys: str = "", patience: Patience = ENDLESS, says: str = ""
) -> tuple[str, Exit | Running]:
    """Go on with a job until `patience` is over and this pattern was heard."""
    heard = Heard()
    came_to = await _looked_after(terminals, await terminals.attend(job, keys, heard, patience), heard, patience, says)
    return heard.text, came_to


async def _looked_after(
    terminals: Terminals, came_to: Exit | Running, heard: Heard, patience: Patience, says: str
) -> Exit | Running:
    while isinstance(came_to, Running) and not re.search(says, heard.text):
        came_to = await terminals.attend(came_to.job, "", heard, patience)
    return came_to


def outcome(ended: Exit | Running) -> Exit | Running:
    """Leave out what differs from run to run."""
    return replace(ended, seconds=0)


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
        ("cat < /dev/null; echo end of input", "end of input\n", 0, None),
        ("seq 3 | while read n; do echo $n$n; done", "11\n22\n33\n", 0, None),
        ("echo $(tty | cut -c1-5) $(stty size)", "/dev/ 40 160\n", 0, None),
        ("test -t 0 && test -t 1 && test -t 2 && echo terminal", "terminal\n", 0, None),
        ("foo-is-no-command", "bash: line 1: foo-is-no-command: command not found\n", 127, None),
        ("exec >&- 2>&-; sleep 0.02; exit 4", "", 4, None),
        ("cat <<END | tr a-z A-Z\none\ntwo\nEND\n", "ONE\nTWO\n", 0, None),
    ]
    for line, output, code, signal in cases:
        heard, ended = await run(terminals, cwd, line)
        heard = heard.replace("/usr/bin/bash: ", "bash: ").replace("/bin/bash: ", "bash: ")
        assert (line, heard, replace(ended, seconds=0)) == (
            line,
            output,
            Exit(code, signal, timed_out=False, seconds=0),
        )


async def _a_command_runs_where_it_is_told(terminals: Terminals, cwd: AbsPath) -> None:
    heard, _ = await run(terminals, cwd, "pwd -P")
    assert heard == real(cwd) + "\n"


async def _a_command_finds_what_the_last_one_left(terminals: Terminals, cwd: AbsPath) -> None:
    venv = "mkdir -p v/bin sub; echo 'VIRTUAL_ENV=$PWD/v; export VIRTUAL_ENV; PATH=$VIRTUAL_ENV/bin:$PATH; hash -r; deactivate() { unset VIRTUAL_ENV; }' > v/bin/activate"
    cases: list[tuple[str, str]] = [
        ("cd /", ""),
        ("pwd", "/\n"),
        (f"cd {cwd}; cd -", "/\n"),
        (f"cd '{cwd}'; mkdir 'a b'; cd 'a b'", ""),
        ('basename "$PWD"; cd ..', "a b\n"),
        ("export E=1 F='two words' G=$'line\\nline'; L=local; A=(x 'y z'); declare -A M=([k]=v)", ""),
        ('env | grep ^F=; echo "$G"; echo $E$L ${A[1]} ${M[k]}', "F=two words\nline\nline\n1local y z v\n"),
        (f"unset E {SEEN}", ""),
        (f'echo "[$E][${SEEN}]"; env | grep -c {SEEN}', "[][]\n0\n"),
        ("f() { echo f \"$1\"; }; export -f f; alias hi='echo hi from'", ""),
        ("f 1; hi there; bash -c 'f 2'", "f 1\nhi from there\nf 2\n"),
        ("unset -f f; unalias hi", ""),
        ("type f hi 2>/dev/null || echo gone", "gone\n"),
        ("umask 027; shopt -s globstar; set -o pipefail; set -f", ""),
        (
            "umask; shopt globstar | cut -f2; set -o | grep -E 'pipefail|noglob' | cut -f2; echo *",
            "0027\non\non\non\n*\n",
        ),
        ("set +f; shopt -u globstar; readonly R=5", ""),
        ("R=6; echo $R", "6\n"),
        (venv, ""),
        ("source v/bin/activate", ""),
        ("echo ${PATH%%:*}; cd sub", f"{real(cwd)}/v/bin\n"),
        ("deactivate; echo [$VIRTUAL_ENV]", "[]\n"),
        ("x=1; (x=2; cd /); echo $x", "1\n"),
        ("echo $x; pwd -P", f"1\n{real(cwd)}/sub\n"),
    ]
    for line, output in cases:
        heard, _ = await run(terminals, AbsPath(real(cwd)), line)
        assert (line, heard) == (line, output)


async def _nothing_that_a_command_does_spoils_the_shell(terminals: Terminals, cwd: AbsPath) -> None:
    await run(terminals, cwd, "cd /; x=kept")
    for line in (
        "x=lost; exit 3",
        "set -e; false; x=lost",
        "set -eu; echo $nowhere",
        "x=lost; kill -KILL $$",
        "x=lost; exec true",
        "if",
        "trap 'echo bye' EXIT; x=lost",
        "exec 0<&- 1>&- 2>&-",
    ):
        await run(terminals, cwd, line)
        # What came before the end counts, unless nobody could ask the shell any more.
        heard, ended = await run(terminals, cwd, "pwd; false; echo $nowhere$x; x=kept")
        assert (line, heard, ended.code) in [(line, "/\nkept\n", 0), (line, "/\nlost\n", 0)]


async def _a_folder_that_is_gone_is_said_once_and_left(terminals: Terminals, cwd: AbsPath) -> None:
    await run(terminals, cwd, "mkdir gone; cd gone; x=1; rmdir ../gone")
    with pytest.raises(FileNotFoundError):
        await run(terminals, cwd, "touch here")
    heard, _ = await run(terminals, cwd, "pwd -P; echo $x")
    assert heard == f"{real(cwd)}\n1\n"


async def _a_missing_directory_is_an_os_error(terminals: Terminals, cwd: AbsPath) -> None:
    with pytest.raises(FileNotFoundError):
        await run(terminals, AbsPath(f"{cwd}/missing"), "echo hi")


async def _what_is_hidden_is_not_in_the_environment(terminals: Terminals, cwd: AbsPath) -> None:
    heard, _ = await run(terminals, cwd, f'echo "[${HIDDEN}][${SEEN}]"; env | grep -c {HIDDEN}')
    assert heard == "[][shown]\n0\n"


async def _a_timeout_ends_the_tree_and_keeps_the_output(terminals: Terminals, cwd: AbsPath) -> None:
    heard = Heard()
    ended = await terminals.run(Command(f"{TREE}\nwait", cwd, 0.5), heard, ENDLESS)
    assert isinstance(ended, Exit)
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
        await terminals.run(Command(f"{TREE}\nwait", cwd, LIMIT), heard, ENDLESS)
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
        await terminals.run(Command("echo $$; setsid sleep 60; :", cwd, LIMIT), stuck, ENDLESS)
    assert len(pids) == 1
    assert still_alive(pids) == []


async def _a_sink_that_fails_ends_the_tree(terminals: Terminals, cwd: AbsPath) -> None:
    pids: list[int] = []

    async def failing(text: str) -> None:
        pids.extend(map(int, text.split()))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await terminals.run(Command("echo $$; sleep 60; :", cwd, LIMIT), failing, ENDLESS)
    assert still_alive(pids) == []


async def _what_is_left_running_lives_until_the_end(terminals: Terminals, cwd: AbsPath) -> None:
    line = f"{TREE}\nuntil [ -s ready ]; do sleep 0.01; ls > ready; done"
    heard, ended = await run(terminals, cwd, line)
    pids = [int(word) for word in heard.split()]
    assert ended.code == 0
    # The stubborn one has a child of its own.
    assert set(pids) <= set(ended.left_running)
    assert still_alive(pids) == pids
    await terminals.end()
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
        await terminals.run(Command("head -c 5000000 /dev/zero", cwd, LIMIT), slow, ENDLESS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 5_000_000
    assert peak < 2_000_000


async def _seconds_are_those_it_took(terminals: Terminals, cwd: AbsPath) -> None:
    before = time.monotonic()
    _, ended = await run(terminals, cwd, "sleep 0.05")
    assert 0.05 <= ended.seconds <= time.monotonic() - before


Case = Callable[[Terminals, AbsPath], Awaitable[None]]
CASES: dict[str, Case] = {
    case.__name__.strip("_"): case
    for case in (
        _says_and_ends,
        _a_command_runs_where_it_is_told,
        _a_command_finds_what_the_last_one_left,
        _nothing_that_a_command_does_spoils_the_shell,
        _a_folder_that_is_gone_is_said_once_and_left,
        _a_missing_directory_is_an_os_error,
        _what_is_hidden_is_not_in_the_environment,
        _a_timeout_ends_the_tree_and_keeps_the_output,
        _a_timeout_interrupts_a_flood,
        _cancelling_ends_the_tree,
        _cancelling_a_sink_that_is_stuck_ends_the_tree,
        _a_sink_that_fails_ends_the_tree,
        _what_is_left_running_lives_until_the_end,
        _what_is_left_running_may_go_on_printing,
        _commands_side_by_side_keep_to_themselves,
        _a_flood_waits_for_the_sink,
        _seconds_are_those_it_took,
    )
}
