"""Pages of sessions, newest first, put together from several lists, and the cursors between them.

Knows the order, and what is in which folder; neither where sessions are kept nor what is in them.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from heapq import merge
from operator import itemgetter
from typing import TypeAlias

from openhands_acp.engine.paths import AbsPath

PAGE = 50
_NAME = re.compile(r"[0-9a-f]{32}")

Key: TypeAlias = tuple[str, str]
"""When a session was last written to, and its name: sessions in order."""

IsIn: TypeAlias = Callable[[str], bool]
"""Tells whether a session with this first folder is asked for."""


class BadCursor(Exception):
    """Not a cursor that was given out for this list."""


@dataclass(frozen=True, slots=True)
class Summary:
    session_id: str
    roots: tuple[AbsPath, ...]
    title: str | None
    updated_at: datetime
    messages: int | None
    """None where nobody has counted them."""


Listing: TypeAlias = Callable[[IsIn, Key | None], Iterator[tuple[Key, Summary]]]
"""Yields the sessions that come after a key, all without one, newest first; reads no more than it is asked for."""


def is_name(text: str) -> bool:
    """Tell whether a folder of this name can be a session's: an id without its dashes."""
    return _NAME.fullmatch(text) is not None


def key_of(updated_at: datetime, name: str) -> Key:
    # As long as any other, so that texts are in the order of times.
    return updated_at.astimezone(UTC).isoformat(timespec="microseconds"), name


def anywhere(_root: str) -> bool:
    return True


def only_in(cwd: str | None) -> IsIn:
    """Return what tells whether a folder is `cwd`, however both are spelt: by a link, in another case on Windows."""
    if cwd is None:
        return anywhere
    wanted = _real(cwd)

    @cache
    def is_it(root: str) -> bool:
        return _real(root) == wanted

    return is_it


def page_of(cwd: str | None, cursor: str | None, listings: Sequence[Listing]) -> tuple[list[Summary], str | None]:
    """Return the next sessions of all `listings`, and the cursor of the page after. Raises BadCursor."""
    start = _start_of(cursor, cwd) if cursor is not None else None
    is_in = only_in(cwd)
    page: list[Summary] = []
    last: Key | None = None
    for key, summary in merge(*(list_(is_in, start) for list_ in listings), key=itemgetter(0), reverse=True):
        if last is not None and len(page) == PAGE:
            return page, _cursor(last, cwd)
        last = key
        page.append(summary)
    return page, None


def _real(path: str) -> str:
    try:
        return os.path.normcase(os.path.realpath(path))
    except ValueError:
        # With a null in it: the name of no folder.
        return path


def _cursor(last: Key, cwd: str | None) -> str:
    return urlsafe_b64encode(" ".join([*last, _check(last, cwd)]).encode()).decode()


def _start_of(cursor: str, cwd: str | None) -> Key:
    try:
        updated_at, name, check = urlsafe_b64decode(cursor.encode()).decode().split(" ")
    except ValueError as error:
        raise BadCursor(cursor) from error
    if check != _check((updated_at, name), cwd):
        raise BadCursor(cursor)
    return updated_at, name


def _check(key: Key, cwd: str | None) -> str:
    """Tell our cursors from others', and one list's from another's. No secret: nothing is won by a forged one."""
    return sha256(f"{key} {cwd and os.path.normpath(cwd)!r}".encode()).hexdigest()[:16]
