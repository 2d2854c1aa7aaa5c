"""What a server asks of us while we use it: a person's answers and a model's; and what it logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, assert_never, cast
from uuid import uuid4

import mcp_types

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.person.door import Filled, Form, Link, Reply
from openhands_acp.engine.servers.door import SampleRefused, SampleRequest
from openhands_acp.mcp.doors import ServerDoors
from openhands_acp.mcp.results import from_samples

logger = logging.getLogger(__name__)

_LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
}
_LOGGED = 2000
"""Characters of one message that are logged."""
_REFUSALS = {"declined": -1, "unrelated": mcp_types.INVALID_PARAMS, "unable": mcp_types.INTERNAL_ERROR}
"""What the protocol has for each (client/sampling, error handling; SEP-2260)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers to one server, in the shapes of FastMCP's handlers."""

    server: str
    doors: ServerDoors
    waiting: Callable[[], AbstractContextManager[None]]
    """Held while somebody is asked: meanwhile no deadline of the server's calls runs."""
    _sent: set[str] = field(default_factory=set[str])
    """Pages that the person was sent to, and that nothing was heard of since."""

    async def elicit(
        self,
        message: str,
        _type: object,
        params: mcp_types.ElicitRequestParams,
        _context: object,
    ) -> mcp_types.ElicitResult:
        with self.waiting():
            reply = await self._asked(message, params)
        match reply:
            case Filled(values):
                # The protocol has no content for a page that was visited.
                is_form = isinstance(params, mcp_types.ElicitRequestFormParams)
                return mcp_types.ElicitResult(action="accept", content=cast("Any", dict(values)) if is_form else None)
            case "dismissed":
                return mcp_types.ElicitResult(action="cancel")
            case "declined" | "unable":
                return mcp_types.ElicitResult(action="decline")
            case _:
                assert_never(reply)

    async def _asked(self, message: str, params: mcp_types.ElicitRequestParams) -> Reply:
        match params:
            case mcp_types.ElicitRequestFormParams():
                schema = cast("JsonObject", params.requested_schema)
                return await self.doors.person.fill(Form(message, schema, self.server))
            case mcp_types.ElicitRequestURLParams():
                link_id = self._link_id(params.elicitation_id or str(uuid4()))
                self._sent.add(link_id)
                return await self.doors.person.visit(Link(message, params.url, link_id, self.server))
            case _:
                assert_never(params)

    def visited(self, elicitation_id: str) -> None:
        """Pass on that the server has what it sent the person to a page for, if it did."""
        link_id = self._link_id(elicitation_id)
        if link_id in self._sent:
            self._sent.discard(link_id)
            self.doors.person.visited(link_id)

    async def send(self, pages: Sequence[mcp_types.ElicitRequestURLParams]) -> str:
        """Send the person to pages that they have to visit before a request; say what came of it."""
        told: list[str] = []
        for page in pages:
            with self.waiting():
                reply = await self._asked(page.message, page)
            match reply:
                case Filled():
                    told.append(
                        "the person has to do something on a page first, and is opening it; ask them, and try again"
                    )
                case "declined" | "dismissed":
                    told.append("the person has to do something on a page first, and does not want to")
                case "unable":
                    told.append(f"the person has to open {page.url} first; tell them, and try again")
                case _:
                    assert_never(reply)
        return "; ".join(dict.fromkeys(told))

    def _link_id(self, elicitation_id: str) -> str:
        # Two servers may count alike.
        return f"{self.server}:{elicitation_id}"

    async def sample(
        self,
        messages: list[mcp_types.SamplingMessage],
        params: mcp_types.CreateMessageRequestParams,
        _context: object,
    ) -> mcp_types.CreateMessageResult:
        """Have the model answer, without tools: we do not say that we have `sampling.tools`."""
        assert self.doors.sample is not None
        if params.tools is not None or params.tool_choice is not None:
            return _refusal(mcp_types.INVALID_PARAMS, "this client has no `sampling.tools`: ask without tools")
        request = SampleRequest(self.server, from_samples(messages), params.system_prompt or "", params.max_tokens)
        try:
            with self.waiting():
                sampled = await self.doors.sample(request)
        except SampleRefused as refused:
            return _refusal(_REFUSALS[refused.why], str(refused))
        return mcp_types.CreateMessageResult(
            role="assistant",
            content=mcp_types.TextContent(type="text", text=sampled.text),
            model=sampled.model,
            stop_reason="maxTokens" if sampled.is_cut else "endTurn",
        )

    async def log(self, message: mcp_types.LoggingMessageNotificationParams) -> None:
        level = _LEVELS.get(message.level, logging.ERROR)
        logger.log(level, "%s%s: %s", self.server, f" ({message.logger})" if message.logger else "", _short(message))


def _refusal(code: int, message: str) -> mcp_types.CreateMessageResult:
    # FastMCP passes on whatever is no text, and the library under it takes errors; only its types do not say so.
    return cast("mcp_types.CreateMessageResult", mcp_types.ErrorData(code=code, message=message))


def _short(message: mcp_types.LoggingMessageNotificationParams) -> str:
    return str(message.data)[:_LOGGED]
