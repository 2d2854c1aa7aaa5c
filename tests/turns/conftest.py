"""What is tested here knows no event loop by name, and does not depend on how fast the machine is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from openhands_acp.engine import respond
from openhands_acp.local import terminals


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def _one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call's arguments and a command's output are looked at once while they come, however slowly they do."""
    monkeypatch.setattr(respond, "SKETCH_INTERVAL", 3600)
    # By its full name: the package has a function called the same.
    monkeypatch.setattr(import_module("openhands_acp.tools.terminal"), "PACE", 3600)
    # Who waits for the keyboard does so at once, and is looked at again if not.
    monkeypatch.setattr(terminals, "KEYBOARD", 0.2)


@pytest.fixture
def clock_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    return tmp_path / "w"
