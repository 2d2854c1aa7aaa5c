"""A session's tools, as servers come and go: which there are, in which order, and how much is made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.servers.door import RemoteTool
from openhands_acp.engine.tool import Tool
from openhands_acp.engine.toolbox import MANY, Found, Toolbox
from openhands_acp.tools import tools_for
from openhands_acp.tools.remote_kit import RemoteKit
from tests.harness.servers import MemoryServers, tool

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class CountingKit:
    """Says what it made."""

    kit: RemoteKit = field(default_factory=RemoteKit)
    names: list[str] = field(default_factory=list[str])

    def made(self, tool: RemoteTool) -> Tool:
        self.names.append(tool.spec.name)
        return self.kit.made(tool)

    def search(self, servers: Sequence[str]) -> Tool:
        return self.kit.search(servers)

    def reading(self) -> Tool:
        return self.kit.reading()


def toolbox(servers: MemoryServers, kit: CountingKit) -> Toolbox:
    return Toolbox(lambda: tools_for("any", ("terminal", "file_editor")), servers, lambda: kit, Found())


OURS = ["terminal", "file_editor"]


async def test_nothing_is_made_where_nothing_changed() -> None:
    servers, kit = MemoryServers((tool("a", "x"), tool("a", "y"))), CountingKit()
    box = toolbox(servers, kit)
    await box.renew(())
    before = box.tools
    for _ in range(100):
        await box.renew(tuple(before))
    assert box.tools is before
    servers.add(tool("b", "z"))
    await box.renew(tuple(before))
    assert (kit.names, list(box.tools)) == (["a__x", "a__y", "b__z"], [*OURS, "a__x", "a__y", "b__z"])
    assert all(box.tools[name] is before[name] for name in before)


async def test_a_name_that_is_not_allowed_is_not_there() -> None:
    box = toolbox(MemoryServers((tool("a", "x"), tool("a", "y"))), CountingKit())
    box.allows = lambda name: name in ("terminal", "a__y")
    await box.renew(())
    assert list(box.tools) == ["terminal", "a__y"]


@settings(max_examples=50, deadline=None)
@given(
    states=st.lists(st.lists(st.sampled_from([f"tool_{n}" for n in range(6)]), unique=True, max_size=6), max_size=6),
    told=st.lists(st.sampled_from([f"a__tool_{n}" for n in range(8)]), unique=True, max_size=4),
)
async def test_whoever_stays_keeps_its_place(states: list[list[str]], told: list[str]) -> None:
    servers, kit = MemoryServers(), CountingKit()
    box = toolbox(servers, kit)
    before: list[str] = []
    for names in states:
        servers.offered = tuple([tool("a", name) for name in names])
        await box.renew(tuple(told))
        now = list(box.tools)[len(OURS) :]
        assert sorted(now) == sorted(f"a__{name}" for name in names)
        stayed = [name for name in before if name in now]
        assert now[: len(stayed)] == stayed
        joined = now[len(stayed) :]
        assert [name for name in told if name in joined] == joined[: len(set(told) & set(joined))]
        before = now


async def test_of_too_many_none_is_told_but_those_that_the_model_knows() -> None:
    servers = MemoryServers(tuple([tool("a", f"tool_{number}") for number in range(MANY + 1)]))
    box = toolbox(servers, CountingKit())
    await box.renew(("a__tool_7",))
    assert list(box.tools) == [*OURS, "a__tool_7", "tool_search"]
    assert len(box.hidden) == MANY
    box.found.names["a__tool_3"] = None
    await box.renew(())
    assert list(box.tools) == [*OURS, "a__tool_7", "tool_search", "a__tool_3"]
    servers.offered = servers.offered[:5]
    await box.renew(())
    assert list(box.tools) == [*OURS, "tool_search", "a__tool_3", "a__tool_0", "a__tool_1", "a__tool_2", "a__tool_4"]
