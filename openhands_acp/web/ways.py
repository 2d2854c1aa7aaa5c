"""How a host is reached: at an address that was looked at, or through the proxy that the environment names.

Rules of this file. Without a proxy, a name is looked up once, all that it stands for is checked, and the connection
goes to an address that was checked, so that a name which means something else a moment later leads nowhere else.
Through a proxy, the name goes with it, for proxies judge by names and send them on, and the proxy looks it up once
more: what is checked is an address that the URL itself names, what a name stands for here, and where it is unknown
here, that it looks like one of the public web. A name that means something else to the proxy, or a moment later,
reaches what the proxy lets through, but never this machine.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio

from openhands_acp.engine.web import Unreachable
from openhands_acp.web.addresses import Address, Target, check_unknown, literal, reachable

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[Address]]]


@dataclass(frozen=True, slots=True)
class Straight:
    addresses: tuple[Address, ...]
    """All checked, the best first; never empty."""


@dataclass(frozen=True, slots=True)
class Proxied:
    url: str
    """With the user and the password, if it wants any."""
    is_secure: bool
    host: str
    port: int

    @property
    def name(self) -> str:
        """What may be said of it."""
        return f"the proxy {self.host}:{self.port}"

    @property
    def credentials(self) -> str:
        """What it is told in `Proxy-Authorization`; empty if it wants nothing."""
        parts = urlsplit(self.url)
        if parts.username is None:
            return ""
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"


Way: TypeAlias = Straight | Proxied


async def resolved(host: str, port: int) -> list[Address]:
    """Look a name up; nothing if there is none."""
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for what cannot be a name: a part that is empty, or too long
        return []
    addresses = [literal(str(entry[4][0])) for entry in found]
    return list(dict.fromkeys(address for address in addresses if address is not None))


async def way_to(target: Target, allowed: Sequence[str], resolve: Resolve) -> Way:
    """Find out how to reach a host. Raises Unreachable if it may not be."""
    itself = literal(target.host)
    found = [itself] if itself is not None else await resolve(target.host, target.port)
    proxy = _proxy(target)
    if proxy is not None and not found:
        check_unknown(target, allowed)
        return proxy
    addresses = reachable(target, found, allowed)
    # A proxy's own machine is not what the person means by this one.
    is_here = any(address.is_loopback or address.is_unspecified or address.is_link_local for address in addresses)
    return Straight(tuple(addresses)) if proxy is None or is_here else proxy


def _proxy(target: Target) -> Proxied | None:
    """Return the proxy on the way. Raises Unreachable for one of another kind."""
    if proxy_bypass(target.netloc):
        return None
    known = getproxies()
    url = known.get(target.scheme) or known.get("all")
    if not url:
        return None
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise Unreachable(
            f"the proxy for {target.scheme} addresses is not one of http:// or https://, as pages are fetched through. "
            f"The person can name such a one in {target.scheme.upper()}_PROXY, or the host in NO_PROXY"
        )
    return Proxied(url, parts.scheme == "https", host, port or (443 if parts.scheme == "https" else 80))
