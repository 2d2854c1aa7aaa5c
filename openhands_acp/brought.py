"""What a session was given besides its doors: servers of tools, and what people wrote down for an agent.

A part of the composition, one for a session. Knows which files name servers, and which source counts more; knows
neither what a server is made of nor what a skill means, and asks nobody anything.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from openhands_acp.acp.doors import EditorPorts
from openhands_acp.engine.guidance.inventory import AgentDefinition, Instruction, Inventory, Withheld, digest, quoted
from openhands_acp.engine.hooks.definitions import Hook, Ran, Runner
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.programs import Program, Programs
from openhands_acp.engine.servers.door import NoServers, Servers
from openhands_acp.engine.servers.remote_requests import RemoteRequests
from openhands_acp.lenient import as_table
from openhands_acp.mcp.client import McpServers
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import FIRST_WAIT, Login, ServerDoors
from openhands_acp.providers import KEY_NAMES

if TYPE_CHECKING:
    # Of sessions that have servers.
    from openhands_acp.mcp.tokens import TokenStore
    from openhands_acp.mcp_files import Found

logger = logging.getLogger(__name__)

_PROJECT_FILES = (".mcp.json", ".openhands/mcp.json")
_MANIFESTS = (".claude-plugin", ".plugin")
_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|auth|credential|cookie")
_FAREWELL = 3.0
"""Seconds for servers to end when their session closes."""


class Connections(Servers, Protocol):
    """Servers that are connected as they are configured (`mcp.client.McpServers`)."""

    def configure(self, configs: Sequence[ServerConfig]) -> None: ...

    async def run(self) -> None:
        """Keep them connected until it is cancelled."""
        ...


class Reader(Protocol):
    """Reads what people wrote down (`extensions.reader.Reader`)."""

    async def look(self, covers: Callable[[Withheld], bool], /) -> Inventory: ...

    async def near(self, paths: Collection[AbsPath], /) -> tuple[Instruction, ...]: ...


@dataclass(frozen=True, slots=True)
class Around:
    """Where a session is, and what its servers work with."""

    home: Path
    """Where the person's own files are: ~/.openhands."""
    roots: tuple[AbsPath, ...]
    covers: Callable[[Withheld], bool]
    """Tells whether the person trusts something of a project's."""
    environ: Callable[[], Awaitable[Mapping[str, str]]]
    """What files may fill in; in a project's, the keys of model providers are not."""
    open_programs: Callable[[], Programs]
    open_hooks: Callable[[], Runner]
    requests: RemoteRequests
    learn: Callable[[str], None] = lambda _key: None
    """Told what must not be shown."""
    disabled_skills: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    """Whole paths of those that the person named."""
    load_public_skills: bool = True
    first_wait: float = FIRST_WAIT


def open_brought(around: Around, editor: EditorPorts) -> Brought:
    """Open what a session was given; nothing is read, imported or connected yet."""

    @cache
    def tokens() -> TokenStore:
        from openhands_acp.keys import system_keyring
        from openhands_acp.mcp.tokens import TokenStore

        return TokenStore(around.home / "acp" / "mcp-tokens", system_keyring())

    async def authorize(config: ServerConfig, login: Login) -> object:
        from openhands_acp.mcp.oauth import Authorizer

        store = await anyio.to_thread.run_sync(tokens)
        return await Authorizer(store, editor.open_person(), around.learn)(config, login)

    def over_acp(config: ServerConfig) -> object:
        from openhands_acp.mcp.over_acp import OverAcpTransport

        return OverAcpTransport(config.url, editor.mcp)

    def open_reader() -> Reader:
        from openhands_acp.extensions.reader import Reader, Wishes

        wishes = Wishes(around.disabled_skills, around.plugins, around.load_public_skills)
        return Reader(around.home, around.roots, wishes)

    doors = ServerDoors(
        around.roots,
        _LatePrograms(around.open_programs),
        around.requests,
        around.requests.sample,
        authorize,
        over_acp,
        editor.offer,
        around.first_wait,
    )
    hooks = SessionHooks(around.open_hooks)
    return Brought(around, McpServers(doors), hooks, doors, open_reader, editor.mcp_servers)


@dataclass(frozen=True, slots=True)
class _LatePrograms:
    """Programs of a session, of which most have none."""

    open: Callable[[], Programs]

    async def start(self, command: str, args: Sequence[str], env: Mapping[str, str], cwd: str) -> Program:
        programs = await anyio.to_thread.run_sync(self.open)
        return await programs.start(command, args, env, cwd)


_Asked = tuple[Hook, JsonObject, Callable[[Ran], None]]


