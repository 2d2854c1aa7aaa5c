"""Commands on this machine: a shell each that goes on where the last one stopped, its whole tree ended.

What outlasts the patience of whoever runs it becomes a job, and is read by a thread until somebody looks.
Knows nothing of tools or of the model.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, assert_never
from uuid import uuid4

import anyio
import anyio.to_thread

from openhands_acp.engine.ports import Command, Exit, Job, Patience, Running, ShellChanged, Sink
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.jobs import Minder
from openhands_acp.local.output_log import OutputLog
from openhands_acp.local.processes import (
    Process,
    adopt_orphans,
    carries,
    children,
    descendants,
    end_tree,
    is_alive,
    look,
    reap_adopted,
    see_off,
)
from openhands_acp.local.watch import Watch

if sys.platform == "win32":
    from openhands_acp.local.shell_windows import Shell, ShellState, signal_name, start
else:
    from openhands_acp.local.shell import Shell, signal_name, start
    from openhands_acp.local.shell_state import ShellState

logger = logging.getLogger(__name__)

QUIET = 0.1
"""Seconds without output after which the sink is called with no text, so that a throttled view can catch up."""
LINGER = 0.05
"""Seconds to go on reading when the shell is gone but its output is still held open."""
KEYBOARD, REPLY = 2.0, 0.5
"""Seconds of silence after which a program that waits for the keyboard is believed; and after something was typed."""
_RETRY = 0.02
"""Seconds until a terminal that was full is offered the rest of what is typed."""
MARK = "OPENHANDS_TERMINAL"
"""Variable by which a process is known for a command's, wherever it went in the process tree."""

# Nobody reads pages or writes in an editor here, though there is a terminal. "dumb" keeps colours, redrawn
# screens and pagers' prompts out of what the model reads; most programs that cannot do without say so at once.
# An editor that does nothing leaves the message as it was, which git and others take for a no.
# CI is left alone: it changes what builds do, not only how they talk. So is NO_COLOR: on a dumb terminal
# few programs colour, and Node warns on every start where it meets FORCE_COLOR.
QUIETENED: Mapping[str, str] = {
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "SYSTEMD_PAGER": "cat",
    "EDITOR": "true",
    "VISUAL": "true",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PYTHONUNBUFFERED": "1",
}

_Outcome: TypeAlias = Literal["ended", "limit", "patience"]


@dataclass(slots=True)
class _Run:
    """One command, from its start until it is let go."""

    number: int
    line: str
    shell: Shell
    log: OutputLog
    state_file: str | None
    started: float
    """By `time.monotonic`, as all times here: a thread reads them too."""
    ends_at: float
    job: str = ""
    minder: Minder | None = None
    """Where nobody follows it."""
    ended_at: float | None = None
    timed_out: bool = False

    def seconds(self) -> float:
        ended_at = self.minder.ended_at if self.minder is not None else self.ended_at
        return (ended_at or time.monotonic()) - self.started


