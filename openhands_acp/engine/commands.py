"""Slash commands that need no model: one table, looked up by the first word of a prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from openhands_acp.engine import undo, undo_commands
from openhands_acp.engine.titles import cleaned


class Conversation(undo.Session, Protocol):
    """What a command may know of the session it is typed in."""

    @property
    def mode(self) -> str: ...

    @property
    def model(self) -> str: ...

    def set_option(self, key: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SlashCommand:
    name: str
    description: str
    run: Callable[[Conversation, str], Awaitable[str]]
    """Takes what was typed after the name; returns Markdown for the chat. Raises Dismissed to stop the turn."""
    hint: str | None = None
    """What may be typed after the name."""


def find(prompt: str) -> tuple[SlashCommand, str] | None:
    """Return the command that `prompt` calls and its argument. Anything else that begins with a slash is text."""
    first, _, rest = prompt.strip().partition(" ")
    command = _BY_NAME.get(first[1:]) if first.startswith("/") else None
    return (command, rest.strip()) if command else None


async def _help(session: Conversation, _argument: str) -> str:
    lines = [f"- `/{command.name}` {command.description}" for command in COMMANDS]
    return "\n".join(
        [
            "**Commands**",
            *lines,
            "",
            f"Model `{session.model}`, mode `{session.mode}`, working in `{session.root}`.",
            "Modes: `always-ask` asks before every change and command, `accept-edits` lets edits inside the project "
            "through, `llm-approve` asks when the model itself calls an action risky, `always-approve` never asks, "
            "`plan` only reads.",
        ]
    )


async def _title(session: Conversation, argument: str) -> str:
    title = cleaned(argument)
    if not title:
        return "Write the title after the command: `/title TEXT`."
    session.set_option("title", title)
    return f"This session is now called **{title}**."


COMMANDS = (
    SlashCommand("help", "List the commands, the modes and this session's settings", _help),
    SlashCommand("title", "Name this session", _title, hint="TEXT"),
    SlashCommand("undo", "Take back what the last turn did to the files, commands included", undo_commands.undo),
    SlashCommand("redo", "Take back the last undo", undo_commands.redo),
    SlashCommand("diff", "Show all that this session changed in files", undo_commands.diff),
    SlashCommand("checkpoints", "List the states of the files to which you can go", undo_commands.checkpoints),
    SlashCommand("restore", "Bring the files back to a checkpoint", undo_commands.restore, hint="NUMBER"),
)
_BY_NAME = {command.name: command for command in COMMANDS}
