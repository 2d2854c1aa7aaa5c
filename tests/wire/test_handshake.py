"""The first minutes of a connection: `initialize`, and how a session comes to be. No model is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.monitor import Monitor
from tests.harness.process import Server, line_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("home"), "--model", "scripted/demo") as server:
        server.initialize()
        yield server


def request(request_id: Any, method: str, **params: Any) -> bytes:
    return line_of({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


# ---------------------------------------------------------------- initialize


@pytest.mark.parametrize(
    ("capabilities", "types"),
    [
        ({}, ["agent"]),
        ({"auth": {"terminal": True}}, ["agent", "terminal"]),
        ({"_meta": {"terminal-auth": True}}, ["agent", "terminal"]),
        ({"auth": {"terminal": False}, "fs": None, "_meta": 3}, ["agent"]),
    ],
)
def test_the_first_line_is_the_answer_and_offers_a_way_to_log_in(
    tmp_path: Path, capabilities: dict[str, Any], types: list[str]
) -> None:
    with Server(tmp_path) as server:
        server.send(request(1, "initialize", protocolVersion=1, clientCapabilities=capabilities))
        answer = server.message()
    result = answer["result"]
    assert (answer["id"], result["protocolVersion"]) == (1, 1)
    assert [method.get("type", "agent") for method in result["authMethods"]] == types
    assert result["agentInfo"]["name"] == "openhands-acp"


@pytest.mark.parametrize("version", [0, 1, 2, 99, -1, 1.5, "1", "2025-06-01", None, True, {}])
def test_one_version_is_spoken_whatever_is_asked_for(server: Server, version: Any) -> None:
    assert server.ask("initialize", {"protocolVersion": version})["result"]["protocolVersion"] == 1


def test_what_comes_before_initialize_is_refused_and_does_no_harm(tmp_path: Path) -> None:
    with Server(tmp_path, "--model", "scripted/demo") as server:
        for method in ("session/new", "session/prompt", "no/such"):
            error = server.ask(method)["error"]
            assert (error["code"], "initialize" in error["data"]["details"]) == (-32600, True)
        server.notify("session/cancel", {"sessionId": "x"})
        server.send(b"junk\n")
        assert server.message()["error"]["code"] == -32700
        assert server.ask("initialize")["error"]["code"] == -32602
        assert server.ask("session/new", {"cwd": str(tmp_path)})["error"]["code"] == -32600
        assert server.initialize()["result"]["protocolVersion"] == 1
        assert server.new_session(tmp_path)


def test_a_client_need_not_wait_for_the_answer_to_initialize(tmp_path: Path) -> None:
    both = request(1, "initialize", protocolVersion=1) + request(2, "session/new", cwd=str(tmp_path), mcpServers=[])
    with Server(tmp_path, "--model", "scripted/demo") as server:
        server.send(both)
        answers = server.answer(2)
    assert [(answer["id"], "result" in answer) for answer in answers] == [(1, True), (2, True)]


# ---------------------------------------------------------------- session/new


@pytest.mark.parametrize(
    ("cwd", "message", "told"),
    [
        ("relative/folder", "Invalid params", "cwd: must be an absolute path, not 'relative/folder'"),
        ("", "Invalid params", "cwd: must be an absolute path, not ''"),
        ("~", "Invalid params", "cwd: must be an absolute path, not '~'"),
        ("{home}/missing", "There is no folder '{home}/missing'", "cwd: '{home}/missing' is not a folder that exists"),
        (
            "{home}/stderr.txt",
            "There is no folder '{home}/stderr.txt'",
            "cwd: '{home}/stderr.txt' is not a folder that exists",
        ),
        ("{home}/\0", "There is no folder '{home}/\\x00'", "cwd: '{home}/\\x00' is not a folder that exists"),
    ],
)
def test_a_session_needs_a_folder_that_exists(server: Server, cwd: str, message: str, told: str) -> None:
    answer = server.ask("session/new", {"cwd": cwd.format(home=server.home), "mcpServers": []})
    error = {"code": -32602, "message": message.format(home=server.home)}
    assert answer["error"] == error | {"data": {"details": told.format(home=server.home)}}


def test_nothing_is_said_of_a_session_before_its_answer_and_its_commands_follow(tmp_path: Path) -> None:
    monitor = Monitor()
    with Server(tmp_path, "--model", "scripted/demo") as server:
        server.initialize()
        request_id = server.put("session/new", {"cwd": str(tmp_path), "mcpServers": []})
        messages = server.until(lambda message: "method" in message)
    monitor.sent({"id": request_id, "method": "session/new"})
    for message in messages:
        monitor.received(message)
    answer, update = messages
    assert answer["id"] == request_id
    assert update["params"]["sessionId"] == answer["result"]["sessionId"]
    assert update["params"]["update"]["sessionUpdate"] == "available_commands_update"
    assert monitor.problems == []


def test_without_a_model_the_error_says_what_to_set_and_the_next_attempt_reads_it(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.initialize()
        new: dict[str, Any] = {"cwd": str(tmp_path), "mcpServers": []}
        for method, params in (("session/new", new), ("authenticate", {"methodId": "llm-api-key"})):
            error = server.ask(method, params)["error"]
            assert (error["code"], bool(error["data"]["reason"])) == (-32000, True)
            assert "LLM_MODEL" in error["data"]["details"]
        settings = tmp_path / ".openhands/acp.toml"
        settings.parent.mkdir()
        settings.write_text('model = "scripted/demo"\n')
        assert server.ask("authenticate", {"methodId": "llm-api-key"})["result"] == {}
        assert server.new_session(tmp_path)


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    with Server(tmp_path, LLM_MODEL="anthropic/claude-sonnet-4-5") as server:
        server.initialize()
        error = server.ask("session/new", {"cwd": str(tmp_path), "mcpServers": []})["error"]
    assert (error["code"], "ANTHROPIC_API_KEY" in error["data"]["details"]) == (-32000, True)


def test_settings_that_are_wrong_do_not_stop_the_server_and_are_told_on_stderr(tmp_path: Path) -> None:
    (tmp_path / ".openhands").mkdir()
    (tmp_path / ".openhands/acp.toml").write_text('model = "scripted/demo"\nmax_steps = "many"\n')
    with Server(tmp_path) as server:
        assert server.initialize()["result"]["protocolVersion"] == 1
        assert server.new_session(tmp_path)
        assert "acp.toml" in server.log()
        assert "max_steps" in server.log()
