"""A real Chromium on pages of this machine. Not part of `make test`, which needs no browser: run `make browser`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator

import anyio
import pytest

from openhands_acp.engine.browser import (
    Back,
    Click,
    CloseTab,
    Look,
    Open,
    Scroll,
    Sight,
    SwitchTab,
    TypeInto,
)
from openhands_acp.engine.web import MovedElsewhere, Unreachable
from openhands_acp.web import browsing
from openhands_acp.web.browsing import ChromiumBrowser
from openhands_acp.web.chromium import usable_chromium
from tests.harness.company import HOST, Proxy
from tests.harness.site import Answer, Site, site

pytestmark = pytest.mark.anyio

HOME = b"""<!doctype html><title>Home</title><main><h1>Hello</h1><a href="/two">Two</a>
<a href="/two" target="_blank">In a tab</a><label>Name <input id="n"></label><input type="password" value="hidden">
<button onclick="document.title = document.getElementById('n').value">Greet</button>
<select aria-label="Size"><option>S</option><option>L</option></select><span style="display:none"><a href="/x">No</a></span>
<form action="/two"><input name="q" aria-label="Search"></form><div style="height: 3000px"></div></main>"""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def inner() -> Iterator[Site]:
    with site({"/": Answer(b"secret", "text/plain")}) as served:
        yield served


@pytest.fixture(scope="module")
def served(inner: Site) -> Iterator[Site]:
    with site({"/": Answer(HOME), "/two": Answer(b"<title>Two</title>second")}) as made:
        other = made.url("/two", "localhost")
        made.pages |= {
            "/leads": Answer(f'<a href="{other}">away</a>'.encode()),
            "/sent": Answer(status=302, headers={"Location": other}),
            "/frame": Answer(
                f'<title>F</title><iframe src="{inner.url("/", "localhost")}"></iframe>'
                f'<img src="{inner.url()}"><script>fetch("{inner.url()}").catch(() => document.title = "kept out")</script>'.encode()
            ),
            "/silent": Answer(is_silent=True),
            "/restless": Answer(b"<title>R</title><script>addEventListener('load', () => { while (true); })</script>"),
            "/script": Answer(b"<div id=a></div><script>a.innerHTML = '<p>' + 'made here'</script>"),
        }
        yield made


@pytest.fixture(scope="module")
async def browser(served: Site) -> AsyncGenerator[ChromiumBrowser]:
    program = usable_chromium()
    assert program is not None, "no Chromium, or no playwright: pip install 'openhands-acp[browser]'"
    made = ChromiumBrowser(program, (f"127.0.0.1:{served.port}", f"localhost:{served.port}"))
    yield made
    await made.end()


async def opened(browser: ChromiumBrowser, url: str) -> Sight:
    with anyio.fail_after(60):
        return await browser.do(Open(url))


def number(sight: Sight, words: str) -> int:
    return next(at for at, element in enumerate(sight.elements) if words in element)


async def test_what_can_be_done_on_a_page_is_told_in_words(browser: ChromiumBrowser, served: Site) -> None:
    sight = await opened(browser, served.url())
    assert [(tab.url, tab.title, tab.is_shown) for tab in sight.tabs] == [(served.url(), "Home", True)]
    assert sight.elements == (
        f'a "Two" to {served.url("/two")}',
        f'a "In a tab" to {served.url("/two")}',
        'input "Name"',
        "input password",
        'button "Greet"',
        'select "Size" one of S, L',
        'input "Search"',
    )
    assert "screens above" in sight.position


async def test_it_clicks_types_goes_back_and_scrolls(browser: ChromiumBrowser, served: Site) -> None:
    sight = await opened(browser, served.url())
    sight = await browser.do(TypeInto(number(sight, "Name"), "Ada"))
    assert sight.elements[number(sight, "Name")] == 'input "Name" has "Ada"'
    sight = await browser.do(Click(number(sight, "Greet")))
    assert sight.tabs[0].title == "Ada"
    sight = await browser.do(TypeInto(number(sight, "Size"), "L"))
    sight = await browser.do(TypeInto(number(sight, "Search"), "engine\n"))
    assert sight.tabs[0].url == served.url("/two?q=engine")
    sight = await browser.do(Back())
    assert sight.tabs[0].url == served.url()
    before = sight.position
    assert (await browser.do(Scroll("down"))).position != before


async def test_tabs_come_and_go(browser: ChromiumBrowser, served: Site) -> None:
    sight = await opened(browser, served.url())
    sight = await browser.do(Click(number(sight, "In a tab")))
    assert [(tab.id, tab.title, tab.is_shown) for tab in sight.tabs] == [("1", "Home", False), ("2", "Two", True)]
    assert [tab.is_shown for tab in (await browser.do(SwitchTab("1"))).tabs] == [True, False]
    assert len((await browser.do(CloseTab("2"))).tabs) == 1
    with pytest.raises(Unreachable, match="there is no tab '7'"):
        await browser.do(SwitchTab("7"))


async def test_what_scripts_made_is_read_and_seen(browser: ChromiumBrowser, served: Site) -> None:
    await opened(browser, served.url("/script"))
    assert "made here" in (await browser.content()).text
    picture = (await browser.do(Look(with_picture=True))).picture
    assert picture is not None
    assert picture.mime_type == "image/jpeg"


async def test_a_link_to_another_host_is_not_followed(browser: ChromiumBrowser, served: Site) -> None:
    sight = await opened(browser, served.url("/leads"))
    with pytest.raises(MovedElsewhere) as moved:
        await browser.do(Click(number(sight, "away")))
    assert moved.value.url == served.url("/two", "localhost")
    assert "second" not in (await browser.content()).text


async def test_where_a_server_sends_it_is_not_read(browser: ChromiumBrowser, served: Site) -> None:
    with pytest.raises(MovedElsewhere) as moved:
        await opened(browser, served.url("/sent"))
    assert moved.value.url == served.url("/two", "localhost")
    assert "second" not in (await browser.content()).text


async def test_where_a_page_goes_by_itself_is_not_read(browser: ChromiumBrowser, served: Site) -> None:
    served.pages["/later"] = Answer(b"<title>L</title><script>setTimeout(() => { location = '/sent' }, 5000)</script>")
    await opened(browser, served.url("/later"))

    async def read_on() -> None:
        while True:
            assert "second" not in (await browser.content()).text

    with anyio.fail_after(30), pytest.raises(MovedElsewhere) as moved:
        await read_on()
    assert moved.value.url == served.url("/two", "localhost")


async def test_a_page_whose_script_never_rests_is_given_up(
    browser: ChromiumBrowser, served: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "_STEP", 5)
    with anyio.fail_after(60):
        with pytest.raises(Unreachable, match="in time"):
            await browser.do(Open(served.url("/restless"), in_new_tab=True))
        await browser.do(CloseTab("2"))
        assert (await opened(browser, served.url("/two"))).tabs[-1].title == "Two"


@pytest.mark.parametrize("key", ["", "me:secret"])
async def test_behind_a_companys_proxy_pages_come_through_it(
    served: Site, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = usable_chromium()
    assert program is not None
    browser = ChromiumBrowser(program, (HOST,))
    with Proxy(served.port, key) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://{key}{'@' if key else ''}{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "")
        sight = await opened(browser, f"http://{HOST}:{served.port}/two")
        assert [tab.title for tab in sight.tabs] == ["Two"]
        assert f"GET http://{HOST}:{served.port}/two HTTP/1.1" in proxy.asked
        with pytest.raises(Unreachable, match="not public"):
            await opened(browser, served.url())
        monkeypatch.setenv("ALL_PROXY", f"http://{proxy.address}")
        if key:
            with pytest.raises(Unreachable, match="407 Proxy Authentication Required"):
                await opened(browser, f"https://{HOST}:{served.port}/two")
        await browser.end()


async def test_this_machine_is_reached_by_no_part_of_a_page(
    browser: ChromiumBrowser, served: Site, inner: Site
) -> None:
    await opened(browser, served.url("/frame"))
    with anyio.fail_after(20):
        while (await browser.do(Look())).tabs[-1].title != "kept out":
            await anyio.lowlevel.checkpoint()
    assert inner.asked == []
    with pytest.raises(Unreachable, match="not public"):
        await opened(browser, inner.url())
    with pytest.raises(Unreachable, match="not an address of the web"):
        await opened(browser, "file:///etc/passwd")


async def test_who_is_stopped_while_a_page_loads_can_go_on(browser: ChromiumBrowser, served: Site) -> None:
    with anyio.move_on_after(1) as stopped:
        await browser.do(Open(served.url("/silent")))
    assert stopped.cancelled_caught
    assert (await opened(browser, served.url("/two"))).tabs[-1].title == "Two"


async def test_an_element_that_is_not_there_is_told(browser: ChromiumBrowser, served: Site) -> None:
    await opened(browser, served.url("/two"))
    with pytest.raises(Unreachable, match="there is no element 3"):
        await browser.do(Click(3))


async def test_it_ends_and_begins_anew(browser: ChromiumBrowser, served: Site) -> None:
    await opened(browser, served.url("/two"))
    with anyio.fail_after(20):
        await browser.end()
    with pytest.raises(Unreachable, match="no page is open"):
        await browser.content()
    assert (await opened(browser, served.url())).tabs[0].title == "Home"


async def test_what_is_no_browser_is_told() -> None:
    broken = ChromiumBrowser(sys.executable)
    with anyio.fail_after(60), pytest.raises(Unreachable, match="cannot be started"):
        await broken.do(Look())
    await broken.end()
