"""What each slash command does: a function of the session and of what was typed after the name.

Each returns Markdown for the chat, empty where it has told everything itself; it raises Dismissed to stop the turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from openhands_acp.engine.checkpoints import undo
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.commands import asking, goal, ready_prompts, rewinding
from openhands_acp.engine.commands import context as context_commands
from openhands_acp.engine.commands import mcp as mcp_command
from openhands_acp.engine.commands import model as model_command
from openhands_acp.engine.commands import permissions as permission_commands
from openhands_acp.engine.commands import skills as skills_command
from openhands_acp.engine.commands import undo as undo_commands
from openhands_acp.engine.commands import upkeep as upkeep_commands
from openhands_acp.engine.commands.table import SlashCommand
from openhands_acp.engine.guidance.inventory import AgentDefinition
from openhands_acp.engine.modes import MODES
from openhands_acp.engine.subagents.builtin import known
from openhands_acp.engine.titles import cleaned
from openhands_acp.engine.usage import cost_table


class Conversation(
    undo.Session,
    goal.Session,
    mcp_command.Session,
    upkeep_commands.Session,
    permission_commands.Session,
    asking.Session,
    Protocol,
):
    """What a command may know of the session it is typed in."""

    @property
    def choices(self) -> Choices: ...

    @property
    def commands(self) -> tuple[SlashCommand, ...]: ...

    def set_option(self, key: str, value: str) -> None: ...


async def _help(session: Conversation, _argument: str) -> str:
    lines = [f"- `/{command.name}` {command.description}" for command in session.commands]
    return "\n".join(
        [
            "**Commands**",
            *lines,
            "",
            f"Model `{session.model}`, mode `{session.mode}`, working in `{session.root}`.",
            "Modes: "
            + ", ".join(f"`{mode}` ({said[:1].lower()}{said[1:]})" for mode, (_, said) in MODES.items())
            + ".",
        ]
    )


async def _title(session: Conversation, argument: str) -> str:
    title = cleaned(argument)
    if not title:
        return "Write the title after the command: `/title TEXT`."
    session.set_option("title", title)
    return f"This session is now called **{title}**."


async def _cost(session: Conversation, _argument: str) -> str:
    return cost_table.in_words(session.transcript.spending.session)


async def _agents(session: Conversation, _argument: str) -> str:
    await session.look_around()
    rows = [f"| {' | '.join(_cells(agent))} |" for agent in known(session.inventory)]
    head = ["| sub-agent | for | from | model | tools |", "| --- | --- | --- | --- | --- |"]
    return "\n".join(["The agent hands work to these by its tool `task`.", "", *head, *rows])


def _cells(agent: AgentDefinition) -> tuple[str, ...]:
    tools = "all" if agent.tools is None else ", ".join(f"`{tool}`" for tool in agent.tools) or "none"
    model = f"`{agent.model}`" if agent.model else "the session's"
    return f"`{agent.name}`", agent.description.replace("|", "/"), agent.origin, model, tools


async def _init(session: Conversation, argument: str) -> str:
    return ready_prompts.init(session.root, argument)


async def _review(session: Conversation, argument: str) -> str:
    return ready_prompts.review(session.root, argument)


BODIES: Mapping[str, Callable[[Conversation, str], Awaitable[str]]] = {
    "help": _help,
    "title": _title,
    "model": model_command.model,
    "mode": permission_commands.mode,
    "confirm": permission_commands.mode,
    "permissions": permission_commands.permissions,
    "status": upkeep_commands.status,
    "cost": _cost,
    "context": context_commands.context,
    "mcp": mcp_command.mcp,
    "skills": skills_command.skills,
    "agents": _agents,
    "compact": context_commands.compact,
    "clear": rewinding.clear,
    "rewind": rewinding.rewind,
    "ask": asking.ask,
    "goal": goal.goal,
    "undo": undo_commands.undo,
    "redo": undo_commands.redo,
    "diff": undo_commands.diff,
    "checkpoints": undo_commands.checkpoints,
    "restore": undo_commands.restore,
    "fork": upkeep_commands.fork,
    "export": upkeep_commands.export,
    "doctor": upkeep_commands.doctor,
}
"""By the names in `COMMANDS`, with `PROMPTS`."""

PROMPTS: Mapping[str, Callable[[Conversation, str], Awaitable[str]]] = {
    "init": _init,
    "review": _review,
}
"""What these return is not for the person, but for the model to work on."""
