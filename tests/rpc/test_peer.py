"""What one request does wrong is its own affair."""

from __future__ import annotations

import json

import anyio
import pytest

from openhands_acp.rpc.errors import RemoteError, RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Call, Peer, Reply, done
from tests.harness.editor import MemoryChannel

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

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.run, channel)
            ask(1, "late", {"then": then})
            await anyio.wait_all_tasks_blocked()
            ask(2, "next", {})
            channel.end()
    assert [json.loads(line).get("result") for line in lines] == [{}, {"is": "served"}]


async def test_who_asks_when_the_peer_is_gone_does_not_wait_for_it() -> None:
    channel, peer = MemoryChannel(), Peer({}, {})
    with anyio.fail_after(5):
        channel.end()
        await peer.run(channel)
        with pytest.raises(RemoteError, match="the connection is over"):
            await peer.request("terminal/kill", {})
