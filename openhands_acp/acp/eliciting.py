"""The person behind the editor: `Person` spoken as `elicitation/create`, and as permissions with other buttons."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from openhands_acp.acp.asking import Ask, member, pending_call
from openhands_acp.acp.clients import Client
from openhands_acp.acp.form_fields import spelt
from openhands_acp.engine.person.door import Button, Filled, Form, Link, Pick, Picked, Reply
from openhands_acp.engine.person.forms import taken
from openhands_acp.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

_PAGE = re.compile(r"https?://([^\s/?#@:\[\]]+|\[[0-9a-f:.]+\])(:\d+)?([/?#]\S*)?", re.IGNORECASE)
"""Nothing else is opened; nor what hides behind a name before an `@` where it leads."""
_TRIES = 3
"""What does not fit is asked for again, with the reason; a client that sends the same for ever is not."""


@dataclass(frozen=True, slots=True)
class EditorPerson:
    """One session's person. Cancelling any of it withdraws the question."""

    session_id: str
    client: Client
    ask_client: Ask
    tell_client: Callable[[str, dict[str, Any]], None]
    """Sends a notification."""

    async def fill(self, form: Form) -> Reply:
        fields = spelt(form.schema)
        if not self.client.has_forms or fields is None:
            return "unable"
        about = _about(form.tool_call_id)
        message = asked = _by(form.asker, form.message)
        problem = ""
        for _ in range(_TRIES):
            reply = await self._elicit({**about, "mode": "form", "message": message, "requestedSchema": fields})
            if not isinstance(reply, Filled):
                return reply
            values, problem = taken(form.schema, reply.values)
            if not problem:
                return Filled(values)
            message = f"{asked}\n\nThis did not fit: {problem}."
        logger.warning("elicitation/create: what came back did not fit (%s)", problem)
        return "unable"

    async def visit(self, link: Link) -> Reply:
        if not self.client.has_links or not _PAGE.fullmatch(link.url):
            return "unable"
        message = _by(link.asker, link.message)
        page = {"mode": "url", "message": message, "elicitationId": link.id, "url": link.url}
        return await self._elicit({**_about(link.tool_call_id), **page})

    def visited(self, link_id: str) -> None:
        if self.client.has_links:
            self.tell_client("elicitation/complete", {"elicitationId": link_id})

    async def pick(self, pick: Pick) -> Picked | Literal["dismissed", "unable"]:
        call = pending_call(pick.tool_call_id, pick.card)
        params = {"sessionId": self.session_id, "toolCall": call, "options": [_option(each) for each in pick.buttons]}
        try:
            answer = await self.ask_client("session/request_permission", params)
        except RemoteError as error:
            logger.warning("session/request_permission: %s", error)
            return "unable"
        outcome = member(answer, "outcome")
        if member(outcome, "outcome") == "cancelled":
            return "dismissed"
        chosen = member(outcome, "optionId")
        return Picked(chosen) if any(button.id == chosen for button in pick.buttons) else "unable"

    async def _elicit(self, params: dict[str, Any]) -> Reply:
        try:
            answer = await self.ask_client("elicitation/create", {"sessionId": self.session_id, **params})
        except RemoteError as error:
            logger.warning("elicitation/create: %s", error)
            return "unable"
        match member(answer, "action"):
            case "accept":
                content = member(answer, "content")
                return Filled(cast("dict[str, Any]", content) if isinstance(content, Mapping) else {})
            case "decline":
                return "declined"
            case "cancel":
                return "dismissed"
            case _:
                # An action of a later protocol is none of those that are known.
                return "unable"


def _about(tool_call_id: str | None) -> dict[str, str]:
    return {"toolCallId": tool_call_id} if tool_call_id else {}


def _by(asker: str, message: str) -> str:
    return f"{asker} asks: {message}" if asker else message


def _option(button: Button) -> dict[str, Any]:
    """`PermissionOption`; of the kind that no client chooses by itself (`acp.asking`) where a person has to."""
    return {"optionId": button.id, "name": button.name, "kind": button.kind or "reject_always"}