@dataclass(slots=True)
class SessionHooks:
    """Runs a session's hooks, of which most have none; those that nobody waits for end with it."""

    open: Callable[[], Runner]
    behind: TaskGroup | None = None
    """While the session is served."""
    _hooks: Runner | None = None
    _early: list[_Asked] = field(default_factory=list[_Asked])
    """A first turn may ask before the session is served."""
    _served_or_ended: anyio.Event = field(default_factory=anyio.Event)

    async def run(self, hook: Hook, payload: JsonObject) -> Ran:
        self._hooks = self._hooks or await anyio.to_thread.run_sync(self.open)
        return await self._hooks.run(hook, payload)

    def begin(self, hook: Hook, payload: JsonObject, ended: Callable[[Ran], None]) -> None:
        if self.behind is not None:
            self.behind.start_soon(self._run_on, hook, payload, ended)
        elif not self._served_or_ended.is_set():
            self._early.append((hook, payload, ended))

    def run_in(self, behind: TaskGroup) -> None:
        """Run those that nobody waits for in here from now on."""
        self.behind = behind
        self._served_or_ended.set()
        while self._early:
            behind.start_soon(self._run_on, *self._early.pop(0))

    async def _run_on(self, hook: Hook, payload: JsonObject, ended: Callable[[Ran], None]) -> None:
        ended(await self.run(hook, payload))

    def end(self) -> None:
        self.behind = None
        self._served_or_ended.set()

    async def served_in(self) -> TaskGroup | None:
        """Wait until the session is served; None: it has ended."""
        await self._served_or_ended.wait()
        return self.behind


@dataclass(slots=True)
class Brought:
    around: Around
    servers: Connections
    hooks: SessionHooks
    _doors: ServerDoors
    _open_reader: Callable[[], Reader]
    named: tuple[JsonObject, ...] = ()
    """Servers, as the client names them now; they count from the next look on."""
    _reader: Reader | None = None
    _scope: anyio.CancelScope | None = None
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _looking: anyio.Lock = field(default_factory=anyio.Lock)

    async def look_around(self) -> Inventory:
        """Look at what there is now; servers that are new are connected from now on, those that are gone end."""
        # One after the other: a look from before something was trusted is not to come in after one from behind it.
        async with self._looking:
            return await self._look()

    async def _look(self) -> Inventory:
        self._reader = self._reader or await anyio.to_thread.run_sync(self._open_reader)
        inventory = await self._reader.look(self.around.covers)
        files = list(self._files(inventory))
        if not files and not self.named:
            self.servers.configure(())
            return inventory
        # Only for files: it may have to wait for the login shell.
        environ = await self.around.environ() if files else dict[str, str]()
        found, withheld = await anyio.to_thread.run_sync(self._read, files, environ)
        self.servers.configure(found.servers)
        self._learn(found.servers)
        problems, withheld = [*inventory.problems, *found.problems], [*inventory.withheld, *withheld]
        return replace(inventory, problems=tuple(problems), withheld=tuple(withheld))

    async def rules_near(self, paths: tuple[AbsPath, ...]) -> tuple[Instruction, ...]:
        """Look for the rules of the folders that files are in."""
        return await self._reader.near(paths) if self._reader is not None else ()

    @asynccontextmanager
    async def own_servers(self, definition: AgentDefinition) -> AsyncGenerator[Servers]:
        """Keep the servers of a sub-agent's definition connected, until this is left. Bounded at its end."""
        from openhands_acp.agent_servers import kept_connected, own_servers

        environ = await self.around.environ()
        configs = await anyio.to_thread.run_sync(own_servers, definition, environ, self.around.home)
        self._learn(configs)
        behind = await self.hooks.served_in()
        if behind is None:
            yield NoServers()
            return
        # Nobody calls their prompts as commands.
        servers = McpServers(replace(self._doors, changed=lambda: None))
        servers.configure(configs)
        async with kept_connected(servers, behind, _FAREWELL):
            yield servers

    async def serve(self) -> None:
        """Keep the servers connected until the session closes; returns at once where they are already."""
        if self._scope is not None:
            return
        try:
            with anyio.CancelScope() as self._scope:
                async with anyio.create_task_group() as behind:
                    self.hooks.run_in(behind)
                    await self.servers.run()
        finally:
            self.hooks.end()
            self._ended.set()

    async def close(self) -> None:
        """End the servers. Bounded."""
        self.hooks.end()
        if self._scope is not None:
            self._scope.cancel()
            with anyio.move_on_after(_FAREWELL, shield=True):
                await self._ended.wait()

    def _learn(self, configs: Iterable[ServerConfig]) -> None:
        for secret in (secret for config in configs for secret in _secrets(config)):
            self.around.learn(secret)

    def _files(self, inventory: Inventory) -> Iterator[_File]:
        """Find the files that name servers, those first that count more."""
        home = self.around.home
        yield from _existing(home / "mcp.json", home)
        for root in self.around.roots:
            for name in _PROJECT_FILES:
                yield from _existing(Path(root, name), Path(root), AbsPath(root))
        for path in inventory.server_files:
            folder = Path(path).parent
            # A plugin's manifest stands in a folder of its own in the plugin's.
            yield from _existing(Path(path), folder.parent if folder.name in _MANIFESTS else folder, is_plugins=True)

    def _read(self, files: Sequence[_File], environ: Mapping[str, str]) -> tuple[Found, list[Withheld]]:
        from openhands_acp.agent_servers import PLUGIN_VARIABLES
        from openhands_acp.mcp_files import merged, read_file

        public = {name: value for name, value in environ.items() if name not in KEY_NAMES}
        layers, problems, withheld = [_given(self.named)], list[str](), list[Withheld]()
        for file in files:
            known = public if file.root or file.is_plugins else environ
            if file.is_plugins:
                known = {**known, **dict.fromkeys(PLUGIN_VARIABLES, str(file.folder))}
            found = read_file(file.path, known, file.folder)
            problems += found.problems
            configs = found.servers
            if file.root is not None:
                things = {name: _withheld(file, name, entry) for name, entry in found.entries.items()}
                configs = tuple([replace(each, is_trusted=self.around.covers(things[each.name])) for each in configs])
                withheld += [things[each.name] for each in configs if not each.is_trusted]
            layers.append(configs)
        whole = merged(layers)
        return replace(whole, problems=(*problems, *whole.problems)), withheld


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    folder: Path
    """To which paths in it are relative."""
    root: AbsPath | None = None
    """Of the project that it belongs to: it counts once that is trusted."""
    is_plugins: bool = False


