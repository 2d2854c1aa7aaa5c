"""A session's doors that lead to the client: its files, its terminals, its person, its wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from openhands_acp.acp.asking import EditorPermissions
from openhands_acp.acp.clients import Client
from openhands_acp.acp.mcp_channel import McpChannel
from openhands_acp.acp.updates import Projector, State
from openhands_acp.engine.events import Event
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Files, Permissions, Terminals
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Peer

if TYPE_CHECKING:
    # Of turns: a session that nobody prompts does without, and `Backend.warm_up` loads them beforehand.
    from openhands_acp.acp.terminals import Spell
    from openhands_acp.engine.person.door import Person


@dataclass(frozen=True, slots=True)
class EditorPorts:
    files: Callable[[Files], Files]
    """Puts the editor in front of a disk."""
    terminals: Callable[[Terminals, Spell], Terminals]
    """Has commands run in the editor's own terminals, where it offers them, else in these."""
    permissions: Permissions
    open_person: Callable[[], Person]
    """Returns the same one each time."""
    publish: Callable[[Event], None]
    goes_on_from: Callable[[Projector], None]
    """Called when the client was told everything again, by another projector."""
    drained: Callable[[], Awaitable[None]]
    offer: Callable[[], None]
    """Tells the client which commands and models there are now, where that is news."""
    mcp: McpChannel
    """To MCP servers of the client's own."""
    mcp_servers: tuple[JsonObject, ...] = ()
    """As the client named them when the session was opened."""


@dataclass(frozen=True, slots=True)
class Line:
    """To the client: what its sessions share."""

    client: Client
    peer: Peer
    mcp: McpChannel
    offer: Callable[[], None]


def editor_ports(
    session_id: str,
    roots: tuple[AbsPath, ...],
    mcp_servers: tuple[JsonObject, ...],
    line: Line,
    state: Callable[[], State],
) -> EditorPorts:
    """Open the doors of one session; `state` is what the client is told of it beside events."""
    client, peer, ask = line.client, line.peer, line.peer.request
    projector = Projector(
        session_id, peer.outbox.put, state, client, draws=roots[0] if client.draws_terminals else None
    )

    def files(disk: Files) -> Files:
        from openhands_acp.acp.editor import EditorFiles

        return EditorFiles(session_id, roots, client, ask, disk)

    def terminals(local: Terminals, spell: Spell) -> Terminals:
        if not client.has_terminals:
            return local
        from openhands_acp.acp.terminals import ClientTerminals

        projector.shows_own_terminals()
        return ClientTerminals(session_id, ask, local, spell)

    @cache
    def person() -> Person:
        from openhands_acp.acp.eliciting import EditorPerson

        return EditorPerson(session_id, client, ask, peer.notify)

    return EditorPorts(
        files=files,
        terminals=terminals,
        permissions=EditorPermissions(session_id, ask),
        open_person=person,
        publish=projector.publish,
        goes_on_from=projector.goes_on_from,
        drained=peer.outbox.drained,
        offer=line.offer,
        mcp=line.mcp,
        mcp_servers=mcp_servers,
    )
