"""Changes of what a server offers, where it tells of them only to who listens: `subscriptions/listen`, of 2026-07-28.

Servers of the older protocols tell of them unasked. What is told comes as it does there, to whoever takes messages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import anyio
import mcp_types
from fastmcp import Client
from mcp import MCPError
from mcp.client.subscriptions import SubscriptionLost
from mcp.client.subscriptions import listen as listen_to
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

logger = logging.getLogger(__name__)


async def listen(server: str, client: Client[Any], pauses: Sequence[float], missed: Callable[[], None]) -> None:
    """Listen for as long as the server lets us. `missed` is told when it may have said something unheard."""
    can = client.server_capabilities or mcp_types.ServerCapabilities()
    tools = can.tools is not None and bool(can.tools.list_changed)
    prompts = can.prompts is not None and bool(can.prompts.list_changed)
    resources = can.resources is not None and bool(can.resources.list_changed)
    if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not (tools or prompts or resources):
        return
    for pause in _without_end(pauses):
        try:
            async with listen_to(
                client.session, tools_list_changed=tools, prompts_list_changed=prompts, resources_list_changed=resources
            ) as changes:
                async for _ in changes:
                    pass
            return
        except SubscriptionLost as error:
            # A proxy may have closed the stream. There is no replay.
            logger.info("%s: %s", server, error)
        except MCPError as error:
            logger.warning("%s says that its offer may change, and does not tell when: %s", server, error)
            return
        await anyio.sleep(pause)
        missed()


def _without_end(pauses: Sequence[float]) -> Iterator[float]:
    return chain(pauses, repeat(pauses[-1])) if pauses else iter(())
