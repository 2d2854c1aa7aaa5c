"""Which addresses may be reached: those of the public web, and what the person allowed besides. Pure.

A page can send whoever reads it anywhere: to this machine's own servers, a router, a cloud's metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

import idna

from openhands_acp.engine.web import Unreachable

Address: TypeAlias = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}
_NAT64 = ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAME = re.compile(r"[a-z0-9._-]+")
"""What a host's name is made of: in any other, one program sees where it ends and another does not."""
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*")
_INNER = frozenset(
    "arpa corp home internal intranet invalid lan local localdomain localhost onion private test workgroup".split()
)
"""Top-level names that the public web has not (RFC 6761, 6762, ICANN's list), but many a network of its own."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL leads to."""

    url: str
    """Without its fragment."""
    scheme: str
    host: str
    """In lower case; a name outside of ASCII as it is sent."""
    port: int

    @property
    def netloc(self) -> str:
        """The host, with the port if it is not the usual one, as in the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def at(self, address: Address) -> str:
        """Return the URL with the address in place of the host."""
        host = f"[{address}]" if address.version == 6 else str(address)
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{host}:{self.port}").geturl()


def target_of(url: str) -> Target:
    """Read a URL as a browser would. Raises Unreachable."""
    try:
        parts = urlsplit(url.strip())
        host, port = _host(parts), parts.port
    except ValueError as error:
        raise Unreachable(f"{url!r} is not an address of the web ({error})") from error
    if parts.scheme not in _PORTS or not host:
        raise Unreachable(f"{url!r} is not an address of the web: it must begin with https:// or http://")
    if parts.username or parts.password:
        raise Unreachable("an address must not carry a user name or a password")
    whole = parts._replace(fragment="").geturl()
    return Target(whole, parts.scheme, host, port or _PORTS[parts.scheme])


def _host(parts: SplitResult) -> str:
    """Return the host as browsers send it. Raises ValueError."""
    host = (parts.hostname or "").rstrip(".")
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    if host and not _NAME.fullmatch(host) and literal(host) is None:
        raise ValueError("its host is no name and no number of one")
    return host


def reachable(target: Target, addresses: Iterable[Address], allowed: Sequence[str]) -> list[Address]:
    """Return the addresses that may be connected to. Raises Unreachable if a host has any other.

    One is enough to refuse them all: a name that stands for both is up to something, or about to.
    """
    found = list(addresses)
    if not found:
        raise Unreachable(f"there is no host {target.host!r}; check its spelling")
    for address in found:
        if not is_public(address) and not _is_allowed(target, address, allowed):
            raise _hidden(target, f"{address}, which is this machine or a network that is not public")
    return found


def check_unknown(target: Target, allowed: Sequence[str]) -> None:
    """Judge by its name a host that only a proxy can look up. Raises Unreachable."""
    *before, last = target.host.split(".")
    # A number is an address in disguise, like 0x7f.1, and a name without a dot is of somebody's own network.
    is_inner = not before or last in _INNER or _NUMERIC.fullmatch(last)
    if is_inner and not _is_allowed(target, None, allowed):
        raise _hidden(target, "what only a network that is not public has")


def _hidden(target: Target, what: str) -> Unreachable:
    return Unreachable(
        f"{target.host} is {what}. If the person wants it reached, they can add {target.netloc!r} to `fetch_private` "
        "in acp.toml; do not try other ways"
    )


def literal(host: str) -> Address | None:
    """Return the address that `host` itself is, if it is one."""
    try:
        # The part of a link that an address of version 6 is on.
        return ip_address(host.partition("%")[0] if ":" in host else host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Tell whether an address is somewhere on the internet, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address not in _GLOBAL_UNICAST:
            # Older Pythons take some for global that are not: site-local, compatible with IPv4, a network's own NAT64.
            return False
    return address.is_global and not address.is_multicast


def _is_allowed(target: Target, address: Address | None, allowed: Sequence[str]) -> bool:
    return any(_matches(pattern.strip().lower(), target, address) for pattern in allowed)


def _matches(pattern: str, target: Target, address: Address | None) -> bool:
    """Compare with a host, `host:port`, a pattern like `*.corp.example`, an address or a network like `10.0.0.0/8`."""
    try:
        network = ip_network(pattern)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    host, mark, port = pattern.rpartition(":")
    if mark and port.isdigit():
        return int(port) == target.port and fnmatchcase(target.host, host.strip("[]"))
    return fnmatchcase(target.host, pattern.strip("[]"))
