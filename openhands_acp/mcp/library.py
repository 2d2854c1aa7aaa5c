"""FastMCP, imported so that it keeps to itself: it takes seconds, so in a thread, and only where there is a server."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from types import ModuleType

_SETTINGS = "FASTMCP_ENV_FILE"
_LEVELS = {"fastmcp": logging.WARNING, "httpx2": logging.WARNING, "mcp": logging.CRITICAL}
"""A server that is lost is told of by us, and needs no traceback; addresses may hold what is nobody's business."""


def load(module: str) -> ModuleType:
    """Import a module that needs FastMCP; call it in a worker thread."""
    is_ours = _SETTINGS not in os.environ
    if is_ours:
        # It would read a `.env` where we happen to run, which is the project's, and fail on one it cannot read.
        os.environ[_SETTINGS] = os.devnull
    try:
        import_module("fastmcp")
    finally:
        if is_ours:
            os.environ.pop(_SETTINGS, None)
    # It brings handlers of its own, which write on stderr in colours; ours takes warnings.
    its = logging.getLogger("fastmcp")
    its.handlers.clear()
    its.propagate = True
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
    return import_module(module)
