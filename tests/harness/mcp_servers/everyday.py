"""A server with a bit of everything, written with FastMCP. Started as a program.

With three ports it serves on the web: itself by http, itself by SSE, and 200 tools by http.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Literal

import anyio
from fastmcp import Context, FastMCP
from fastmcp.tools import ToolResult
from fastmcp.utilities.types import Audio, Image
from mcp_types import (
    Annotations,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

server = FastMCP("everyday", instructions="Use it every day.", version="1.0")


@server.tool(annotations={"readOnlyHint": True, "title": "Sum of two", "openWorldHint": False})
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool
def kinds() -> list[Image | Audio | str]:
    """Return content of several kinds."""
    return ["words", Image(data=PIXEL, format="png"), Audio(data=b"RIFF", format="wav")]


@server.tool
def linked() -> ToolResult:
    """Return resources, and words for one reader only."""
    inside = TextResourceContents(uri="memo://inside", mime_type="text/plain", text="what is inside")
    return ToolResult(
        content=[
            ResourceLink(type="resource_link", name="notes", uri="memo://notes", mime_type="text/plain"),
            EmbeddedResource(type="resource", resource=inside),
            TextContent(type="text", text="for eyes", annotations=Annotations(audience=["user"])),
            TextContent(type="text", text="for the model", annotations=Annotations(audience=["assistant"])),
            ImageContent(type="image", data="AAAA", mime_type="image/x-unheard-of"),
        ]
    )


@server.tool
def fails() -> str:
    """Fail."""
    raise ValueError("no luck today")


@server.tool
async def counts(upto: int, ctx: Context) -> str:
    """Count, telling how far it is."""
    for number in range(1, upto + 1):
        await ctx.report_progress(number, upto, f"counted {number}")
        await ctx.info(f"at {number}")
    return "counted"


@server.tool
async def sleeps(note: str) -> str:
    """Sleep for ever; writes what became of it to a file."""
    Path(note).write_text("asleep")
    try:
        await anyio.sleep_forever()
    finally:
        Path(note).write_text("cancelled")
    return "never"


@server.tool
async def asks(question: str, ctx: Context) -> str:
    """Ask the person for a city."""
    answer = await ctx.session.elicit_form(
        question,
        {
            "type": "object",
            "properties": {"home city": {"type": "string", "title": "City"}, "2nd": {"type": "boolean"}},
            "required": ["home city"],
        },
    )
    return f"{answer.action}: {answer.content}"


@server.tool
async def sends(url: str, ctx: Context) -> str:
    """Send the person to a page."""
    answer = await ctx.session.elicit_url("log in there", url, "page-1")
    await ctx.session.send_elicit_complete("page-1")
    return answer.action


@server.tool
async def samples(question: str, ctx: Context) -> str:
    """Have the model answer."""
    asked = [SamplingMessage(role="user", content=TextContent(type="text", text=question))]
    # Deprecated in a protocol that hardly anybody speaks yet.
    answer = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]
        asked, system_prompt="be short", max_tokens=50
    )
    assert isinstance(answer.content, TextContent)
    return f"the model says {answer.content.text}"


@server.tool
async def roots(ctx: Context) -> list[str]:
    """List the roots."""
    listed = await ctx.session.list_roots()  # pyright: ignore[reportDeprecated]
    return [str(root.uri) for root in listed.roots]


@server.tool
async def grow(ctx: Context) -> str:
    """Get another tool."""

    def grown() -> str:
        return "I am new"

    server.add_tool(grown)
    await ctx.session.send_tool_list_changed()
    return "grown"


@server.tool
def environment(name: str) -> str:
    """Tell a variable, the folder and the process."""
    return f"{os.environ.get(name)} {os.getcwd()} {os.getpid()}"


@server.tool
def crash() -> str:
    """Die."""
    os.write(2, b"goodbye, cruel world\n")
    os._exit(3)


@server.resource("memo://notes", name="notes", mime_type="text/plain")
def notes() -> str:
    """Return the notes."""
    return "remember the milk"


@server.resource("memo://{day}/plan", name="plan")
def plan(day: str) -> str:
    """Return a day's plan."""
    return f"rest on {day}"


@server.prompt
def greet(name: str, manner: str = "kindly") -> str:
    """Greet somebody."""
    return f"Say hello to {name} {manner}."


def _many() -> FastMCP:
    many = FastMCP("many")

    def tool(text: str) -> str:
        """Do one of many things."""
        return text

    for number in range(200):
        many.tool(tool, name=f"tool_{number}")
    return many


async def _on_the_web(http: int, sse: int, many: int) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_serve, server, "http", http)
        tasks.start_soon(_serve, server, "sse", sse)
        tasks.start_soon(_serve, _many(), "http", many)


async def _serve(each: FastMCP, transport: Literal["http", "sse"], port: int) -> None:
    await each.run_http_async(show_banner=False, transport=transport, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [http, sse, many]:
            anyio.run(_on_the_web, int(http), int(sse), int(many))
        case _:
            server.run(show_banner=False, log_level="error")
