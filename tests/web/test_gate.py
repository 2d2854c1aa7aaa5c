"""The browser's way out: what passes, what does not, and that it stands whatever is sent to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import anyio
import httpx
import pytest

from openhands_acp.web.addresses import Address
from openhands_acp.web.gate import Gate
from tests.harness.company import HOST, authority
from tests.harness.site import Answer, site

pytestmark = pytest.mark.anyio


async def here(_host: str, _port: int) -> list[Address]:
    return [ip_address("127.0.0.1")]


@asynccontextmanager
async def opened(gate: Gate) -> AsyncGenerator[int]:
    with anyio.fail_after(20):
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
