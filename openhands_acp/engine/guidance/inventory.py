"""What people wrote down for an agent, read from the disk: instructions, skills, commands, sub-agents, memory.

Values only. Where such files are and how they are spelt, `extensions` knows; when they count, `telling` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from openhands_acp.engine.hooks.definitions import Hook
from openhands_acp.engine.paths import AbsPath

Origin: TypeAlias = Literal["project", "user", "plugin", "public", "built-in"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """A project's rules (AGENTS.md and its like), for all that is in a folder."""

    path: AbsPath
    folder: AbsPath
    """To what they apply: a root's own from the first prompt on, others when a file in there is touched."""
    text: str
    """Bounded; cut with a mark."""
    family: Literal["", "claude", "gemini"] = ""
    """The models for which it was written; empty: for all."""


@dataclass(frozen=True, slots=True)
class Keywords:
    """Counts when one of them is in a prompt, as a whole word; the case does not matter."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """Is called as a command, with inputs."""

    words: tuple[str, ...]
    """What calls it, besides its name."""
    inputs: tuple[tuple[str, str], ...]
    """Names and descriptions."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Counts when a file that matches is touched: globs, relative to the project."""

    globs: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    """The same as regular expressions, each for a whole path with slashes."""


Trigger: TypeAlias = Keywords | Task | Paths | None
"""None: always known; its text in full if it is short-spoken legacy, else its name and description."""


@dataclass(frozen=True, slots=True)
class Skill:
    name: str
    description: str
    text: str
    path: AbsPath
    trigger: Trigger = None
    origin: Origin = "project"
    is_folder: bool = False
    """Of the AgentSkills kind: name and description are always known, the text on demand."""
    resources: tuple[str, ...] = ()
    """Files beside it, relative to its folder."""
    allowed_tools: tuple[str, ...] | None = None
    """While a person has it carried out, no other tools run; None: all."""
    for_model: bool = True
    """False: only the person may call it, and the model is not told of it."""
    for_person: bool = True
    """False: it is no slash command."""
    may_run: bool = True
    """False: the commands in its text are not run, because nobody trusts them yet."""


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A slash command of the person's or the project's: a prompt with `$ARGUMENTS` and its like."""

    name: str
    description: str
    text: str
    path: AbsPath
    hint: str = ""
    allowed_tools: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """A kind of sub-agent."""

    name: str
    description: str
    prompt: str
    tools: tuple[str, ...] | None = None
    """None: all that its parent has, but for `task`."""
    model: str | None = None
    """None: its parent's."""
    mode: str | None = None
    """None: its parent's. Never a freer one than that."""
    skills: tuple[str, ...] = ()
    max_steps: int | None = None
    max_cost: float | None = None
    origin: Origin = "built-in"
    path: AbsPath | None = None
    hooks: tuple[Hook, ...] = ()
    """They look at what it does, beside the session's."""
    servers: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """MCP servers that are connected while it works, as they are written, by their names."""
    line: int = 1
    """In which these are written."""
    folder: AbsPath | None = None
    """To which paths of these are relative: its project's or its plugin's; None: ~/.openhands."""
    compacts: bool = True
    """False: nothing of its conversation is left out."""
    most_tokens: int | None = None
    """From so many on room is made in its conversation; None: as its model's window says."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something of a project's that could run or direct something, and that the person has not been asked about."""

    folder: AbsPath
    """The session's root that has it."""
    what: str
    """What exactly would run, in one line of Markdown: the person decides by this alone."""
    digest: str
    """Of all that it consists of (`digest`): it is trusted as it is, not as what it becomes later."""
    commands: tuple[str, ...] = ()
    """Slash commands that there are once it is trusted; one that ends with a colon stands for all that begin so."""


def quoted(text: str) -> str:
    """Put somebody's text into `Withheld.what`: on one line and in quotes of its own, which it cannot leave."""
    return f"`{on_one_line(text.replace('`', chr(39)))}`"


def on_one_line(text: str) -> str:
    """Spell somebody's text so that a person sees all of it, on one line: what hides or reorders is escaped."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join([each if each.isprintable() else ascii(each)[1:-1] for each in line])


def digest(*parts: str | bytes) -> str:
    """Return what tells these texts from any others."""
    whole = sha256()
    for part in parts:
        piece = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        # With their lengths: else what is at the end of one could move to the beginning of the next.
        whole.update(b"%d:" % len(piece))
        whole.update(piece)
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that counts for a session now. Names are unique in each; the first found counts."""

    instructions: tuple[Instruction, ...] = ()
    skills: tuple[Skill, ...] = ()
    commands: tuple[OwnCommand, ...] = ()
    agents: tuple[AgentDefinition, ...] = ()
    memory: str = ""
    identity: str = ""
    """What replaces the prompt's first line (SOUL.md)."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    server_files: tuple[AbsPath, ...] = ()
    """Files of plugins and skills that name MCP servers; a project's only once it is trusted."""
    hooks: tuple[Hook, ...] = ()
    """In the order in which they are asked: the person's, then projects' and plugins' that are trusted."""
    problems: tuple[str, ...] = ()
    """What was wrong in which file and line, for the person; all the rest counts."""
    switched_off: tuple[str, ...] = ()
    """Skills that the setting `disabled_skills` names."""
    withheld: tuple[Withheld, ...] = ()
    """What a project has that counts only once the person trusts it."""


NOTHING = Inventory()
