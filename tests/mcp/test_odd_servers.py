"""Servers that go wrong, as real programs: each fails alone, says why, and leaves nothing behind."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.person.door import Filled, Link, Reply
from openhands_acp.engine.servers.door import RemoteFailure, Sampled, SampleRefused, SampleRequest, ServerState
from openhands_acp.engine.servers.remote_requests import RemoteRequests
from openhands_acp.local.processes import descendants, look
from openhands_acp.mcp.config import ServerConfig
from tests.harness.mcp import Clerk, called, misbehaving, named, served
from tests.harness.waiting import PATIENCE, until

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


async def test_one_that_prints_without_end_keeps_nobody_from_anything(tmp_path: Path) -> None:
    floods = [
        ServerConfig("out", "", "stdio", "sh", ("-c", "yes junk"), connect_timeout=PATIENCE),
        ServerConfig("err", "", "stdio", "sh", ("-c", "head -c 9999999 /dev/zero >&2; cat"), connect_timeout=0.3),
        ServerConfig("line", "", "stdio", "sh", ("-c", "tr '\\0' x < /dev/zero"), connect_timeout=PATIENCE),
    ]
    async with served([*floods, misbehaving("well")], tmp_path) as servers:
        assert (await called(servers, "echo")).text.isdecimal()
        first = [state.error.partition("\n")[0].partition(";")[0] for state in servers.states()]
    assert first == [
        f"{NOT_THE_PROTOCOL}: 'junk'",
        "it did not answer within 0.3 s",
        "it sent a message of more than 64 MB",
        "",
    ]
    assert _running() == []


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


async def test_bytes_that_are_no_text_and_answers_that_make_no_sense_keep_nobody_waiting(tmp_path: Path) -> None:
    async with served([misbehaving("answers oddly")], tmp_path) as servers:
        texts = [(await called(servers, "echo")).text for _ in range(2)]
        assert texts == ["caf\ufffd", "half ?"]
        for _ in range(2):
            with pytest.raises(RemoteFailure, match="its answer is not as the protocol has it"):
                await called(servers, "echo")


async def test_prompts_that_are_not_as_the_protocol_has_it_are_told_and_the_tools_work(tmp_path: Path) -> None:
    async with served([misbehaving("has wrong prompts")], tmp_path) as servers:
        (state,) = servers.states()
        assert (state.status, state.tools, state.prompts) == ("ready", 1, 0)
        assert state.error.startswith("its prompts are left out, for they are not as the protocol has it (prompts.0")
        assert (await called(servers, "echo")).text.isdecimal()


async def test_one_that_tells_of_changes_whenever_it_is_asked_is_not_asked_without_end(tmp_path: Path) -> None:
    async with served([misbehaving("changes whenever it is asked")], tmp_path, breath=PATIENCE) as servers:
        await until(servers.tools)
        asked = [(await called(servers, "echo")).text for _ in range(20)]
        assert asked[-1] == "2"


async def test_one_that_is_lost_as_soon_as_it_is_known_is_being_connected(tmp_path: Path) -> None:
    async with served([misbehaving("exits when it is known")], tmp_path, pauses=(PATIENCE,)) as servers:
        await until(lambda: [state.status for state in servers.states()] in (["connecting"], ["failed"]))


async def test_the_person_is_sent_to_a_page_that_a_call_needs_first(tmp_path: Path) -> None:
    clerk = Clerk(Filled())
    async with served([misbehaving("wants a page first")], tmp_path, clerk) as servers:
        with pytest.raises(RemoteFailure, match="the person has to do something on a page first, and is opening it"):
            await called(servers, "echo")
        assert clerk.asked == [Link("Pay first.", "https://pay.example/1", "odd:page-1", "odd")]
        assert (await called(servers, "echo")).text.isdecimal()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("declined", "the person has to do something on a page first, and does not want to"),
        ("unable", "the person has to open https://pay.example/1 first; tell them, and try again"),
    ],
)
async def test_a_page_that_nobody_visits_is_told(reply: Reply, words: str, tmp_path: Path) -> None:
    async with served([misbehaving("wants a page first")], tmp_path, Clerk(reply)) as servers:
        with pytest.raises(RemoteFailure) as failure:
            await called(servers, "echo")
        assert str(failure.value) == f"the server 'odd' did not do it: {words}"


async def test_changes_are_heard_of_a_server_that_tells_of_them_only_who_listens(tmp_path: Path) -> None:
    async with served([misbehaving("speaks the newest protocol only")], tmp_path, pauses=(0.01,)) as servers:
        # The server ends the first time that it is listened to, and tells of nothing before the second.
        while [tool.name for tool in servers.tools()] != ["echo", "more"]:
            assert (await called(servers, "echo")).text == "new"


async def test_the_model_is_not_to_be_had_outside_of_calls_nor_with_tools(tmp_path: Path) -> None:
    requests = RemoteRequests()
    async with served([misbehaving("samples")], tmp_path, sample=requests.sample) as servers:
        plain = json.loads((await called(servers, "echo")).text)
        with_tools = json.loads((await called(servers, "echo", {"tools": []})).text)
        nobody_calls = {"code": -32602, "message": "no call of this server is running"}
        # This call is none that the engine knows of.
        assert plain == {"unasked": nobody_calls, "asked": nobody_calls}
        assert with_tools["asked"] == {
            "code": -32602,
            "message": "this client has no `sampling.tools`: ask without tools",
        }


async def test_a_server_hears_of_a_no_in_the_protocols_number(tmp_path: Path) -> None:
    async def refuse(_request: SampleRequest) -> Sampled:
        raise SampleRefused("the person said no", "declined")

    async with served([misbehaving("samples")], tmp_path, sample=refuse) as servers:
        answers = json.loads((await called(servers, "echo")).text)
        assert answers["asked"] == {"code": -1, "message": "the person said no"}


async def test_no_more_is_offered_than_there_is(tmp_path: Path) -> None:
    requests = RemoteRequests()
    async with served([misbehaving("says what it was offered")], tmp_path, sample=requests.sample) as servers:
        assert json.loads((await called(servers, "echo")).text) == {
            "elicitation": {"form": {}, "url": {}},
            # Without `tools`, and without `context`.
            "sampling": {},
            "roots": {"listChanged": True},
        }


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/mcp?key=k3y", "http://127.0.0.1:9/mcp?[secret] cannot be reached"),
        ("http://me:pass@127.0.0.1:9/mcp", "http://127.0.0.1:9/mcp cannot be reached"),
        ("http://\x00/mcp", "'http://\\x00/mcp' is no address: Invalid non-printable ASCII character in URL"),
        ("http://[bad/mcp", "[secret] cannot be reached"),
    ],
)
async def test_an_address_is_told_without_its_keys(url: str, reason: str, tmp_path: Path) -> None:
    async with served([ServerConfig("odd", "", "http", url=url)], tmp_path) as servers:
        (state,) = servers.states()
        assert (state.status, state.error[: len(reason)]) == ("failed", reason)


async def _nobody(_words: str) -> None:
    pass


def _running() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if look(pid) is not None]
