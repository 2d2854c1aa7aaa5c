"""The table of slash commands: what they are called, looked up by the first word of a prompt.

Light, because it is told with each new session; what they do is in `command_bodies`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlashCommand:
    name: str
    description: str
    hint: str | None = None
    """What may be typed after the name."""


COMMANDS = (
    SlashCommand("help", "List the commands, the modes and this session's settings"),
    SlashCommand("title", "Name this session", hint="TEXT"),
    SlashCommand("model", "List the models, or choose another", hint="NAME"),
    SlashCommand("cost", "Show what this session's models used and cost"),
    SlashCommand("context", "Show what fills the model's window"),
    SlashCommand("compact", "Have older parts of the conversation summed up now", hint="WHAT MATTERS"),
    SlashCommand("ask", "Ask something aside, which leaves no trace in the conversation", hint="QUESTION"),
    SlashCommand("goal", "Work until a goal is reached, judged after each of at most 10 rounds", hint="TEXT"),
    SlashCommand("undo", "Take back what the last turn did to the files, commands included"),
    SlashCommand("redo", "Take back the last undo"),
    SlashCommand("diff", "Show all that this session changed in files"),
    SlashCommand("checkpoints", "List the states of the files to which you can go"),
    SlashCommand("restore", "Bring the files back to a checkpoint", hint="NUMBER"),
)
_BY_NAME = {command.name: command for command in COMMANDS}


def find(prompt: str) -> tuple[SlashCommand, str] | None:
    """Return the command that `prompt` calls and its argument. Anything else that begins with a slash is text."""
    first, _, rest = prompt.strip().partition(" ")
    command = _BY_NAME.get(first[1:]) if first.startswith("/") else None
    return (command, rest.strip()) if command else None
