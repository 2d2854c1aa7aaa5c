"""The real agent in this process, for tests that would else wait for LiteLLM to be imported by each server."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from openhands_acp.acp.agent import Agent
from openhands_acp.acp.connection import Connection
from openhands_acp.backend import Backend
from openhands_acp.llm.calling import calling
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from openhands_acp.models import ModelLibrary, import_litellm
from openhands_acp.options import Options
from tests.harness.editor import Editor, MemoryChannel
from tests.harness.process import environment


@dataclass(frozen=True, slots=True)
class Home:
    """A person's settings and environment."""

    folder: Path

    def settings(self, text: str) -> None:
        """Write `acp.toml`. Nobody is asked for titles, nor is this machine looked over, unless `text` says so."""
        path = self.folder / ".openhands" / "acp.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        usual = ("titles = false", "local_servers = []")
        path.write_text("\n".join([*(line for line in usual if line.split()[0] not in text), text, ""]))
        path.chmod(0o600)


def home(folder: Path, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Home:
    """Have this process be in nobody's environment but the one that is given."""
    whole = environment(folder, **environ)
    for name in set(os.environ) - set(whole):
        monkeypatch.delenv(name)
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    made = Home(folder)
    made.settings("")
    return made


@cache
def _library() -> ModelLibrary:
    library = import_litellm()
    # A server freezes what was imported; other tests look through all objects.
    gc.unfreeze()
    return library


@asynccontextmanager
async def connected(learn: Callable[[str], None] = lambda _key: None) -> AsyncGenerator[Editor]:
    """Run one process's worth of agent: what is on the disk outlives it. Its wire must have been sound."""
    channel = MemoryChannel()
    editor = Editor(channel)
    opened: list[LiteLLM] = []

    def open_model(settings: ModelSettings) -> LiteLLM:
        opened.append(LiteLLM(settings))
        return opened[-1]

    library = await anyio.to_thread.run_sync(_library)
    backend = Backend(Options(), learn, replace(library, open=partial(calling, open_model)))
    connection = Connection("0", lambda peer, client: Agent(peer, client, backend))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.peer.run, channel)
        await editor.request("initialize", protocolVersion=1, clientCapabilities={})
        yield editor
        channel.end()
    await connection.close()
    for model in opened:
        # As a server's end does.
        await model.close()
    assert editor.monitor.problems == [], editor.monitor.problems


def prompt(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]
