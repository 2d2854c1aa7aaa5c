"""LiteLLM is imported and warmed once for all tests of this folder: it takes seconds."""

from __future__ import annotations

import pytest

from openhands_acp.llm.warming import prewarm


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    prewarm()
