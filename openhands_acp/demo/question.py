"""A permission question at the terminal: which option was meant, and a line read so that it can be given up."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread

_KIND_OF_WORD = {
    "y": "allow_once",
    "yes": "allow_once",
    "once": "allow_once",
    "allow": "allow_once",
    "a": "allow_always",
    "always": "allow_always",
    "n": "reject_once",
    "no": "reject_once",
    "r": "reject_once",
    "reject": "reject_once",
}

HINT = "a number, or yes, always, no"


def option_meant(typed: str, options: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the option that `typed` names, by number or by word; None if it names none. Enter alone names none."""
    word = typed.strip().casefold()
    if word.isascii() and word.isdigit():
        return options[int(word) - 1] if 1 <= int(word) <= len(options) else None
    return first_of_kind(_KIND_OF_WORD.get(word, word), options)


def first_of_kind(kind: str, options: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((option for option in options if option.get("kind") == kind), None)


async def read_line() -> str | None:
    """Wait for a line that the person types; None at the end of the input. Can be cancelled."""
    if sys.platform == "win32":
        # A console cannot be waited for. Given up, the thread ends with the next line, or with Ctrl-C.
        return await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True) or None
    # Not `input`: nothing could interrupt it. A terminal hands out one line at a time.
    await anyio.wait_readable(0)
    data = os.read(0, 4096)
    return data.decode(errors="replace") if data else None
