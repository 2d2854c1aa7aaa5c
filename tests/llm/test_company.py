"""Models are reached in a company's network: own certificates, a proxy; and a failure says which were used."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from anyio import create_task_group, create_tcp_listener
from anyio.abc import SocketAttribute, SocketStream

from openhands_acp.engine.ports import TextChunk
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm import provider_limits
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.route import CA_FILES, CA_FOLDER, Route, route_to
from openhands_acp.llm.via_litellm import LiteLLM, ask_for_limits
from tests.harness.company import HOST, Authority, Proxy, authority
from tests.harness.protocols import base_url
from tests.harness.provider import Provider
from tests.harness.replies import Text
from tests.harness.tells_models import openrouter
from tests.harness.waiting import PATIENCE
from tests.llm.asking import KEY, PATIENT, answer

pytestmark = pytest.mark.anyio

MODELS = ["openai/gpt-x", "openai/responses/gpt-x", "anthropic/claude-x", "gemini/gemini-x", "groq/x"]
"""Whose client is made by us, in each of the ways there are."""
OTHER = "cerebras/x"
"""Whose client LiteLLM makes: it takes a file, and keeps it."""
AGAIN = "then send the prompt again."
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CA_FILES, CA_FOLDER, *PROXIES, *(name.lower() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("company"), "our company")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("stranger"), "a stranger")


@pytest.fixture
def provider(company: Authority) -> Iterator[Provider]:
    with Provider(script=lambda _body: [Text("hi")], tls=company.server) as provider:
        yield provider


def model(name: str, base: str) -> LiteLLM:
    return LiteLLM(ModelSettings(name, KEY, base, PATIENT))


async def failure(name: str, base: str) -> TurnError:
    with pytest.raises(TurnError) as caught:
        await answer(model(name, base))
    return caught.value


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        *product(MODELS, ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"]),
        (OTHER, "SSL_CERT_FILE"),
        (OTHER, "REQUESTS_CA_BUNDLE"),
    ],
)
async def test_a_company_signs_its_servers_itself(
    name: str, variable: str, provider: Provider, company: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(company.folder if variable == "SSL_CERT_DIR" else company.file))
    assert (await answer(model(name, provider.base_url(name))))[0] == TextChunk("hi")


@pytest.mark.parametrize("name", MODELS)
async def test_who_is_not_trusted_is_told_with_what_is(
    name: str, provider: Provider, stranger: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = provider.base_url(name)
    host = base.removeprefix("https://").partition("/")[0]
    told = [await failure(name, base)]
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.file))
    told.append(await failure(name, base))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    told.append(await failure(name, base))
    said = name.rpartition("/")[2]
    start = (
        f"The certificate of the server at {host} was not accepted for {said}: unable to get local issuer certificate. "
    )
    assert [each.detail for each in told] == [
        f"{start}If your company signs it itself, name the file of its certificate authority in SSL_CERT_FILE, {AGAIN}",
        f"{start}Trusted is what {stranger.file} (SSL_CERT_FILE) holds: "
        f"add the certificate authority of this server, {AGAIN}",
        f"{start}SSL_CERT_FILE names {tmp_path / 'nothing.pem'}, which is not there: correct it, {AGAIN}",
    ]
    assert {(each.code, each.can_retry) for each in told} == {("network", False)}
    assert provider.requests == []


async def test_a_server_without_tls_is_told_as_that() -> None:
    async def answer_in_clear(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with await create_tcp_listener(local_host="127.0.0.1") as listener, create_task_group() as group:
        group.start_soon(listener.serve, answer_in_clear)
        host = f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        told = await failure("openai/gpt-x", f"https://{host}/v1")
        start = f"The server at {host} could not be reached for gpt-x: no secure connection came about: "
        end = f" Check whether the address is to begin with http:// or https://, {AGAIN}"
        assert (told.code, told.can_retry) == ("network", False)
        assert (told.detail[: len(start)], told.detail[-len(end) :]) == (start, end)  # between are OpenSSL's words
        group.cancel_scope.cancel()


@pytest.mark.parametrize("name", [*MODELS, OTHER])
async def test_a_proxy_leads_to_a_server_that_only_it_knows(
    name: str, provider: Provider, company: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(company.file))
    with Proxy(_port(provider), key="me:secret") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{proxy.address}")
        chunks = await answer(model(name, base_url(name, f"https://{HOST}")))
    assert chunks[0] == TextChunk("hi")
    assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]


def test_how_much_it_reads_is_asked_on_the_same_way(
    company: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_limits, "PATIENCE", PATIENCE)
    name, base = "openrouter/v/m", f"https://{HOST}/v1"
    monkeypatch.setenv("SSL_CERT_FILE", str(company.file))
    with (
        Provider(tls=company.server, tells=openrouter("v/m", 9_000, None)) as provider,
        Proxy(_port(provider)) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        asked = ModelSettings(name, KEY, base)
        assert (ask_for_limits(asked), asked.told.window) == (True, 9_000)
        monkeypatch.setenv("SSL_CERT_FILE", str(stranger.file))
        assert not ask_for_limits(ModelSettings(name, KEY, base))
        assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"] * 2
        assert len(provider.lookups) == 1


async def test_a_server_without_tls_is_reached_by_a_proxy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with Provider([Text("hi")]) as provider, Proxy(_port(provider)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        chunks = await answer(model("openai/gpt-x", f"http://{HOST}/v1"))
    assert chunks[0] == TextChunk("hi")
    assert proxy.asked == [f"POST http://{HOST}/v1/chat/completions HTTP/1.1"]


@pytest.mark.parametrize("name", [*MODELS, OTHER])
async def test_what_the_proxy_refuses_is_told_without_its_password(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(_port(provider), key="me:secret") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:wrong@{proxy.address}")
        told = await failure(name, base_url(name, f"https://{HOST}"))
    said = name.rpartition("/")[2]
    assert (told.code, told.can_retry, told.detail) == (
        "network",
        False,
        f"The server at {HOST} was not reached for {said}: the proxy http://{proxy.address} (HTTPS_PROXY) refused: "
        f"407 Proxy Authentication Required. Check HTTPS_PROXY, {AGAIN}",
    )


@pytest.mark.parametrize("name", MODELS)
async def test_a_proxy_that_is_not_there_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(0) as proxy:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    told = await failure(name, base_url(name, f"https://{HOST}"))
    said = name.rpartition("/")[2]
    assert (told.code, told.can_retry, told.detail) == (
        "network",
        True,
        f"The server at {HOST} could not be reached for {said} through the proxy http://{proxy.address} (HTTPS_PROXY): "
        f"connection refused. Check that the proxy runs and that HTTPS_PROXY is right, {AGAIN}",
    )


@pytest.mark.parametrize("name", MODELS)
async def test_this_machine_is_never_asked_by_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Provider([Text("hi")]) as provider, Proxy(_port(provider)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        chunks = await answer(model(name, provider.base_url(name)))
    assert chunks[0] == TextChunk("hi")
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "environ", "route"),
    [
        ("https://a.test/v1", {}, Route()),
        ("https://a.test/v1", {"HTTPS_PROXY": "http://me:pw@p:1"}, Route("http://p:1", "HTTPS_PROXY")),
        ("https://a.test/v1", {"https_proxy": "p:1"}, Route("http://p:1", "https_proxy")),
        ("http://a.test/v1", {"HTTPS_PROXY": "http://p:1"}, Route()),
        ("http://a.test/v1", {"ALL_PROXY": "socks5://p:1"}, Route("socks5://p:1", "ALL_PROXY")),
        (None, {"HTTPS_PROXY": "http://p:1"}, Route("http://p:1", "HTTPS_PROXY")),
        ("https://a.test/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.test,a.test"}, Route()),
        ("https://x.a.test/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".a.test"}, Route()),
        ("https://a.test/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, Route()),
        ("https://127.0.0.1:8000/v1", {"HTTPS_PROXY": "http://p:1"}, Route()),
        ("https://a.test/v1", {"SSL_CERT_DIR": "/d"}, Route("", "", "/d", "SSL_CERT_DIR", is_trust_missing=True)),
        (
            "https://a.test/v1",
            {"SSL_CERT_DIR": "/d", "REQUESTS_CA_BUNDLE": "/f", "SSL_CERT_FILE": ""},
            Route("", "", "/f", "REQUESTS_CA_BUNDLE", is_trust_missing=True),
        ),
    ],
)
def test_the_way_to_a_server(
    url: str | None, environ: dict[str, str], route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert route_to(url, environ) == route


def _port(provider: Provider) -> int:
    return int(provider.url.rpartition(":")[2].partition("/")[0])
