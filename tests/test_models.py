"""One client of each model, of the settings that are in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from openhands_acp.llm.model import ModelSettings
from openhands_acp.model_list import Catalogue
from openhands_acp.models import ModelLibrary, Models
from openhands_acp.options import Options
from openhands_acp.settings import load_settings
from tests.harness.backend import home
from tests.harness.model import ScriptedModel

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Library:
    """LiteLLM's place: what was opened, as it was configured."""

    opened: list[ModelSettings] = field(default_factory=list[ModelSettings])

    def open(self, settings: ModelSettings) -> ScriptedModel:
        self.opened.append(settings)
        return ScriptedModel([], model=settings.model)


def models(library: Library) -> Models:
    async def environ() -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin"}

    knows_nothing = Catalogue({}, lambda _model: None, lambda _model: False)
    return Models(Options(), environ, lambda _key: None, ModelLibrary(library.open, knows_nothing))


async def test_whoever_wants_a_model_at_once_gets_the_same_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch, LLM_MODEL="openai/a", OPENAI_API_KEY="k")
    opened = models(Library())
    clients: list[object] = []

    async def want() -> None:
        clients.append(await opened.open("openai/a", "default", "agent"))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(want)
    assert [client is clients[0] for client in clients] == [True] * 3


async def test_settings_that_change_while_a_model_is_opened_count_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = home(tmp_path, monkeypatch, LLM_MODEL="openai/a", OPENAI_API_KEY="k")
    person.settings("context_window = 1000")
    library = Library()
    opened = models(library)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opened.open, "openai/a", "default", "agent")
        # It has read them, and is on its way.
        await anyio.lowlevel.checkpoint()
        person.settings("context_window = 2000")
        opened.renew(load_settings(Options()))
    await opened.open("openai/a", "default", "agent")
    assert [settings.context_window for settings in library.opened] == [1_000, 2_000]
