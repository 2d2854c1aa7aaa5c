"""`check`: an agent with a scripted model, real files and processes in a folder of its own, and a scripted editor.

The one place where tests know how an agent is put together.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel

from openhands_acp.acp.agent import Agent
from openhands_acp.acp.connection import Connection
from openhands_acp.acp.doors import EditorPorts
from openhands_acp.acp.sessions import BadCursor, Defaults, Kept, Listed, NotConfigured, NotKept
from openhands_acp.brought import Around, Brought, open_brought
from openhands_acp.engine.browser import Browser, NoBrowser
from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.checkpoints.snapshots import Snapshots
from openhands_acp.engine.choices import Choice
from openhands_acp.engine.events import ConversationStarted, Entry, SystemPromptEvent
from openhands_acp.engine.guidance.inventory import NOTHING, Inventory
from openhands_acp.engine.guidance.trust import Trust, TrustsEverything
from openhands_acp.engine.hands import World
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, Files, Spelt, Taken, Terminals
from openhands_acp.engine.servers.door import NoServers, Servers
from openhands_acp.engine.servers.remote_requests import RemoteRequests
from openhands_acp.engine.session import Session
from openhands_acp.engine.session_ports import Beginning, KeptSubagent, OpenSubagent, Ports
from openhands_acp.engine.usage.budget import Critic, Limit, Limits
from openhands_acp.engine.waiting import Persistence, Waiting
from openhands_acp.engine.web import NoWeb, Web
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.files import LocalFiles
from openhands_acp.local.hook_programs import HookPrograms
from openhands_acp.local.programs import LocalPrograms
from openhands_acp.local.search import LocalSearch
from openhands_acp.local.snapshots import LocalSnapshots
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.store.codec import from_json, to_json
from openhands_acp.store.outputs import keep
from openhands_acp.tools import tools_for
from openhands_acp.tools.browser import browser_tools
from openhands_acp.tools.remote_kit import RemoteKit
from openhands_acp.tracing import Tracing
from tests.harness.choices import FixedChoices
from tests.harness.editor import Answerer, Editor, MemoryChannel, allowed
from tests.harness.editor_terminals import EditorTerminals
from tests.harness.model import Answer, ScriptedModel
from tests.harness.told_again import differences
from tests.harness.waiting import PATIENCE, until


@dataclass(slots=True)
class MemoryJournal:
    entries: list[Entry] = field(default_factory=list[Entry])
    syncs: int = 0

    owner: Taken | None = None
    """Set where another process owns the session."""

    def claim(self) -> None:
        if self.owner is not None:
            raise self.owner

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)

    def sync(self) -> None:
        self.syncs += 1


@dataclass(slots=True)
class TestBackend:
    """`Backend` with a scripted model, ids that count, and a clock that stands still."""

    __test__ = False

    model: LLM
    mode: str = "always-ask"
    limits: Limits = field(default_factory=lambda: Limits(Limit(max_steps=20)))
    limits_of: dict[str, Limits] = field(default_factory=dict[str, Limits])
    """Of models that have their own."""
    levels: tuple[str, ...] = ()
    """How much the model can be asked to think."""
    opened: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Each model that was opened, and how much it was to think."""
    by_purpose: dict[str, LLM] = field(default_factory=dict[str, LLM])
    by_name: dict[str, LLM] = field(default_factory=dict[str, LLM])
    """Models other than `model`."""
    persistence: Persistence = field(default_factory=Persistence)
    waiting: Waiting = field(default_factory=lambda: Waiting(_no_time, lambda: 0.0, lambda: 0.5))
    critic: Critic | None = None
    tracing: Tracing | None = None
    in_editor: bool = False
    """Commands run in the editor's terminals."""
    checkpoints: Path | None = None
    """Where earlier states of the files are kept; None: nowhere."""
    disk: Files = field(default_factory=LocalFiles)
    journals: dict[str, MemoryJournal] = field(default_factory=dict[str, MemoryJournal])
    """What is on the disk: shared by backends that stand for one machine."""
    subagents: dict[str, MemoryJournal] = field(default_factory=dict[str, MemoryJournal])
    """The same of their sub-agents, by session and task."""
    outputs: Path | None = None
    """Where what is too long to be read at once is kept; None: nowhere."""
    models: FixedChoices | None = None
    """Those to choose from; None: the model and another one."""
    changed: Callable[[], None] = lambda: None
    """To be called when there are more of them."""
    titles: bool = False
    not_configured: NotConfigured | None = None
    sessions: dict[str, Session] = field(default_factory=dict[str, Any])
    servers: Servers = field(default_factory=NoServers)
    """What every session has."""
    requests: RemoteRequests | None = None
    """Through which these servers ask; made theirs before."""
    web: Web = field(default_factory=NoWeb)
    browser: Browser | None = None
    inventory: Inventory = NOTHING
    """What people wrote down, in every session."""
    tools: tuple[str, ...] = ()
    """Names of those that a new session has; empty: all that come with the program."""
    home: Path | None = None
    """The person's own folder; with it, sessions have what is really there, the servers that the client names among it,
    in place of `servers` and `inventory`."""
    trust: Trust = field(default_factory=TrustsEverything)
    ids: Any = field(default_factory=lambda: itertools.count(1))
    _terminals: dict[str, LocalTerminals] = field(default_factory=dict[str, Any])
    _snapshots: dict[str, LocalSnapshots] = field(default_factory=dict[str, Any])
    _brought: dict[str, Brought] = field(default_factory=dict[str, Any])

    def defaults(self) -> Defaults:
        if self.not_configured:
            raise self.not_configured
        return Defaults(self.mode, self.model.model, self.titles)

    @property
    def choices(self) -> FixedChoices:
        self.models = self.models or FixedChoices([Choice(name, name) for name in (self.model.model, "fake/other")])
        return self.models

    def open_session(self, started: ConversationStarted, editor: EditorPorts, kept: Kept | None) -> Session:
        terminals = self._terminals[started.session_id] = LocalTerminals()

        tracing, session_id = self.tracing, started.session_id

        async def open_llm(name: str, thought_level: str, purpose: str) -> LLM:
            if purpose in self.by_purpose:
                return self.by_purpose[purpose]
            self.opened.append((name, thought_level))
            llm = self.by_name.get(name, self.model)
            return tracing.traced(session_id, llm, purpose) if tracing else llm

        async def describe() -> SystemPromptEvent:
            return SystemPromptEvent("static", "dynamic", ())

        async def look_around() -> Inventory:
            return self.inventory

        def open_snapshots() -> Snapshots:
            assert self.checkpoints is not None
            opened = LocalSnapshots(self.checkpoints, started.session_id, started.roots)
            self._snapshots[started.session_id] = opened
            return opened

        journal = self.journals[started.session_id] = MemoryJournal(list(kept.entries) if kept else [])
        ports = Ports(
            open_llm=open_llm,
            open_world=lambda: World(
                editor.files(self.disk),
                self._shown(terminals, editor),
                LocalSearch(),
                self.web,
                self.browser or NoBrowser(),
            ),
            permissions=editor.permissions,
            open_person=editor.open_person,
            open_servers=lambda: self.servers,
            open_kit=cache(RemoteKit),
            open_requests=lambda: self._requests(editor),
            look_around=look_around,
            journal=journal,
            publish=tracing.watched(session_id, editor.publish) if tracing else editor.publish,
            drained=editor.drained,
            offer=editor.offer,
            trust=self.trust,
            describe=describe,
            choices=self.choices,
            open_snapshots=open_snapshots if self.checkpoints else None,
            outputs=AbsPath(str(self.outputs)) if self.outputs else None,
            keep=_keep,
            waiting=self.waiting,
            open_subagent=self._subagents(session_id),
            open_terminals=lambda: self._shown(LocalTerminals(), editor),
            new_id=lambda: f"id{next(self.ids)}",
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
        if self.home is not None:
            brought = self._brought[started.session_id] = self._bring(self.home, started, editor)
            ports = replace(
                ports,
                open_hooks=lambda: brought.hooks,
                open_servers=lambda: brought.servers,
                open_own_servers=brought.own_servers,
                open_requests=lambda: brought.around.requests,
                look_around=brought.look_around,
                rules_near=brought.rules_near,
            )
        names = kept.tools if kept else self.tools
        self.sessions[started.session_id] = Session(
            started,
            ports,
            lambda inventory: tools_for(
                started.model, names, inventory=inventory, extra=browser_tools() if self.browser else ()
            ),
            Beginning(
                self.limits,
                kept.entries if kept else (),
                critic=self.critic,
                persistence=self.persistence,
                limits_of=self.limits_of,
            ),
        )
        return self.sessions[started.session_id]

    def _bring(self, home: Path, started: ConversationStarted, editor: EditorPorts) -> Brought:
        login = LoginEnvironment()
        around = Around(
            home,
            started.roots,
            self.trust.covers,
            login.inherited,
            lambda: LocalPrograms(login),
            lambda: HookPrograms(LocalPrograms(login)),
            RemoteRequests(editor.open_person()),
            # However slow the machine is.
            first_wait=60,
        )
        return open_brought(around, editor)

    def _requests(self, editor: EditorPorts) -> RemoteRequests | None:
        if self.requests is not None:
            self.requests.person = editor.open_person()
        return self.requests

    def _shown(self, terminals: Terminals, editor: EditorPorts) -> Terminals:
        if not self.in_editor:
            return terminals
        return editor.terminals(terminals, lambda command: Spelt(command.line, command.cwd, {}))

    def _subagents(self, session_id: str) -> OpenSubagent:
        async def opened(task_id: str) -> KeptSubagent:
            place = f"{session_id}/{task_id}"
            journal = self.subagents.setdefault(place, MemoryJournal())
            return KeptSubagent(journal, tuple(journal.entries), open_subagent=self._subagents(place))

        return opened

    async def kept(self, session_id: str) -> Kept:
        if session_id not in self.journals:
            raise NotKept(f"there is no session {session_id!r}")
        return Kept(tuple(self.journals[session_id].entries))

    async def copied(self, entries: tuple[Entry, ...], session_id: str) -> Kept:
        return Kept(entries)

    async def listed(self, cwd: str | None, cursor: str | None) -> tuple[list[Listed], str | None]:
        if cursor is not None:
            raise BadCursor
        now = datetime(2026, 1, 1, tzinfo=UTC)
        return [Listed(key, (AbsPath("/w"),), "t", now, len(j.entries)) for key, j in self.journals.items()], None

    async def delete(self, session_id: str) -> None:
        self.journals.pop(session_id, None)

    def has_gone_on(self, session: Session) -> bool:
        return False

    async def to_resume(self, cwd: str) -> str | None:
        return None

    def thought_levels(self, model: str) -> tuple[str, ...]:
        return self.levels

    def asked_by(self, session_id: str, meta: Mapping[str, Any]) -> None:
        if self.tracing is not None:
            self.tracing.asked_by(session_id, meta)

    def name_servers(self, session: Session, mcp_servers: tuple[JsonObject, ...]) -> None:
        if session.id in self._brought:
            self._brought[session.id].named = mcp_servers

    async def serve(self, session: Session) -> None:
        if session.id in self._brought:
            await self._brought[session.id].serve()

    async def warm_up(self, changed: Callable[[], None]) -> None:
        self.changed = changed

    async def close_session(self, session: Session) -> None:
        await hooking.ended(session)
        if session.id in self._brought:
            await self._brought.pop(session.id).close()
        await self._terminals.pop(session.id).end()
        if session.id in self._snapshots:
            await self._snapshots.pop(session.id).close()


async def _no_time(_seconds: float) -> None:
    """Tests do not wait before a model is asked once more."""
    await anyio.lowlevel.checkpoint()


async def _keep(folder: AbsPath, name: str, text: str) -> KeptOutput | None:
    return keep(Path(folder), name, text)


@dataclass(slots=True)
class Running:
    """An agent under test, its editor, and the session that was opened."""

    editor: Editor
    backend: TestBackend
    session_id: str
    root: Path

    @property
    def model(self) -> ScriptedModel:
        assert isinstance(self.backend.model, ScriptedModel)
        return self.backend.model

    @property
    def entries(self) -> list[Entry]:
        return self.backend.sessions[self.session_id].entries

    def ask_prompt(self, text: str) -> int:
        return self.editor.ask("session/prompt", sessionId=self.session_id, prompt=[{"type": "text", "text": text}])

    async def prompt(self, text: str) -> Any:
        message = await self.editor.answer(self.ask_prompt(text))
        return message.get("result") or message["error"]

    def cancel(self) -> None:
        self.editor.notify("session/cancel", sessionId=self.session_id)


@asynccontextmanager
async def agent(
    root: Path,
    *answers: Answer,
    mode: str = "always-ask",
    permission: Answerer = lambda _params: allowed(),
    buffers: dict[str, str] | None = None,
    backend: TestBackend | None = None,
    draws: bool = False,
    nests: bool = False,
    runs_commands: bool = False,
    client: str = "",
    shows_compactions: bool = False,
    elicits: Answerer | None = None,
    mcp_servers: Sequence[dict[str, Any]] = (),
) -> AsyncGenerator[Running]:
    """Run an agent with one open session; afterwards its wire must have been sound and its processes gone.

    The editor displays terminals that it is fed (`draws`), shows what sub-agents call inside their task (`nests`), has
    commands run in its own (`runs_commands`), and has forms and links, which `elicits` answers.
    """
    backend = backend or TestBackend(ScriptedModel(answers), mode=mode)
    backend.in_editor = runs_commands
    channel = MemoryChannel()
    editor = Editor(channel, permission, buffers)
    connection = Connection("0", lambda peer, client: Agent(peer, client, backend))
    differing: list[str] = []
    async with anyio.create_task_group() as tasks:
        if runs_commands:
            editor.offer(EditorTerminals(tasks))
        if elicits is not None:
            editor.elicit(elicits)
        tasks.start_soon(connection.peer.run, channel)
        extras = {"terminal_output": draws, "subagent-transcript": nests}
        meta = {"_meta": {name: True for name, is_offered in extras.items() if is_offered}}
        fs = {"readTextFile": buffers is not None, "writeTextFile": buffers is not None}
        compaction: dict[str, Any] = {"session": {"compaction": {}}} if shows_compactions else {}
        elicitation: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}} if elicits else {}
        await editor.request(
            "initialize",
            protocolVersion=1,
            clientInfo={"name": client, "version": "0"},
            clientCapabilities={"fs": fs, "terminal": runs_commands, **meta, **compaction, **elicitation},
        )
        opened = await editor.request("session/new", cwd=str(root), mcpServers=list(mcp_servers))
        if "sessionId" in opened:
            # Told behind the answer; awaited, so that it is never in the middle of what a test looks at.
            with anyio.fail_after(PATIENCE):
                await until(lambda: any(u["sessionUpdate"] == "available_commands_update" for u in editor.updates()))
        yield Running(editor, backend, opened.get("sessionId", ""), root)
        differing = await _differing(editor, backend, connection)
        channel.end()
        if editor.terminals is not None:
            editor.terminals.close()
    await connection.close()
    assert editor.monitor.problems == [], editor.monitor.problems
    if isinstance(backend.model, ScriptedModel):
        assert backend.model.violations == []
    assert not differing, "\n".join(differing)


