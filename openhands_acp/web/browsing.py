"""A Chromium, driven through Playwright, whose every connection goes through the gate.

Lives in a thread and an event loop of its own: Playwright starts tasks as it likes, and they end with it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar, assert_never
from urllib.parse import urlsplit

import anyio
from anyio import to_thread

from openhands_acp.engine.browser import (
    Back,
    Click,
    CloseTab,
    Look,
    Open,
    Scroll,
    Sight,
    Spot,
    Step,
    SwitchTab,
    Tab,
    TypeInto,
)
from openhands_acp.engine.messages import Image
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable
from openhands_acp.web.addresses import target_of
from openhands_acp.web.gate import Gate
from openhands_acp.web.page_script import DESCRIBE, FIND, POSITION
from openhands_acp.web.readable import readable

logger = logging.getLogger(__name__)

T = TypeVar("T")

_START = 60.0
_OPEN = 30.0
_ACT = 10.0
_SETTLE = 3.0
"""Seconds that a page may go on loading after it can be read."""
_END = 5.0
_MOST_ELEMENTS = 150
_SIZE = {"width": 1280, "height": 800}
_FLAGS = (
    # Nothing may go round the gate: neither calls between browsers nor names that are looked up ahead.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    "--disable-background-networking",
)


@dataclass(slots=True)
class _Pages:
    """The tabs of one running browser; used in its own loop only."""

    context: Any
    shown: Any = None
    hosts: set[str] = field(default_factory=set[str])
    """What was opened on purpose: a page may lead there by itself."""
    left: str = ""
    """Where a page wanted to lead that was not."""
    found: list[Any] = field(default_factory=list[Any])
    """The elements that were told last."""
    told: list[str] = field(default_factory=list[str])
    """In words, by the same numbers."""

    @property
    def page(self) -> Any:
        if self.shown is None:
            raise Unreachable("no page is open; open one first")
        return self.shown

    def tab(self, number: str) -> Any:
        every = self.context.pages
        if not number.isdigit() or not 1 <= int(number) <= len(every):
            raise Unreachable(f"there is no tab {number!r}; there are {len(every)}")
        return every[int(number) - 1]

    async def judge(self, route: Any) -> None:
        """Let everything through but a page that leads to a host that was never opened."""
        request = route.request
        if request.is_navigation_request() and _is_whole_page(request) and _host(request.url) not in self.hosts:
            self.left = request.url
            await route.abort("blockedbyclient")
        else:
            await route.continue_()


class ChromiumBrowser:
    """`Browser`. Starts with the first step, and anew where it has crashed."""

    def __init__(self, program: str, allowed: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> None:
        """`environ` is what it inherits; `allowed` as for `FetchingWeb`."""
        self._launch = _Launch(program, Gate(allowed), environ)
        self._running: _Running | None = None

    async def do(self, step: Step) -> Sight:
        if isinstance(step, Open):
            # In words; the gate's own refusal is only a page.
            await self._launch.gate.ways(target_of(step.url))
        return await self._call(lambda pages: _taken(pages, step))

    async def spot(self, element: int | None = None) -> Spot:
        return await self._call(lambda pages: _spot(pages, element))

    async def content(self) -> Page:
        url, title, html = await self._call(_content)
        _, text = await to_thread.run_sync(readable, html, url)
        return Page(url, 200, title, text)

    async def end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.stop()
            with anyio.move_on_after(_END, shield=True):
                await to_thread.run_sync(running.thread.join, _END, abandon_on_cancel=True)

    async def _call(self, work: Callable[[_Pages], Coroutine[Any, Any, T]]) -> T:
        if self._running is None or not self._running.thread.is_alive():
            self._running = _Running(self._launch)
        try:
            with anyio.fail_after(_START):
                pages = await _awaited(self._running.pages)
            under_way = self._running.submit(work(pages))
            try:
                return await _awaited(under_way)
            except anyio.get_cancelled_exc_class():
                under_way.cancel()
                raise
        except TimeoutError as error:
            raise Unreachable("the browser did not do it in time; look at the page and try again") from error


@dataclass(frozen=True, slots=True)
class _Launch:
    program: str
    gate: Gate
    environ: Mapping[str, str]


class _Running:
    """One browser process, and the thread that drives it."""

    def __init__(self, launch: _Launch) -> None:
        self.pages: Future[_Pages] = Future()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        # A daemon: nobody who ends the process waits for a browser that hangs.
        self.thread = threading.Thread(target=self._run, args=(launch,), name="browser", daemon=True)
        self.thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(_worded(work), self._loop)

    def stop(self) -> None:
        with suppress(RuntimeError):  # It has ended by itself.
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _run(self, launch: _Launch) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live(launch))

    async def _live(self, launch: _Launch) -> None:
        playwright = import_module("playwright.async_api")
        try:
            async with anyio.create_task_group() as tasks:
                port = await tasks.start(launch.gate.serve)
                async with playwright.async_playwright() as driver:
                    await self._browse(driver, launch, port)
                tasks.cancel_scope.cancel()
        except ExceptionGroup as failed:
            if self.pages.done():
                logger.warning("the browser: %s", failed.exceptions[0])
            else:
                why = str(failed.exceptions[0]).strip().partition("\n")[0]
                self.pages.set_exception(Unreachable(f"the browser {launch.program} cannot be started ({why})"))

    async def _browse(self, driver: Any, launch: _Launch, port: int) -> None:
        browser = await driver.chromium.launch(
            executable_path=launch.program,
            env=dict(launch.environ),
            args=list(_FLAGS),
            proxy={"server": f"http://127.0.0.1:{port}"},
            # Chromium refuses its sandbox to the superuser, which containers often are.
            chromium_sandbox=getattr(os, "geteuid", lambda: 1)() != 0,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            timeout=_START * 1000,
        )
        browser.on("disconnected", self._stopped.set)
        context = await browser.new_context(viewport=_SIZE, accept_downloads=False, service_workers="block")
        context.set_default_timeout(_ACT * 1000)
        pages = _Pages(context)

        # Functions of their own: Playwright marks the objects of bound methods, and these have slots.
        def came(page: Any) -> None:
            pages.shown = page

        async def judge(route: Any) -> None:
            await pages.judge(route)

        context.on("page", came)
        await context.route("**/*", judge)
        self.pages.set_result(pages)
        await self._stopped.wait()
        await browser.close()


async def _awaited(future: Future[T]) -> T:
    return await to_thread.run_sync(future.result, abandon_on_cancel=True)


async def _worded(work: Coroutine[Any, Any, T]) -> T:
    failures = import_module("playwright.async_api")
    try:
        return await work
    except failures.TimeoutError as error:
        raise TimeoutError from error
    except failures.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise Unreachable(f"the browser cannot do it ({reason})") from error


# ---------------------------------------------------------------- in the browser's loop


async def _taken(pages: _Pages, step: Step) -> Sight:
    pages.left = ""
    match step:
        case Open(url, in_new_tab):
            await _open(pages, url, in_new_tab=in_new_tab)
        case Click(element):
            await _click(pages, _element(pages, element))
        case TypeInto(element, text):
            await _type(_element(pages, element), text)
        case Scroll(direction):
            sign = 1 if direction == "down" else -1
            await pages.page.evaluate("(sign) => window.scrollBy(0, sign * window.innerHeight * 0.9)", sign)
        case Back():
            await pages.page.go_back(wait_until="domcontentloaded")
        case SwitchTab(tab):
            pages.shown = pages.tab(tab)
            await pages.shown.bring_to_front()
        case CloseTab(tab):
            await pages.tab(tab).close()
            pages.shown = pages.context.pages[-1] if pages.context.pages else None
        case Look():
            pass
        case _:
            assert_never(step)
    if pages.shown is not None:
        await _settled(pages)
    return await _sight(pages, with_picture=isinstance(step, Look) and step.with_picture)


async def _open(pages: _Pages, url: str, *, in_new_tab: bool) -> None:
    pages.hosts.add(_host(url))
    if in_new_tab or pages.shown is None:
        pages.shown = await pages.context.new_page()
    try:
        await pages.shown.goto(url, wait_until="domcontentloaded", timeout=_OPEN * 1000)
    except import_module("playwright.async_api").Error:
        if not pages.left:
            raise


async def _settled(pages: _Pages) -> None:
    """Wait until what a step began has come to rest, for a while. Raises MovedElsewhere."""
    with suppress(import_module("playwright.async_api").TimeoutError):
        await pages.shown.wait_for_load_state("networkidle", timeout=_SETTLE * 1000)
    if not pages.left and pages.shown.url.startswith("http") and _host(pages.shown.url) not in pages.hosts:
        # A server sent it there, before anybody could look.
        pages.left = pages.shown.url
        await pages.shown.goto("about:blank")
    if pages.left:
        raise MovedElsewhere(pages.left)


async def _sight(pages: _Pages, *, with_picture: bool) -> Sight:
    tabs = tuple(
        [
            Tab(str(at + 1), page.url, await page.title(), page is pages.shown)
            for at, page in enumerate(pages.context.pages)
        ]
    )
    if pages.shown is None:
        pages.found = []
        return Sight(tabs)
    array = await pages.shown.evaluate_handle(FIND)
    elements: list[str] = await array.evaluate(DESCRIBE)
    properties = await array.get_properties()
    pages.found = [properties[str(at)].as_element() for at in range(min(len(elements), _MOST_ELEMENTS))]
    pages.told = elements[:_MOST_ELEMENTS]
    above, below = await pages.shown.evaluate(POSITION)
    position = f"{above:.1f} screens above, {below:.1f} below" if above + below > 0.05 else ""
    if len(elements) > _MOST_ELEMENTS:
        position = f"{position}; {len(elements) - _MOST_ELEMENTS} more elements are not listed".removeprefix("; ")
    return Sight(tabs, tuple(pages.told), position, await _picture(pages.shown) if with_picture else None)


async def _picture(page: Any) -> Image:
    return Image("image/jpeg", base64.b64encode(await page.screenshot(type="jpeg", quality=70)).decode("ascii"))


async def _click(pages: _Pages, element: Any) -> None:
    if not await element.evaluate("(e) => e.closest('[target=_blank]') !== null"):
        await element.click()
        return
    # The tab comes a moment after the click, and is what is looked at next.
    async with pages.context.expect_page():
        await element.click()


async def _type(element: Any, text: str) -> None:
    is_entered, line = text.endswith("\n"), text.removesuffix("\n")
    if await element.evaluate("(e) => e.tagName") == "SELECT":
        await element.select_option(label=line)
    else:
        await element.fill(line)
    if is_entered:
        await element.press("Enter")


async def _spot(pages: _Pages, element: int | None) -> Spot:
    if pages.shown is None:
        raise Unreachable("no page is open; open one first")
    if element is None:
        return Spot(pages.shown.url)
    _element(pages, element)
    return Spot(pages.shown.url, pages.told[element])


async def _content(pages: _Pages) -> tuple[str, str, str]:
    page = pages.page
    return page.url, await page.title(), await page.content()


def _element(pages: _Pages, number: int) -> Any:
    if not 0 <= number < len(pages.found):
        raise Unreachable(f"there is no element {number}; look at the page to see which there are")
    return pages.found[number]


def _is_whole_page(request: Any) -> bool:
    try:
        return request.frame.parent_frame is None
    except import_module("playwright.async_api").Error:
        # The first request of a tab that is just being made.
        return True


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
