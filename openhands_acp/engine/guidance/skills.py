"""A skill as a model reads it: listed, asked for, and called by the person.

Does not know when a skill counts by itself (`telling`), nor where it is from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Protocol

from openhands_acp.engine.commands import own_commands
from openhands_acp.engine.commands.own_commands import takes_arguments
from openhands_acp.engine.guidance import inline_commands
from openhands_acp.engine.guidance.events import SkillActivated
from openhands_acp.engine.guidance.inventory import Inventory, Keywords, OwnCommand, Skill, Task
from openhands_acp.engine.guidance.tool_limits import ToolLimit
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import ToolError
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.turns import Turn

INVOKE = "invoke_skill"
"""The tool by which a model has the text of a skill."""
_LONGEST_LIST = 12_000
"""Characters of the list of skills; descriptions are cut before names are left out."""
_UNTRUSTED = "(The commands in this text were not run: the person has not said that they trust this project.)"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Session(inline_commands.Session, Protocol):
    roots: tuple[AbsPath, ...]

    @property
    def inventory(self) -> Inventory: ...

    transcript: Transcript
    turn: Turn | None


def as_told(skill: Skill) -> str:
    """Return a skill's text with where it is from; the commands in it stay as they are written."""
    return skill.text + _origin(skill)


def _origin(skill: Skill) -> str:
    """Say where a skill is from. Apart from its text, because nothing in the name of a file is a command."""
    if not skill.is_folder:
        return ""
    beside = f"; beside it: {', '.join(skill.resources)}" if skill.resources else ""
    return f"\n\n(From {skill.path}. Paths in it start at its folder{beside}.)"


def always_holds(skill: Skill) -> bool:
    return skill.trigger is None and not skill.is_folder and skill.for_model


def listing(inventory: Inventory, tools: Collection[str], longest_list: int = _LONGEST_LIST) -> str:
    """List the skills that a model may use by itself, in so many characters; empty if there are none."""
    skills = [skill for skill in inventory.skills if skill.for_model and not always_holds(skill)]
    if not skills:
        return ""
    has_tool = INVOKE in tools
    how = f"call {INVOKE} with its name" if has_tool else "view its file"
    head = f"Each is a guide to one kind of work. When one fits what you are to do, first {how}."
    for longest in (1024, 200, 80, 0):
        lines = [_line(skill, longest, has_tool=has_tool) for skill in skills]
        if sum(map(len, lines)) + len(lines) <= longest_list:
            break
    else:
        most = longest_list // 80
        lines = [*lines[:most], *([f"(and {len(lines) - most} more)"] if len(lines) > most else [])]
    return "\n".join([head, *lines])


def _line(skill: Skill, longest: int, *, has_tool: bool) -> str:
    words = skill.trigger.words if isinstance(skill.trigger, Keywords | Task) else ()
    about = skill.description or (f"about {', '.join(words)}" if words else "")
    about = about if len(about) <= longest else f"{about[: max(longest - 1, 0)]}…"
    return f"- {skill.name}{f': {about}' if longest and about else ''}{'' if has_tool else f' ({skill.path})'}"


def places_outside(session: Session) -> tuple[AbsPath, ...]:
    """Return the files and folders of skills that are not in the project: to read there what one says asks nobody."""
    skills = session.inventory.skills
    places = dict.fromkeys(os.path.dirname(skill.path) if skill.is_folder else skill.path for skill in skills)
    inside = tuple(root.rstrip(os.sep) + os.sep for root in session.roots)
    return tuple(AbsPath(place) for place in places if not place.startswith(inside))


async def filled(session: inline_commands.Session, skill: Skill) -> str:
    """Return the same with what its commands print in their place; each is permitted like any other."""
    if not skill.may_run:
        return f"{as_told(skill)}\n\n{_UNTRUSTED}"
    return await inline_commands.filled(session, skill.text) + _origin(skill)


async def followed(session: Session, name: str) -> str:
    """Have the model told a skill that it asked for, from its next step on. Raises ToolError, Dismissed."""
    skill = next((each for each in session.inventory.skills if each.name == name and each.for_model), None)
    if skill is None:
        names = ", ".join(each.name for each in session.inventory.skills if each.for_model) or "none"
        raise ToolError(f"there is no skill {name!r}; there are: {names}")
    text = await filled(session, skill)
    if always_holds(skill) or session.transcript.active.get(name) == text:
        return f"You were told {name} before, and it still holds."
    session.emit(SkillActivated(name, text, "model"))
    return f"The text of {name} follows."


async def expanded(session: Session, skill: Skill, argument: str) -> str:
    """Have a skill followed that the person called, and return what they want of the model in words."""
    typed = argument if takes_arguments(skill.text) else ""
    if skill.may_run:
        # What was typed is no command, wherever it is put in.
        own = OwnCommand(skill.name, "", skill.text, skill.path)
        text = await own_commands.expanded(session, own, typed) + _origin(skill)
    else:
        text = own_commands.filled_in(await filled(session, skill), typed)
    if isinstance(skill.trigger, Task):
        text = _with_inputs(text, skill.trigger, argument)
    if session.transcript.active.get(skill.name) != text:
        session.emit(SkillActivated(skill.name, text, "command", argument))
    if skill.allowed_tools is not None and session.turn is not None:
        session.turn.tool_limit = ToolLimit(skill.allowed_tools, skill.name)
    return f"Follow {skill.name!r} now, which you were told above." + (f"\n\n{argument}" if argument else "")


def _with_inputs(text: str, task: Task, argument: str) -> str:
    """Put in what was typed, if it can be but one thing; what is still open, the model asks for."""
    inputs = dict(task.inputs)
    if argument and len(inputs) == 1:
        name = next(iter(inputs))
        text = text.replace(f"${{{name}}}", argument)
    missing = [name for name in dict.fromkeys(_VARIABLE.findall(text)) if name in inputs]
    if not missing:
        return text
    listed = "\n".join(f"- {name}: {inputs[name]}".rstrip(": ") for name in missing)
    return f"{text}\n\nWhat these stand for must come from the person; ask for what they have not said:\n{listed}"
