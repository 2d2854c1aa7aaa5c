"""Pages from the web: connects to nothing that was not looked at first (`ways`), and takes no more than can be read.

Knows neither who asks nor whether they may.
"""

from __future__ import annotations

import base64
import ssl
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import anyio
import anyio.to_thread
import httpx

from openhands_acp.engine.messages import Image
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable
from openhands_acp.web.addresses import Target, target_of
from openhands_acp.web.decoding import decoded
from openhands_acp.web.reading import read
from openhands_acp.web.ways import Proxied, Resolve, Way, resolved, way_to

_SECONDS = 30.0
"""For one page with all its redirects."""
_CONNECT = 10.0
_MOST_BYTES = 5 * 1024 * 1024
_MOST_HTML_BYTES = 2 * 1024 * 1024
"""It takes seconds to read, as text does not."""
_MOST_IMAGE_BYTES = 3 * 1024 * 1024
_REDIRECTS = 10
_PACKINGS = ("gzip", "x-gzip", "deflate")
_EITHER = zlib.MAX_WBITS + 32
"""Of gzip's head or zlib's."""
_PAGES = ("text/html", "application/xhtml+xml")
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TEXTS = ("json", "xml", "javascript", "yaml", "toml", "x-sh", "graphql", "sql")
_HEADERS = {
    "Accept": "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0.5",
    "Accept-Language": "en, *;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}


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
        except httpx.InvalidURL as error:
            raise Unreachable(f"{target.host} has no such address ({error})") from error

    async def _followed(self, first: Target) -> Page:
        target, tls = first, await anyio.to_thread.run_sync(self.trust)
        for _ in range(_REDIRECTS):
            answer = await self._answer(target, tls)
            if isinstance(answer, Page):
                return answer
            target = _led_to(target, answer)
            if target.netloc != first.netloc and not _is_same_site(first, target):
                raise MovedElsewhere(target.url)
        raise Unreachable(f"{first.host} redirects in circles")

    async def _answer(self, target: Target, tls: ssl.SSLContext) -> Page | str:
        """Ask once; return the page, or where it is instead."""
        way = await way_to(target, self.allowed, self.resolve)
        proxy = None
        if isinstance(way, Proxied):
            proxy = httpx.Proxy(way.url, ssl_context=tls if way.is_secure else None)
        urls = _urls(target, way)
        async with httpx.AsyncClient(
            verify=tls, proxy=proxy, trust_env=False, timeout=httpx.Timeout(_SECONDS, connect=_CONNECT)
        ) as client:
            for at, url in enumerate(urls):
                request = client.build_request("GET", url, headers={**_HEADERS, "User-Agent": self.agent})
                request.headers["Host"] = target.netloc
                if proxy is None:
                    # The certificate is that of the name, whatever address is connected to.
                    request.extensions["sni_hostname"] = target.host
                try:
                    response = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    # Of two kinds of address, often only one leads anywhere.
                    if at + 1 == len(urls):
                        raise
                    continue
                try:
                    return await _taken(response, target)
                finally:
                    await response.aclose()
        raise AssertionError("a host without addresses was refused")


def _urls(target: Target, way: Way) -> list[str]:
    if isinstance(way, Proxied):
        return [target.url]
    return [target.at(address) for address in way.addresses]


def _led_to(target: Target, location: str) -> Target:
    try:
        return target_of(urljoin(target.url, location))
    except ValueError as error:
        raise Unreachable(f"{target.host} redirects to {location!r}, which is no address of the web") from error


async def _taken(response: httpx.Response, target: Target) -> Page | str:
    if response.is_redirect and (location := response.headers.get("location")):
        return str(location)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _IMAGES:
        body, is_cut = await _body(response, _MOST_IMAGE_BYTES)
        if is_cut:
            raise Unreachable(f"the image at {target.url} has more than {_MOST_IMAGE_BYTES:,} bytes")
        image = Image(kind, base64.b64encode(body).decode("ascii"))
        return Page(target.url, response.status_code, "", "", image)
    if kind and kind not in _PAGES and not kind.startswith("text/") and not any(part in kind for part in _TEXTS):
        size = response.headers.get("content-length", "an unknown number of")
        raise Unreachable(
            f"{target.url} is {kind} ({size} bytes), not text; download it in the terminal if you need it"
        )
    body, is_cut = await _body(response, _MOST_HTML_BYTES if kind in _PAGES else _MOST_BYTES)
    if kind in _PAGES or (not kind and _looks_like_html(body)):
        title, text = await read(body, target.url, response.charset_encoding)
        return Page(target.url, response.status_code, title, text, is_cut=is_cut)
    text = await anyio.to_thread.run_sync(decoded, body, response.charset_encoding, abandon_on_cancel=True)
    return Page(target.url, response.status_code, "", text, is_cut=is_cut)


async def _body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """Return the body, and whether there was more; never more than `limit` bytes are unpacked at all."""
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", *_PACKINGS):
        # Packed twice, a few kilobytes can be gigabytes.
        raise Unreachable(f"{response.request.url.host} sent it packed as {packing!r}, which it was not asked for")
    unpacker = zlib.decompressobj(_EITHER) if packing in _PACKINGS else None
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk if unpacker is None else unpacker.decompress(chunk, limit + 1 - len(body))
            if len(body) > limit:
                return bytes(body[:limit]), True
    except zlib.error as error:
        raise Unreachable(f"the page cannot be read: it is not packed as it says ({error})") from error
    return bytes(body), False


def _looks_like_html(body: bytes) -> bool:
    return body[:1000].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _is_same_site(before: Target, after: Target) -> bool:
    """Tell whether a redirect only adds or drops `www.`, or goes from http to https."""
    upgrade = (before.port, after.port) == (80, 443)
    return before.host.removeprefix("www.") == after.host.removeprefix("www.") and (
        upgrade or before.port == after.port
    )


def _reason(error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectTimeout() | httpx.ReadTimeout():
            return "it does not answer"
        case httpx.ConnectError():
            return str(error).partition("\n")[0] or "no connection"
        case _:
            return f"{type(error).__name__}: {error}".rstrip(": ")
