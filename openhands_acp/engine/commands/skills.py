"""`/skills`: what people wrote down for the agent here, where it is from, and when it counts. Asks no model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, assert_never

from openhands_acp.engine.guidance.events import WITHDRAWN
from openhands_acp.engine.guidance.inventory import Inventory, Keywords, Paths, Skill, Task
from openhands_acp.engine.guidance.skills import always_holds
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.transcript import Transcript

_NONE = (
    "There are no skills here. A skill is a folder with a `SKILL.md`, in `.agents/skills` of the project or in "
    "`~/.openhands/skills`."
)


class Session(Protocol):
    root: AbsPath

    @property
    def inventory(self) -> Inventory: ...

    transcript: Transcript

    async def look_around(self) -> None: ...


async def skills(session: Session, _argument: str) -> str:
    """List them as they are now; what is wrong in their files comes last."""
    await session.look_around()
    inventory = session.inventory
    parts = [list(_rows(session)) or [_NONE]]
    if inventory.switched_off:
        names = ", ".join(f"`{name}`" for name in inventory.switched_off)
        parts.append([f"Switched off by the setting `disabled_skills`: {names}."])
    if inventory.instructions:
        paths = ", ".join(f"`{shortened(each.path, session.root)}`" for each in inventory.instructions)
        parts.append([f"Rules that always hold: {paths}."])
    if inventory.problems:
        parts.append(["Left out:", *(f"- {problem}" for problem in inventory.problems)])
    return "\n\n".join("\n".join(part) for part in parts)


def _rows(session: Session) -> Iterator[str]:
    if not session.inventory.skills:
        return
    yield "| Skill | What for | When | From |"
    yield "| --- | --- | --- | --- |"
    for skill in session.inventory.skills:
        what = skill.description.replace("|", "\\|")
        in_view = "in view; " if session.transcript.active.get(skill.name, WITHDRAWN) != WITHDRAWN else ""
        where = shortened(skill.path, session.root)
        yield f"| `{skill.name}` | {what} | {in_view}{_when(skill)} | {skill.origin}: `{where}` |"


def _when(skill: Skill) -> str:
    if always_holds(skill):
        return "always"
    match skill.trigger:
        case None:
            return "when it fits" if skill.for_model else f"`/{skill.name}`"
        case Keywords(words):
            return f"for {', '.join(words)}"
        case Task(words):
            return f"for {', '.join(words)}"
        case Paths(globs):
            return f"for files {', '.join(f'`{glob}`' for glob in globs)}"
        case _:
            assert_never(skill.trigger)
