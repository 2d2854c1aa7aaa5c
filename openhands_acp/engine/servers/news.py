"""Tells of servers and their tools what a model, and the person, have to know: what failed, what came, what went.

Once each: a server that fails the same way again is no news.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from openhands_acp.engine.events import Event, NoticeEvent
from openhands_acp.engine.messages import Text, UserMessage, plain_text
from openhands_acp.engine.servers.door import RemoteTool, Servers, ServerState
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.engine.toolbox import Toolbox, servers_of
from openhands_acp.engine.transcript import Transcript

T = TypeVar("T")

_INSTRUCTIONS = 2_000
"""Characters of a server's own words."""
_NAMED = 20
"""Tools that are told by name; of more, how many."""


class Session(Protocol):
    ports: Ports
    transcript: Transcript

    @property
    def servers(self) -> Servers: ...

    @property
    def toolbox(self) -> Toolbox: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def recall(self, what: type[T]) -> T: ...


@dataclass(slots=True)
class _Told:
    said: set[tuple[str, ...]] = field(default_factory=set[tuple[str, ...]])
    searched: set[str] | None = None
    """Servers whose tools the model knows it can search for; None: it cannot search yet."""

    def is_news(self, *what: str) -> bool:
        """Tell whether this is said for the first time."""
        is_new = what not in self.said
        self.said.add(what)
        return is_new


async def renewed(session: Session) -> None:
    """Take in what servers have now, before a model is asked, and tell what is news in it."""
    known = session.transcript.tools
    await session.toolbox.renew(known)
    names = tuple(session.toolbox.tools)
    if names != known:
        session.emit(ToolsChanged(names))
    told = session.recall(_Told)
    gone = [name for name in known if name not in names]
    missing: list[str] = []
    for state in session.servers.states():
        missing += _tell_failure(session, told, state, gone)
        _tell_that_it_is_awaited(session, told, state)
        _tell_instructions(session, told, state)
    _tell_of_tools(
        session, [name for name in names if name not in known], [name for name in gone if name not in missing]
    )
    _tell_of_hidden(session, told)
    for tool, why in unusable(session.servers, session.toolbox):
        if told.is_news("unusable", tool.spec.name, why):
            _say(
                session,
                f"The tool `{tool.name}` of the MCP server `{tool.server}` cannot be used: {why}. All others can.",
            )


def unusable(servers: Servers, toolbox: Toolbox) -> Iterator[tuple[RemoteTool, str]]:
    """Return the tools that no model can be told of, and why."""
    for tool in servers.tools():
        if why := toolbox.unusable.get(tool.spec.name):
            yield tool, why


def _tell_failure(session: Session, told: _Told, state: ServerState, gone: Sequence[str]) -> list[str]:
    """Return those of the tools that are gone which are thereby said to be missing."""
    if not state.error or state.status == "untrusted" or not told.is_news("failure", state.name, state.error):
        # Of what is not trusted the person was asked.
        return []
    if state.status in ("ready", "connecting"):
        _say(session, _for_person(state))
        return []
    missing = [name for name in gone if name.startswith(f"{state.name}__")]
    _say(session, _for_person(state), _for_model(state, missing))
    return missing


def _tell_that_it_is_awaited(session: Session, told: _Told, state: ServerState) -> None:
    if state.status == "connecting" and not state.error and told.is_news("awaited", state.name):
        text = f"Still connecting to the MCP server `{state.name}`…"
        _say(session, text, f"(The MCP server {state.name} is not there yet. You will be told when it is.)")


def _tell_instructions(session: Session, told: _Told, state: ServerState) -> None:
    if state.status != "ready" or not state.instructions or not told.is_news("instructions", state.name):
        return
    text = state.instructions.strip()
    text = text if len(text) <= _INSTRUCTIONS else f"{text[:_INSTRUCTIONS]}…"
    said = UserMessage((Text(f"(What the MCP server {state.name} says of its tools:\n{text})"),))
    # A conversation that goes on in another process may have it already.
    if said not in session.transcript.items:
        _say(session, "", plain_text(said.parts))


def _tell_of_tools(session: Session, new: Sequence[str], gone: Sequence[str]) -> None:
    """Tell the model alone: the person sees in `/mcp` what there is. Our own tools speak for themselves."""
    if theirs := [name for name in new if "__" in name]:
        _say(session, "", f"(New tools are there: {_listed(theirs)}.)")
    if theirs := [name for name in gone if "__" in name]:
        _say(session, "", f"(These tools are gone: {_listed(theirs)}.)")


def _tell_of_hidden(session: Session, told: _Told) -> None:
    servers = servers_of(session.toolbox.hidden)
    if told.searched is None and "tool_search" in session.toolbox.tools:
        # The tool itself names them.
        told.searched = set(servers)
    elif told.searched is not None and (more := [name for name in servers if name not in told.searched]):
        told.searched |= set(more)
        _say(session, "", f"(tool_search now finds tools of these MCP servers, too: {', '.join(more)}.)")


def _say(session: Session, text: str, told: str | None = None) -> None:
    # A sub-agent's person has read it already, from the one that it works for.
    text = "" if session.ports.bounds.depth else text
    if text or told is not None:
        session.emit(NoticeEvent(session.new_id(), "text", text, told))


def _for_person(state: ServerState) -> str:
    reason, _, more = state.error.partition("\n")
    said = f"\n\n{fenced(more.strip())}" if more.strip() else ""
    if state.status == "needs_login":
        return f"The MCP server `{state.name}` ({state.source}) wants you to log in: {_ended(reason)}{said}"
    if state.status in ("ready", "connecting"):
        return f"The MCP server `{state.name}` ({state.source}): {_ended(reason)}{said}"
    return (
        f"The MCP server `{state.name}` ({state.source}) cannot be used: {_ended(reason)} The session goes on "
        f"without it; `/mcp retry {state.name}` tries again.{said}"
    )


def _for_model(state: ServerState, tools: Sequence[str]) -> str:
    reason = state.error.partition("\n")[0]
    missing = f"its tools ({_listed(tools)})" if tools else "its tools"
    return (
        f"(The MCP server {state.name} cannot be used: {_ended(reason)} So {missing} are missing; where they are "
        "needed, say so, and do not claim to have used them.)"
    )


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
