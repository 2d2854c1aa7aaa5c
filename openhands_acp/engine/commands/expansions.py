"""Slash commands that people and servers bring along: each becomes a prompt, which the model then works on.

Knows what there is and how it is called; what it becomes, `own_commands`, `skills` and `remote_prompts` know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, assert_never

from openhands_acp.engine.commands import own_commands
from openhands_acp.engine.commands.own_commands import takes_arguments
from openhands_acp.engine.commands.table import ALWAYS_THERE, SlashCommand
from openhands_acp.engine.guidance import skills
from openhands_acp.engine.guidance.inventory import Inventory, Keywords, OwnCommand, Paths, Skill, Task
from openhands_acp.engine.guidance.tool_limits import ToolLimit
from openhands_acp.engine.messages import Part, Text
from openhands_acp.engine.servers import remote_prompts
from openhands_acp.engine.servers.door import RemotePrompt

Source: TypeAlias = OwnCommand | Skill | RemotePrompt

_LONGEST = 200
"""Characters of a description: clients show it on one line."""
_NO_NAME = re.compile(r"[^\w:.-]+")


class Session(skills.Session, remote_prompts.Session, Protocol):
    pass


@dataclass(frozen=True, slots=True)
class Expansion:
    command: SlashCommand
    source: Source


def expansions(inventory: Inventory, prompts: Sequence[RemotePrompt]) -> dict[str, Expansion]:
    """Return them by their names. What is always there goes first, then the person's own, skills, and servers'."""
    found: dict[str, Expansion] = {}
    taken = set(ALWAYS_THERE)
    for each in (*_own(inventory), *_skills(inventory), *_of_servers(prompts)):
        if each.command.name not in taken:
            taken.add(each.command.name)
            found[each.command.name] = each
    return found


def _own(inventory: Inventory) -> Iterator[Expansion]:
    for own in inventory.commands:
        hint = own.hint or ("ARGUMENTS" if takes_arguments(own.text) else None)
        yield _expansion(own.name, own.description or own.text, hint, own)


def _skills(inventory: Inventory) -> Iterator[Expansion]:
    for skill in filter(lambda each: each.for_person, inventory.skills):
        inputs = skill.trigger.inputs if isinstance(skill.trigger, Task) else ()
        hint = " ".join(name.upper() for name, _ in inputs) or "TEXT"
        for name in _names_of(skill):
            yield _expansion(name, skill.description or skill.text, hint, skill)


def _names_of(skill: Skill) -> list[str]:
    """Return what calls a skill as a command: its name if it waits to be called, and each word with a slash."""
    words = skill.trigger.words if isinstance(skill.trigger, Task | Keywords) else ()
    is_called = isinstance(skill.trigger, Task) or (
        not isinstance(skill.trigger, Paths) and (skill.is_folder or not skill.for_model)
    )
    own = [skill.name] if is_called else []
    return list(dict.fromkeys([*own, *(word[1:] for word in words if word.startswith("/"))]))


def _of_servers(prompts: Sequence[RemotePrompt]) -> Iterator[Expansion]:
    for prompt in prompts:
        hint = " ".join(name.upper() if is_needed else f"[{name.upper()}]" for name, is_needed in prompt.arguments)
        description = prompt.description or f"A prompt of the server {prompt.server}"
        yield _expansion(f"{prompt.server}:{prompt.name}", description, hint, prompt)


def _expansion(name: str, description: str, hint: str | None, source: Source) -> Expansion:
    """Make one entry. A name is one word, because what follows it is its argument."""
    said = " ".join(description.split())
    said = said if len(said) <= _LONGEST else said[: _LONGEST - 1].rstrip() + "…"
    return Expansion(SlashCommand(_NO_NAME.sub("_", name), said, hint or None, is_work=True), source)


async def expanded(session: Session, source: Source, argument: str) -> tuple[Part, ...]:
    """Return what the model reads as the person's words. Raises RemoteFailure and Dismissed."""
    match source:
        case OwnCommand():
            text = await own_commands.expanded(session, source, argument)
            if source.allowed_tools is not None and session.turn is not None:
                session.turn.tool_limit = ToolLimit(source.allowed_tools, source.name)
            return (Text(text),)
        case Skill():
            return (Text(await skills.expanded(session, source, argument)),)
        case RemotePrompt():
            return await remote_prompts.prompt_in_words(session, source, argument)
        case _:
            assert_never(source)
