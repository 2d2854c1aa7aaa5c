"""The command `/mcp`: which servers there are, what they offer and what is wrong with them, and another try."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from openhands_acp.engine.context.window import in_words, weight_of_tool
from openhands_acp.engine.servers.door import RemoteTool, Servers, ServerState, Status
from openhands_acp.engine.servers.news import unusable
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.toolbox import Toolbox
from openhands_acp.engine.transcript import Transcript

_IN_WORDS: dict[Status, str] = {
    "connecting": "connecting…",
    "ready": "ready",
    "failed": "failed",
    "disabled": "disabled",
    "needs_login": "needs a login",
    "untrusted": "not trusted",
}
_NONE = (
    "This session has no MCP servers. Add one with `openhands-acp mcp add`, in your editor's settings, or in the "
    "project's `.mcp.json`."
)
_TOKEN = 3.5
"""Bytes of one, as a rule."""


class Session(Protocol):
    transcript: Transcript

    @property
    def servers(self) -> Servers: ...

    @property
    def toolbox(self) -> Toolbox: ...

    async def look_around(self) -> None: ...


async def mcp(session: Session, argument: str) -> str:
    """Show all servers, or one of them; `retry` connects one, or all that failed, anew."""
    word, _, rest = argument.partition(" ")
    # Files may name others by now.
    await session.look_around()
    await session.toolbox.renew(session.transcript.tools)
    states = session.servers.states()
    if word == "retry":
        return await _retried(session, rest.strip() or None)
    if not states:
        return _NONE
    if not argument:
        return "\n".join([*_table(states), "", *_below(session, states)])
    state = next((state for state in states if state.name == argument), None)
    return _unknown(argument, states) if state is None else "\n".join(_one(session, state))


async def _retried(session: Session, name: str | None) -> str:
    try:
        await session.servers.retry(name)
    except LookupError:
        return _unknown(name or "", session.servers.states())
    states = [state for state in session.servers.states() if name in (None, state.name)]
    return "\n".join([*_table(states), "", *_errors(states)]) if states else _NONE


def _unknown(name: str, states: Iterable[ServerState]) -> str:
    return f"There is no MCP server `{name}`; there is {', '.join(f'`{state.name}`' for state in states) or 'none'}."


def _table(states: Iterable[ServerState]) -> Iterator[str]:
    yield "| Server | From | State | Tools | Prompts | Resources |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for state in states:
        counts = f"{state.tools} | {state.prompts} | {state.resources}"
        yield f"| `{state.name}` | {state.source} | {_IN_WORDS[state.status]} | {counts} |"


def _below(session: Session, states: Iterable[ServerState]) -> Iterator[str]:
    yield from _errors(states)
    yield from _unusable(session)
    if hidden := session.toolbox.hidden:
        yield f"{len(hidden)} tools are not told to the model, which finds them with `tool_search`."
        yield ""
    yield "`/mcp NAME` lists the tools of one, `/mcp retry NAME` connects it anew."


def _errors(states: Iterable[ServerState]) -> Iterator[str]:
    for state in states:
        if state.error:
            reason, _, more = state.error.partition("\n")
            yield f"`{state.name}`: {reason}"
            yield from [fenced(more.strip())] if more.strip() else []
            yield ""


def _one(session: Session, state: ServerState) -> Iterator[str]:
    yield f"**{state.name}** ({state.source}): {_IN_WORDS[state.status]}"
    yield ""
    yield from _errors([state])
    tools = [tool for tool in session.servers.tools() if tool.server == state.name]
    if tools:
        tokens = sum(weight_of_tool(tool.spec) for tool in tools) / _TOKEN
        yield f"{len(tools)} tool{'s' if len(tools) > 1 else ''}, of about {in_words(round(tokens))} tokens:"
        yield from [_row(session, tool) for tool in tools]
        yield ""
    yield from _unusable(session, state.name)
    prompts = [prompt for prompt in session.servers.prompts() if prompt.server == state.name]
    yield from [f"- `/{state.name}:{prompt.name}` {_first_line(prompt.description)}".rstrip() for prompt in prompts]
    resources = [each for each in session.servers.resources() if each.server == state.name]
    yield from [f"- `{each.uri}` {each.name}".rstrip() for each in resources]


def _row(session: Session, tool: RemoteTool) -> str:
    marks = ["read-only, it says"] if tool.is_read_only else []
    marks += ["not told to the model"] if tool.spec.name not in session.toolbox.tools else []
    marked = f" ({', '.join(marks)})" if marks else ""
    return f"- `{tool.name}`{marked} {_first_line(tool.spec.description)}".rstrip()


def _unusable(session: Session, server: str | None = None) -> Iterator[str]:
    for tool, why in unusable(session.servers, session.toolbox):
        if server in (None, tool.server):
            yield f"`{tool.server}`: the tool `{tool.name}` cannot be used: {why}."
            yield ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
