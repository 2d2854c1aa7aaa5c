"""What is tested here."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.mcp import library


@pytest.fixture(scope="session", autouse=True)
def _library() -> None:
    """FastMCP takes seconds to import, which no test is to wait for."""
    library.load("openhands_acp.mcp.connection")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    (tmp_path / "w").mkdir()
    return tmp_path / "w"
