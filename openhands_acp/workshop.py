"""What the turns of sessions work with: files, terminals and search, on this machine and in the editor, and tools.

Half of the composition, and loaded late: behind the first session's answer, or with its first turn. Knows
nothing of journals, models or the wire.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from openhands_acp import __version__
from openhands_acp.acp.doors import EditorPorts
from openhands_acp.engine import prompt
from openhands_acp.engine.browser import Browser
from openhands_acp.engine.events import SystemPromptEvent
from openhands_acp.engine.guidance.inventory import Inventory
from openhands_acp.engine.hands import World
from openhands_acp.engine.hooks.definitions import Runner
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Terminals
from openhands_acp.engine.programs import Programs
from openhands_acp.engine.tool import Tool
from openhands_acp.engine.web import Web
from openhands_acp.llm.model import is_small
from openhands_acp.local.elsewhere import Elsewhere
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.files import LocalFiles
from openhands_acp.local.programs import LocalPrograms
from openhands_acp.local.search import LocalSearch
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.local.watch import Watch
from openhands_acp.providers import KEY_NAMES
from openhands_acp.settings import Settings
from openhands_acp.settings_files import PromptSize
from openhands_acp.tools import tools_for
from openhands_acp.tools.browser import browser_tools
from openhands_acp.tools.slim import SLIM
from openhands_acp.web.chromium import usable_chromium
from openhands_acp.web.late import LateBrowser, LateWeb

_OURS = {"PYDANTIC_DISABLE_PLUGINS": "__all__", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""Variables that this process sets for itself (`cli`, `via_litellm`)."""


@dataclass(slots=True)
class Workshop:
    """For all sessions of one client, which share what the login shell says."""

    login: LoginEnvironment = field(default_factory=LoginEnvironment)

    def open(self, settings: Settings, editor: EditorPorts, outputs: Path) -> World:
        """Open one session's doors; `outputs` is its folder for what commands print at length."""
        return World(
            editor.files(LocalFiles()),
            self.terminals(settings, editor, outputs),
            LocalSearch(environment=self.login),
            _web(settings),
            _browser(settings),
        )

    def programs(self, settings: Settings) -> Programs:
        """Open what runs beside sessions: it inherits what commands do."""
        return LocalPrograms(self.login, _hidden(settings))

    def hooks(self, settings: Settings) -> Runner:
        # Late: few sessions have any.
        from openhands_acp.local.hook_programs import HookPrograms

        return HookPrograms(LocalPrograms(self.login, _hidden(settings)))

    def tools(self, model: str, kept: Sequence[str], size: PromptSize, inventory: Inventory) -> tuple[Tool, ...]:
        """Make the tools of a session that begins with `model`, or had been told of `kept`."""
        is_slim = size == "slim" or (size == "auto" and is_small(model))
        browser = browser_tools() if usable_chromium() else ()
        return tools_for(model, kept, slim=is_slim, inventory=inventory, extra=browser)

    async def describe(self, roots: tuple[AbsPath, ...], tools: tuple[Tool, ...]) -> SystemPromptEvent:
        names = tuple(tool.spec.name for tool in tools)
        # Few tools and a short prompt belong together, also for a session that goes on in another folder.
        static = prompt.SLIM if names == SLIM else prompt.STATIC
        # From the disk: an editor asked for a file that is not there may show the person an error.
        surroundings = await prompt.look_around(roots, LocalFiles())
        return SystemPromptEvent(static, prompt.dynamic(surroundings, datetime.now(UTC).astimezone()), names)

    def terminals(self, settings: Settings, editor: EditorPorts, outputs: Path) -> Terminals:
        """Open a shell of its own, in which nothing runs yet."""
        watch = Watch(uuid4().hex)
        local = LocalTerminals(hide=_hidden(settings), spool=outputs, environment=self.login, watch=watch)
        if settings.terminal == "local":
            return local
        return editor.terminals(local, Elsewhere(local.state, outputs).spell)


def _web(settings: Settings) -> Web:
    def load() -> Web:
        from openhands_acp.llm.web import trusted
        from openhands_acp.web.fetching import FetchingWeb

        return FetchingWeb(f"openhands-acp/{__version__}", settings.fetch_private, lambda: trusted(os.environ))

    return LateWeb(load)


def _browser(settings: Settings) -> Browser:
    def load() -> Browser:
        from openhands_acp.llm.web import trusted
        from openhands_acp.web.browsing import ChromiumBrowser

        environ = {name: value for name, value in os.environ.items() if name not in _hidden(settings)}
        program = usable_chromium() or "chromium"
        return ChromiumBrowser(program, settings.fetch_private, environ, lambda: trusted(os.environ))

    return LateBrowser(load)


def _hidden(settings: Settings) -> frozenset[str]:
    return (KEY_NAMES - set(settings.pass_env)) | _ours()


def _ours() -> frozenset[str]:
    """Name the variables that are no business of a command's, unless the person set them otherwise."""
    return frozenset(name for name, value in _OURS.items() if os.environ.get(name, value) == value)
