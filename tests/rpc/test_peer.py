"""What one request does wrong is its own affair."""

from __future__ import annotations

import json

import anyio
import pytest

from openhands_acp.rpc.errors import RemoteError, RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Call, Peer, Reply, done
from tests.harness.editor import MemoryChannel
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def _fails() -> None:
    raise ImportError("what was to be warmed up is not installed")


async def _refuses() -> None:
    raise RpcError(-32001, "too late")


def _replies(then: str) -> Reply:
    return Reply({}, {"fails": _fails, "refuses": _refuses}[then])


async def _late(_call: Call, params: JsonObject) -> Reply:
    return _replies(str(params["then"]))


@pytest.mark.parametrize("then", ["fails", "refuses"])
async def test_what_fails_behind_an_answer_does_not_end_the_connection(then: str) -> None:
    channel, lines = MemoryChannel(), list[bytes]()
    channel.on_line = lines.append
    peer = Peer({"late": _late, "next": lambda _call, _params: done({"is": "served"})}, {})

    def ask(request_id: int, method: str, params: JsonObject) -> None:
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        channel.feed(json.dumps(message).encode() + b"\n")

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.run, channel)
            ask(1, "late", {"then": then})
            await anyio.wait_all_tasks_blocked()
            ask(2, "next", {})
            channel.end()
    assert [json.loads(line).get("result") for line in lines] == [{}, {"is": "served"}]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": {"code": 7, "message": "no"}}, "no (7)"),
        # Not as JSON-RPC has it, and no success either.
        ({"error": "no"}, "no (0)"),
        ({"error": "no", "result": {}}, "no (0)"),
        ({"error": 7}, "7 (0)"),
        ({"error": {}}, "the peer refused (0)"),
        ({"error": None, "result": {"is": "fine"}}, None),
        ({"result": {"is": "fine"}}, None),
    ],
)
async def test_whatever_an_error_looks_like_it_is_no_result(answer: JsonObject, told: str | None) -> None:
    channel, peer = MemoryChannel(), Peer({}, {})
    channel.on_line = lambda _line: channel.feed(json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode() + b"\n")
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.run, channel)
            try:
                answered = await peer.request("fs/write_text_file", {})
            except RemoteError as error:
                answered = str(error)
            channel.end()
            assert answered == (told or {"is": "fine"})


async def test_who_asks_when_the_peer_is_gone_does_not_wait_for_it() -> None:
    channel, peer = MemoryChannel(), Peer({}, {})
    with anyio.fail_after(PATIENCE):
        channel.end()
        await peer.run(channel)
        with pytest.raises(RemoteError, match="the connection is over"):
            await peer.request("terminal/kill", {})


async def test_what_was_asked_before_the_end_is_answered_however_busy_the_machine_but_nothing_that_may_last() -> None:
    async def work(_call: Call, _params: JsonObject) -> Reply:
        # As long as reading a folder may take where others use the machine.
        await anyio.sleep(0.3)
        return Reply({"is": "served"})

    async def last(_call: Call, _params: JsonObject) -> Reply:
        await anyio.sleep_forever()
        raise AssertionError

    channel, lines = MemoryChannel(), list[bytes]()
    channel.on_line = lines.append
    peer = Peer({"work": work, "last": last}, {}, lasting=("last",))
    for request_id, method in enumerate(("work", "last")):
        message: JsonObject = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {}}
        channel.feed(json.dumps(message).encode() + b"\n")
    channel.end()
    with anyio.fail_after(PATIENCE):
        await peer.run(channel)
    assert [json.loads(line) for line in lines] == [{"jsonrpc": "2.0", "id": 0, "result": {"is": "served"}}]