async def _differing(editor: Editor, backend: TestBackend, connection: Connection) -> list[str]:
    """Say what another process would tell otherwise of the sessions, but of those that are in the middle of something.

    Nor of what another process owns: it is told of that here, and nothing of it is kept.
    """
    if editor.channel.gate is not None and not editor.channel.gate.is_set():
        return []
    with anyio.fail_after(PATIENCE):
        await connection.peer.outbox.flushed()
    kept: dict[str, MemoryJournal] = {}
    for session_id, session in backend.sessions.items():
        journal = backend.journals.get(session_id)
        if session.turn is None and journal is not None and journal.owner is None:
            records = [json.loads(json.dumps(to_json(entry))) for entry in journal.entries]
            kept[session_id] = MemoryJournal([from_json(record) for record in records])
    later = TestBackend(backend.model, mode=backend.mode, levels=backend.levels, models=backend.choices, journals=kept)
    folders = {session_id: backend.sessions[session_id].root for session_id in kept}
    return await differences(editor, folders, lambda peer, client: Agent(peer, client, later))


async def check(
    root: Path,
    prompt: str,
    *answers: Answer,
    mode: str = "always-ask",
    permission: Answerer = lambda _params: allowed(),
    buffers: dict[str, str] | None = None,
    draws: bool = False,
    runs_commands: bool = False,
    elicits: Answerer | None = None,
) -> str:
    """Run one turn and return its wire, from the prompt to its answer, a line each."""
    async with agent(
        root,
        *answers,
        mode=mode,
        permission=permission,
        buffers=buffers,
        draws=draws,
        runs_commands=runs_commands,
        elicits=elicits,
    ) as running:
        await running.prompt(prompt)
        return transcript(running)


