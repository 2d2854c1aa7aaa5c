"""The `tool_search` tool: finds tools of servers that the model is not told of, because there are so many.

What it finds joins the tools at the model's next step (`toolbox.Found`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.cards import Card
from openhands_acp.engine.servers.door import RemoteTool
from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.engine.toolbox import Found, servers_of
from openhands_acp.tools.define import define

NAME = "tool_search"
_LISTED = 10
"""Others that are named, with a line each."""
_LINE = 120
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


class ToolSearchArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    query: str = Field(description="A few words of what it is to do, or names of tools.")
    max: int = Field(default=5, ge=1, le=20, description="How many to add.")


def tool_search(servers: Sequence[str]) -> Tool:
    return define(
        name=NAME,
        description=(
            f"Find more tools by words in their names and descriptions: those of the MCP servers {', '.join(servers)} "
            "are not all listed here. The best that fit are added to your tools, and can be called from your next "
            "step on. Search before you say that something cannot be done, or do it another way."
        ),
        args=ToolSearchArgs,
        run=_run,
        card=lambda args, _root: Card(f"Look for a tool: {args.query}", "search"),
        announce=Card("Look for a tool", "search"),
        is_read_only=lambda _args: True,
    )


async def _run(args: ToolSearchArgs, hands: Hands) -> ToolResult:
    tools = hands.servers.tools()
    ranked = best(args.query, tools)
    if not ranked:
        return ToolResult(_nothing(args.query, tools))
    added, others = ranked[: args.max], ranked[args.max : args.max + _LISTED]
    hands.recall(Found).names.update(dict.fromkeys([tool.spec.name for tool in added]))
    rows = ["These are among your tools from now on:", *map(_row, added)]
    rows += ["", "Fit, too, but are not added; search for their names to add them:", *map(_row, others)] * bool(others)
    return ToolResult("\n".join(rows))


def best(query: str, tools: Iterable[RemoteTool]) -> list[RemoteTool]:
    """Return the tools that fit, the best first, and none that fits far less. Of equals, the order stays."""
    wanted = [word for word in dict.fromkeys(_words(query)) if len(word) > 1]
    names = set(re.findall(r"[\w-]+", query))
    scores = [(tool, _score(wanted, names, tool)) for tool in tools]
    least = max((score for _, score in scores), default=0) / 2
    return [tool for tool, score in sorted(scores, key=lambda each: -each[1]) if score and score >= least]


def _score(wanted: Sequence[str], names: set[str], tool: RemoteTool) -> float:
    if tool.spec.name in names:
        return 100.0
    in_name = _words(f"{tool.server} {tool.name} {tool.title}")
    in_text = _words(tool.spec.description)
    return sum(max(3 * _fits(word, in_name), _fits(word, in_text)) for word in wanted)


def _fits(word: str, among: Sequence[str]) -> float:
    """Say how well a word is found: as it is, or as the beginning of another, or the other way round (plurals)."""
    if word in among:
        return 1.0
    is_like = [min(len(word), len(each)) > 2 and (each.startswith(word) or word.startswith(each)) for each in among]
    return 0.6 if any(is_like) else 0.0


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _row(tool: RemoteTool) -> str:
    line = next((line.strip() for line in tool.spec.description.splitlines() if line.strip()), tool.title)
    return f"- {tool.spec.name}: {line if len(line) <= _LINE else f'{line[:_LINE]}…'}"


def _nothing(query: str, tools: Sequence[RemoteTool]) -> str:
    counts = [f"{name} ({sum(tool.server == name for tool in tools)})" for name in servers_of(tools)]
    return (
        f"No tool fits {query!r}. Try other words; there are tools of {', '.join(counts) or 'no server at the moment'}."
    )
