"""What is tested here knows no event loop by name, and works in a folder of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.local import terminals as terminals_module
from openhands_acp.local.terminals import LocalTerminals
from tests.harness.hands import PlainHands


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def _keyboard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the keyboard does so at once, and is looked at again if not."""
    monkeypatch.setattr(terminals_module, "KEYBOARD", 0.2)


@pytest.fixture
def root(tmp_path: Path) -> AbsPath:
    return AbsPath(str(tmp_path.resolve()))


@pytest.fixture
def hands(tmp_path: Path) -> PlainHands:
    return PlainHands(AbsPath(str(tmp_path)))


@pytest.fixture
async def terminals(tmp_path: Path) -> AsyncGenerator[LocalTerminals]:
    terminals = LocalTerminals(spool=tmp_path / "output")
    yield terminals
    await terminals.end()
