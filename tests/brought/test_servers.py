"""Servers that are named by the editor, by the person's file and by the project's, as the model comes to know them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.guidance.inventory import Inventory, Withheld
from openhands_acp.engine.servers.door import Servers
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import rejected
from tests.harness.mcp_servers import plain
from tests.harness.model import ScriptedModel, call, say
from tests.harness.waiting import until

pytestmark = pytest.mark.anyio

_PROGRAM = str(Path(plain.__file__))


def given(name: str, *args: str, **env: str) -> dict[str, Any]:
    """A server, as an editor names it."""
    pairs = [{"name": key, "value": value} for key, value in env.items()]
    return {"name": name, "command": sys.executable, "args": [_PROGRAM, *args], "env": pairs}


def written(*args: str, **env: str) -> dict[str, Any]:
    """A server, as it stands in a file."""
    return {"command": sys.executable, "args": [_PROGRAM, *args], "env": env}


def write(path: Path, **servers: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"mcpServers": servers}))


def backend(tmp_path: Path, *answers: Any) -> TestBackend:
    return TestBackend(ScriptedModel(answers), mode="always-approve", home=tmp_path / "home")


def offered(running: Running, request: int = 0) -> list[str]:
    return [spec.name for spec in running.model.offered[request] if "__" in spec.name]


def servers(running: Running) -> Servers:
    return running.backend.sessions[running.session_id].servers


async def looked(running: Running) -> Inventory:
    """Look around as a turn does."""
    session = running.backend.sessions[running.session_id]
    await session.look_around()
    return session.inventory


def running_with(argument: str) -> int:
    """Count processes that were started with this argument."""
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _is_mine(path)]
    return sum(os.fsencode(argument) in command.split(b"\0") for command in commands)


def _is_mine(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def told(running: Running) -> str:
    """What the model read last."""
    return str(running.model.requests[-1][-1])


async def test_what_the_editor_names_is_what_the_model_can_call(root: Path, tmp_path: Path) -> None:
    made = backend(tmp_path, [call("mine__tell", variable="COLOUR")], [say("Done.")])
    async with agent(root, backend=made, mcp_servers=[given("mine", "--fast", COLOUR="blue")]) as running:
        assert await running.prompt("what is it") == {"stopReason": "end_turn"}
        assert offered(running) == ["mine__tell"]
        assert "blue; ['--fast']; w" in told(running)


async def test_a_server_that_is_not_spelt_right_fails_alone(root: Path, tmp_path: Path) -> None:
    named = [{"name": "odd", "command": "x", "args": "y"}, given("mine"), {"type": "carrier pigeon", "name": "far"}]
    async with agent(root, backend=backend(tmp_path, [say("Hi.")]), mcp_servers=named) as running:
        await running.prompt("hello")
        states = {state.name: (state.status, state.error) for state in servers(running).states()}
    assert states == {
        "odd": ("failed", "mcpServers.0.args: input should be a valid list"),
        "mine": ("ready", ""),
        "far": ("failed", "mcpServers.2.type: must be stdio, http, sse or acp, not 'carrier pigeon'"),
    }


async def test_the_editor_comes_before_the_person_and_they_before_the_project(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "home/mcp.json", a=written("home"), b=written("home"))
    write(root / ".mcp.json", b=written("project"), c=written("project"))
    write(root / ".openhands/mcp.json", d=written("project", "2"))
    calls = [call(f"{name}__tell", index, variable="HOME") for index, name in enumerate("abcd")]
    async with agent(
        root, backend=backend(tmp_path, calls, [say("Done.")]), mcp_servers=[given("a", "editor")]
    ) as running:
        await running.prompt("call them all")
        answers = [str(message) for message in running.model.requests[-1][-4:]]
        problems = (await looked(running)).problems
    for argument, answer in zip(("['editor']", "['home']", "['project']", "['project', '2']"), answers, strict=True):
        assert argument in answer
    assert problems == (
        f"{tmp_path}/home/mcp.json, line 1: the server 'a' is left out; the editor has one, too",
        f"{root}/.mcp.json, line 1: the server 'b' is left out; {tmp_path}/home/mcp.json, line 1 has one, too",
    )


async def test_what_the_person_switched_off_stays_off(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "home/mcp.json", a=written() | {"enabled": False}, b=written())
    async with agent(root, backend=backend(tmp_path, [say("Hi.")])) as running:
        await running.prompt("hello")
        assert offered(running) == ["b__tell"]
        assert [(state.name, state.status) for state in servers(running).states()] == [
            ("a", "disabled"),
            ("b", "ready"),
        ]


async def test_what_changes_while_a_session_is_open_counts_from_its_next_prompt_on(root: Path, tmp_path: Path) -> None:
    answers = [[say(word)] for word in ("One.", "Two.", "Three.")]
    async with agent(root, backend=backend(tmp_path, *answers)) as running:
        await running.prompt("hello")
        write(tmp_path / "home/mcp.json", a=written())
        await looked(running)
        await until(lambda: [state.status for state in servers(running).states()] == ["ready"])
        await running.prompt("and now")
        (tmp_path / "home/mcp.json").unlink()
        await running.prompt("and now")
        assert [offered(running, request) for request in range(3)] == [[], ["a__tell"], []]


async def test_sessions_have_their_own(root: Path, tmp_path: Path) -> None:
    made = backend(tmp_path, [say("One.")], [say("Two.")], [say("Three.")])
    async with agent(root, backend=made, mcp_servers=[given("mine")]) as running:
        other = await running.editor.request("session/new", cwd=str(root), mcpServers=[given("yours")])
        for session_id in (running.session_id, other["sessionId"]):
            await running.editor.request(
                "session/prompt", sessionId=session_id, prompt=[{"type": "text", "text": "hi"}]
            )
        # Taken up again, with others than before.
        await running.editor.request(
            "session/load", sessionId=running.session_id, cwd=str(root), mcpServers=[given("another")]
        )
        await running.prompt("hi")
        assert [offered(running, request) for request in range(3)] == [
            ["mine__tell"],
            ["yours__tell"],
            ["another__tell"],
        ]


async def test_their_processes_end_with_their_session(root: Path, tmp_path: Path) -> None:
    mark = str(tmp_path / "unique")
    async with agent(root, backend=backend(tmp_path, [say("Hi.")]), mcp_servers=[given("mine", mark)]) as running:
        await running.prompt("hello")
        assert running_with(mark) == 1
        await running.editor.request("session/close", sessionId=running.session_id)
        assert running_with(mark) == 0


class Distrust:
    """Trusts nothing, until it is told to."""

    def __init__(self) -> None:
        self.asked: list[Withheld] = []
        self.trusts = False

    def covers(self, thing: Withheld) -> bool:
        return self.trusts

    def extend(self, things: Sequence[Withheld], *, for_good: bool) -> str:
        self.asked += things
        self.trusts = True
        return ""


async def test_a_projects_server_starts_once_it_is_trusted_as_it_is(root: Path, tmp_path: Path) -> None:
    mark = str(tmp_path / "unique")
    write(root / ".mcp.json", theirs={"command": sys.executable, "args": ["serve.py", mark], "cwd": "."})
    (root / "serve.py").write_text(Path(_PROGRAM).read_text())
    trust = Distrust()
    made = replace(backend(tmp_path, [say("Hi.")], [say("Hi.")]), trust=trust)
    async with agent(root, backend=made, permission=lambda _params: rejected()) as running:
        await running.prompt("hello")
        (withheld,) = (await looked(running)).withheld
        assert f"the MCP server `theirs` runs `{sys.executable} serve.py {mark}`" in withheld.what
        assert [state.status for state in servers(running).states()] == ["untrusted"]
        assert (offered(running), running_with(mark)) == ([], 0)
        # Another program under the same name is another thing to trust.
        (root / "serve.py").write_text("import os")
        (changed,) = (await looked(running)).withheld
        assert changed.digest != withheld.digest
        (root / "serve.py").write_text(Path(_PROGRAM).read_text())
        trust.trusts = True
        assert (await looked(running)).withheld == ()
        await until(lambda: [state.status for state in servers(running).states()] == ["ready"])
        await running.prompt("hello again")
        assert (offered(running, 1), running_with(mark)) == (["theirs__tell"], 1)
