"""What a server has to offer, asked for and translated: tools, prompts, resources.

A tool that is not as the protocol has it is left out and named; the rest of the list counts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar, cast

import mcp_types
from fastmcp import Client
from mcp import MCPError
from mcp_types.methods import validate_server_result
from pydantic import ValidationError

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.servers.door import RemotePrompt, RemoteResource, RemoteTool
from openhands_acp.engine.servers.remote_names import remote_name
from openhands_acp.mcp.failures import is_loss, misfit

T = TypeVar("T")
Kind: TypeAlias = Literal["tools", "prompts", "resources"]

_PAGES = 100
_NAMED = 5
"""Tools left out that are told of one by one."""


@dataclass(frozen=True, slots=True)
class Offer:
    tools: tuple[RemoteTool, ...] = ()
    prompts: tuple[RemotePrompt, ...] = ()
    resources: tuple[RemoteResource, ...] = ()
    instructions: str = ""
    """The server's own words about how to use it."""
    problems: Mapping[Kind, str] = field(default_factory=dict[Kind, str])
    """What is wrong with each, in words; empty: nothing."""
    remark: str = ""
    """What else is worth knowing of its server."""

    @property
    def problem(self) -> str:
        """Say what is wrong with it, though it can be used, and what else is worth knowing; empty: nothing."""
        return "; ".join(filter(None, (*self.problems.values(), self.remark)))


async def offered(server: str, client: Client[Any]) -> Offer:
    """Ask for all of it. Raises what the client does where the tools cannot be had; the rest may be missing."""
    offer = Offer(instructions=client.instructions or "")
    for kind in ("tools", "prompts", "resources"):
        offer = await renewed(offer, kind, server, client)
    return offer


async def renewed(offer: Offer, kind: Kind, server: str, client: Client[Any]) -> Offer:
    """Ask for one kind anew."""
    can = client.server_capabilities or mcp_types.ServerCapabilities()
    match kind:
        case "tools":
            listed, problem = await _tools(client)
            offer = replace(offer, tools=tuple(_tool(server, tool) for tool in listed))
        case "prompts":
            prompts, problem = await _listed("prompts", client.list_prompts) if can.prompts is not None else ([], "")
            offer = replace(offer, prompts=tuple(_prompt(server, prompt) for prompt in prompts))
        case "resources":
            has_any = can.resources is not None
            resources, problem = await _listed("resources", client.list_resources) if has_any else ([], "")
            templates, another = (
                await _listed("resource templates", client.list_resource_templates) if has_any else ([], "")
            )
            problem = "; ".join(filter(None, (problem, another)))
            offer = replace(
                offer,
                resources=(
                    *(_resource(server, resource) for resource in resources),
                    *(_template(server, template) for template in templates),
                ),
            )
    return replace(offer, problems={**offer.problems, kind: problem})


async def _listed(what: str, ask: Callable[[], Awaitable[list[T]]]) -> tuple[list[T], str]:
    """Return what is listed, and why it cannot be had: the tools work all the same."""
    try:
        return await ask(), ""
    except MCPError as error:
        if is_loss(error):
            raise
        # Some say that they have what they know nothing of.
        return [], "" if error.error.code == mcp_types.METHOD_NOT_FOUND else f"its {what} cannot be had: {error}"
    except ValidationError as error:
        return [], f"its {what} are left out, for they are not as the protocol has it ({misfit(error)})"


# ---------------------------------------------------------------- tools


async def _tools(client: Client[Any]) -> tuple[list[mcp_types.Tool], str]:
    try:
        return await client.list_tools(), ""
    except MCPError as error:
        if error.error.code == mcp_types.METHOD_NOT_FOUND:
            return [], ""
        raise
    except ValidationError:
        return await _valid_tools(client)


async def _valid_tools(client: Client[Any]) -> tuple[list[mcp_types.Tool], str]:
    """Ask again, and read the tools one by one: the library refuses a list for one of them."""
    valid: list[mcp_types.Tool] = []
    wrong: list[str] = []
    async for page in _raw_pages(client):
        for tool in page:
            try:
                validate_server_result("tools/list", client.protocol_version or "", {"tools": [tool]})
                valid.append(mcp_types.Tool.model_validate(tool, by_name=False))
            except ValidationError as error:
                wrong.append(_wrong(tool, error))
    result = mcp_types.ListToolsResult(tools=valid)
    # Else it would ask for the list after each call, and refuse it again.
    client.session._absorb_tool_listing(result, complete=True)  # pyright: ignore[reportPrivateUsage]
    more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return valid, f"left out, for they are not as the protocol has it: {'; '.join(wrong[:_NAMED])}{more}"


async def _raw_pages(client: Client[Any]) -> AsyncGenerator[list[Any]]:
    cursor: object = None
    for _ in range(_PAGES):
        params = {"cursor": cursor} if cursor is not None else None
        dispatcher = client.session._dispatcher  # pyright: ignore[reportPrivateUsage]
        raw = await dispatcher.send_raw_request("tools/list", params)
        tools = raw.get("tools")
        yield cast("list[Any]", tools) if isinstance(tools, list) else []
        cursor = raw.get("nextCursor")
        if cursor is None:
            return


def _wrong(tool: object, error: ValidationError) -> str:
    name = cast("dict[str, Any]", tool).get("name") if isinstance(tool, dict) else None
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"][2:]) or "it"
    return f"{name if isinstance(name, str) else 'a tool without a name'} ({where}: {first['msg'].lower()})"


def _tool(server: str, tool: mcp_types.Tool) -> RemoteTool:
    says = tool.annotations or mcp_types.ToolAnnotations()
    is_read_only = says.read_only_hint is True
    schema = cast("JsonObject", tool.input_schema)
    return RemoteTool(
        server,
        tool.name,
        ToolSpec(remote_name(server, tool.name), tool.description or tool.title or "", schema),
        title=tool.title or says.title or "",
        is_read_only=is_read_only,
        # As the protocol has it where nothing is said.
        is_destructive=not is_read_only and says.destructive_hint is not False,
        is_open_world=says.open_world_hint is not False,
    )


def _prompt(server: str, prompt: mcp_types.Prompt) -> RemotePrompt:
    arguments = tuple((argument.name, bool(argument.required)) for argument in prompt.arguments or ())
    return RemotePrompt(server, prompt.name, prompt.description or prompt.title or "", arguments)


def _resource(server: str, resource: mcp_types.Resource) -> RemoteResource:
    name = resource.title or resource.name
    return RemoteResource(server, resource.uri, name, resource.description or "", resource.mime_type or "")


def _template(server: str, template: mcp_types.ResourceTemplate) -> RemoteResource:
    name, uri = template.title or template.name, template.uri_template
    return RemoteResource(server, uri, name, template.description or "", template.mime_type or "", is_template=True)
