"""Servers that go wrong, as real programs: each fails alone, says why, and leaves nothing behind."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.servers import RemoteFailure, ServerState
from openhands_acp.local.processes import descendants, look
from openhands_acp.mcp.config import ServerConfig
from tests.harness.mcp import PATIENCE, called, misbehaving, named, served
from tests.harness.waiting import until

pytestmark = pytest.mark.anyio

QUICK = {"connect_timeout": 0.3}
NOT_THE_PROTOCOL = "it prints on stdout what is not the protocol"


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (misbehaving("never answers", **QUICK), "it did not answer within 0.3 s"),
        (misbehaving("hangs on tools/list", **QUICK), "it did not answer within 0.3 s"),
        (misbehaving("exits"), "it exited with code 3\nreading the configuration\nthere is no such token"),
        (
            ServerConfig("odd", "", "stdio", "sh", ("-c", "echo 'Now running!'; exec sleep 600"), connect_timeout=1),
            f"it did not answer within 1 s; {NOT_THE_PROTOCOL}: 'Now running!'",
        ),
        (ServerConfig("odd", "", "stdio", "no-such-program"), "there is no program 'no-such-program' on PATH"),
        (ServerConfig("odd", "", "stdio", "/etc"), "'/etc' cannot be started: Permission denied"),
        (
            ServerConfig("odd", "", "stdio", "cat", cwd="/no/such/folder"),
            "its folder '/no/such/folder' is not there",
        ),
        (ServerConfig("odd", "", "http", url="http://127.0.0.1:9/mcp"), "http://127.0.0.1:9/mcp cannot be reached"),
        (ServerConfig("odd", "", "stdio", "cat", problem="it has no sense"), "it has no sense"),
    ],
)
async def test_a_server_that_cannot_be_used_says_why(config: ServerConfig, error: str, tmp_path: Path) -> None:
    async with served([config], tmp_path) as servers:
        (state,) = servers.states()
        assert state.status == "failed"
        assert state.error.startswith(error)
        assert servers.tools() == ()
    assert _running() == []


async def test_those_that_fail_do_not_keep_the_others(tmp_path: Path) -> None:
    slow = replace(misbehaving("never answers"), name="slow")
    configs = [
        replace(misbehaving("well"), name="good"),
        replace(misbehaving("well", is_enabled=False), name="off"),
        replace(misbehaving("well", is_trusted=False), name="strange"),
        slow,
    ]
    async with served([], tmp_path) as servers:
        servers.configure(configs)
        await until(servers.tools)
        states = [(state.name, state.status) for state in servers.states()]
        assert states == [("good", "ready"), ("off", "disabled"), ("strange", "untrusted"), ("slow", "connecting")]
        assert (await called(servers, "echo")).text.isdecimal()
        servers.configure([slow])
        assert servers.tools() == ()


async def test_junk_between_the_messages_is_passed_over(tmp_path: Path) -> None:
    async with served([misbehaving("prints junk too")], tmp_path) as servers:
        assert [state.status for state in servers.states()] == ["ready"]
        assert (await called(servers, "echo")).text.isdecimal()


async def test_tools_that_are_not_as_the_protocol_has_it_are_left_out_and_named(tmp_path: Path) -> None:
    async with served([misbehaving("has wrong tools")], tmp_path) as servers:
        error = (
            "left out, for they are not as the protocol has it: "
            "of_nothing (inputSchema: input should be a valid dictionary or instance of inputschema); "
            "of_a_list (inputSchema.type: input should be 'object'); "
            "a tool without a name (name: field required)"
        )
        assert servers.states() == (ServerState("odd", "a test", "ready", tools=1, error=error),)
        assert (await called(servers, "echo")).text.isdecimal()


async def test_a_server_that_speaks_only_the_newest_protocol_can_be_used(tmp_path: Path) -> None:
    async with served([misbehaving("speaks the newest protocol only")], tmp_path) as servers:
        assert [(state.status, state.error) for state in servers.states()] == [("ready", "")]
        assert (await called(servers, "echo")).text == "new"


async def test_a_server_that_dies_in_a_call_is_connected_again_and_its_tools_stay(tmp_path: Path) -> None:
    async with served([misbehaving("dies in a call")], tmp_path, pauses=(0.01,)) as servers:
        tools = servers.tools()
        with pytest.raises(RemoteFailure) as failure:
            await called(servers, "echo")
        assert str(failure.value) == (
            "the server 'odd' did not do it: the connection was lost (it exited with code 5), "
            "and is being made anew; try again in a moment"
        )
        assert servers.tools() is tools
        await servers.ready()
        assert servers.tools() is tools
        assert [state.status for state in servers.states()] == ["ready"]


async def test_a_server_that_fails_at_first_is_tried_again(tmp_path: Path) -> None:
    config = misbehaving("exits the first time", str(tmp_path / "seen"))
    async with served([config], tmp_path, pauses=(0.01,)) as servers:
        await until(servers.tools)


async def test_one_that_was_left_alone_is_connected_when_asked_for(tmp_path: Path) -> None:
    config = misbehaving("exits the first time", str(tmp_path / "seen"))
    async with served([config], tmp_path) as servers:
        assert [state.status for state in servers.states()] == ["failed"]
        await servers.retry("odd")
        assert [state.status for state in servers.states()] == ["ready"]
        before = (await called(servers, "echo")).text
        await servers.retry("odd")
        assert (await called(servers, "echo")).text != before
        with pytest.raises(LookupError):
            await servers.retry("another")


async def test_a_call_that_is_never_answered_ends_when_its_time_is_up(tmp_path: Path) -> None:
    async with served([misbehaving("never answers a call", call_timeout=0.1)], tmp_path) as servers:
        with pytest.raises(RemoteFailure, match=r"no sign of life for 0\.1 s, and was told to stop"):
            await called(servers, "echo")


async def test_a_call_that_is_given_up_is_not_waited_for(tmp_path: Path) -> None:
    async with served([misbehaving("never answers a call")], tmp_path) as servers:
        with anyio.move_on_after(0.05) as given_up:
            await called(servers, "echo")
        assert given_up.cancelled_caught


async def test_a_server_that_ignores_signals_ends_with_its_session(tmp_path: Path) -> None:
    async with served([misbehaving("ignores signals")], tmp_path) as servers:
        assert [state.status for state in servers.states()] == ["ready"]
        # Itself, a shell and what that runs, and who watches over them.
        await until(lambda: len(_running()) == 4)
    assert _running() == []


async def test_a_tool_of_a_server_that_is_gone_says_so(tmp_path: Path) -> None:
    async with served([misbehaving("well")], tmp_path) as servers:
        tool = named(servers, "echo")
        servers.configure([])
        with pytest.raises(RemoteFailure, match="there is no server 'odd' any more"):
            await servers.call(tool, {}, _nobody)
        with anyio.fail_after(PATIENCE):
            await until(lambda: not _running())


async def _nobody(_words: str) -> None:
    pass


def _running() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if look(pid) is not None]
