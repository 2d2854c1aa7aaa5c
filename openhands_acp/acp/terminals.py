"""The client's terminals as `Terminals`: commands run where the person sees them, spoken as requests.

Rules of this file: a terminal is named in its call's content before it is waited for, read after its end,
and released after that, whatever happens meanwhile (peers.md, "Client terminal"). What asks a client to
clean up is bounded, and its errors are nobody's. A client that makes no terminal has not run anything yet:
then the command runs locally.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import anyio

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.keys import INTERRUPT
from openhands_acp.engine.ports import Command, Exit, Job, Patience, Running, Sink, Spelt, Terminals
from openhands_acp.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

Ask: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Sends one request to the client. Raises RemoteError."""
Spell: TypeAlias = Callable[[Command], Spelt]

LIMIT = 256 * 1024
"""Bytes of output that the client keeps of each command: every look at it gets them all."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two looks at a running command, growing from the one to the other."""
_PATIENCE = 10.0
"""Seconds for the client to make a terminal, or to tell what is in it."""
_LAST = 2.0
"""Seconds for the client to end what is not wanted any more."""
_NOT_TOLD = "[the editor did not tell what came then]\n"
_LEFT_OUT = "[… the editor kept no more of what came before …]\n"


@dataclass(slots=True)
class _Terminal:
    """One command in a terminal of the client."""

    id: str
    line: str
    started: float
    ends_at: float
    ended: Callable[[str], KeptOutput | None]
    given: str = ""
    """Its output as it was last told to a sink."""
    status: Mapping[str, Any] | None = None
    """How the command ended; None while it runs."""
    is_lost: bool = False
    """The client knows nothing of it any more."""
    over: anyio.Event = field(default_factory=anyio.Event)

    def seconds(self) -> float:
        return anyio.current_time() - self.started


