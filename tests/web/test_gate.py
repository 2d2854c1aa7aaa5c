"""The browser's way out: what passes, what does not, and that it stands whatever is sent to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx
import pytest

from openhands_acp.web.addresses import Address
from openhands_acp.web.gate import Gate
from tests.harness.company import HOST, Proxy, authority
from tests.harness.site import Answer, site
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def nobody(_host: str, _port: int) -> list[Address]:
    return []


async def here(_host: str, _port: int) -> list[Address]:
    return [ip_address("127.0.0.1")]


@asynccontextmanager
async def opened(gate: Gate) -> AsyncGenerator[int]:
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            yield await tasks.start(gate.serve)
            tasks.cancel_scope.cancel()


def client_of(port: int, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    proxy = f"http://127.0.0.1:{port}"
    return httpx.AsyncClient(proxy=proxy, trust_env=False, verify=tls or ssl.create_default_context())


async def test_what_is_allowed_passes_under_its_name() -> None:
    with site({"/a?b": Answer(b"here", "text/plain")}) as served:
        async with opened(Gate(("*",), here)) as port, client_of(port) as client:
            for _ in range(2):
                answer = await client.get(served.url("/a?b", "named.example"))
                assert (answer.status_code, answer.text) == (200, "here")
        assert served.asked == [(f"named.example:{served.port}", "/a?b")] * 2


async def test_what_is_not_public_is_refused_in_words_and_not_connected_to() -> None:
    with site({"/": Answer(b"secret", "text/plain")}) as served:
        async with opened(Gate((), here)) as port, client_of(port) as client:
            answer = await client.get(served.url(host="rebound.example"))
            assert answer.status_code == 403
            assert answer.text.startswith("rebound.example is 127.0.0.1, which is this machine")
            assert (await client.get(served.url())).status_code == 403
        assert served.asked == []


async def test_a_tunnel_leads_where_it_was_looked_at(tmp_path: Path) -> None:
    known = authority(tmp_path, "known")
    tls = ssl.create_default_context(cafile=str(known.file))
    with site({"/": Answer(b"safe", "text/plain")}, known.server) as served:
        url = f"https://{HOST}:{served.port}/"
        async with opened(Gate(("*",), here)) as port, client_of(port, tls) as client:
            assert (await client.get(url)).text == "safe"
        async with opened(Gate((), here)) as port, client_of(port, tls) as client:
            with pytest.raises(httpx.ProxyError, match="403"):
                await client.get(url)


@pytest.mark.parametrize("key", ["", "me:p@ss"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_behind_a_companys_proxy_it_goes_on_through_that(
    tmp_path: Path, scheme: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = authority(tmp_path, "known")
    tls = ssl.create_default_context(cafile=str(known.file))
    own = known.server if scheme == "https" else None
    gate = Gate((HOST,), nobody, lambda: tls)
    with site({"/": Answer(b"safe", "text/plain")}, known.server) as served, Proxy(served.port, key, own) as proxy:
        behind(monkeypatch, proxy, key, scheme)
        async with opened(gate) as port, client_of(port, tls) as client:
            assert (await client.get(f"https://{HOST}:{served.port}/")).text == "safe"
    with site({"/a?b": Answer(b"plain", "text/plain")}) as served, Proxy(served.port, key, own) as plain:
        behind(monkeypatch, plain, key, scheme)
        async with opened(gate) as port, client_of(port) as client:
            assert (await client.get(f"http://{HOST}:{served.port}/a?b")).text == "plain"
            # What is not public is not even asked of it.
            assert (await client.get("http://intranet/")).status_code == 403
    assert (proxy.asked[0].split()[0], plain.asked) == ("CONNECT", [f"GET http://{HOST}:{served.port}/a?b HTTP/1.1"])


def behind(monkeypatch: pytest.MonkeyPatch, proxy: Proxy, key: str = "", scheme: str = "http") -> None:
    user = f"{quote(key, safe=':')}@" if key else ""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"{scheme}://{user}{proxy.address}")
    monkeypatch.setenv("NO_PROXY", "")


async def test_a_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with site({}) as served, Proxy(served.port, "me:secret") as proxy:
        behind(monkeypatch, proxy)
        gate = Gate((), nobody)
        async with opened(gate) as port, client_of(port) as client:
            with pytest.raises(httpx.ProxyError, match="403"):
                await client.get("https://a.example/")
        assert gate.refused == {
            "a.example": f"the proxy {proxy.address} does not connect to a.example: it answered "
            "'407 Proxy Authentication Required'"
        }


async def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with site({}) as served, Proxy(served.port) as proxy:
        behind(monkeypatch, proxy)
    gate = Gate((), nobody)
    async with opened(gate) as port, client_of(port) as client:
        answer = await client.get("http://a.example/")
        assert (answer.status_code, answer.text) == (403, gate.refused["a.example"])
        assert answer.text.startswith(f"the proxy {proxy.address} cannot be reached")


async def test_a_site_that_is_not_there_is_told() -> None:
    with site({}) as served:
        url = served.url()
    async with opened(Gate(("*",), here)) as port, client_of(port) as client:
        assert (await client.get(url)).status_code == 403


@pytest.mark.parametrize(
    "junk", [b"", b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n", b"CONNECT a b c\r\n\r\n", b"x" * 70_000]
)
async def test_whatever_is_sent_to_it_the_next_one_is_served(junk: bytes) -> None:
    with site({"/": Answer(b"here", "text/plain")}) as served:
        async with opened(Gate(("*",), here)) as port, client_of(port) as client:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    await stream.send(junk)
                    await stream.send_eof()
                    while True:
                        await stream.receive()
            assert (await client.get(served.url())).text == "here"
