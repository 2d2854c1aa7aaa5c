"""Pages from real servers on this machine: what is read, how much of it, and what is never connected to."""

from __future__ import annotations

import gzip
import ssl
from ipaddress import ip_address
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.messages import Image
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable
from openhands_acp.web import fetching, reading
from openhands_acp.web.addresses import Address
from openhands_acp.web.fetching import FetchingWeb
from tests.harness.company import HOST, Proxy, authority
from tests.harness.site import Answer, Site, site
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio

HERE = ip_address("127.0.0.1")
ELSEWHERE = ip_address("93.184.216.34")


class Names:
    """Stands for the resolver, which nothing on this machine can be made to be: each look-up has its answer."""

    def __init__(self, *answers: list[Address]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        return self._answers.pop(0)


async def fetched(url: str, allowed: tuple[str, ...] = ("127.0.0.1",)) -> Page:
    with anyio.fail_after(PATIENCE):
        return await FetchingWeb("test", allowed).fetch(url)


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        (Answer(b"<title>T</title><p>one <b>two</b>"), Page("URL", 200, "T", "one **two**")),
        (Answer(b"<!doctype html><title>T</title>x", kind=""), Page("URL", 200, "T", "x")),
        (Answer(b'{"a": 1}', "application/json"), Page("URL", 200, "", '{"a": 1}')),
        (Answer(b"<a/>", "application/atom+xml"), Page("URL", 200, "", "<a/>")),
        (Answer("käse".encode("latin-1"), "text/plain; charset=latin-1"), Page("URL", 200, "", "käse")),
        (Answer("käse".encode(), "text/plain"), Page("URL", 200, "", "käse")),
        (Answer("käse".encode(), "text/plain; charset=nonsense"), Page("URL", 200, "", "käse")),
        # What Python knows for codecs, and nobody else.
        (Answer("käse".encode(), "text/plain; charset=undefined"), Page("URL", 200, "", "käse")),
        (Answer("käse".encode(), "text/plain; charset=zlib"), Page("URL", 200, "", "käse")),
        (Answer(b"a-b", "text/plain; charset=punycode"), Page("URL", 200, "", "a-b")),
        (Answer(b'<meta charset="punycode"><p>a-b', "text/html"), Page("URL", 200, "", "a-b")),
        (Answer('<meta charset="latin-1"><p>ä'.encode("latin-1"), "text/html"), Page("URL", 200, "", "ä")),
        (Answer("käse".encode("utf-16"), "text/plain"), Page("URL", 200, "", "käse")),
        (Answer(b"\x89PNG", "image/png"), Page("URL", 200, "", "", Image("image/png", "iVBORw=="))),
        (Answer(b"gone", "text/plain", status=410), Page("URL", 410, "", "gone")),
        (
            Answer(gzip.compress(b"packed"), "text/plain", headers={"Content-Encoding": "gzip"}),
            Page("URL", 200, "", "packed"),
        ),
    ],
)
async def test_what_is_read(answer: Answer, page: Page) -> None:
    with site({"/": answer}) as served:
        assert await fetched(served.url()) == Page(served.url(), page.status, page.title, page.text, page.image)


async def test_no_more_is_taken_than_can_be_read() -> None:
    with site({"/": Answer(b"x" * 65_536, "text/plain", is_endless=True)}) as served:
        page = await fetched(served.url())
        assert (len(page.text), page.is_cut) == (5 * 1024 * 1024, True)


async def test_what_is_cut_within_a_character_keeps_its_encoding() -> None:
    with site({"/": Answer("äx€".encode() * 10_000, "text/plain", is_endless=True)}) as served:
        text = (await fetched(served.url())).text
        assert (text[:3], set(text)) == ("äx€", set("äx€"))


def packed(times: int) -> bytes:
    body = b"\0" * 200_000_000
    for _ in range(times):
        body = gzip.compress(body, 1)
    return body


async def test_what_is_small_until_it_is_unpacked_is_unpacked_as_far_as_it_is_read() -> None:
    with site({"/": Answer(packed(1), "text/plain", headers={"Content-Encoding": "gzip"})}) as served:
        page = await fetched(served.url())
        assert (len(page.text), page.is_cut) == (5 * 1024 * 1024, True)


async def test_a_page_that_takes_for_ever_to_be_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SECONDS", 0.5)
    with site({"/": Answer(b"<a " * 100_000)}) as served, pytest.raises(Unreachable, match="too tangled"):
        await fetched(served.url())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"%PDF", "application/pdf"), r"is application/pdf \(4 bytes\), not text"),
        (Answer(b"x" * 65_536, "image/png", is_endless=True), "has more than 3,145,728 bytes"),
        (Answer(b"not packed", "text/plain", headers={"Content-Encoding": "gzip"}), "cannot be read"),
        (Answer(b"x", "text/plain", headers={"Content-Encoding": "gzip, gzip"}), "packed as 'gzip, gzip'"),
        (Answer(b"x", "text/plain", headers={"Content-Encoding": "br"}), "packed as 'br'"),
        (Answer(b"x" * 65_536, "application/zip", is_endless=True), "is application/zip"),
        (Answer(status=302, headers={"Location": "http://]/"}), "redirects to 'http://]/'"),
        (Answer(status=302, headers={"Location": "/\x7f"}), "cannot be read"),
        (Answer(status=302, headers={"Location": "/"}), "redirects in circles"),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "must begin with https"),
    ],
)
async def test_what_cannot_be_read_says_why(answer: Answer, reason: str) -> None:
    with site({"/": answer}) as served, pytest.raises(Unreachable, match=reason):
        await fetched(served.url())


