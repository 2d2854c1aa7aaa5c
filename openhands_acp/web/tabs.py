"""The tabs of one running Chromium, and what is done in them; used in its own loop only.

Knows steps and elements, and neither how the browser was started nor which hosts it can reach.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, assert_never

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
from openhands_acp.engine.web import MovedElsewhere, Unreachable
from openhands_acp.web.addresses import target_of
from openhands_acp.web.page_script import DESCRIBE, FIND, POSITION

_OPEN = 30.0
_SETTLE = 3.0
"""Seconds that a page may go on loading after it can be read."""
_MOST_ELEMENTS = 150


@dataclass(slots=True)
class Pages:
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
        if request.is_navigation_request() and _is_whole_page(request) and host_of(request.url) not in self.hosts:
            self.left = request.url
            await route.abort("blockedbyclient")
        else:
            await route.continue_()


async def taken(pages: Pages, step: Step) -> Sight:
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


async def _open(pages: Pages, url: str, *, in_new_tab: bool) -> None:
    pages.hosts.add(host_of(url))
    if in_new_tab or pages.shown is None:
        pages.shown = await pages.context.new_page()
    try:
        await pages.shown.goto(url, wait_until="domcontentloaded", timeout=_OPEN * 1000)
    except import_module("playwright.async_api").Error:
        if not pages.left:
            raise


async def _settled(pages: Pages) -> None:
    """Wait until what a step began has come to rest, for a while. Raises MovedElsewhere."""
    with suppress(import_module("playwright.async_api").TimeoutError):
        await pages.shown.wait_for_load_state("networkidle", timeout=_SETTLE * 1000)
    await _stayed(pages)
    if pages.left:
        raise MovedElsewhere(pages.left)


async def _stayed(pages: Pages) -> None:
    """Raise MovedElsewhere if a server sent the page elsewhere before anybody could look, and leave that."""
    url = pages.page.url
    if url.startswith("http") and host_of(url) not in pages.hosts:
        await pages.page.goto("about:blank")
        raise MovedElsewhere(url)


async def _sight(pages: Pages, *, with_picture: bool) -> Sight:
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


async def _click(pages: Pages, element: Any) -> None:
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


async def spot(pages: Pages, element: int | None) -> Spot:
    if pages.shown is None:
        raise Unreachable("no page is open; open one first")
    if element is None:
        return Spot(pages.shown.url)
    _element(pages, element)
    return Spot(pages.shown.url, pages.told[element])


async def content(pages: Pages) -> tuple[str, str, str]:
    page = pages.page
    read = page.url, await page.title(), await page.content()
    # Afterwards: what was read is of a page that was still there.
    await _stayed(pages)
    return read


def _element(pages: Pages, number: int) -> Any:
    if not 0 <= number < len(pages.found):
        raise Unreachable(f"there is no element {number}; look at the page to see which there are")
    return pages.found[number]


def _is_whole_page(request: Any) -> bool:
    try:
        return request.frame.parent_frame is None
    except import_module("playwright.async_api").Error:
        # The first request of a tab that is just being made.
        return True


def host_of(url: str) -> str:
    """Return a host as it is sent, with its port; empty for what is not on the web."""
    try:
        return target_of(url).netloc
    except Unreachable:
        return ""
