"""What a session does before its model works: look around, ask about trust, write the prompt, tell what is new.

Knows the order of it; what each step is, others know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from openhands_acp.engine.events import SystemPromptEvent
from openhands_acp.engine.guidance import telling as guidance
from openhands_acp.engine.guidance import trusting
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.messages import SystemMessage
from openhands_acp.engine.servers.door import Servers
from openhands_acp.engine.tool import Tool
from openhands_acp.engine.toolbox import Toolbox


class Session(guidance.Session, hooking.Session, trusting.Session, Protocol):
    waits_for_servers: bool
    """Whether this is the first time that they are wanted."""

    @property
    def servers(self) -> Servers: ...

    @property
    def toolbox(self) -> Toolbox: ...

    @property
    def tools(self) -> dict[str, Tool]: ...


async def prepared(session: Session) -> None:
    """Look at what people wrote down, and whether it is trusted; write the prompt, at the session's first turn."""
    await session.look_around()
    hooking.watch(session)
    if not session.ports.bounds.depth:
        await trusting.settle(session)
        hooking.watch(session)
        if session.waits_for_servers:
            await session.servers.ready()
            session.waits_for_servers = False
    await session.toolbox.renew(session.transcript.tools)
    if session.transcript.system is None:
        session.emit(await _described(session))
    await guidance.renewed(session)
    await hooking.begun(session)


async def previewed(session: Session) -> SystemMessage:
    """Look at the same without asking, waiting or telling anything; return the prompt, as it is or as it would be."""
    await session.look_around()
    await session.toolbox.renew(session.transcript.tools)
    if session.transcript.system is not None:
        return session.transcript.system
    prompt = await _described(session)
    return SystemMessage(prompt.static, prompt.dynamic)


async def _described(session: Session) -> SystemPromptEvent:
    prompt = replace(await session.ports.describe(), tools=tuple(session.tools))
    return guidance.guided(prompt, session)
