"""What binds a sub-agent's session to the one that it works for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhands_acp.engine.modes import Mode

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without.
    from openhands_acp.engine.hooks.definitions import Hook


@dataclass(frozen=True, slots=True)
class Bounds:
    depth: int
    """How many sessions there are above it."""
    within: Callable[[Mode], Mode]
    """Narrows its own mode to what the one that it works for may do at this moment."""
    rules: Callable[[], Collection[str]]
    """What the person allowed there, which counts here too."""
    exhausted: Callable[[], str | None]
    """Says why it may not ask a model any more, without a full stop; None: it may."""
    tools: Callable[[str], bool]
    """Which of the tools it may have, by their names."""
    complain: Callable[[Hook, str], None] | None = None
    """Tells the person what is wrong with a hook, where they read it; None: in the session itself."""
    compacts: bool = True
    """False: nothing of its conversation is left out; what is too long for its model ends its turn."""
    most_tokens: int | None = None
    """From so many on room is made in its conversation; None: as the model's window says."""


UNBOUND = Bounds(0, lambda mode: mode, lambda: (), lambda: None, lambda _name: True)
"""Of a session that works for the person."""


def narrowed(mode: Mode, limit: Mode) -> Mode:
    """Return the freest mode that lets nothing through unasked which one of the two would ask about or refuse."""
    if "plan" in (mode, limit):
        return "plan"
    if limit in (mode, "always-approve"):
        return mode
    return limit if mode == "always-approve" else "always-ask"
