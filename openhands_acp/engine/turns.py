"""One turn of a session, from its first prompt to its end. Does nothing by itself: `session` runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from openhands_acp.engine.attachments import PromptPart
from openhands_acp.engine.events import StopReason
from openhands_acp.engine.usage.cost import Bill

if TYPE_CHECKING:
    # Of prompts: a session that nobody prompts does without.
    from openhands_acp.engine.guidance.tool_limits import ToolLimit

Prompt = tuple[PromptPart, ...]


@dataclass(slots=True)
class Turn:
    id: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    prompts: list[Prompt] = field(default_factory=list[Prompt])
    """Not yet in the history; those that come while the turn runs are taken up at its next step."""
    commands: list[Prompt] = field(default_factory=list[Prompt])
    """Called while the turn runs: each is carried out when it is over, unless it was stopped."""
    stop_reason: StopReason = "cancelled"
    spent: Bill | None = None
    """What it came to, once it is over."""
    was_refused: bool = False
    """A hook kept the prompt that was taken last from the model."""
    is_watched: bool = False
    """Hooks look at prompts before the model does: what they have not seen is not for it."""
    tool_limit: ToolLimit | None = None
    """What a skill or a command that the person called leaves of the tools."""

    async def ended(self) -> StopReason:
        """Wait for its end, and say why it ended."""
        await self.done.wait()
        return self.stop_reason
