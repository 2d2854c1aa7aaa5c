"""How a host is reached, with the company's proxy and without."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from openhands_acp.engine.web import Unreachable
from openhands_acp.web.addresses import Address, target_of
from openhands_acp.web.ways import Proxied, Resolve, Straight, Way, resolved, way_to

pytestmark = pytest.mark.anyio

PUBLIC = ip_address("93.184.216.34")
HERE = ip_address("127.0.0.1")
INNER = ip_address("10.1.2.3")
PROXY = Proxied("http://proxy.example:3128", False, "proxy.example", 3128)


@pytest.fixture(autouse=True)
def no_proxy_of_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


def names(*addresses: Address) -> Resolve:
    async def resolve(_host: str, _port: int) -> list[Address]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    ("url", "found", "allowed", "way"),
    [
        ("http://a.example/", [PUBLIC], (), PROXY),
        ("https://a.example/", [PUBLIC], (), PROXY),
        # Most companies' machines know no names but the company's own.
        ("https://a.example/", [], (), PROXY),
        ("http://93.184.216.34/", [], (), PROXY),
        ("http://wiki.corp/", [INNER], ("wiki.corp",), PROXY),
        ("http://wiki.corp/", [], ("*.corp",), PROXY),
        ("http://intranet:8080/", [], ("intranet:8080",), PROXY),
        # What runs here is not at the proxy.
        ("http://localhost:3000/", [HERE], ("localhost:3000",), Straight((HERE,))),
        ("http://127.0.0.1:3000/", [], ("localhost:3000", "127.0.0.1"), Straight((HERE,))),
        ("http://a.not.example/", [PUBLIC], (), Straight((PUBLIC,))),
    ],
)
async def test_behind_a_proxy_it_goes_through_the_proxy(
    url: str, found: list[Address], allowed: tuple[str, ...], way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "not.example")
    assert await way_to(target_of(url), allowed, names(*found)) == way


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://rebound.example/", [PUBLIC, HERE]),
        ("http://wiki.example/", [INNER]),
        ("http://127.0.0.1/", []),
        ("http://[::ffff:10.0.0.1]/", []),
        ("http://169.254.169.254/latest/meta-data/", []),
        # Unknown here, but what they are is seen.
        ("http://localhost/", []),
        ("http://db.localhost/", []),
        ("http://intranet/", []),
        ("http://2130706433/", []),
        ("http://0x7f.1/", []),
        ("http://127.1/", []),
        ("http://metadata.google.internal/", []),
        ("http://printer.local./", []),
        ("http://wiki.corp/", []),
    ],
)
async def test_a_proxy_is_not_asked_for_what_is_not_public(
    url: str, found: list[Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    with pytest.raises(Unreachable, match="not public"):
        await way_to(target_of(url), ("other.example",), names(*found))


async def test_each_scheme_has_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "https://user:p%40ss@proxy.example")
    way = await way_to(target_of("https://a.example/"), (), names(PUBLIC))
    assert way == Proxied("https://user:p%40ss@proxy.example", True, "proxy.example", 443)
    assert isinstance(way, Proxied)
    assert (way.name, way.credentials) == ("the proxy proxy.example:443", "Basic dXNlcjpwQHNz")
    assert await way_to(target_of("http://a.example/"), (), names(PUBLIC)) == Straight((PUBLIC,))


@pytest.mark.parametrize("proxy", ["socks5://user:secret@127.0.0.1:1080", "http://", "http://[::1", "http://a:x"])
async def test_a_proxy_of_another_kind_is_told_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(Unreachable, match="HTTPS_PROXY") as refused:
        await way_to(target_of("https://a.example/"), (), names(PUBLIC))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 70}.example", "-.invalid"])
async def test_what_cannot_be_a_name_is_none(host: str) -> None:
    assert await resolved(host, 80) == []