def _existing(path: Path, folder: Path, root: AbsPath | None = None, *, is_plugins: bool = False) -> Iterator[_File]:
    if path.is_file():
        yield _File(path, folder, root, is_plugins)


def _given(named: Sequence[JsonObject]) -> tuple[ServerConfig, ...]:
    if not named:
        return ()
    from openhands_acp.acp.given_servers import read_given

    return tuple(
        [
            ServerConfig(
                given.name,
                "the editor",
                given.transport,
                command=given.command,
                args=given.args,
                env=given.env,
                url=given.url,
                headers=given.headers,
                problem=given.problem,
            )
            for given in read_given(named)
        ]
    )


# ---------------------------------------------------------------- trust


def _withheld(file: _File, name: str, entry: Any) -> Withheld:
    """Say what a project's server is: as it is written, with the project's own programs that it runs."""
    assert file.root is not None
    table = as_table(entry)
    args = cast("list[object]", table["args"]) if isinstance(table.get("args"), list) else []
    words = [str(word) for word in (table.get("command"), *args) if word is not None]
    where = f"runs {quoted(shlex.join(words))}" if words else f"is at {quoted(str(table.get('url')))}"
    scripts = [read for word in words if (read := _script(file.folder, word)) is not None]
    written = json.dumps(entry, sort_keys=True)
    what = f"{quoted(file.path.name)}: the MCP server {quoted(name)} {where}"
    return Withheld(file.root, what, digest(str(file.path), name, written, *scripts), (f"{name}:",))


_LONGEST_SCRIPT = 1 << 20


def _script(folder: Path, word: str) -> bytes | None:
    """Return what is in a file of the project that a command names: it is trusted as it is."""
    path = folder / word
    try:
        # Nor what is no file, and might be waited for without end.
        if (os.path.isabs(word) and not path.is_relative_to(folder)) or not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(_LONGEST_SCRIPT)
    except (OSError, ValueError):
        return None


def _secrets(config: ServerConfig) -> Iterator[str]:
    for value in config.headers.values():
        yield value
        # What a server repeats of it comes without the scheme.
        yield value.partition(" ")[2]
    with suppress(ValueError):
        # One that is no address is none that anybody is let in at.
        address = urlsplit(config.url)
        yield address.password or ""
        yield from (value for name, value in parse_qsl(address.query) if _SECRET_NAME.search(name))
    yield from (value for name, value in config.env.items() if _SECRET_NAME.search(name))
    if config.oauth is not None and config.oauth.client_secret:
        yield config.oauth.client_secret
