"""Waiting for what nothing tells of."""

from __future__ import annotations

from collections.abc import Callable

import anyio

PATIENCE = 120.0
"""Seconds that any one wait may take, on the busiest machine: only what is broken needs them."""
_BETWEEN = 0.002
"""Seconds between two looks: without a pause, those that are waited for hardly get at the interpreter."""


async def until(is_so: Callable[[], object]) -> None:
    """Look until it is so. The caller bounds it."""
    while not is_so():
        await anyio.sleep(_BETWEEN)
