"""A real server whose settings have commands run in the client's terminals, and the simplest client that has some."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openhands_acp.llm.scripted import CORRECTION, PROGRAM
from tests.harness.process import SETTINGS, Server, line_of
from tests.harness.waiting import PATIENCE
from tests.wire.scripted import begin_command

COMMAND = f"N=$((N + 1)); echo run $N; grep -q '{CORRECTION}' {PROGRAM} && echo OK || {{ echo FAILED; false; }}"


@dataclass(slots=True)
class Client:
    """Runs each command to its end before it answers, through the shell that a person has."""

    server: Server
    ran: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Lines and what they printed."""
    codes: list[int] = field(default_factory=list[int])
    asked: list[str] = field(default_factory=list[str])

    def serve_until(self, request_id: str) -> None:
        while True:
            message = self.server.message()
            if "method" not in message and message.get("id") == request_id:
                return
            if "id" in message and "method" in message:
                self.asked.append(message["method"])
                result = self.answer(message["method"], message["params"])
                self.server.send(line_of({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "terminal/create":
                variables = {each["name"]: each["value"] for each in params["env"]}
                result = subprocess.run(
                    params["command"], shell=True, cwd=params["cwd"], env=os.environ | variables,
                    capture_output=True, text=True, timeout=PATIENCE, check=False,
                )  # fmt: skip
                self.ran.append((params["command"], result.stdout))
                self.codes.append(result.returncode)
                return {"terminalId": str(len(self.ran) - 1)}
            case "terminal/wait_for_exit":
                return {"exitCode": self.codes[int(params["terminalId"])], "signal": None}
            case "terminal/output":
                return {"output": self.ran[int(params["terminalId"])][1], "truncated": False}
            case _:
                return {}


def settings(home: Path) -> Path:
    (home / SETTINGS).parent.mkdir(parents=True)
    (home / SETTINGS).write_text('terminal = "client"\n')
    return home


def test_commands_run_in_the_clients_terminals_and_the_shell_goes_on(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with Server(settings(tmp_path / "home"), "--model", "scripted/demo", "--always-approve") as server:
        server.initialize(terminal=True)
        client = Client(server)
        client.serve_until(begin_command(server, project, COMMAND))
    assert [output for _, output in client.ran] == ["run 1\nFAILED\n", "run 2\nOK\n"]
    assert client.asked.count("terminal/release") == 2


def test_a_client_that_offers_no_terminals_is_asked_for_none(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with Server(settings(tmp_path / "home"), "--model", "scripted/demo", "--always-approve") as server:
        server.initialize()
        client = Client(server)
        client.serve_until(begin_command(server, project, f"{COMMAND}; echo $N >> runs"))
    assert (client.asked, (project / "runs").read_text()) == ([], "1\n2\n")


def test_the_server_ends_with_its_client_whatever_runs_in_the_clients_terminals(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with Server(settings(tmp_path / "home"), "--model", "scripted/demo", "--always-approve") as server:
        server.initialize(terminal=True)
        begin_command(server, project, COMMAND)
        [*_, created] = server.until(lambda message: message.get("method") == "terminal/create")
        server.send(line_of({"jsonrpc": "2.0", "id": created["id"], "result": {"terminalId": "t"}}))
        server.until(lambda message: message.get("method") == "terminal/wait_for_exit")
        # Nobody is left to end anything: it is not waited for.
        assert server.ends_at_once(Server.close_stdin)
