"""Pages from the web: connects to nothing that was not looked at first. Knows neither who asks nor whether they may.

Rules of this file: a name is looked up once, all that it stands for is checked, and the connection goes to an
address that was checked, so that a name which means something else a moment later leads nowhere else.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

import anyio
import anyio.to_thread
import httpx
from charset_normalizer import from_bytes

from openhands_acp.engine.messages import Image
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable
from openhands_acp.web.addresses import Address, Target, literal, reachable, target_of
from openhands_acp.web.readable import readable

_SECONDS = 30.0
"""For one page with all its redirects."""
_CONNECT = 10.0
_MOST_BYTES = 5 * 1024 * 1024
_MOST_IMAGE_BYTES = 3 * 1024 * 1024
_REDIRECTS = 10
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TEXTS = ("json", "xml", "javascript", "yaml", "toml", "x-sh", "graphql", "sql")
_HEADERS = {
    "Accept": "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0.5",
    "Accept-Language": "en, *;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}

Resolve = Callable[[str, int], Awaitable[list[Address]]]


async def resolved(host: str, port: int) -> list[Address]:
    """Look a name up; nothing if there is none."""
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = [literal(str(entry[4][0])) for entry in found]
    return list(dict.fromkeys(address for address in addresses if address is not None))


@dataclass(frozen=True, slots=True)
class FetchingWeb:
    """`Web`, straight from here, or through the proxy that the environment names."""

    agent: str
    """How it introduces itself."""
    allowed: Sequence[str] = ()
    """Hosts, networks and `*` patterns that may be reached though they are not public."""
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    resolve: Resolve = resolved

    async def fetch(self, url: str) -> Page:
        target = target_of(url)
        try:
            with anyio.fail_after(_SECONDS):
                return await self._followed(target)
        except TimeoutError as error:
            raise Unreachable(f"{target.host} did not answer within {_SECONDS:g} seconds") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"{target.host} cannot be read ({_reason(error)})") from error

    async def _followed(self, first: Target) -> Page:
        target, tls = first, await anyio.to_thread.run_sync(self.trust)
        for _ in range(_REDIRECTS):
            answer = await self._answer(target, tls)
            if isinstance(answer, Page):
                return answer
            target = target_of(urljoin(target.url, answer))
            if target.netloc != first.netloc and not _is_same_site(first, target):
                raise MovedElsewhere(target.url)
        raise Unreachable(f"{first.host} redirects in circles")

    async def _answer(self, target: Target, tls: ssl.SSLContext) -> Page | str:
        """Ask once; return the page, or where it is instead."""
        proxy = _proxy(target)
        ways = await self._ways(target, proxy)
        async with httpx.AsyncClient(
            verify=tls, proxy=proxy, trust_env=False, timeout=httpx.Timeout(_SECONDS, connect=_CONNECT)
        ) as client:
            for at, way in enumerate(ways):
                request = client.build_request("GET", way, headers={**_HEADERS, "User-Agent": self.agent})
                request.headers["Host"] = target.netloc
                # The certificate is that of the name, whatever address is connected to.
                request.extensions["sni_hostname"] = target.host
                try:
                    response = await client.send(request, stream=True)
                except httpx.ConnectError:
                    if at + 1 == len(ways):
                        raise
                    continue
                try:
                    return await _taken(response, target)
                finally:
                    await response.aclose()
        raise AssertionError("a host without addresses was refused")

    async def _ways(self, target: Target, proxy: str | None) -> list[str]:
        """Return what to connect to, best first, all of it checked."""
        itself = literal(target.host)
        found = [itself] if itself is not None else await self.resolve(target.host, target.port)
        if proxy is None:
            return [target.at(address) for address in reachable(target, found, self.allowed)]
        # The proxy looks names up, and many that it knows nobody here does.
        if found:
            reachable(target, found, self.allowed)
        return [target.url]


async def _taken(response: httpx.Response, target: Target) -> Page | str:
    if response.is_redirect and (location := response.headers.get("location")):
        return str(location)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    body, is_cut = await _body(response, _MOST_IMAGE_BYTES if kind in _IMAGES else _MOST_BYTES)
    if kind in _IMAGES:
        if is_cut:
            raise Unreachable(f"the image at {target.url} has more than {_MOST_IMAGE_BYTES:,} bytes")
        image = Image(kind, base64.b64encode(body).decode("ascii"))
        return Page(target.url, response.status_code, "", "", image)
    if kind in ("text/html", "application/xhtml+xml") or (not kind and _looks_like_html(body)):
        title, text = await anyio.to_thread.run_sync(_read, response.charset_encoding, body, target.url)
        return Page(target.url, response.status_code, title, text, is_cut=is_cut)
    if kind and not kind.startswith("text/") and not any(part in kind for part in _TEXTS):
        size = response.headers.get("content-length", "an unknown number of")
        raise Unreachable(
            f"{target.url} is {kind} ({size} bytes), not text; download it in the terminal if you need it"
        )
    text = await anyio.to_thread.run_sync(_decoded, response.charset_encoding, body)
    return Page(target.url, response.status_code, "", text, is_cut=is_cut)


async def _body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _read(charset: str | None, body: bytes, url: str) -> tuple[str, str]:
    return readable(_decoded(charset, body) if charset else body, url)


def _decoded(charset: str | None, body: bytes) -> str:
    for encoding in filter(None, (charset, "utf-8")):
        try:
            return body.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    best = from_bytes(body[:100_000]).best()
    return body.decode(best.encoding if best else "latin-1", "replace")


def _looks_like_html(body: bytes) -> bool:
    return body[:1000].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _is_same_site(before: Target, after: Target) -> bool:
    """Tell whether a redirect only adds or drops `www.`, or goes from http to https."""
    return before.host.removeprefix("www.") == after.host.removeprefix("www.") and after.port in (80, 443, before.port)


def _proxy(target: Target) -> str | None:
    if proxy_bypass(target.host) or literal(target.host) is not None:
        return None
    known = getproxies()
    address = known.get(target.scheme) or known.get("all")
    return address if address is None or "://" in address else f"http://{address}"


def _reason(error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.ReadTimeout():
            return "it does not answer"
        case httpx.ConnectError():
            return str(error).partition("\n")[0] or "no connection"
        case _:
            return f"{type(error).__name__}: {error}".rstrip(": ")
