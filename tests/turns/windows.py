"""A window of an editor: one process's agent with the real store in a home, a scripted model, and its wire for people.

In a wire, ids count in the order in which they came (`S1` a session, `M1` a message, `C1` a call), and times, folders
and cursors are left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from anyio.abc import TaskGroup

from openhands_acp.acp.agent import Agent
from openhands_acp.acp.connection import Connection
from openhands_acp.backend import Backend
from openhands_acp.model_list import Catalogue
from openhands_acp.models import ModelLibrary
from openhands_acp.options import Options
from tests.harness.editor import Editor, MemoryChannel
from tests.harness.model import Answer, ScriptedModel
from tests.harness.told_again import differences

Json = dict[str, Any]

_LETTERS = {"sessionId": "S", "messageId": "M", "toolCallId": "C"}


@dataclass(frozen=True, slots=True)
class Machine:
    """A home and a project: what processes share."""

    root: Path
    names: dict[str, str] = field(default_factory=dict[str, str])
    """What ids are called in a wire."""

    @property
    def sessions(self) -> Path:
        return self.root / "home/acp/sessions"

    @property
    def project(self) -> Path:
        return self.root / "project"

    def journal(self, session_id: str) -> Path:
        return self.sessions / session_id.replace("-", "") / "journal.jsonl"

    def name(self, kind: str, value: str) -> str:
        letter = _LETTERS[kind]
        number = sum(name.startswith(letter) for name in self.names.values()) + 1
        return self.names.setdefault(value, f"{letter}{number}")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name in [name for name in os.environ if name.startswith(("LLM_", "OPENHANDS_"))]:
        monkeypatch.delenv(name)
    made = Machine(tmp_path)
    monkeypatch.setenv("OPENHANDS_PERSISTENCE_DIR", str(tmp_path / "home"))
    # Where people keep what is for every agent: this person has none.
    monkeypatch.setenv("HOME", str(tmp_path))
    made.project.mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home/acp.toml").write_text('titles = false\nlocal_servers = []\nmodels = ["fake/other"]\n')
    return made


@dataclass(slots=True)
class Window:
    editor: Editor
    machine: Machine
    model: ScriptedModel
    session_id: str = ""
    """The one that was opened last."""

    async def new(self, folder: Path | None = None) -> str:
        opened = await self.editor.request("session/new", cwd=str(folder or self.machine.project), mcpServers=[])
        self.session_id = opened["sessionId"]
        self.machine.name("sessionId", self.session_id)
        return self.session_id

    async def ask(self, method: str, session_id: str, **more: Any) -> Any:
        """Send a request of those that name a session and a folder."""
        self.session_id = session_id
        params: Json = {"sessionId": session_id, "cwd": str(self.machine.project), "mcpServers": [], **more}
        return await self.editor.request(method, **params)

    def begin(self, text: str) -> int:
        return self.editor.ask("session/prompt", sessionId=self.session_id, prompt=[{"type": "text", "text": text}])

    async def prompt(self, text: str) -> Any:
        return await self.editor.answer(self.begin(text))

    async def announced(self, session_id: str, times: int = 1) -> None:
        """Wait for what follows the answer with which a session was opened; `times` counts its openings."""

        def announcements() -> int:
            told = [m["params"] for way, m in self.editor.log if way == "out" and m.get("method") == "session/update"]
            kinds = [params["update"]["sessionUpdate"] for params in told if params["sessionId"] == session_id]
            return kinds.count("available_commands_update")

        await self.editor.until(lambda _message: announcements() >= times)

    def wire(self, since: int = 0) -> str:
        """Write what passed after so many messages: `>` to the agent, `<` from it."""
        log = self.editor.log[since:]
        lines = [f"{'>' if way == 'in' else '<'} {_spelt(message, self.machine)}" for way, message in log]
        return _shortened("\n".join(lines), self.machine)

    @property
    def now(self) -> int:
        """How much has passed: what `wire` begins after."""
        return len(self.editor.log)


Kind = Callable[[Editor, TaskGroup], Json]
"""Makes an editor one of a kind, and returns what it says of itself in `initialize`."""


def _plain(_editor: Editor, _tasks: TaskGroup) -> Json:
    return {"clientCapabilities": {}}


@asynccontextmanager
async def window(
    machine: Machine,
    *answers: Answer,
    chosen: str | None = "fake/model",
    resume: str | None = None,
    kind: Kind = _plain,
    is_all_kept: bool = True,
) -> AsyncGenerator[Window]:
    """Run one process's agent; afterwards its wire must have been sound, and a load by another must tell the same.

    `chosen` and `resume` are the command line's. Not all is kept where a disk fails: that is told, and not written.
    """
    model = ScriptedModel(answers)
    knows_nothing = Catalogue({}, lambda _model: None, lambda _model: False)
    backend = Backend(Options(chosen, resume=resume), library=ModelLibrary(lambda _settings: model, knows_nothing))
    channel = MemoryChannel()
    editor = Editor(channel)
    editor.monitor.continues = resume is not None
    connection = Connection("0", lambda peer, client: Agent(peer, client, backend))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.peer.run, channel)
        await editor.request("initialize", protocolVersion=1, **kind(editor, tasks))
        yield Window(editor, machine, model)
        channel.end()
    await connection.close()
    assert editor.monitor.problems == [], editor.monitor.problems
    assert model.violations == []
    if chosen is not None and resume is None and is_all_kept:
        begun = {session_id: cwd for session_id, cwd in _begun(editor).items() if machine.journal(session_id).exists()}
        later = Backend(Options(chosen), library=ModelLibrary(lambda _settings: model, knows_nothing))
        differing = await differences(editor, begun, lambda peer, client: Agent(peer, client, later))
        assert not differing, "\n".join(differing)


def _begun(editor: Editor) -> dict[str, str]:
    """Return the sessions that were begun here, each with its folder."""
    asked = {m["id"]: m["params"]["cwd"] for way, m in editor.log if way == "in" and m.get("method") == "session/new"}
    answers = [m for way, m in editor.log if way == "out" and m.get("id") in asked and "result" in m]
    return {answer["result"]["sessionId"]: asked[answer["id"]] for answer in answers}


# ---------------------------------------------------------------- the wire for people


def _spelt(message: Json, machine: Machine) -> str:
    if "method" not in message:
        if "error" in message:
            return f"{message['id']} error {_told(message['error'], machine)}"
        return f"{message['id']} = {_told(message['result'], machine)}"
    params = cast("Json", message["params"])
    number = f"{message['id']} " if "id" in message else ""
    if message["method"] != "session/update":
        return f"{number}{message['method']} {_told(params, machine)}"
    update = dict(params["update"])
    kind = update.pop("sessionUpdate")
    return f"{machine.name('sessionId', params['sessionId'])} {kind} {_told(update, machine)}"


def _told(value: Json, machine: Machine) -> str:
    return json.dumps(_steady(value, machine), ensure_ascii=False)


def _steady(value: Any, machine: Machine) -> Any:
    if isinstance(value, dict):
        record = cast("Json", value)
        return {key: _field(key, item, machine) for key, item in record.items()}
    return [_steady(item, machine) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _field(key: str, value: Any, machine: Machine) -> Any:
    match key, value:
        case (("sessionId" | "messageId" | "toolCallId"), str()):
            return machine.name(key, value)
        case "modes", dict():
            return cast("Json", value)["currentModeId"]
        case "configOptions", list():
            return {option["id"]: option["currentValue"] for option in cast("list[Json]", value)}
        case "availableCommands", list():
            return [command["name"] for command in cast("list[Json]", value)]
        case "seconds", _:
            return 0
        case "updatedAt", _:
            return "TIME"
        case _:
            return _steady(value, machine)


def _shortened(wire: str, machine: Machine) -> str:
    for value, name in machine.names.items():
        wire = wire.replace(value, name)
    return wire.replace(str(machine.project), "PROJECT").replace(str(machine.root), "ROOT")
