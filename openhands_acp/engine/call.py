"""One call of a model, as it is meant: what a turn runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openhands_acp.engine.cards import Card
from openhands_acp.engine.events import Risk
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.tool import Tool


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call that is whole. Where it cannot be run, `problem` says why, to the model."""

    tool_call_id: str
    action_id: str
    tool_name: str
    written: str
    """The arguments as the model wrote them."""
    arguments: JsonObject | None
    """None when they cannot be read."""
    tool: Tool | None
    card: Card | None
    risk: Risk
    parsed: Any = None
    """The arguments as `tool` takes them."""
    problem: str = ""
    hook_asks: str = ""
    """Why a hook wants the person to be asked, whatever the mode says; empty: none does."""
