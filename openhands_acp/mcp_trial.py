"""One MCP server, connected as a session would, to show at a terminal what it offers or why it does not work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import anyio
from rich.console import Console
from rich.text import Text

from openhands_acp.display import plain
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.person.door import Filled, Form, Link, Pick, Picked, Reply
from openhands_acp.engine.servers.door import RemoteTool, ServerState
from openhands_acp.keys import system_keyring
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.programs import LocalPrograms
from openhands_acp.mcp.client import McpServers
from openhands_acp.mcp.config import ServerConfig
from openhands_acp.mcp.doors import Login, ServerDoors
from openhands_acp.mcp.tokens import TokenStore
from openhands_acp.providers import KEY_NAMES


def try_server(config: ServerConfig, home: Path, console: Console) -> bool:
    """Connect to a server, whether it is enabled or not; tell whether that worked."""
    return anyio.run(_try, config, home, console)


async def _try(config: ServerConfig, home: Path, console: Console) -> bool:
    person, tokens = _Reader(console), TokenStore(home / "acp" / "mcp-tokens", system_keyring())
    news = _News()

    async def authorize(config: ServerConfig, login: Login) -> object:
        # Late: it needs FastMCP, which has been imported by then.
        from openhands_acp.mcp.oauth import Authorizer

        return await Authorizer(tokens, person)(config, login)

    doors = ServerDoors(
        (AbsPath(os.getcwd()),),
        LocalPrograms(LoginEnvironment(), KEY_NAMES),
        person,
        authorize=authorize,
        changed=news.tell,
    )
    servers = McpServers(doors)
    servers.configure([replace(config, is_enabled=True)])
    console.print(f"Connecting to {config.name!r} ...", style="dim", markup=False)
    lines: list[Text] = []
    works = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(servers.run)
        while not _is_known(servers.states()[0], person):
            await news.wait()
        lines += _lines(servers.states()[0], servers.tools())
        works = servers.states()[0].status == "ready"
        tasks.cancel_scope.cancel()
    # Behind the server's end: whoever has read enough of it (`| head`) ends this process here.
    for line in lines:
        console.print(line)
    return works


def _is_known(state: ServerState, person: _Reader) -> bool:
    return state.status in ("ready", "failed") or (state.status == "needs_login" and not person.is_visiting)


def _lines(state: ServerState, tools: Sequence[RemoteTool]) -> Iterator[Text]:
    if state.status != "ready":
        yield Text(f"It does not work: {plain(state.error)}", "red")
        return
    counts = {"tool": state.tools, "prompt": state.prompts, "resource": state.resources}
    offers = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
    yield Text(f"It works: {offers}.", "green")
    if state.error:
        yield Text(plain(state.error), "yellow")
    for tool in tools:
        described = plain(tool.spec.description).partition("\n")[0]
        yield Text.assemble((f"  {plain(tool.name)}", "bold"), f"  {described}")


@dataclass(slots=True)
class _Reader:
    """A person at a terminal, who is shown links and asked nothing else."""

    console: Console
    is_visiting: bool = False

    async def visit(self, link: Link) -> Reply:
        self.is_visiting = True
        self.console.print(f"{link.message} Open this page in a browser:\n{link.url}", markup=False, soft_wrap=True)
        return Filled()

    def visited(self, link_id: str) -> None:
        self.is_visiting = False

    async def fill(self, form: Form) -> Reply:
        return "unable"

    async def pick(self, pick: Pick) -> Picked | Literal["dismissed", "unable"]:
        return "unable"


@dataclass(slots=True)
class _News:
    _came: anyio.Event = field(default_factory=anyio.Event)

    def tell(self) -> None:
        self._came.set()

    async def wait(self) -> None:
        await self._came.wait()
        self._came = anyio.Event()
