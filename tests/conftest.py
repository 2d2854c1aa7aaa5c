"""Shared fixtures: which event loop the tests run on."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The product runs on asyncio, because litellm and fastmcp do; what names no loop is tested on trio too."""
    return "asyncio"
