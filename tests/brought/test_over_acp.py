"""A server of the editor's own, reached through the connection that there is (docs/rfds/mcp-over-acp.mdx)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.messages import JsonObject
from openhands_acp.mcp.over_acp import OverAcpTransport
from tests.brought.test_servers import backend, offered, servers, told
from tests.harness.check import Running, agent
from tests.harness.editor import Refusal
from tests.harness.mcp_servers.plain import answer
from tests.harness.model import call, say
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

SERVER = {"type": "acp", "name": "inside", "serverId": "s1"}


def have_servers(running: Running, *ids: str) -> list[str]:
    """Have the editor serve; return what it is told, as it comes."""
    heard: list[str] = []

    def connect(params: dict[str, Any]) -> dict[str, Any]:
        if params["serverId"] not in ids:
            raise Refusal(-32602, f"there is no server {params['serverId']}")
        return {"connectionId": f"c-{params['serverId']}"}

    def message(params: dict[str, Any]) -> dict[str, Any]:
        heard.append(params["method"])
        result = answer(params["method"], params.get("params") or {})
        if result is None:
            raise Refusal(-32601, "Method not found")
        return result

    def disconnect(params: dict[str, Any]) -> dict[str, Any]:
        heard.append(f"disconnect {params['connectionId']}")
        return {}

    methods = {"mcp/connect": connect, "mcp/message": message, "mcp/disconnect": disconnect}
    running.editor.answers.update(methods)
    running.editor.monitor.offers |= set(methods)
    return heard


async def opened(running: Running, root: Path, *mcp_servers: dict[str, Any]) -> Running:
    """Open a session once the editor can serve."""
    made = await running.editor.request("session/new", cwd=str(root), mcpServers=list(mcp_servers))
    return Running(running.editor, running.backend, made["sessionId"], root)


async def test_what_the_editor_serves_itself_can_be_called(root: Path, tmp_path: Path) -> None:
    made = backend(tmp_path, [call("inside__tell", variable="NOTHING")], [say("Done.")])
    with anyio.fail_after(PATIENCE):
        async with agent(root, backend=made) as first:
            heard = have_servers(first, "s1")
            running = await opened(first, root, SERVER)
            await running.prompt("call it")
            assert offered(running) == ["inside__tell"]
            assert "None; " in told(running)
            await running.editor.request("session/close", sessionId=running.session_id)
            assert (heard[0], heard[-1]) == ("initialize", "disconnect c-s1")
            assert "tools/call" in heard


async def test_the_editors_server_asks_back(root: Path, tmp_path: Path) -> None:
    with anyio.fail_after(PATIENCE):
        async with agent(root, backend=backend(tmp_path, [say("Hi.")])) as first:
            have_servers(first, "s1")
            running = await opened(first, root, SERVER)
            await until(lambda: [state.status for state in servers(running).states()] == ["ready"])
            ask = running.editor.request
            assert await ask("mcp/message", connectionId="c-s1", method="ping") == {}
            refused = await ask("mcp/message", connectionId="c-s1", method="no/such/method", params={})
            assert refused["code"] == -32601
            unknown = await ask("mcp/message", connectionId="c-2", method="ping")
            assert unknown["data"] == {"details": "connectionId: there is no connection 'c-2'"}
            # What nobody listens to does no harm.
            running.editor.notify("mcp/message", connectionId="c-2", method="notifications/message", params={})
            running.editor.notify("mcp/message", connectionId="c-s1", method="notifications/tools/list_changed")


@pytest.mark.parametrize("senseless", [None, ["no object"], "no object"])
async def test_an_answer_of_the_editor_that_makes_no_sense_fails_its_call_alone(
    root: Path, tmp_path: Path, senseless: Any
) -> None:
    made = backend(tmp_path, [call("inside__tell", variable="X")], [call("inside__tell", variable="X")], [say("Hi.")])
    with anyio.fail_after(30):
        async with agent(root, backend=made) as first:
            have_servers(first, "s1")
            message = first.editor.answers["mcp/message"]
            calls: list[Any] = []

            def once(params: dict[str, Any]) -> Any:
                calls.extend([params] if params["method"] == "tools/call" else [])
                return senseless if len(calls) == 1 and params["method"] == "tools/call" else message(params)

            first.editor.answers["mcp/message"] = once
            running = await opened(first, root, SERVER)
            await running.prompt("call it twice")
            results = [str(request[-1]) for request in running.model.requests[1:]]
            assert "its answer is not as the protocol has it" in results[0]
            assert "None; " in results[1]


async def test_what_the_editor_says_after_the_end_goes_nowhere() -> None:
    class Channel:
        async def connect(self, _server_id: str, _listener: object) -> str:
            return "c"

        async def ask(self, _connection_id: str, _method: str, _params: JsonObject | None) -> JsonObject:
            return {"result": {}}

        def tell(self, _connection_id: str, _method: str, _params: JsonObject | None) -> None:
            pass

        async def disconnect(self, _connection_id: str) -> None:
            pass

    transport = OverAcpTransport("s1", Channel())
    async with transport.connect_session():
        pass
    transport.told("notifications/message", {})
    over = {"error": {"code": -32000, "message": "the connection is over"}}
    with anyio.fail_after(5):
        assert await transport.asked("ping", None) == over


async def test_one_that_the_editor_does_not_connect_fails_alone(root: Path, tmp_path: Path) -> None:
    with anyio.fail_after(PATIENCE):
        async with agent(root, backend=backend(tmp_path, [say("Hi.")])) as first:
            have_servers(first, "s1")
            running = await opened(first, root, SERVER, {"type": "acp", "name": "other", "id": "s2"})
            await running.prompt("hello")
            states = {state.name: (state.status, state.error) for state in servers(running).states()}
            assert states["inside"] == ("ready", "")
            assert states["other"][0] == "failed"
            assert "there is no server s2" in states["other"][1]
