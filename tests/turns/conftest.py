"""What is tested here knows no event loop by name, and does not depend on how fast the machine is."""

from __future__ import annotations

from importlib import import_module

import pytest

from openhands_acp.engine import respond


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def _one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call's arguments and a command's output are looked at once while they come, however slowly they do."""
    monkeypatch.setattr(respond, "SKETCH_INTERVAL", 3600)
    # By its full name: the package has a function called the same.
    monkeypatch.setattr(import_module("openhands_acp.tools.terminal"), "PACE", 3600)
