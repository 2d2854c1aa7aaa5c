"""The table of slash commands that are always there, and what a prompt that begins with a slash calls.

Light, because it is told with each new session; what they do is in `bodies`. What people and servers bring
along besides is in `expansions`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from openhands_acp.engine.messages import Text


@dataclass(frozen=True, slots=True)
class SlashCommand:
    name: str
    description: str
    hint: str | None = None
    """What may be typed after the name."""
    is_work: bool = False
    """It becomes a prompt for the model, with what is attached to it; others take nothing but text."""


COMMANDS = (
    SlashCommand("help", "List the commands, the modes and this session's settings"),
    SlashCommand("title", "Name this session", hint="TEXT"),
    SlashCommand("model", "List the models, or choose another", hint="NAME"),
    SlashCommand("mode", "List the modes, or choose another", hint="NAME"),
    SlashCommand("confirm", "The same as /mode", hint="always-ask | llm-approve | always-approve"),
    SlashCommand("permissions", "List what you allowed for good, or take it back", hint="revoke NUMBER"),
    SlashCommand("status", "Show what this session is, and what counts in it"),
    SlashCommand("cost", "Show what this session's models used and cost"),
    SlashCommand("context", "Show what fills the model's window"),
    SlashCommand("mcp", "Show the MCP servers and their tools, or connect them anew", hint="[retry] NAME"),
    SlashCommand("skills", "List the skills and rules that count here, and where they are from"),
    SlashCommand("agents", "List the sub-agents that the agent can hand work to"),
    SlashCommand("compact", "Have older parts of the conversation summed up now", hint="WHAT MATTERS"),
    SlashCommand("clear", "Have the model forget what was said; you keep seeing it"),
    SlashCommand("rewind", "Take the conversation back to before a prompt, or list the prompts", hint="NUMBER"),
    SlashCommand("ask", "Ask something aside, which leaves no trace in the conversation", hint="QUESTION"),
    SlashCommand("goal", "Work until a goal is reached, judged after each of at most 10 rounds", hint="TEXT"),
    SlashCommand("init", "Write an AGENTS.md for this project, or bring it up to date", "WHAT MATTERS", is_work=True),
    SlashCommand("review", "Review the changes in the working tree", "WHAT MATTERS", is_work=True),
    SlashCommand("undo", "Take back what the last turn did to the files, commands included"),
    SlashCommand("redo", "Take back the last undo"),
    SlashCommand("diff", "Show all that this session changed in files"),
    SlashCommand("checkpoints", "List the states of the files to which you can go"),
    SlashCommand("restore", "Bring the files back to a checkpoint", hint="NUMBER"),
    SlashCommand("fork", "Keep what was said so far as a session of its own", hint="TITLE"),
    SlashCommand("export", "Write this session to a file: .html, .json or .zip", hint="FILE"),
    SlashCommand("doctor", "Look over the installation and what this session was given"),
)
ALWAYS_THERE = frozenset(command.name for command in COMMANDS)
"""Names that nobody else's commands can have."""
_NAME = re.compile(r"[A-Za-z][\w-]{0,63}(:[\w.-]{1,64})*")
_LIKELY = 0.8
"""How much a name must look like a command's to be taken for it, whatever stands behind it."""
_FOLDERS = frozenset(
    "bin boot dev etc home lib lib64 mnt nix opt proc root sbin srv sys tmp usr users var volumes".split()
)
"""What begins with a slash on everybody's disk, and is hardly ever called like a command."""
_GOES_ON = frozenset(
    "is isn't are aren't was were be has have had does doesn't did can can't cannot could should shouldn't must will "
    "won't would may might still never always and or but which that when returns return answers gives fails throws "
    "works crashes hangs responds needs seems looks takes endpoint route".split()
)
"""Words with which a sentence about an address or a path goes on, and an argument hardly ever begins."""


def called(prompt: str) -> tuple[str, str] | None:
    """Split what begins with a slash into the name that it calls, if it is one, and its argument."""
    words = prompt.strip().split(maxsplit=1)
    if not words or not words[0].startswith("/"):
        return None
    return words[0][1:], words[1] if len(words) > 1 else ""


def is_call(prompt: Sequence[object], commands: Collection[SlashCommand]) -> bool:
    """Tell whether a prompt calls a command, or was meant to. With something attached it calls only what takes that."""
    call = called(prompt[0].text) if prompt and isinstance(prompt[0], Text) else None
    if call is None or not isinstance(prompt[0], Text):
        return False
    command = next((command for command in commands if command.name == call[0]), None)
    if len(prompt) > 1:
        return command is not None and command.is_work
    return command is not None or reads_like_a_call(prompt[0].text, commands)


def nearest(typed: str, names: Sequence[str]) -> list[str]:
    """Return the names that somebody may have meant."""
    typed = typed.casefold()
    begin = [each for each in names if typed and each.casefold().startswith(typed)]
    ends = [each for each in names if ":" in each and each.rpartition(":")[2].casefold() == typed]
    return list(dict.fromkeys([*begin, *ends, *_alike(typed, names, 3)]))[:5]


def reads_like_a_call(prompt: str, commands: Iterable[SlashCommand]) -> bool:
    """Tell whether a prompt that calls no command was meant to.

    Paths and prose may begin with a slash, too ("/etc/hosts is wrong", "/orders answers 500"): they are text, and so is
    whatever begins with a space, or goes on for several lines. The person is told how to send as text what is not.
    """
    call = called(prompt)
    if call is None or prompt[:1].isspace() or not _NAME.fullmatch(call[0]):
        return False
    name, argument = call[0].casefold(), call[1]
    if _alike(name, [command.name for command in commands], 1, _LIKELY):
        return True
    [first, *_] = [*argument.split(), ""]
    is_one_line = "\n" not in prompt.strip()
    return is_one_line and name not in _FOLDERS and first.casefold().rstrip(",.;:") not in _GOES_ON


def _alike(typed: str, names: Sequence[str], most: int, cutoff: float = 0.6) -> list[str]:
    # Late: a session in which nothing is misspelt does without (0.2 MB).
    from difflib import get_close_matches

    return get_close_matches(typed, names, most, cutoff)
