"""The official TypeScript SDK drives the server; its validation refuses nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.scenarios import (
    ASKS,
    CASES,
    COMMANDS,
    FILE,
    GOES_ON,
    LEARNT,
    MODE,
    OFFERED,
    RETOLD,
    SLEEP,
    TAKEN_UP,
    UNENDED,
    Seen,
    folder_for,
    learnt,
)
from tests.harness.monitor import Monitor
from tests.harness.process import AT_ONCE, CANARY, command, environment, processes_with, with_provider, without_titles
from tests.harness.provider import Provider
from tests.harness.waiting import PATIENCE
from tests.turns.test_replay import client_model

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("typescript")


@pytest.fixture(scope="module")
def summary(provider: Provider, home: Path) -> dict[str, Any]:
    """Play all cases in one process of the server."""
    node = shutil.which("node")
    is_installed = (HERE / "node_modules/@agentclientprotocol/sdk").is_dir()
    assert node is not None, "Node is not on the PATH: the TypeScript SDK cannot run"
    assert is_installed, "the TypeScript SDK is not installed: `make test` does it, or `npm install` in tests/clients"
    program, *arguments = command()
    without_titles(home)
    given = {
        "command": program,
        "args": arguments,
        "env": environment(home, **with_provider(provider.url)),
        "cases": {name: case.to_driver(folder_for(name, home)) for name, case in CASES.items()},
        "again": CASES[TAKEN_UP].to_driver(folder_for("again", home)),
        "goesOn": GOES_ON,
        "mode": MODE,
        "last": UNENDED.to_driver(folder_for("last", home)),
    }
    driven = subprocess.run(
        [node, str(HERE / "drive.mjs")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (driven.returncode, driven.stderr) == (0, ""), driven
    return json.loads(driven.stdout)


@pytest.mark.parametrize("name", CASES)
def test_the_client_sees_what_every_client_sees(summary: dict[str, Any], home: Path, name: str) -> None:
    assert summary["protocolVersion"] == 1
    assert summary["seen"][name] == CASES[name].expected
    assert (home / name.replace(" ", "-") / FILE).read_text() == CASES[name].after


def test_the_model_learns_what_the_person_answered(summary: dict[str, Any], provider: Provider) -> None:
    assert ASKS in summary["seen"]
    bodies = [request.body for request in provider.requests if CASES[ASKS].prompt in str(request.body["messages"])]
    assert learnt(bodies[-1]) == LEARNT


def test_a_session_is_taken_up_in_every_way_and_deleted(summary: dict[str, Any]) -> None:
    nothing = Seen(stopReason="", text="", calls=[], questions=[], wrote=[], available=COMMANDS, forms=[], completed=[])
    assert summary["again"]["taken"] == {
        "loaded": {"modes": ["always-ask", "always-ask"], "seen": RETOLD},
        "resumed": {"modes": [MODE, MODE], "seen": nothing},
        "stopReason": "end_turn",
        "text": CASES[GOES_ON].expected["text"],
        "isNew": True,
        "forkedIn": MODE,
        # The fork is kept too, and stays when its original is deleted.
        "listed": [[True, CASES[TAKEN_UP].prompt, 5], [False, CASES[TAKEN_UP].prompt, 5]],
        "afterwards": [[False, CASES[TAKEN_UP].prompt, 5]],
        "gone": -32002,
    }


def test_what_the_sdk_makes_of_a_replay_is_what_it_made_live(summary: dict[str, Any]) -> None:
    live, loaded = (client_model(updates) for updates in summary["again"]["updates"])
    assert (loaded, len(loaded["calls"]), "plan" in loaded["state"]) == (live, 2, True)


def test_a_wrong_folder_is_told(summary: dict[str, Any]) -> None:
    details = "cwd: must be an absolute path, not 'not/absolute'"
    assert summary["wrongCwd"] == {"code": -32602, "data": {"details": details}}


def test_the_sdk_refuses_no_message(summary: dict[str, Any]) -> None:
    assert summary["refused"] == []


def test_the_whole_conversation_keeps_the_rules(summary: dict[str, Any]) -> None:
    monitor = Monitor(OFFERED)
    for direction, message in summary["wire"]:
        (monitor.sent if direction == "sent" else monitor.received)(message)
    assert (len(summary["wire"]) > 50, monitor.problems) == (True, [])


def test_the_server_ends_with_its_input_in_the_middle_of_a_stream(summary: dict[str, Any], provider: Provider) -> None:
    sys.stdout.write(f"gone after {summary['exit']['seconds']:.3f} s\n")
    assert (summary["exit"]["code"], processes_with(SLEEP)) == (0, [])
    assert summary["exit"]["seconds"] < AT_ONCE
    assert provider.requests[-1].hung_up.wait(PATIENCE)


def test_the_key_is_nowhere_but_at_the_provider(summary: dict[str, Any], home: Path, provider: Provider) -> None:
    kept = [path for path in home.rglob("*") if path.is_file()]
    journals = [path for path in kept if path.name == "journal.jsonl"]
    assert {request.headers["authorization"] for request in provider.requests} == {f"Bearer {CANARY}"}
    assert (len(journals), [path for path in kept if CANARY.encode() in path.read_bytes()]) == (len(CASES) + 2, [])
    assert CANARY not in json.dumps(summary)
