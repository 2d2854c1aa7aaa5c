"""Commands in the text of skills and own commands, `` !`git status` ``: run, with what they print in their place.

Each goes through hooks and the guard, as a call of its own that no model made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.cards import Card, ShownCommand
from openhands_acp.engine.context.retelling import clipped
from openhands_acp.engine.events import CallDelta, QuestionAnswered
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Patience, Running
from openhands_acp.engine.screen import Cleaner
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.tool import Hands, Rejected, ToolResult

_COMMAND = re.compile(r"!`([^`\n]+)`")
_LIMIT = 60.0
"""Seconds that such a command may take."""
_LONGEST = 20_000
"""Characters of its output that are put in its place."""


class Session(hooking.Caller, Protocol):
    pass


def commands_in(text: str) -> Sequence[str]:
    """Return the command lines in a text, each once."""
    return list(dict.fromkeys(_COMMAND.findall(text)))


def split(text: str) -> list[str]:
    """Return text and command lines by turns, text first and last."""
    return _COMMAND.split(text)


async def filled(session: Session, text: str) -> str:
    """Put what its commands print in their place, one after the other, each permitted as a call's would be.

    What the person does not permit, or fails, is said there. Raises Dismissed.
    """
    outputs = {line: await _output(session, line) for line in commands_in(text)}
    # In one go: what a command prints is not looked through again.
    return _COMMAND.sub(lambda found: outputs[found[1]], text)


@dataclass(slots=True)
class _Screen:
    """What a command printed, as a terminal leaves it."""

    cleaner: Cleaner = field(default_factory=Cleaner)
    settled: list[str] = field(default_factory=list[str])

    async def take(self, data: str) -> None:
        self.settled.append(self.cleaner.feed(data))

    def text(self) -> str:
        return clipped(("".join(self.settled) + self.cleaner.unsettled).strip(), _LONGEST)


async def _output(session: Session, line: str) -> str:
    card = Card(line, "other", (), (ShownCommand(line),))
    call_id = session.new_id()
    session.emit(CallDelta(call_id, "question", card))
    request = CallRequest(call_id, "", "terminal", "", {"command": line}, None, card, "UNKNOWN")
    said = "stopped"

    async def run(hands: Hands) -> ToolResult:
        return ToolResult(await _run(hands, session.root, line))

    try:
        said = (await hooking.called(session, request, run)).text
    except Rejected as no:
        said = f"(not run: {no.reason})"
    except OSError as error:
        said = f"(not run: {error.strerror or error})"
    finally:
        session.emit(QuestionAnswered(call_id, replace(card, shown=()), fenced(f"$ {line}\n{said}", "console")))
    return said


async def _run(hands: Hands, root: AbsPath, line: str) -> str:
    screen = _Screen()
    came_to = await hands.terminals.run(Command(line, root, _LIMIT), screen.take, Patience(None, _LIMIT))
    if isinstance(came_to, Running):
        await hands.terminals.end(came_to.job)
        return f"{screen.text()}\n(ended: it still ran after {_LIMIT:.0f} s)".strip()
    if came_to.code != 0:
        how = f"exit code {came_to.code}" if came_to.code is not None else came_to.signal or "ended"
        return f"{screen.text()}\n({how})".strip()
    return screen.text()
