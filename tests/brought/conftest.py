"""What is tested here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from openhands_acp.mcp import library


@pytest.fixture(scope="session", autouse=True)
def _library() -> None:
    """FastMCP takes seconds to import, which no test is to wait for."""
    library.load("openhands_acp.mcp.connection")


@pytest.fixture(scope="session", autouse=True)
def _no_keyring() -> Iterator[None]:
    """Nothing of a test goes into the keyring of whoever runs it."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    (tmp_path / "w").mkdir()
    return tmp_path / "w"