class LocalTerminals:
    """The `Terminals` of this machine."""

    def __init__(
        self,
        *,
        hide: frozenset[str] = frozenset(),
        spool: Path | None = None,
        environment: LoginEnvironment | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`hide` names variables that no command may see; long outputs go to `spool`; `watch` is over all that runs."""
        self._hide = hide
        self._spool = spool
        self._environment = environment
        self._state = ShellState()
        self._watch = watch
        self._marks: set[str] = set()
        self._left: set[Process] = set()
        self._adopts = False
        self._jobs: dict[str, _Run] = {}
        self._numbers = itertools.count(1)
        self._job_ids = itertools.count(1)

    @property
    def state(self) -> ShellState:
        """Of the shell: shared with whoever runs commands of the session elsewhere."""
        return self._state

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        """Run where the shell was left. When there has been no output for a while, `sink` is called with none.

        Raises OSError as the system does when the shell cannot start there, and ShellChanged.
        """
        self._tidy()
        inherited = await self._inherited()
        return await self._see_to(self._start(command, inherited), sink, patience, "")

    def redefined(self) -> Mapping[str, str]:
        self._tidy()
        return self._state.redefined()

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        run = self._jobs.pop(job, None)
        if run is None:
            raise LookupError(job)
        return await self._see_to(run, sink, patience, keys)

    def jobs(self) -> tuple[Job, ...]:
        return tuple(
            Job(run.job, run.line, run.seconds(), is_running=run.minder is None or run.minder.ended_at is None)
            for run in self._jobs.values()
        )

    async def end(self, job: str | None = None) -> None:
        """End a job; or all that runs or was left running, what came of it, and the state of the shell."""
        with anyio.CancelScope(shield=True):
            runs = [self._jobs.pop(each) for each in list(self._jobs) if job in (None, each)]
            async with anyio.create_task_group() as tasks:
                for run in runs:
                    tasks.start_soon(self._end_and_let_go, run)
            if job is not None:
                return
            ended = await end_tree(self._find_left)
            self._left |= ended
            if self._watch:
                self._watch.call_off()
        reap_adopted(self._left)
        self._left.clear()
        self._marks.clear()
        self._state.forget()

    # ---------------------------------------------------------------- one command

    async def _inherited(self) -> dict[str, str]:
        if self._environment is not None:
            return await self._environment.inherited(self._hide)
        return {name: value for name, value in os.environ.items() if name not in self._hide}

    def _start(self, command: Command, inherited: Mapping[str, str]) -> _Run:
        if command.redefined not in (None, self._state.redefined()):
            raise ShellChanged
        mark = uuid4().hex
        # An agent inside a command of an agent: its commands are known to both.
        own = {MARK: " ".join(filter(None, (os.environ.get(MARK), self._watch and self._watch.mark, mark)))}
        cwd = self._state.left.cwd if self._state.left is not None else command.cwd
        environment = {**inherited, **QUIETENED, **own, "PWD": cwd}
        number, started = next(self._numbers), time.monotonic()
        state_file = self._state_file(mark, environment, own)
        if self._watch:
            self._watch.begin()
        try:
            shell = start(command.line, cwd, environment, mark, self._state.shell)
        except OSError:
            if state_file is not None:
                os.unlink(state_file)
            if self._state.left is not None and not os.path.isdir(cwd):
                # It was removed. To run somewhere else instead could hit the wrong files: the next command begins anew.
                self._state.left = replace(self._state.left, cwd=command.cwd)
            raise
        log = OutputLog(self._spool / f"{number}-{mark[:8]}.txt" if self._spool is not None else None)
        return _Run(number, command.line, shell, log, state_file, started, started + command.limit)

    def _state_file(self, mark: str, environment: dict[str, str], own: Mapping[str, str]) -> str | None:
        try:
            path = self._state.begin(mark, environment, own)
        except OSError as error:
            logger.warning("the state of the shell cannot be kept: %s", error)
            return None
        environment.update(self._state.entrance(path))
        return path

    async def _see_to(self, run: _Run, sink: Sink, patience: Patience, keys: str) -> Exit | Running:
        outcome: _Outcome | None = None
        try:
            await _catch_up(run, sink)
            outcome = "ended" if run.ended_at is not None else await _follow(run, sink, patience, keys)
            match outcome:
                case "patience":
                    return self._leave(run)
                case "limit":
                    run.timed_out = True
                    await self._end(run)
                case "ended":
                    pass
                case _:
                    assert_never(outcome)
            run.ended_at = run.ended_at or time.monotonic()
            self._left |= await _drain(run, sink)
        except BaseException:
            await self._end_and_let_go(run)
            raise
        left = self._let_go(run, keep_reading=run.shell.is_open)
        return _exit(run, left)

    def _leave(self, run: _Run) -> Running:
        """Make it a job, or one again."""
        run.job = run.job or str(next(self._job_ids))
        run.log.begin()
        wants_input = run.shell.wants_input()
        run.minder = Minder(run.shell, run.log, run.ends_at, run.shell.end_in_thread)
        self._jobs[run.job] = run
        return Running(run.job, run.seconds(), wants_input, run.log.path)

    async def _end(self, run: _Run) -> None:
        with anyio.CancelScope(shield=True):
            await _stop_minding(run)
            ended = await run.shell.end()
            self._left |= ended

    async def _end_and_let_go(self, run: _Run) -> None:
        await self._end(run)
        self._let_go(run, keep_reading=False)

    def _let_go(self, run: _Run, *, keep_reading: bool) -> tuple[int, ...]:
        left = [process for process in run.shell.find() if process.pid != run.shell.process.pid]
        run.shell.release(keep_reading=keep_reading)
        run.log.close()
        self._take_state(run)
        self._left.update(left)
        reap_adopted(self._left)
        if not left:
            return ()
        self._marks.add(run.shell.mark)
        return tuple(sorted(abs(process.pid) for process in left))

    # ---------------------------------------------------------------- all of them

    def _take_state(self, run: _Run) -> None:
        if run.state_file is not None:
            self._state.take_up(run.state_file)
        run.state_file = None

    def _tidy(self) -> None:
        if not self._adopts:
            adopt_orphans()
            self._adopts = True
        for run in self._jobs.values():
            if run.minder is not None and run.minder.ended_at is not None and run.state_file is not None:
                self._take_state(run)
        reap_adopted(self._left)
        self._left = set(filter(is_alive, self._left))

    def _find_left(self) -> list[Process]:
        # Also what they started since, and what that left behind in turn.
        roots = [process.pid for process in self._left if is_alive(process)]
        roots += [child for child in children(os.getpid()) if carries(child, self._marks)]
        found = {look(pid) for root in roots for pid in (root, *descendants(root))}
        return [process for process in found if process is not None]


async def _stop_minding(run: _Run) -> None:
    """Take the command back from the thread that reads it."""
    minder = run.minder
    if minder is None:
        return
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(minder.stop)
    run.minder = None
    run.ended_at, run.timed_out = minder.ended_at, minder.timed_out


async def _catch_up(run: _Run, sink: Sink) -> None:
    """Pass on what came while nobody followed."""
    minder = run.minder
    await _stop_minding(run)
    for piece in minder.unread.take() if minder is not None else ():
        await sink(piece)


async def _follow(run: _Run, sink: Sink, patience: Patience, keys: str) -> _Outcome:
    """Pass on output until the shell ends, or its time or the patience is over."""
    shell, begun = run.shell, anyio.current_time()
    # The times to come never interrupt the sink, which may be in the middle of a piece.
    limit_at = begun + run.ends_at - time.monotonic()
    whole_at = begun + patience.whole
    heard_at, quiet_at = begun, math.inf
    believe = REPLY if keys else KEYBOARD
    look_at = begun + believe if patience.silence is not None else math.inf
    typed = keys.encode()
    while True:
        typed = _type(shell, typed, keys)
        silent_at = heard_at + patience.silence if patience.silence is not None else math.inf
        retry_at = anyio.current_time() + _RETRY if typed else math.inf
        ready = await shell.ready(min(limit_at, whole_at, silent_at, look_at, quiet_at, retry_at))
        now = anyio.current_time()
        if ready.output and now < limit_at:
            await _pass_on(run, sink)
            heard_at = anyio.current_time()
            quiet_at, look_at = heard_at + QUIET, heard_at + believe if patience.silence is not None else math.inf
            if anyio.current_time() < min(limit_at, whole_at):
                continue
        if ready.ended:
            return "ended"
        if now >= limit_at:
            return "limit"
        if now >= quiet_at:
            await sink("")
            quiet_at = math.inf
        if now >= min(whole_at, silent_at) or (now >= look_at and shell.wants_input()):
            if typed:
                await sink(f"\n[{len(typed)} bytes were not typed: the program does not read them]\n")
            return "patience"
        look_at = now + believe if now >= look_at else look_at


def _type(shell: Shell, data: bytes, keys: str) -> bytes:
    """Type what the terminal takes; returns the rest."""
    if not data:
        return data
    rest = data[shell.write(data) :]
    if len(data) == len(keys.encode()):
        shell.interrupt_if_asked(keys)
    return rest


async def _pass_on(run: _Run, sink: Sink) -> int:
    text, size = run.shell.read()
    if text:
        run.log.add(text)
        await sink(text)
    return size


async def _drain(run: _Run, sink: Sink) -> set[Process]:
    """Pass on all that was written before the shell ended, and what comes right after it.

    Returns the processes that it saw outlive the shell, if only for a moment.
    """
    shell = run.shell
    # Looked at first: whoever is dead by the next look, in a session of its own, cannot be told from a
    # child of somebody else here, and stays a zombie.
    seen = set(shell.find())
    shell.ignore_end()
    waiting = shell.bytes_waiting() if shell.is_open else 0
    while waiting > 0 and shell.is_open:
        waiting -= await _pass_on(run, sink)
    # A process substitution, or a server that fails to start, has its say a moment later.
    until = anyio.current_time() + LINGER
    while shell.is_open and anyio.current_time() < until:
        if (await shell.ready(until)).output:
            await _pass_on(run, sink)
    if shell.is_open and (text := shell.rest()):
        run.log.add(text)
        await sink(text)
    # Whoever closed the output last may be about to end: that is not left running.
    return seen | await see_off(shell.find, until)


def _exit(run: _Run, left: tuple[int, ...]) -> Exit:
    code = None if run.timed_out else run.shell.returncode
    if code is not None and code < 0:
        return Exit(None, signal_name(-code), run.timed_out, run.seconds(), left, run.log.kept)
    return Exit(code, None, run.timed_out, run.seconds(), left, run.log.kept)
