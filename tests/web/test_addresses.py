"""Which addresses are public, and what a person allows besides."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from openhands_acp.engine.web import Unreachable
from openhands_acp.web.addresses import is_public, reachable, target_of


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("8.8.8.8", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        # A cloud's metadata.
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        # Inside of others.
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        # What older Pythons take for global.
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
        ("5f00::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("url", "pattern", "is_allowed"),
    [
        ("http://localhost:3000/", "localhost:3000", True),
        ("http://localhost:3000/", "localhost", True),
        ("http://localhost:3001/", "localhost:3000", False),
        ("http://LOCALHOST/", "localhost", True),
        ("http://wiki.corp.example/", "*.corp.example", True),
        ("http://corp.example/", "*.corp.example", False),
        ("http://corp.example.evil.example/", "*.corp.example", False),
        ("http://any.example/", "10.0.0.0/8", True),
        ("http://any.example/", "10.1.2.3", True),
        ("http://any.example/", "192.168.0.0/16", False),
        ("http://any.example/", "*", True),
        ("http://any.example/", "", False),
    ],
)
def test_what_a_person_allows(url: str, pattern: str, is_allowed: bool) -> None:
    address = ip_address("10.1.2.3")
    if is_allowed:
        assert reachable(target_of(url), [address], [pattern]) == [address]
    else:
        with pytest.raises(Unreachable, match="not public"):
            reachable(target_of(url), [address], [pattern])


def test_one_hidden_address_spoils_a_name() -> None:
    with pytest.raises(Unreachable, match=r"rebound\.example is 127\.0\.0\.1"):
        reachable(target_of("http://rebound.example/"), [ip_address("8.8.8.8"), ip_address("127.0.0.1")], [])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "must begin with https"),
        ("ftp://a.example/", "must begin with https"),
        ("a.example", "must begin with https"),
        ("http://", "must begin with https"),
        ("http://a.example:99999/", "is not an address of the web"),
        ("http://[::1/", "is not an address of the web"),
        ("http://good.example@127.0.0.1/", "must not carry a user name"),
        ("http://user:word@a.example/", "must not carry a user name"),
        # Where one program sees the end of the host, and another does not.
        ("http://good.example\\@127.0.0.1/", "must not carry a user name"),
        ("http://127.0.0.1\\.good.example/", "is no name"),
        ("http://127.0.0.1%2f.good.example/", "is no name"),
        ("http://a b.example/", "is no name"),
        ("http://a.example;.b.example/", "is no name"),
        ("http://..example\u3002/", "is not an address of the web"),
    ],
)
def test_what_is_no_address_of_the_web(url: str, reason: str) -> None:
    with pytest.raises(Unreachable, match=reason):
        target_of(url)


@pytest.mark.parametrize(
    ("url", "netloc", "at"),
    [
        ("https://a.example/x?y#z", "a.example", "https://10.1.2.3:443/x?y"),
        ("http://a.example:8080", "a.example:8080", "http://10.1.2.3:8080"),
        ("https://Bücher.example./", "xn--bcher-kva.example", "https://10.1.2.3:443/"),
        # As browsers have it since 2008, and not another person's fass.example.
        ("https://faß.example/", "xn--fa-hia.example", "https://10.1.2.3:443/"),
        ("https://ｅｘａｍｐｌｅ.com/", "example.com", "https://10.1.2.3:443/"),
        ("http://\tlocal\nhost/", "localhost", "http://10.1.2.3:80/"),
    ],
)
def test_the_name_stays_and_the_connection_goes_to_the_address(url: str, netloc: str, at: str) -> None:
    target = target_of(url)
    assert (target.netloc, target.at(ip_address("10.1.2.3"))) == (netloc, at)
