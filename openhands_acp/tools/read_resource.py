"""The `read_resource` tool: what servers have to read, listed and read."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.cards import Card
from openhands_acp.engine.servers.door import RemoteFailure, RemoteResource
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.define import define
from openhands_acp.tools.remote import result_of

NAME = "read_resource"
_LISTED = 200


class ReadResourceArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    server: str | None = Field(default=None, description="Needed only if several have the same URI.")
    uri: str | None = Field(default=None, description="Without one, what there is is listed.")


def read_resource() -> Tool:
    return define(
        name=NAME,
        description=(
            "Read a resource of an MCP server by its URI. Without `uri`, list what the servers have to read. In a "
            "template's URI, put values in place of the names in braces."
        ),
        args=ReadResourceArgs,
        run=_run,
        card=lambda args, _root: Card(_title(args), "read"),
        announce=Card("Read a resource", "read"),
        is_read_only=lambda _args: True,
    )


def _title(args: ReadResourceArgs) -> str:
    of_server = f"{args.server}: " if args.server else ""
    return f"{of_server}Read {args.uri}" if args.uri else f"{of_server}List resources"


async def _run(args: ReadResourceArgs, hands: Hands) -> ToolResult:
    there = [each for each in hands.servers.resources() if args.server in (None, each.server)]
    if args.uri is None:
        return ToolResult(_listed(there, args.server))
    try:
        return await result_of(await hands.servers.read(_server_of(args.uri, args.server, there), args.uri), hands)
    except RemoteFailure as failure:
        raise ToolError(str(failure)) from failure


def _server_of(uri: str, server: str | None, there: Sequence[RemoteResource]) -> str:
    """Say whose it is. A server reads more than it lists, so one that is named is asked in any case."""
    if server is not None:
        return server
    exact = {each.server for each in there if each.uri == uri}
    owners = exact or {each.server for each in there if each.is_template and uri.startswith(each.uri.partition("{")[0])}
    owners = owners or {each.server for each in there if uri.partition(":")[0] == each.uri.partition(":")[0]}
    if len(owners) == 1:
        return owners.pop()
    if owners:
        raise ToolError(f"{', '.join(sorted(owners))} may have {uri!r}: name one of them as `server`")
    raise ToolError(f"no server is known to have {uri!r}; leave out `uri` to list what there is")


def _listed(there: Sequence[RemoteResource], server: str | None) -> str:
    if not there:
        return f"{server or 'No server'} has {'no resources' if server else 'resources'} at the moment."
    rows = [_row(each) for each in there[:_LISTED]]
    more = len(there) - _LISTED
    return "\n".join([*rows, *([f"[… {more} more: name a `server`]"] if more > 0 else [])])


def _row(resource: RemoteResource) -> str:
    kind = " (template)" if resource.is_template else f" ({resource.mime_type})" if resource.mime_type else ""
    said = resource.description.strip().partition("\n")[0] or resource.name
    return f"- {resource.server}: {resource.uri}{kind} {said}".rstrip()
