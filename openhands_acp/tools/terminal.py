"""The `terminal` tool: one command line, shown while it runs, reported with how it ended.

Knows nothing of processes: `hands.terminals` runs the command, after asking where it must.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openhands_acp.engine.events import Card, ShownCommand
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.bounds import Bounded, Cleaner
from openhands_acp.tools.define import define

DEFAULT_TIMEOUT = 120.0
LONGEST_TIMEOUT = 3600.0
PACE = 0.1
"""Seconds between two looks that the person gets at a running command."""
TITLE = 200

DESCRIPTION = """\
Run one shell command (bash) in the session's directory: tests, builds, git, package managers, searching, \
inspecting the system. To view or change files use file_editor, not cat, sed or echo.
- Each command gets a fresh shell: cd, exports and aliases are gone afterwards. Join what belongs together with && \
or write `cd sub && make`.
- Nobody can type: prompts read end-of-file. Pass flags such as --yes; avoid editors, pagers and watch modes.
- `timeout` is in seconds (default 120, at most 3600); then the command and all its children are ended. Give slow \
builds and tests more.
- Output is returned to 30,000 characters, beginning and end; narrow down with grep, head or a quiet flag, or \
redirect to a file. Screen control and overwritten progress lines are removed.
- For a server or watcher, end the command with & and send its output to a file you can read later: it runs on \
until the session ends. Stop it with kill.
- Quote paths with blanks. Ask before what cannot be undone."""


class TerminalArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    command: str = Field(description="The command line; may span lines.")
    timeout: float | None = Field(default=None, gt=0, description="Seconds, if not 120.")

    @field_validator("command")
    @classmethod
    def _is_something_to_run(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("is empty; write the command line to run")
        if "\0" in command:
            raise ValueError("contains a NUL character; no command can")
        return command


def terminal() -> Tool:
    return define(
        name="terminal",
        description=DESCRIPTION,
        args=TerminalArgs,
        run=_run,
        card=lambda args, _root: _card(args.command),
        announce=Card("Run a command", "execute"),
        sketch=_sketch,
        risky=True,
    )


def _card(command: str) -> Card:
    return Card(title=title(command), kind="execute", shown=(ShownCommand(command),))


def _sketch(partial: JsonObject, _root: AbsPath) -> Card | None:
    command = partial.get("command")
    return _card(command) if isinstance(command, str) and command.strip() else None


def title(command: str) -> str:
    """Put a command on one line by which a person knows it: its first that does something.

    Characters that do not print (they could hide the rest, or reverse it) are made visible.
    """
    lines = [line.strip() for line in command.strip().splitlines()]
    first = next((line for line in lines if line and not line.startswith("#")), lines[0] if lines else "")
    more = " …" if len(lines) > 1 else ""
    shown = "".join(char if char.isprintable() else "�" for char in first.replace("\t", " "))
    room = TITLE - len(more)
    if len(shown) > room:
        head = room * 2 // 3
        shown = f"{shown[:head]} … {shown[head + 3 - room :]}"
    return shown + more


async def _run(args: TerminalArgs, hands: Hands) -> ToolResult:
    timeout = min(args.timeout or DEFAULT_TIMEOUT, LONGEST_TIMEOUT)
    view = _View(args.command, hands)
    try:
        ended = await hands.terminals.run(Command(args.command, hands.root, timeout), view.take)
    except OSError as error:
        raise ToolError(_advice(error, hands.root)) from error
    await view.finish()
    output = view.kept.text()
    status = _status(ended, timeout)
    is_error = ended.code != 0
    return ToolResult(
        text="\n".join((output.removesuffix("\n") if output else "[no output]", *status)),
        shown=(ShownCommand(args.command, _for_the_person(view.shown(), status if ended.code != 0 else status[1:])),),
        raw_output={
            "exit_code": ended.code,
            "signal": ended.signal,
            "timed_out": ended.timed_out,
            "seconds": round(ended.seconds, 3),
            "output": output,
        },
        is_error=is_error,
    )


@dataclass(slots=True)
class _View:
    """One output, cleaned once and bounded twice: for the model, and for the card."""

    command: str
    hands: Hands
    kept: Bounded = field(default_factory=lambda: Bounded(10_000, 19_900))
    on_card: Bounded = field(default_factory=lambda: Bounded(1_500, 4_500))
    cleaner: Cleaner = field(default_factory=Cleaner)
    has_news: bool = False
    shown_at: float = float("-inf")

    async def take(self, text: str) -> None:
        """Take the next piece, which may be empty: nothing new for a while, so catch up."""
        self._add(self.cleaner.feed(text))
        self.has_news |= bool(text)
        if time.monotonic() - self.shown_at >= PACE:
            await self._show()

    async def finish(self) -> None:
        self._add(self.cleaner.finish())
        await self._show()

    def shown(self) -> str:
        return self.on_card.text() + self.cleaner.line

    def _add(self, text: str) -> None:
        self.kept.add(text)
        self.on_card.add(text)

    async def _show(self) -> None:
        if not self.has_news:
            return
        self.has_news = False
        await self.hands.progress(ShownCommand(self.command, self.shown()))
        # Counted from when the editor has taken it, so that a slow one is not sent more.
        self.shown_at = time.monotonic()


def _status(ended: Exit, timeout: float) -> list[str]:
    if ended.timed_out:
        how = f"[timed out after {timeout:g} s; the process and its children were ended]"
    elif ended.signal is not None:
        how = f"[ended by signal {ended.signal}]"
    else:
        how = f"[exit code {ended.code}]"
    left = ", ".join(map(str, ended.left_running))
    return [how, f"[still running in the background: pid {left}]"] if left else [how]


def _for_the_person(output: str, status: list[str]) -> str:
    glue = "\n" if output and status and not output.endswith("\n") else ""
    return output + glue + "\n".join(status)


def _advice(error: OSError, root: AbsPath) -> str:
    match error.errno:
        case errno.E2BIG:
            return "the command line is too long for the system; write it to a script with file_editor and run that"
        case errno.ENOENT | errno.ENOTDIR if error.filename == root:
            return f"the session's directory {root!r} is gone; nothing can run until it is there again: tell the person"
        case errno.EAGAIN | errno.ENOMEM | errno.EMFILE:
            return f"the system has no room for another process ({error.strerror}); end what still runs, then try again"
        case _:
            return f"the command could not be started in {root!r}: {error.strerror or error}; check that both exist"
