"""The `terminal` tool: run a command, look at one that runs, type into it, end it; shown while it goes on.

Knows nothing of processes: `hands.terminals` runs the command, after asking where it must.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openhands_acp.engine.cards import Card, KeptOutput, ShownCommand, ShownText
from openhands_acp.engine.keys import keys_of
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Job, Patience, Running, Sink
from openhands_acp.engine.screen import Cleaner
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.bounds import Bounded
from openhands_acp.tools.define import RISK, define, of_characters, settled
from openhands_acp.tools.terminal_words import (
    DESCRIPTION,
    advice,
    how_it_ended,
    how_it_goes_on,
    listed,
    name_of,
    that_it_goes_on,
    title,
    title_of_input,
    title_of_look,
    title_of_reset,
    what_else_runs,
    what_is_left,
    where_it_is,
)
from openhands_acp.tools.undrawn import Undrawn

LIMIT = 3600.0
"""Seconds that a command may take, unless it is a server; and the most that can be asked for."""
PATIENCE = Patience(silence=30.0, whole=120.0)
START = Patience(silence=1.0, whole=10.0)
"""For what is started in the background: until it has said what it says first."""
PACE = 0.1
"""Seconds between two looks that the person gets at a running command."""


class TerminalArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    command: str = Field(default="", description="The command line, may span lines; or what to type; empty: look.")
    is_input: bool = Field(default=False, description="Type `command` into what runs.")
    timeout: float | None = Field(default=None, gt=0, description="Seconds.")
    reset: bool = Field(default=False, description="End `job`, or everything.")
    background: bool = Field(default=False, description="Start it as a job.")
    job: str | None = Field(default=None, description="Which job, if not the latest.")

    @field_validator("command")
    @classmethod
    def _can_be_run(cls, command: str) -> str:
        if "\0" in command:
            raise ValueError("contains a NUL character; no command can")
        return of_characters(command)

    @field_validator("job", mode="before")
    @classmethod
    def _as_text(cls, job: object) -> object:
        return str(job) if isinstance(job, int) else job

    @property
    def is_run(self) -> bool:
        return not self.is_input and bool(self.command.strip())


@dataclass(slots=True)
class _Known:
    """What the calls of one session know of its jobs, to name them before they can ask."""

    lines: dict[str, str] = field(default_factory=dict[str, str])
    latest: str | None = None

    def line(self, job: str | None) -> str | None:
        return self.lines.get(job or self.latest or "")


def terminal() -> Tool:
    known = _Known()
    return define(
        name="terminal",
        description=DESCRIPTION,
        args=TerminalArgs,
        run=lambda args, hands: _run(args, hands, known),
        card=lambda args, _root: _card(args, known),
        announce=Card("Run a command", "execute"),
        sketch=_sketch,
        risk=RISK,
    )


def _card(args: TerminalArgs, known: _Known) -> Card:
    if args.is_run:
        return _card_of_command(args.command)
    line = known.line(args.job)
    if args.reset:
        return Card(title_of_reset(line, args.job), "execute")
    if args.is_input:
        return Card(title_of_input(args.command, line, args.job), "execute")
    return Card(title_of_look(line, args.job), "execute")


def _card_of_command(command: str) -> Card:
    return Card(title=title(command), kind="execute", shown=(ShownCommand(command),))


def _sketch(partial: JsonObject, _root: AbsPath) -> Card | None:
    command = partial.get("command")
    if not isinstance(command, str) or not command.strip() or settled(partial).get("is_input"):
        return None
    return _card_of_command(command)


async def _run(args: TerminalArgs, hands: Hands, known: _Known) -> ToolResult:
    _refuse_what_contradicts_itself(args)
    try:
        if args.reset:
            ended = await _reset(args.job, hands)
            if not args.is_run:
                return ended
        if args.is_run:
            return await _run_command(args, hands, known)
        return await _attend(args, hands, known)
    except OSError as error:
        raise ToolError(advice(error, hands.root)) from error


def _refuse_what_contradicts_itself(args: TerminalArgs) -> None:
    if args.is_input and args.reset:
        raise ToolError("`reset` ends what `is_input` would type into; use one of them")
    if args.background and not args.is_run:
        raise ToolError("`background` starts a command line, and there is none; leave it out to look or to type")
    if args.is_run and args.job is not None:
        raise ToolError(
            "`job` goes with an empty command (look), with is_input=true (type) or with reset=true (end it); "
            "leave it out to run a new command line"
        )


async def _reset(job: str | None, hands: Hands) -> ToolResult:
    before = hands.terminals.jobs()
    ended = before if job is None else [_found(before, job)]
    await hands.terminals.end(job)
    after = what_else_runs(hands.terminals.jobs())
    said = f"[ended: {listed(ended)}]" if ended else "[nothing was running]"
    names = ", ".join(f"`{name_of(each.line)}`" for each in ended)
    return ToolResult(
        "\n".join([*([] if job else ["[a fresh shell]"]), said, *after]),
        shown=(ShownText(f"Ended {names}" if names else "Nothing was running"),),
    )


async def _run_command(args: TerminalArgs, hands: Hands, known: _Known) -> ToolResult:
    # A server is meant to run on: only the session's end is its limit.
    limit = min(args.timeout or (math.inf if args.background else LIMIT), math.inf if args.background else LIMIT)
    # Silence is no reason to come back then; a question is.
    patience = START if args.background else PATIENCE if args.timeout is None else Patience(limit, math.inf)
    command = Command(args.command, hands.root, limit)
    return await _followed(
        args.command, hands, known, limit, lambda sink: hands.terminals.run(command, sink, patience), is_new=True
    )


async def _attend(args: TerminalArgs, hands: Hands, known: _Known) -> ToolResult:
    jobs = hands.terminals.jobs()
    if not jobs:
        raise ToolError("nothing is running; write the command line to run")
    job = _found(jobs, args.job) if args.job is not None else jobs[-1]
    if args.is_input and not job.is_running:
        raise ToolError(f"nobody reads what is typed: {listed([job])}")
    keys = keys_of(args.command) if args.is_input else ""
    patience = PATIENCE if args.timeout is None else Patience(args.timeout, args.timeout)
    return await _followed(
        job.line, hands, known, LIMIT, lambda sink: hands.terminals.attend(job.id, keys, sink, patience), is_new=False
    )


def _found(jobs: tuple[Job, ...], job: str) -> Job:
    for each in jobs:
        if each.id == job:
            return each
    raise ToolError(f"there is no job {job!r}: {listed(jobs)}")


async def _followed(
    line: str,
    hands: Hands,
    known: _Known,
    limit: float,
    follow: Callable[[Sink], Awaitable[Exit | Running]],
    *,
    is_new: bool,
) -> ToolResult:
    view = _View(line, hands)
    came_to = await follow(view.take)
    await view.finish()
    output = view.kept.text()
    if isinstance(came_to, Running):
        known.lines[came_to.job], known.latest = line, came_to.job
        status = [how_it_goes_on(came_to, is_new=is_new)]
        for_the_person = [that_it_goes_on(came_to)]
        others = what_else_runs(hands.terminals.jobs(), but=came_to.job)
    else:
        status = [how_it_ended(came_to, limit), *what_is_left(came_to)]
        for_the_person = status if came_to.code != 0 else status[1:]
        others = what_else_runs(hands.terminals.jobs())
    await view.end(for_the_person if isinstance(came_to, Running) or came_to.code is None else what_is_left(came_to))
    kept = _kept(came_to)
    said = (*status, *where_it_is(kept), *others)
    return ToolResult(
        text="\n".join((output.removesuffix("\n") if output else "[no output]", *said)),
        shown=(ShownCommand(line, _with_status(view.shown(), for_the_person)),),
        raw_output=_raw(came_to, output, kept),
        is_error=isinstance(came_to, Exit) and came_to.code != 0,
        output=kept,
    )


def _kept(came_to: Exit | Running) -> KeptOutput | None:
    if isinstance(came_to, Exit):
        return came_to.log
    return None if came_to.log is None else KeptOutput(came_to.log)


def _raw(came_to: Exit | Running, output: str, kept: KeptOutput | None) -> JsonObject:
    log: JsonObject = {} if kept is None else {"log": kept.path}
    if isinstance(came_to, Running):
        standing: JsonObject = {"exit_code": None, "signal": None, "timed_out": False, "job": came_to.job}
    else:
        standing = {"exit_code": came_to.code, "signal": came_to.signal, "timed_out": came_to.timed_out}
    return {**standing, "seconds": round(came_to.seconds, 3), "output": output, **log}


@dataclass(slots=True)
class _View:
    """One output, cleaned once and bounded twice: for the model, and for the card. And raw for a terminal."""

    command: str
    hands: Hands
    kept: Bounded = field(default_factory=lambda: Bounded(7_000, 12_900))
    on_card: Bounded = field(default_factory=lambda: Bounded(1_500, 4_500))
    cleaner: Cleaner = field(default_factory=Cleaner)
    undrawn: Undrawn = field(default_factory=Undrawn)
    has_news: bool = False
    shown_at: float = field(default_factory=time.monotonic)
    """Begins with the start: what is over at once is shown once."""

    async def take(self, text: str) -> None:
        """Take the next piece, which may be empty: nothing new for a while, so catch up."""
        self.undrawn.add(text)
        self._add(self.cleaner.feed(text))
        self.has_news |= bool(text)
        if not text or time.monotonic() - self.shown_at >= PACE:
            await self._show()

    async def finish(self) -> None:
        self._add(self.cleaner.finish())
        await self._show()

    async def end(self, status: list[str]) -> None:
        """Have a terminal that is drawn say how it ended, where its exit code does not."""
        if status:
            await self.hands.output("\n".join(("\x1b[0m", *status, "")))

    def shown(self) -> str:
        bounded = self.on_card.copy()
        bounded.add(self.cleaner.unsettled)
        return bounded.text()

    def _add(self, text: str) -> None:
        self.kept.add(text)
        self.on_card.add(text)

    async def _show(self) -> None:
        if not self.has_news:
            return
        self.has_news = False
        await self.hands.progress(ShownCommand(self.command, self.shown()))
        await self.hands.output(self.undrawn.take())
        # Counted from when the editor has taken it, so that a slow one is not sent more.
        self.shown_at = time.monotonic()


def _with_status(output: str, status: list[str]) -> str:
    glue = "\n" if output and status and not output.endswith("\n") else ""
    return output + glue + "\n".join(status)