@dataclass(slots=True)
class ClientTerminals:
    """`Terminals` of the client, and `local` ones for when it fails. The shell's state is `spell`'s to carry."""

    session_id: str
    ask: Ask
    local: Terminals
    spell: Spell
    _jobs: dict[str, _Terminal] = field(default_factory=dict[str, _Terminal])
    _count: int = 0
    _is_given_up: bool = False
    """It once took too long to make a terminal: no other command waits for that."""

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        await self._look_at_jobs()
        terminal = None if self._is_given_up else await self._open(command)
        if terminal is None:
            return await self.local.run(command, sink, patience)
        return await self._follow(terminal, sink, patience, lambda: command.placed(terminal.id))

    def redefined(self) -> Mapping[str, str]:
        # One shell, wherever it runs: `spell` and `local` share its state.
        return self.local.redefined()

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        """Follow a job; the protocol has no way to type into it, but for ending it."""
        terminal = self._jobs.get(job)
        if terminal is None:
            return await self.local.attend(job, keys, sink, patience)
        if keys not in ("", INTERRUPT):
            raise OSError(errno.ENOTSUP, f"job {job} runs in the editor's terminal, where only the person can type")
        if keys:
            await self._say("terminal/kill", terminal.id)
        return await self._follow(terminal, sink, patience, lambda: None)

    def jobs(self) -> tuple[Job, ...]:
        ours = (
            Job(job, terminal.line, terminal.seconds(), is_running=terminal.status is None)
            for job, terminal in self._jobs.items()
        )
        return (*ours, *self.local.jobs())

    async def end(self, job: str | None = None) -> None:
        ours = [job] if job in self._jobs else [] if job is not None else list(self._jobs)
        # All at once forgotten: nobody is to find one that is being ended.
        terminals = [self._jobs.pop(each) for each in ours]
        with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST):
            for terminal in terminals:
                terminal.ended(terminal.given)
                await self._discard(terminal.id)
        if not ours or job is None:
            await self.local.end(job)

    async def _look_at_jobs(self) -> None:
        """Learn what nobody followed: which have ended, and which should have."""
        for job, terminal in list(self._jobs.items()):
            if terminal.ends_at <= anyio.current_time():
                await self.end(job)
            elif terminal.status is None:
                with anyio.move_on_after(_LAST):
                    await self._look(terminal)
                if terminal.status is not None:
                    # The state that it left, if it was the last to begin; its output is for who attends it.
                    terminal.ended("")

    # ---------------------------------------------------------------- making one

    async def _open(self, command: Command) -> _Terminal | None:
        spelt = self.spell(command)
        params = {
            "command": spelt.line,
            "cwd": spelt.cwd,
            "env": [{"name": name, "value": value} for name, value in spelt.variables.items()],
            "outputByteLimit": LIMIT,
        }
        started = anyio.current_time()
        made: list[str] = []
        is_wanted = False
        try:
            await self._make(params, made)
            is_wanted = True
        finally:
            if not is_wanted:
                spelt.ended("")
            if made and not is_wanted:
                with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST):
                    await self._discard(made[0])
        if not made:
            spelt.ended("")
            return None
        return _Terminal(made[0], command.line, started, started + command.limit, spelt.ended)

    async def _make(self, params: dict[str, Any], made: list[str]) -> None:
        # Its name must not be lost to a cancellation, for the command would run on: the request is
        # shielded, and what a cancellation does is to give it little time.
        asking = anyio.CancelScope(shield=True, deadline=anyio.current_time() + _PATIENCE)
        answered = anyio.Event()

        async def create() -> None:
            with asking:
                made.extend(await self._created(params))
            answered.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create)
            try:
                await answered.wait()
            except anyio.get_cancelled_exc_class():
                asking.deadline = min(asking.deadline, anyio.current_time() + _LAST)
                raise
        if asking.cancelled_caught:
            self._is_given_up = True
            logger.warning("terminal/create: no answer within %s s; commands run without the editor", _PATIENCE)

    async def _created(self, params: dict[str, Any]) -> list[str]:
        try:
            answer = _members(await self.ask("terminal/create", {"sessionId": self.session_id, **params}))
        except RemoteError as error:
            logger.warning("terminal/create: %s; the command runs without the editor", error)
            return []
        terminal_id = answer.get("terminalId")
        if not isinstance(terminal_id, str):
            logger.warning("terminal/create: the answer names no terminal; the command runs without the editor")
            return []
        return [terminal_id]

    # ---------------------------------------------------------------- following one

    async def _follow(
        self, terminal: _Terminal, sink: Sink, patience: Patience, begin: Callable[[], None]
    ) -> Exit | Running:
        is_settled = False
        try:
            begin()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._wait, terminal)
                    await self._watch(terminal, sink, patience)
                    tasks.cancel_scope.cancel()
            except ExceptionGroup as group:
                # One alone fails here, the sink: whose error that is wants to see it bare.
                raise group.exceptions[0] from None
            if terminal.status is None and not terminal.is_lost and anyio.current_time() < terminal.ends_at:
                is_settled = True
                return self._left(terminal)
            ended = await self._ended(terminal, sink)
            is_settled = True
            return ended
        finally:
            if not is_settled:
                self._forget(terminal)
                terminal.ended(terminal.given)
                with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST):
                    await self._discard(terminal.id)

    async def _wait(self, terminal: _Terminal) -> None:
        if terminal.status is not None:
            return
        try:
            terminal.status = _members(await self.ask("terminal/wait_for_exit", self._of(terminal.id)))
            terminal.over.set()
        except RemoteError as error:
            # The looks at its output see the end as well.
            logger.info("terminal/wait_for_exit: %s", error)

    async def _watch(self, terminal: _Terminal, sink: Sink, patience: Patience) -> None:
        """Give out what comes until the end, or until `patience` or the command's time is over."""
        now = heard_at = anyio.current_time()
        until = min(now + patience.whole, terminal.ends_at)
        pause, seen = FIRST_PAUSE, ""
        while terminal.status is None and not terminal.is_lost and now < until:
            silent_at = until if patience.silence is None else heard_at + patience.silence
            if now >= silent_at:
                return
            with anyio.CancelScope(deadline=min(now + pause, until, silent_at)):
                await terminal.over.wait()
                return
            output = await self._look(terminal)
            now, pause = anyio.current_time(), min(pause * 1.5, LONGEST_PAUSE)
            if output is not None and output != seen:
                seen, heard_at = output, now
                if output.startswith(terminal.given):
                    await self._give(terminal, output, sink)

    async def _ended(self, terminal: _Terminal, sink: Sink) -> Exit:
        """Tell the rest of a command that is over, or whose time is, and give its terminal back."""
        is_late = terminal.status is None and not terminal.is_lost
        if is_late:
            with anyio.move_on_after(_LAST):
                await self._say("terminal/kill", terminal.id)
                await self._wait(terminal)
        seconds = terminal.seconds()
        output = await self._look(terminal)
        # Asked again: it is the last chance to know what the command said.
        output = output if output is not None else await self._look(terminal)
        await self._give(terminal, output if output is not None else terminal.given + _NOT_TOLD, sink)
        if terminal.is_lost:
            raise OSError(errno.EIO, "the editor closed the terminal that the command ran in")
        self._forget(terminal)
        log = terminal.ended(terminal.given)
        with anyio.move_on_after(_LAST):
            await self._say("terminal/release", terminal.id)
        code, signal = (None, None) if is_late else _how(terminal.status or {})
        return Exit(code, signal, is_late, seconds, log=log)

    async def _look(self, terminal: _Terminal) -> str | None:
        """Return what the client has of the output, if it tells; note if it says that the command has ended."""
        with anyio.move_on_after(_PATIENCE):
            try:
                answer = _members(await self.ask("terminal/output", self._of(terminal.id)))
            except RemoteError as error:
                logger.info("terminal/output: %s", error)
                terminal.is_lost = terminal.status is None
                return None
            status = answer.get("exitStatus")
            if isinstance(status, dict) and terminal.status is None:
                terminal.status = _members(cast("object", status))
            output = str(answer.get("output", ""))
            return _LEFT_OUT + output if answer.get("truncated") is True else output
        return None

    async def _give(self, terminal: _Terminal, output: str, sink: Sink) -> None:
        fresh, terminal.given = news(terminal.given, output), output
        if fresh:
            await sink(fresh)

    def _left(self, terminal: _Terminal) -> Running:
        found = [job for job, each in self._jobs.items() if each is terminal]
        if not found:
            self._count += 1
            found = [f"e{self._count}"]
            self._jobs[found[0]] = terminal
        return Running(found[0], terminal.seconds(), wants_input=False)

    def _forget(self, terminal: _Terminal) -> None:
        self._jobs = {job: each for job, each in self._jobs.items() if each is not terminal}

    # ---------------------------------------------------------------- the client

    async def _discard(self, terminal_id: str) -> None:
        # Both: some clients cannot kill, and some only forget what they release.
        await self._say("terminal/kill", terminal_id)
        await self._say("terminal/release", terminal_id)

    async def _say(self, method: str, terminal_id: str) -> None:
        try:
            await self.ask(method, self._of(terminal_id))
        except RemoteError as error:
            logger.info("%s: %s", method, error)

    def _of(self, terminal_id: str) -> dict[str, Any]:
        return {"sessionId": self.session_id, "terminalId": terminal_id}


def news(given: str, output: str) -> str:
    """Return what of `output` was not given out before.

    It may have lost its beginning, or be a screen of which parts were drawn anew: then it is what
    follows the line that was given last, or all from the first line that is another.
    """
    if output.startswith(given):
        return output[len(given) :]
    if output.startswith(_LEFT_OUT):
        last = given.rstrip("\n").rpartition("\n")[2]
        at = output.rfind(f"\n{last}\n") if last else -1
        return output[at + len(last) + 2 :] if at >= 0 else output
    differ = (at for at, (old, new) in enumerate(zip(given, output, strict=False)) if old != new)
    same = next(differ, min(len(given), len(output)))
    return output[output.rfind("\n", 0, same) + 1 :]


def _how(status: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Return exit code and signal."""
    code, signal = status.get("exitCode"), status.get("signal")
    is_code = isinstance(code, int) and not isinstance(code, bool)
    # No code is not 0: nobody knows how it ended then.
    return code if is_code else None, str(signal) if signal else None


def _members(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
