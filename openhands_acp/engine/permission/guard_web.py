"""Permission round the web: each host is asked for before anything is sent there, also where a page has moved to it."""

from __future__ import annotations

from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import urlsplit

from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.permission.guard import Guard
from openhands_acp.engine.permission.policy import Fetch
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable, Web

_MOVES = 5


@dataclass(frozen=True, slots=True)
class GuardedWeb:
    web: Web
    guard: Guard

    async def fetch(self, url: str) -> Page:
        where = f"Fetch {named(url)}"
        for _ in range(_MOVES):
            await self.guard.permit(Fetch(host_of(url)), ShownText(where))
            try:
                return await self.web.fetch(url)
            except MovedElsewhere as moved:
                where = f"Fetch {named(moved.url)}, where {spelt(url)} leads to"
                url = moved.url
        raise Unreachable(f"{url} leads from host to host without end")


def host_of(url: str) -> str:
    """Name what is asked for: the host as it is sent, with the port if the address has one. Raises Unreachable."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Unreachable(f"{url!r} is not an address of the web ({error})") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Unreachable(f"{url!r} is not an address of the web: it must begin with https:// or http://")
    host = _in_ascii(host)
    return host if port is None else f"{host}:{port}"


def _in_ascii(host: str) -> str:
    """Spell a host as it is sent: letters of two alphabets may look the same."""
    labels = normalize("NFKC", host).lower().split(".")
    return ".".join(each if each.isascii() else f"xn--{each.encode('punycode').decode('ascii')}" for each in labels)


def named(url: str) -> str:
    """Spell an address for the person, and its host where that could be taken for another. Raises Unreachable."""
    host = host_of(url)
    return spelt(url) if url.isascii() or "xn--" not in host else f"{spelt(url)} (the host {spelt(host)})"


def spelt(text: str) -> str:
    """Spell what a model or a page said as code: whatever is in it, the person sees it as it is."""
    return f"`{text.replace('`', '%60')}`"
