"""Shared fixtures: which event loop the tests run on; and for how long an example may take."""

from __future__ import annotations

import pytest
from hypothesis import settings

# An example takes as long as whoever shares the machine lets it.
settings.register_profile("shared", deadline=None)
# A second interpreter is not there to look for more examples (`make quick`).
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("shared")


@pytest.fixture
def anyio_backend() -> str:
    """The product runs on asyncio, because litellm and fastmcp do; what names no loop is tested on trio too."""
    return "asyncio"
