"""The editor as the one who is asked: `Permissions` spoken as a request to the client."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from openhands_acp.acp.content import locations_to_wire, shown_to_wire
from openhands_acp.engine.cards import Card
from openhands_acp.engine.ports import Answer, Option, Question
from openhands_acp.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Sends one request to the client. Raises RemoteError."""


@dataclass(frozen=True, slots=True)
class EditorPermissions:
    session_id: str
    ask_client: Ask

    async def ask(self, question: Question) -> Answer:
        call = pending_call(question.tool_call_id, question.card) | {"rawInput": question.raw_input}
        options = [_option_to_wire(option) for option in question.options]
        params = {"sessionId": self.session_id, "toolCall": call, "options": options}
        try:
            answer = await self.ask_client("session/request_permission", params)
        except RemoteError as error:
            # Fails closed: an editor that cannot ask has not said yes.
            logger.warning("session/request_permission: %s", error)
            return "reject_once"
        return _chosen(answer, question)


def pending_call(tool_call_id: str, card: Card) -> dict[str, Any]:
    """Return the call that a question is about, as far as its card tells."""
    return {
        "toolCallId": tool_call_id,
        "title": card.title,
        "kind": card.kind,
        "status": "pending",
        "content": shown_to_wire(card.shown),
        "locations": locations_to_wire(card.locations),
    }


def _chosen(answer: Any, question: Question) -> Answer:
    outcome = member(answer, "outcome")
    if member(outcome, "outcome") == "cancelled":
        return "cancelled"
    chosen = member(outcome, "optionId")
    for option in question.options:
        if _option_to_wire(option)["optionId"] == chosen:
            return option.id
    return "reject_once"


def _option_to_wire(option: Option) -> dict[str, Any]:
    """`PermissionOption`.

    Clients that approve by themselves look for `allow_*` and, where there is none, ask the person (Zed, VS Code) or
    take the first (acpx); those that refuse by themselves look for `reject_once`.
    """
    if option.is_deliberate:
        return {"optionId": f"deliberate_{option.id}", "name": option.name, "kind": "reject_always"}
    kind = "allow_always" if option.id == "allow_widely" else option.id
    return {"optionId": option.id, "name": option.name, "kind": kind}


def member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
