"""What each slash command does: a function of the session and of what was typed after the name.

Each returns Markdown for the chat, empty where it has told everything itself; it raises Dismissed to stop the turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from openhands_acp.engine import asking, context_commands, cost_table, goal, model_command, undo, undo_commands
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.commands import COMMANDS
from openhands_acp.engine.titles import cleaned


class Conversation(undo.Session, goal.Session, Protocol):
    """What a command may know of the session it is typed in."""

    @property
    def mode(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def choices(self) -> Choices: ...

    def set_option(self, key: str, value: str) -> None: ...


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


async def _cost(session: Conversation, _argument: str) -> str:
    return cost_table.in_words(session.transcript.spending.session)


BODIES: Mapping[str, Callable[[Conversation, str], Awaitable[str]]] = {
    "help": _help,
    "title": _title,
    "model": model_command.model,
    "cost": _cost,
    "context": context_commands.context,
    "compact": context_commands.compact,
    "ask": asking.ask,
    "goal": goal.goal,
    "undo": undo_commands.undo,
    "redo": undo_commands.redo,
    "diff": undo_commands.diff,
    "checkpoints": undo_commands.checkpoints,
    "restore": undo_commands.restore,
}
"""By the names in `COMMANDS`."""
