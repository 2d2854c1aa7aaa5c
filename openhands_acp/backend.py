"""What sessions are made of: files, terminals, a journal, tools and a model.

With `server`, the only file that knows every package. Loaded when `initialize` has been answered.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio
import anyio.from_thread
import anyio.to_thread

from openhands_acp.acp.sessions import Defaults, EditorPorts, Kept, Listed, NotConfigured
from openhands_acp.engine.events import ConversationStarted, NoticeEvent
from openhands_acp.engine.hands import World
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, Terminals
from openhands_acp.engine.session import Beginning, Ports, Session
from openhands_acp.engine.snapshots import Snapshots
from openhands_acp.engine.tool import Tool
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.scripted import Scripted
from openhands_acp.llm.thinking import levels
from openhands_acp.options import Options
from openhands_acp.providers import missing
from openhands_acp.settings import Settings, load_settings
from openhands_acp.store.journal import FileJournal
from openhands_acp.store.library import Library, Stored

if TYPE_CHECKING:
    from openhands_acp.archive import Archive
    from openhands_acp.local.snapshots import LocalSnapshots
    from openhands_acp.workshop import Workshop

logger = logging.getLogger(__name__)

OpenModel = Callable[[ModelSettings], LLM]

_SCRIPTED = "scripted/"


@dataclass(slots=True)
class Backend:
    """What sessions are made of (`acp.sessions.Backend`), for one client."""

    options: Options
    _settings: Settings | None = None
    _told: tuple[str, ...] = ()
    _library: OpenModel | None = None
    _loading: anyio.Event | None = None
    _models: dict[tuple[str, str], LLM] = field(default_factory=dict[tuple[str, str], LLM])
    _journals: dict[str, FileJournal] = field(default_factory=dict[str, FileJournal])
    _terminals: dict[str, Terminals] = field(default_factory=dict[str, Terminals])
    _snapshots: dict[str, LocalSnapshots] = field(default_factory=dict[str, "LocalSnapshots"])
    """Of the sessions that had a turn."""
    _has_resumed: bool = False
    _opened_workshop: Workshop | None = None

    def __post_init__(self) -> None:
        # For its side effects: the files' validators are made now, while no client waits for a session.
        load_settings(self.options)

    def defaults(self) -> Defaults:
        settings = load_settings(self.options)
        if settings.problems != self._told:
            self._told = settings.problems
            for problem in settings.problems:
                logger.warning("%s", problem)
        if settings != self._settings:
            self._settings = settings
            self._models.clear()
        if lacking := missing(settings, os.environ):
            raise NotConfigured(lacking.reason, lacking.details)
        assert settings.model is not None
        titles = settings.titles and not settings.model.startswith(_SCRIPTED)
        return Defaults(settings.mode, settings.model, settings.models, titles, settings.thought_level)

    async def kept(self, session_id: str) -> Kept:
        return await self._archive().kept(session_id)

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
        outputs = self._sessions() / started.session_id.replace("-", "") / "output"
        journal = self._journal(started.session_id, editor, kept)
        self._journals[started.session_id] = journal

        def open_world() -> World:
            world = self._workshop().open(settings, editor, outputs)
            self._terminals[started.session_id] = world.terminals
            return world

        def open_snapshots() -> Snapshots:
            # Late: a process in which nobody has prompted yet needs no database.
            from openhands_acp.local.snapshots import LocalSnapshots

            opened = LocalSnapshots(self._home() / "acp", started.session_id, started.roots)
            self._snapshots[started.session_id] = opened
            return opened

        def tools() -> tuple[Tool, ...]:
            return self._workshop().tools(started.model, kept.tools if kept else ())

        ports = Ports(
            open_llm=self.open_llm,
            open_world=open_world,
            permissions=editor.permissions,
            journal=journal,
            publish=editor.publish,
            drained=editor.drained,
            describe=lambda: self._workshop().describe(started.roots, tools()),
            open_snapshots=open_snapshots,
            outputs=AbsPath(str(outputs)),
        )
        beginning = Beginning(settings.max_steps, settings.max_cost, kept.entries if kept else ())
        return Session(started, ports, tools, beginning)

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
        def tell(sentence: str) -> None:
            logger.warning("%s", sentence)
            editor.publish(NoticeEvent(str(uuid4()), "text", sentence))

        def on_failure(sentence: str) -> None:
            try:
                anyio.from_thread.run_sync(tell, sentence)
            except RuntimeError:
                # Not in the thread that syncs: this is the loop itself.
                tell(sentence)

        origin = kept.origin if kept else None
        stored = origin if isinstance(origin, Stored) else None
        journal = Library(self._sessions()).journal(session_id, on_failure, stored)
        if kept is not None and stored is None:
            # A copy, or OpenHands' own: a journal of ours begins with all of it, at the first turn.
            for entry in kept.entries:
                journal.append(entry)
        return journal

    async def warm_up(self) -> None:
        await anyio.to_thread.run_sync(_import_workshop, abandon_on_cancel=True)
        self._workshop().login.begin()
        if self._settings and self._settings.model and not self._settings.model.startswith(_SCRIPTED):
            await self._load_library()

    async def close_session(self, session: Session) -> None:
        journal = self._journals.pop(session.id)
        if (snapshots := self._snapshots.pop(session.id, None)) is not None:
            await snapshots.close()
        if (terminals := self._terminals.pop(session.id, None)) is not None:
            await terminals.end()
        journal.close()

    def thought_levels(self, model: str) -> tuple[str, ...]:
        return levels(model)

    async def open_llm(self, model: str, thought_level: str) -> LLM:
        """Return the one client of `model` at this level; waits while LiteLLM is still being imported."""
        level = thought_level if thought_level in levels(model) else "default"
        if (model, level) not in self._models:
            is_scripted = model.startswith(_SCRIPTED)
            self._models[model, level] = Scripted() if is_scripted else await self._open_litellm(model, level)
        return self._models[model, level]

    async def _open_litellm(self, model: str, thought_level: str) -> LLM:
        library = await self._load_library()
        # Anew for this model: key and address in a file count only for the provider that they were written for.
        return library(_model_settings(model, load_settings(replace(self.options, model=model)), thought_level))

    async def _load_library(self) -> OpenModel:
        while self._library is None:
            if self._loading is not None:
                await self._loading.wait()
                continue
            self._loading = anyio.Event()
            try:
                self._library = await anyio.to_thread.run_sync(_import_litellm, abandon_on_cancel=True)
            finally:
                self._loading.set()
                self._loading = None
        return self._library


def _import_workshop() -> None:
    # For its side effect: the first turn finds it there.
    import_module("openhands_acp.workshop")


def _import_litellm() -> OpenModel:
    # Late, because it takes seconds, and in a thread, so that nobody waits who does not need it.
    # The collector would look at what is imported again and again, now (a fifth of the time) and while a model streams.
    gc.disable()
    try:
        from openhands_acp.llm import via_litellm

        via_litellm.prewarm()
        gc.freeze()
    finally:
        gc.enable()
    return via_litellm.LiteLLM


def _model_settings(model: str, settings: Settings, thought_level: str) -> ModelSettings:
    return ModelSettings(
        model=model,
        api_key=settings.api_key.value if settings.api_key else None,
        base_url=settings.base_url,
        context_window=settings.context_window,
        thought_level=thought_level,
        deadlines=settings.deadlines,
    )
