"""The MCP servers that a client names for a session (`McpServer`), read; loaded only where it names one.

Lenient where that does no harm: a server that is not spelt right is one that cannot be used, and says why; the
others count. Does not know how a server is reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhands_acp.rpc.json import JsonObject

Transport: TypeAlias = Literal["stdio", "http", "sse", "acp"]

_QUIET = ConfigDict(hide_input_in_errors=True, defer_build=True)
"""What was given may be a key."""


@dataclass(frozen=True, slots=True)
class GivenServer:
    name: str
    transport: Transport
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    url: str = ""
    """Of "acp": the id by which the client knows the server."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    problem: str = ""
    """Why it cannot be used, in words."""


class _Pair(BaseModel):
    model_config = _QUIET
    name: str
    value: str


class _Stdio(BaseModel):
    model_config = _QUIET
    name: str
    command: str = Field(min_length=1)
    args: list[str] = []
    env: list[_Pair] = []


class _Remote(BaseModel):
    model_config = _QUIET
    name: str
    url: str = Field(pattern="^https?://")
    headers: list[_Pair] = []


class _OverAcp(BaseModel):
    model_config = _QUIET
    name: str
    # The draft called it `id` at first (docs/rfds/mcp-over-acp.mdx), its schema says `serverId`.
    id: str = Field(validation_alias="serverId")


def read_given(servers: Sequence[JsonObject]) -> tuple[GivenServer, ...]:
    """Read `mcpServers`; names may still occur twice."""
    return tuple([_read(server, number) for number, server in enumerate(servers)])


def _read(server: Mapping[str, Any], number: int) -> GivenServer:
    transport = server.get("type") or "stdio"
    # `null` is absence, everywhere in the protocol.
    members = {name: value for name, value in server.items() if value is not None}
    try:
        match transport:
            case "stdio":
                stdio = _Stdio.model_validate(members)
                return GivenServer(
                    stdio.name, "stdio", command=stdio.command, args=tuple(stdio.args), env=_mapping(stdio.env)
                )
            case "http" | "sse":
                remote = _Remote.model_validate(members)
                return GivenServer(remote.name, transport, url=remote.url, headers=_mapping(remote.headers))
            case "acp":
                over_acp = _OverAcp.model_validate({"serverId": members.get("id"), **members})
                return GivenServer(over_acp.name, "acp", url=over_acp.id)
            case _:
                problem = f"mcpServers.{number}.type: must be stdio, http, sse or acp, not {transport!r}"
    except ValidationError as error:
        problem = "; ".join(
            f"mcpServers.{number}.{'.'.join(map(str, each['loc']))}: {each['msg'][:1].lower()}{each['msg'][1:]}"
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        )
    name = server.get("name")
    return GivenServer(name if isinstance(name, str) and name else f"server{number + 1}", "stdio", problem=problem)


def _mapping(pairs: Sequence[_Pair]) -> dict[str, str]:
    return {pair.name: pair.value for pair in pairs}