def transcript(running: Running) -> str:
    """Write the wire from the first prompt on for people: `>` to the agent, `<` from it."""
    log = running.editor.log
    first = next(i for i, (_, m) in enumerate(log) if m.get("method") == "session/prompt")
    lines: list[str] = []
    for direction, message in log[first:]:
        if message.get("params", {}).get("update", {}).get("sessionUpdate") == "available_commands_update":
            # Told a moment after the session's beginning, wherever a turn is by then.
            continue
        line = ("> " if direction == "in" else "< ") + _brief(message)
        line = line.replace(running.session_id, "SESSION").replace(str(running.root), "ROOT")
        if lines and (joined := _joined(lines[-1], line)):
            lines[-1] = joined
        else:
            lines.append(line)
    return "\n".join(lines)


def _joined(before: str, line: str) -> str | None:
    """Chunks of one message count as one, however they were cut."""
    head, mark, text = line.partition("_chunk ")
    if not mark or not before.startswith(head + mark):
        return None
    (name, old), (new_name, new) = json.loads(before[len(head + mark) :]), json.loads(text)
    return f"{head}{mark}{json.dumps([name, old + new])}" if name == new_name else None


def _brief(message: dict[str, Any]) -> str:
    if "method" not in message:
        return f"{message['id']} = {json.dumps(message.get('result', message.get('error')), sort_keys=True)}"
    params = message["params"]
    number = f"{message['id']} " if "id" in message else ""
    if message["method"] == "session/prompt":
        return f"{number}session/prompt {json.dumps(_texts(params['prompt']))}"
    if message["method"] != "session/update":
        rest = {key: value for key, value in params.items() if key != "sessionId"}
        return f"{number}{message['method']} {json.dumps(_steady(rest))}"
    update = dict(params["update"])
    kind = update.pop("sessionUpdate")
    if kind.endswith("_chunk"):
        return f"{kind} {json.dumps([update['messageId'], update['content'].get('text', '(image)')])}"
    return f"{kind} {json.dumps(_steady(update))}"


def _steady(value: Any) -> Any:
    """Leave out what differs from run to run."""
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        return {key: 0 if key == "seconds" else _steady(item) for key, item in record.items()}
    return [_steady(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _texts(blocks: Sequence[dict[str, Any]]) -> Any:
    return [block.get("text") or block.get("uri") or block["type"] for block in blocks]
