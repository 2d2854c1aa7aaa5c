"""Permission round a browser: a host is asked for before it is opened, and before anything is done on its pages."""

from __future__ import annotations

from dataclasses import dataclass

from openhands_acp.engine.browser import Browser, Click, Open, Sight, Spot, Step, TypeInto
from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.events import CallProgress
from openhands_acp.engine.permission.guard import Guard
from openhands_acp.engine.permission.guard_web import host_of, named, spelt
from openhands_acp.engine.permission.policy import Fetch
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable

_MOVES = 5
_ENDLESS = "the page leads from host to host without end"


@dataclass(frozen=True, slots=True)
class GuardedBrowser:
    browser: Browser
    guard: Guard

    async def do(self, step: Step) -> Sight:
        await self._permit(step)
        try:
            return await self.browser.do(step)
        except MovedElsewhere as moved:
            return await self._opened(moved)

    async def _opened(self, moved: MovedElsewhere) -> Sight:
        """Open where a page leads, once that is permitted, and where that leads in turn."""
        for _ in range(_MOVES):
            shown = ShownText(f"Open {named(moved.url)}, where this leads to")
            await self.guard.permit(Fetch(host_of(moved.url)), shown)
            try:
                return await self.browser.do(Open(moved.url))
            except MovedElsewhere as further:
                moved = further
        raise Unreachable(_ENDLESS)

    async def _permit(self, step: Step) -> None:
        match step:
            case Open(url):
                await self.guard.permit(Fetch(host_of(url)), ShownText(f"Open {named(url)} in a browser"))
            case Click(element):
                spot = await self.browser.spot(element)
                what = f"Click {spelt(spot.element)} on {spelt(spot.url)}"
                await self.guard.permit(Fetch(host_of(spot.url)), ShownText(what))
            case TypeInto(element, text):
                spot = await self.browser.spot(element)
                what = f"Type {spelt(text)} into {spelt(spot.element)} on {spelt(spot.url)}"
                await self.guard.permit(Fetch(host_of(spot.url)), ShownText(what))
            case _:
                # To look at what was opened already asks nobody.
                self.guard.emit(CallProgress(self.guard.tool_call_id))

    async def spot(self, element: int | None = None) -> Spot:
        return await self.browser.spot(element)

    async def content(self) -> Page:
        self.guard.emit(CallProgress(self.guard.tool_call_id))
        for _ in range(_MOVES):
            try:
                return await self.browser.content()
            except MovedElsewhere as moved:
                await self._opened(moved)
        raise Unreachable(_ENDLESS)

    async def end(self) -> None:
        await self.browser.end()