@pytest.mark.parametrize("path", ["/\x7f", f"/{'x' * 70_000}"])
async def test_what_no_server_can_be_asked_is_told(path: str) -> None:
    with pytest.raises(Unreachable, match="has no such address"):
        await fetched(f"http://127.0.0.1{path}")


async def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SECONDS", 0.3)
    with site({"/": Answer(is_silent=True)}) as served, pytest.raises(Unreachable, match="answer"):
        await fetched(served.url())


async def test_a_closed_port_is_told() -> None:
    with site({}) as served:
        url = served.url()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1 cannot be read"):
        await fetched(url)


async def test_redirects_on_one_host_are_followed() -> None:
    pages = {"/": Answer(status=301, headers={"Location": "/b/"}), "/b/": Answer(b"there", "text/plain")}
    with site(pages) as served:
        assert await fetched(served.url()) == Page(served.url("/b/"), 200, "", "there")


@pytest.mark.parametrize("where", ["https://other.example/x", "http://127.0.0.1/x", "https://127.0.0.1/x"])
async def test_another_host_or_port_is_not_followed_to(where: str) -> None:
    with site({"/": Answer(status=307, headers={"Location": where})}) as served:
        with pytest.raises(MovedElsewhere) as moved:
            await fetched(served.url())
        assert moved.value.url == where


# ---------------------------------------------------------------- what is never connected to


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST.", "0.0.0.0", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"),
        *("[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]"),
        *("①②⑦.0.0.1", "127。0。0。1", "ⓛocalhost", "a..example", f"{'a' * 70}.example"),
    ],
)
async def test_this_machine_is_not_reached_by_any_of_its_names(host: str) -> None:
    with site({"/": Answer(b"secret", "text/plain")}) as served:
        with pytest.raises(Unreachable, match=r"not public|there is no host|not an address of the web"):
            await fetched(served.url(host=host), allowed=())
        assert served.asked == []


async def test_a_redirect_to_this_machine_is_not_followed() -> None:
    with site({"/secret": Answer(b"secret", "text/plain")}) as inner:
        with site({"/": Answer(status=302, headers={"Location": inner.url("/secret", "localhost")})}) as outer:
            web = FetchingWeb("test", (f"127.0.0.1:{outer.port}",))
            with pytest.raises(MovedElsewhere) as moved:
                await web.fetch(outer.url())
            with pytest.raises(Unreachable, match="not public"):
                await web.fetch(moved.value.url)
        assert inner.asked == []


def seen(served: Site) -> list[str]:
    return [host for host, _ in served.asked]


async def test_a_name_that_means_something_else_a_moment_later_leads_nowhere_else() -> None:
    with site({"/": Answer(b"here", "text/plain")}) as served:
        names = Names([HERE], [ELSEWHERE])
        url = served.url(host="rebinding.example")
        assert await FetchingWeb("test", (f"rebinding.example:{served.port}",), resolve=names).fetch(url) == Page(
            url, 200, "", "here"
        )
        # Looked up once; what was checked is what was connected to, under its name.
        assert (names.asked, seen(served)) == (["rebinding.example"], [f"rebinding.example:{served.port}"])


async def test_a_name_that_is_this_machine_too_is_not_reached_at_all() -> None:
    with site({"/": Answer(b"secret", "text/plain")}) as served:
        web = FetchingWeb("test", resolve=Names([ELSEWHERE, HERE]))
        with pytest.raises(Unreachable, match=r"is 127\.0\.0\.1"):
            await web.fetch(served.url(host="rebinding.example"))
        assert served.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_behind_a_companys_proxy_it_says_who_it_is_and_names_what_nobody_here_knows(
    tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = authority(tmp_path, "known")
    tls = known.server if scheme == "https" else None
    with site({"/": Answer(b"there", "text/plain")}) as served, Proxy(served.port, "me:p@ss", tls) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"{scheme}://me:p%40ss@{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "")
        url = f"http://site.example:{served.port}/"
        web = FetchingWeb("test", (), lambda: ssl.create_default_context(cafile=str(known.file)), Names([]))
        assert (await web.fetch(url)).text == "there"
        assert proxy.asked == [f"GET {url} HTTP/1.1"]


async def test_the_certificate_is_that_of_the_name(tmp_path: Path) -> None:
    known, unknown = authority(tmp_path, "known"), authority(tmp_path, "unknown")
    with site({"/": Answer(b"safe", "text/plain")}, known.server) as served:
        url = f"https://{HOST}:{served.port}/"

        async def read(name: str, file: Path) -> str:
            web = FetchingWeb(
                "test", ("*",), lambda: ssl.create_default_context(cafile=str(file)), resolve=Names([HERE])
            )
            return (await web.fetch(url.replace(HOST, name))).text

        assert await read(HOST, known.file) == "safe"
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await read(HOST, unknown.file)
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await read("another.example", known.file)
