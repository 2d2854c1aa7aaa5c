"""What a model calls the tools of other people's servers: `server__tool`, whatever the two are called. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 64
"""Characters that every provider takes."""

_CLEAN_SERVER = re.compile(r"[A-Za-z_](?:[A-Za-z0-9-]|_(?!_))*(?<!_)")
"""Without `__` and no `_` at its end, so that the first `__` of a whole name is where the tool's begins.

Some providers want a letter or `_` first.
"""
_CLEAN_TOOL = re.compile(r"[A-Za-z0-9_-]+")
_MARKED = re.compile(r"_[0-9a-f]{10}$")
_UNCLEAN = re.compile(r"[^A-Za-z0-9_-]")


def remote_name(server: str, tool: str) -> str:
    """Return a name that no other pair has, of the pair alone: it stays when servers come and go.

    Where the two themselves will not do, they are made to, and a hash of them follows.
    """
    plain = f"{server}__{tool}"
    is_clean = _CLEAN_SERVER.fullmatch(server) and _CLEAN_TOOL.fullmatch(tool)
    if is_clean and len(plain) <= LONGEST and not _MARKED.search(plain):
        return plain
    mark = "_" + sha256(f"{len(server)}:{server}{tool}".encode(errors="surrogatepass")).hexdigest()[:10]
    legible = _UNCLEAN.sub("_", plain)
    if not re.match("[A-Za-z_]", legible):
        legible = f"_{legible}"
    return legible[: LONGEST - len(mark)] + mark
