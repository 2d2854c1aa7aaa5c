"""What sessions are made of: files, terminals, a journal, tools and a model.

With `server`, the only file that knows every package. Loaded when `initialize` has been answered.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
import anyio.from_thread
import anyio.to_thread

from openhands_acp import __version__
from openhands_acp.acp.doors import EditorPorts
from openhands_acp.acp.sessions import Defaults, Kept, Listed, NotConfigured
from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.choices import Choices
from openhands_acp.engine.events import ConversationStarted, Entry, NoticeEvent, SystemPromptEvent
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM
from openhands_acp.engine.session import Session
from openhands_acp.engine.session_ports import Beginning, Ports
from openhands_acp.engine.tool import Tool
from openhands_acp.engine.waiting import Waiting
from openhands_acp.models import ModelLibrary, Models, is_scripted
from openhands_acp.options import Options
from openhands_acp.providers import KEY_NAMES, missing
from openhands_acp.rpc.json import JsonObject
from openhands_acp.settings import Settings, load_settings
from openhands_acp.store.journal import FileJournal
from openhands_acp.store.library import Library, Stored
from openhands_acp.store.outputs import keep
from openhands_acp.store.trusted import Trusted

if TYPE_CHECKING:
    from openhands_acp.archive import Archive
    from openhands_acp.brought import Brought
    from openhands_acp.engine.checkpoints.snapshots import Snapshots
    from openhands_acp.engine.guidance.inventory import Inventory
    from openhands_acp.engine.hands import World
    from openhands_acp.engine.toolbox import Kit
    from openhands_acp.engine.upkeep import Upkeep
    from openhands_acp.local.snapshots import LocalSnapshots
    from openhands_acp.tracing import Tracing
    from openhands_acp.workshop import Workshop

logger = logging.getLogger(__name__)

_SENDING = 0.2
"""Seconds for the spans of a session to be sent when it closes."""


@dataclass(slots=True)
class Backend:
    """What sessions are made of (`acp.sessions.Backend`), for one client."""

    options: Options
    learn: Callable[[str], None] = lambda _key: None
    """Told each key that comes late, to mask it."""
    library: ModelLibrary | None = None
    """What opens models; None is LiteLLM."""
    _settings: Settings | None = None
    _told: tuple[str, ...] = ()
    _models: Models = field(init=False)
    _journals: dict[str, FileJournal] = field(default_factory=dict[str, FileJournal])
    _worlds: dict[str, World] = field(default_factory=dict[str, "World"])
    _snapshots: dict[str, LocalSnapshots] = field(default_factory=dict[str, "LocalSnapshots"])
    """Of the sessions that had a turn."""
    _windows: dict[str, int] = field(default_factory=dict[str, int])
    """Tokens that models can read, as their refusals told."""
    _waiting: Waiting = field(default_factory=Waiting)
    _bringing: dict[str, Callable[[], Brought]] = field(default_factory=dict[str, "Callable[[], Brought]"])
    """Open what a session was given, the first time that it is wanted."""
    _brought: dict[str, Brought] = field(default_factory=dict[str, "Brought"])
    _tracing: Tracing | None = None
    _has_looked_for_tracing: bool = False
    _has_resumed: bool = False
    _opened_workshop: Workshop | None = None

    def __post_init__(self) -> None:
        # It reads the settings, and the files' validators are made by that, while no client waits for a session.
        self._models = Models(self.options, self._environ_of_keys, self.learn, self.library)

    def defaults(self) -> Defaults:
        settings = load_settings(self.options)
        if settings.problems != self._told:
            self._told = settings.problems
            for problem in settings.problems:
                logger.warning("%s", problem)
        if settings != self._settings:
            self._settings = settings
            self._models.renew(settings)
        if lacking := missing(settings, os.environ):
            raise NotConfigured(lacking.reason, lacking.details)
        assert settings.model is not None
        assert settings.choice is not None
        titles = settings.titles and not is_scripted(settings.model)
        return Defaults(settings.mode, settings.choice, titles, settings.thought_level)

    @property
    def choices(self) -> Choices:
        return self._models.choices

    async def kept(self, session_id: str) -> Kept:
        return await self._archive().kept(session_id)

    async def copied(self, entries: tuple[Entry, ...], session_id: str) -> Kept:
        return await self._archive().copied(entries, session_id)

    async def listed(self, cwd: str | None, cursor: str | None) -> tuple[list[Listed], str | None]:
        return await self._archive().listed(cwd, cursor)

    async def delete(self, session_id: str) -> None:
        from openhands_acp.local.snapshots import forget_session

        await self._archive().delete(session_id)
        await anyio.to_thread.run_sync(forget_session, self._home() / "acp", session_id)

    def has_gone_on(self, session: Session) -> bool:
        return self._journals[session.id].has_gone_on()

    async def to_resume(self, cwd: str) -> str | None:
        wanted, self._has_resumed = None if self._has_resumed else self.options.resume, True
        if wanted is None:
            return None
        return await self._archive().latest(cwd) if wanted == "last" else await self._archive().found(wanted)

    def open_session(self, started: ConversationStarted, editor: EditorPorts, kept: Kept | None) -> Session:
        settings = self._settings
        assert settings is not None
        outputs = Library(self._sessions()).output_folder(started.session_id)
        journal = self._journals[started.session_id] = self._journal(started.session_id, editor, kept)

        def open_world() -> World:
            world = self._workshop().open(settings, editor, outputs)
            self._worlds[started.session_id] = world
            return world

        def tools(inventory: Inventory) -> tuple[Tool, ...]:
            names = kept.tools if kept else ()
            return self._workshop().tools(self._models.behind(started.model), names, settings.prompt, inventory)

        def describe() -> Awaitable[SystemPromptEvent]:
            from openhands_acp.engine.guidance.inventory import NOTHING

            return self._workshop().describe(started.roots, tools(NOTHING))

        async def open_llm(choice: str, thought_level: str, purpose: str) -> LLM:
            llm = await self._models.open(choice, thought_level, purpose)
            return llm if tracing is None else tracing.traced(started.session_id, llm, purpose)

        tracing = self._opened_tracing()
        trust = Trusted(self._home() / "acp" / "trust.json", settings.trusted)
        bring = self._bringing[started.session_id] = self._bringer(started, editor, trust, settings)
        ports = Ports(
            open_llm=open_llm,
            choices=self._models.choices,
            behind=self._models.behind,
            open_world=open_world,
            permissions=editor.permissions,
            open_person=editor.open_person,
            journal=journal,
            publish=editor.publish if tracing is None else tracing.watched(started.session_id, editor.publish),
            drained=editor.drained,
            offer=editor.offer,
            trust=trust,
            open_upkeep=lambda: self._upkeep(started.session_id),
            open_hooks=lambda: bring().hooks,
            open_servers=lambda: bring().servers,
            open_own_servers=lambda definition: bring().own_servers(definition),
            open_requests=lambda: bring().around.requests,
            look_around=lambda: bring().look_around(),
            rules_near=lambda paths: bring().rules_near(paths),
            open_kit=cache(_open_kit),
            describe=describe,
            open_snapshots=lambda: self._open_snapshots(started),
            open_subagent=Library(self._sessions()).subagents(started.session_id),
            open_terminals=lambda: self._workshop().terminals(settings, editor, outputs),
            outputs=AbsPath(str(outputs)),
            keep=_keep,
            windows=self._windows,
            waiting=self._waiting,
        )
        return Session(started, ports, tools, _beginning(settings, kept or Kept(())))

    def _open_snapshots(self, started: ConversationStarted) -> Snapshots:
        # Late: a process in which nobody has prompted yet needs no database.
        from openhands_acp.local.snapshots import LocalSnapshots

        opened = LocalSnapshots(self._home() / "acp", started.session_id, started.roots)
        self._snapshots[started.session_id] = opened
        return opened

    def _bringer(
        self, started: ConversationStarted, editor: EditorPorts, trust: Trusted, settings: Settings
    ) -> Callable[[], Brought]:
        def bring() -> Brought:
            if started.session_id not in self._brought:
                self._brought[started.session_id] = self._bring(started, editor, trust, settings)
            return self._brought[started.session_id]

        return bring

    def _bring(self, started: ConversationStarted, editor: EditorPorts, trust: Trusted, settings: Settings) -> Brought:
        # Late: the answer to session/new needs nothing of it.
        from openhands_acp.brought import Around, open_brought
        from openhands_acp.engine.servers.remote_requests import RemoteRequests

        around = Around(
            settings.home,
            started.roots,
            trust.covers,
            environ=self._environ,
            open_programs=lambda: self._workshop().programs(settings),
            open_hooks=lambda: self._workshop().hooks(settings),
            requests=RemoteRequests(editor.open_person()),
            learn=self.learn,
            disabled_skills=settings.disabled_skills,
            plugins=settings.plugins,
            load_public_skills=settings.load_public_skills,
        )
        return open_brought(around, editor)

    def _upkeep(self, session_id: str) -> Upkeep:
        # Late: few sessions are examined, exported or copied.
        from openhands_acp.upkeep import SessionUpkeep

        return SessionUpkeep(session_id, self._home, self.options, self.copied)

    def asked_by(self, session_id: str, meta: Mapping[str, Any]) -> None:
        if (tracing := self._opened_tracing()) is not None:
            tracing.asked_by(session_id, meta)

    def _opened_tracing(self) -> Tracing | None:
        if not self._has_looked_for_tracing:
            self._has_looked_for_tracing = True
            if any(name.startswith("OTEL_") for name in os.environ):
                # Late: hardly anybody wants it.
                from openhands_acp import tracing

                self._tracing = tracing.open_tracing(__version__) if tracing.is_wanted(os.environ) else None
        return self._tracing

    def _workshop(self) -> Workshop:
        # Late: it is half of what is ours, and nothing before the first prompt needs it.
        from openhands_acp.workshop import Workshop

        self._opened_workshop = self._opened_workshop or Workshop()
        return self._opened_workshop

    def _archive(self) -> Archive:
        # Late: a process that only begins sessions never reads OpenHands' own (0.5 MB).
        from openhands_acp.archive import Archive

        theirs = os.environ.get("OPENHANDS_CONVERSATIONS_DIR")
        return Archive(self._sessions(), Path(theirs) if theirs else self._home() / "conversations")

    def _sessions(self) -> Path:
        return self._home() / "acp" / "sessions"

    def _home(self) -> Path:
        return (self._settings or load_settings(self.options)).home

    def _journal(self, session_id: str, editor: EditorPorts, kept: Kept | None) -> FileJournal:
        origin = kept.origin if kept else None
        stored = origin if isinstance(origin, Stored) else None
        journal = Library(self._sessions()).journal(session_id, _telling(editor), stored)
        if kept is not None and stored is None:
            # A copy, or OpenHands' own: a journal of ours begins with all of it, at the first turn.
            for entry in kept.entries:
                journal.append(entry)
        return journal

    async def warm_up(self, changed: Callable[[], None]) -> None:
        await anyio.to_thread.run_sync(_import_workshop, abandon_on_cancel=True)
        self._workshop().login.begin()
        await self._models.look_around(changed)

    def name_servers(self, session: Session, mcp_servers: tuple[JsonObject, ...]) -> None:
        self._bringing[session.id]().named = mcp_servers

    async def serve(self, session: Session) -> None:
        if (bring := self._bringing.get(session.id)) is not None:
            await bring().serve()

    async def close_session(self, session: Session) -> None:
        journal = self._journals.pop(session.id)
        del self._bringing[session.id]
        if session.id in self._brought and session.inventory.hooks:
            from openhands_acp.engine.hooks import hooking

            await hooking.ended(session)
        if (brought := self._brought.pop(session.id, None)) is not None:
            await brought.close()
        if (snapshots := self._snapshots.pop(session.id, None)) is not None:
            await snapshots.close()
        if (world := self._worlds.pop(session.id, None)) is not None:
            await world.browser.end()
            await world.terminals.end()
        journal.close()
        if self._tracing is not None:
            # Nobody waits for a collector: what it has not taken by then, it is sent behind our back, or never.
            with anyio.move_on_after(_SENDING):
                await anyio.to_thread.run_sync(self._tracing.close_session, session.id, abandon_on_cancel=True)

    async def _environ(self) -> Mapping[str, str]:
        return await self._workshop().login.inherited()

    async def _environ_of_keys(self) -> Mapping[str, str]:
        # A program that prints a key is no business of another provider's key.
        pass_env = self._settings.pass_env if self._settings else ()
        return await self._workshop().login.inherited(KEY_NAMES - set(pass_env))

    def thought_levels(self, model: str) -> tuple[str, ...]:
        return self._models.levels(model)


def _beginning(settings: Settings, kept: Kept) -> Beginning:
    return Beginning(
        settings.limits,
        kept.entries,
        settings.persistence,
        settings.critic,
        settings.limits_of,
        kept.owner,
        kept.folded,
    )


def _telling(editor: EditorPorts) -> Callable[[str], None]:
    """Return what tells the person whether a journal can be written, from whichever thread."""

    def tell(sentence: str) -> None:
        logger.warning("%s", sentence)
        editor.publish(NoticeEvent(str(uuid4()), "text", sentence))

    def tell_from_anywhere(sentence: str) -> None:
        try:
            anyio.from_thread.run_sync(tell, sentence)
        except RuntimeError:
            # Not in the thread that syncs: this is the loop itself.
            tell(sentence)

    return tell_from_anywhere


async def _keep(folder: AbsPath, name: str, text: str) -> KeptOutput | None:
    return await anyio.to_thread.run_sync(keep, Path(folder), name, text)


def _open_kit() -> Kit:
    # Late: only where a server has tools.
    from openhands_acp.tools.remote_kit import RemoteKit

    return RemoteKit()


def _import_workshop() -> None:
    # For their side effect: the first turn finds them there.
    for name in (
        "workshop",
        "acp.editor",
        "acp.terminals",
        "engine.critic",
        "engine.commands.bodies",
        "engine.entitling",
    ):
        import_module(f"openhands_acp.{name}")
