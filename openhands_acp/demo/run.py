"""The course of the demo: a project, a turn in it, and the proof that the turn did what was asked."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import anyio
import anyio.to_thread
from rich.console import Console
from rich.text import Text

from openhands_acp import display
from openhands_acp.demo.client import Broken, Ended, Interrupted, Launch, Outcome, converse
from openhands_acp.demo.repository import Repository, repository
from openhands_acp.demo.screen import Screen, recorder
from openhands_acp.llm.scripted import MODEL, task

_FRAME = 0.08
"""Seconds between two looks at what is going on."""
_WIDEST = 100
"""Columns: longer lines are hard to read."""
_FONT_FACE = re.compile(r"\s*@font-face\s*\{.*?\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Options:
    model: str | None = None
    """None: the script."""
    says_yes: bool = False
    keep: bool = False
    wire_file: Path | None = None
    svg_file: Path | None = None


async def run(options: Options) -> int:
    """Show everything; return the exit code."""
    recording = recorder() if options.svg_file else None
    console = Console(highlight=False)
    console.width = min(console.width, _WIDEST)
    screen = Screen(console, says_yes=options.says_yes, recorder=recording)
    with repository(keep=options.keep) as project, _interrupts() as interrupted:
        screen.say(_opening(project, options))
        outcome = await _watched(screen, _launch(project, options), interrupted)
        code = await _verified(screen, project, outcome)
        if options.keep:
            screen.say(Text.assemble(("\nKept: ", "dim"), str(project.folder)))
    if options.wire_file:
        screen.say(Text.assemble(("\nJSON-RPC lines: ", "dim"), str(options.wire_file)))
    if recording is not None and options.svg_file is not None:
        # Without the fonts that Rich would have a reader's browser fetch from elsewhere.
        svg = _FONT_FACE.sub("", recording.export_svg(title="openhands-acp demo"))
        options.svg_file.write_text(svg, encoding="utf-8", newline="\n")
    return code


async def _watched(screen: Screen, launch: Launch, interrupted: anyio.Event) -> Outcome:
    outcome: Outcome | None = None
    with screen:
        async with anyio.create_task_group() as tasks:

            async def draw() -> None:
                while True:
                    screen.refresh()
                    await anyio.sleep(_FRAME)

            tasks.start_soon(draw)
            outcome = await converse(launch, screen, interrupted)
            tasks.cancel_scope.cancel()
    return outcome or Interrupted()


async def _verified(screen: Screen, project: Repository, outcome: Outcome) -> int:
    match outcome:
        case Interrupted():
            screen.say(Text("\nStopped.", "yellow"))
            return 130
        case Broken(reason, log):
            console = Console(stderr=True, highlight=False)
            console.print(Text(f"\nThe demo could not go on: {display.plain(reason)}", "red"))
            if log:
                console.print(Text(f"The last that the server logged:\n{display.plain(log)}", "dim"))
            return 1
        case Ended(stop_reason):
            if screen.usage:
                screen.say(Text.assemble(("\nUsage ", "dim"), screen.usage))
            if stop_reason != "end_turn":
                screen.say(Text(f"The turn ended early: {stop_reason}.", "yellow"))
            return await _checked(screen, project)
        case _:
            assert_never(outcome)


async def _checked(screen: Screen, project: Repository) -> int:
    screen.say(Text.assemble("\nChecked once more, without the agent: ", (project.test_command, "bold")))
    verdict = await anyio.to_thread.run_sync(project.check)
    output = "\n".join(display.bounded(verdict.output.splitlines(), 6, is_tail=True))
    changes = project.changes()
    for text in (output, changes):
        if text:
            screen.say(display.indented(Text(display.plain(text), "dim")))
    if verdict.tests_were_changed:
        screen.say(Text("The agent had changed the tests; these are the original ones.", "yellow"))
    if verdict.passes:
        screen.say(Text("✓ The tests pass: the program is repaired.", "bold green"))
        return 0
    untouched = " Nothing was changed." if project.is_untouched() else ""
    screen.say(Text(f"✗ The tests fail: the program is not repaired.{untouched}", "bold red"))
    return 1


def _opening(project: Repository, options: Options) -> Text:
    real = "The server, its tools, the files and the tests are real."
    honest = (
        f"Model {options.model}, with your own settings. {real}"
        if options.model not in (None, MODEL)
        else f"Only the model is a script, which needs no key and no network. {real}"
    )
    git = "" if project.has_git else "Without git, which is missing here or does not work.\n"
    return Text.assemble(
        ("openhands-acp demo\n", "bold"),
        (f"{honest}\n{git}", "dim"),
        ("A throw-away project: ", "dim"),
        f"{project.folder}\n\n",
        ("> ", "bold magenta"),
        (task(project.test_command), "magenta"),
    )


def _launch(project: Repository, options: Options) -> Launch:
    model = options.model or MODEL
    command = [sys.executable, "-m", "openhands_acp", "acp", "--model", model]
    if options.wire_file:
        command += ["--wire", str(options.wire_file.absolute())]
    environ: Mapping[str, str] = os.environ
    if model == MODEL:
        # The script needs nobody's settings, and leaves nothing behind.
        environ = {**environ, "OPENHANDS_PERSISTENCE_DIR": str(project.scratch)}
    return Launch(command, environ, project.folder, task(project.test_command))


@contextmanager
def _interrupts() -> Generator[anyio.Event]:
    """Turn Ctrl-C into an event. Not `open_signal_receiver`, which Windows has not."""
    event, loop = anyio.Event(), asyncio.get_running_loop()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: loop.call_soon_threadsafe(event.set))
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
