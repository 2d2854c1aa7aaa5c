"""Nothing but the protocol reaches the client, whatever else in the process writes to stdout."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.harness.process import Server, eventually
from tests.wire.scripted import begin_command

# Loaded by the interpreter itself at start (the `site` module), so the server's code is as it is.
NOISE = """
import os, subprocess, sys, threading

def noise():
    for _ in range(15):
        print("noise of print", flush=True)
        sys.__stdout__.write("noise of a buffer\\n")
        os.write(1, b"noise of a system call\\n")
        subprocess.run(["sh", "-c", "echo noise of a child; cat"])
    os.write(2, b"silence\\n")

def hook(event, arguments):
    # The server has taken its stdout by then: this is what it imports when `initialize` is answered.
    if event == "import" and arguments[0] == "openhands_acp.backend" and not begun:
        begun.append(True)
        threading.Thread(target=noise).start()

begun = []
sys.addaudithook(hook)
"""
KINDS = {"print", "a buffer", "a system call", "a child"}


def test_every_byte_on_stdout_is_protocol(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve", PYTHONPATH=path) as server:
        server.initialize()
        answer = server.answer(begin_command(server, tmp_path, "echo from the command; echo OK"))[-1]
        eventually(lambda: "silence" in server.log())
        server.close_stdin()
        server.rest()
        heard = set(re.findall("noise of (.+)", server.log()))
    assert (answer["result"], heard) == ({"stopReason": "end_turn"}, KINDS)
    assert [line for line in server.passed if json.loads(line)["jsonrpc"] != "2.0"] == []


def test_a_command_holds_none_of_the_protocols_pipes(tmp_path: Path) -> None:
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve") as server:
        pipes = [os.readlink(f"/proc/self/fd/{fd}") for fd in (server.stdin, server.stdout)]
        server.initialize()
        updates = server.answer(begin_command(server, tmp_path, "ls -l /proc/self/fd; cat; echo OK"))
    told = json.dumps(updates)
    assert ("/proc/" in told, [pipe for pipe in pipes if pipe in told]) == (True, [])


def test_a_command_sees_no_variable_that_the_server_set_for_itself(tmp_path: Path) -> None:
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve") as server:
        server.initialize()
        command = "echo OK; env | grep -E '^(PYDANTIC_|LITELLM_)'; true"
        updates = json.dumps(server.answer(begin_command(server, tmp_path, command)))
    assert ("OK" in updates, "PYDANTIC_DISABLE_PLUGINS=" in updates, "LITELLM_LOCAL_MODEL_COST_MAP=" in updates) == (
        True,
        False,
        False,
    )
