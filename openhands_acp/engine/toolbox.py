"""The tools of a session: those that come with the program, and those of servers, which come and go.

What a model was told of stays where it is, and what is new joins at the end: providers cache a request's beginning.
Of more than `MANY` remote tools none joins until a search has found it. Knows no server's protocol, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from anyio import to_thread

from openhands_acp.engine.servers.door import RemoteTool, Servers
from openhands_acp.engine.tool import Tool

MANY = 40
"""Remote tools of which each request can carry the schemas."""


class Unusable(Exception):
    """A remote tool that no model can be told of; the message says why, for the person."""


class Kit(Protocol):
    """Makes tools that work with servers. None of this waits, but it may take long: it is called in a thread."""

    def made(self, tool: RemoteTool) -> Tool:
        """Raises Unusable."""
        ...

    def search(self, servers: Sequence[str]) -> Tool:
        """Make what finds tools of these servers that a model is not told of."""
        ...

    def reading(self) -> Tool:
        """Make what reads resources of servers."""
        ...


@dataclass(slots=True)
class Found:
    """The remote tools that searches have found, by name; they join at the next look."""

    names: dict[str, None] = field(default_factory=dict[str, None])


@dataclass(frozen=True, slots=True)
class _Joined:
    tool: Tool
    remote: RemoteTool | None = None
    """None: a tool of ours that works with servers."""


@dataclass(slots=True)
class Toolbox:
    own: Callable[[], Sequence[Tool]]
    """Makes the tools that come with the program; called once for a model that knows them."""
    servers: Servers
    open_kit: Callable[[], Kit] | None
    """None: no remote tools at all."""
    found: Found
    allows: Callable[[str], bool] = lambda _name: True
    """Which names there may be, of either kind."""
    unusable: dict[str, str] = field(default_factory=dict[str, str])
    """Remote tools that cannot be offered, by name, and why."""
    hidden: tuple[RemoteTool, ...] = ()
    """Those that only a search finds, at the moment."""
    _own: list[Tool] | None = None
    _tools: dict[str, Tool] | None = None
    _joined: dict[str, _Joined] = field(default_factory=dict[str, _Joined])
    _seen: tuple[RemoteTool, ...] = ()
    _sought: int = 0
    """How many had been found by the last look."""
    _kit: Kit | None = None

    @property
    def tools(self) -> dict[str, Tool]:
        """By their names, as of the last look; the same object until they change."""
        if self._tools is None:
            ours = {tool.spec.name: tool for tool in self._own_tools()}
            self._tools = ours | {name: each.tool for name, each in self._joined.items()}
        return self._tools

    @property
    def remote(self) -> tuple[RemoteTool, ...]:
        """Return the remote tools among them."""
        return tuple([each.remote for each in self._joined.values() if each.remote is not None])

    async def renew(self, told: Sequence[str]) -> None:
        """Look what there is now. `told` are the names that the model knows: they come first, and in their order."""
        if not told:
            # It knows none yet: what people wrote down meanwhile may want others.
            self._own = self._tools = None
        now, sought = self.servers.tools(), len(self.found.names)
        reads = self._is_to_join("read_resource") and bool(self.servers.resources())
        if (now is self._seen and sought == self._sought and not reads) or self.open_kit is None:
            return
        # In a thread, as all that a kit does: it brings a library along.
        kit = self._kit = self._kit or await to_thread.run_sync(self.open_kit)
        there = {tool.spec.name: tool for tool in now if self.allows(tool.spec.name)}
        known = {*told, *self.found.names, *self._joined}
        wanted = {name: tool for name, tool in there.items() if len(there) <= MANY or name in known}
        made, self.unusable = await to_thread.run_sync(_made, kit, wanted, self._joined)
        self._seen, self._sought, self._tools = now, sought, None
        self.hidden = tuple([tool for name, tool in there.items() if name not in wanted])
        if reads:
            made["read_resource"] = _Joined(kit.reading())
        if self.hidden and self._is_to_join("tool_search"):
            made["tool_search"] = _Joined(kit.search(servers_of(self.hidden)))
        self._join(made, told)

    def _is_to_join(self, name: str) -> bool:
        return name not in self._joined and self.allows(name)

    def _join(self, made: Mapping[str, _Joined], told: Sequence[str]) -> None:
        stay = [name for name, each in self._joined.items() if name in made or each.remote is None]
        at = {name: position for position, name in enumerate(dict.fromkeys((*told, *self.found.names)))}
        new = sorted([name for name in made if name not in self._joined], key=lambda name: at.get(name, len(at)))
        self._joined = {name: made.get(name) or self._joined[name] for name in (*stay, *new)}

    def _own_tools(self) -> list[Tool]:
        self._own = self._own if self._own is not None else [t for t in self.own() if self.allows(t.spec.name)]
        return self._own


def _made(
    kit: Kit, wanted: Mapping[str, RemoteTool], before: Mapping[str, _Joined]
) -> tuple[dict[str, _Joined], dict[str, str]]:
    """Make the tools that are new, or are not what they were; return them with the others, and why some cannot be."""
    made: dict[str, _Joined] = {}
    unusable: dict[str, str] = {}
    for name, remote in wanted.items():
        same = before.get(name)
        if same is not None and same.remote == remote:
            made[name] = same
            continue
        try:
            made[name] = _Joined(kit.made(remote), remote)
        except Unusable as why:
            unusable[name] = str(why)
    return made, unusable


def servers_of(tools: Iterable[RemoteTool]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tool.server for tool in tools))
