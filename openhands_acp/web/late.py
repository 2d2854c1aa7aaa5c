"""The web and a browser, loaded in a worker thread when they are first wanted: most sessions want neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from anyio import to_thread

from openhands_acp.engine.browser import Browser, Sight, Spot, Step
from openhands_acp.engine.web import Page, Web


@dataclass(slots=True)
class LateWeb:
    """`Web` that `load` makes, once; it may take a while."""

    load: Callable[[], Web]
    _loaded: Web | None = field(default=None, init=False)

    async def fetch(self, url: str) -> Page:
        self._loaded = self._loaded or await to_thread.run_sync(self.load)
        return await self._loaded.fetch(url)


@dataclass(slots=True)
class LateBrowser:
    """`Browser`, likewise."""

    load: Callable[[], Browser]
    _loaded: Browser | None = field(default=None, init=False)

    async def do(self, step: Step) -> Sight:
        return await (await self._browser()).do(step)

    async def spot(self, element: int | None = None) -> Spot:
        return await (await self._browser()).spot(element)

    async def content(self) -> Page:
        return await (await self._browser()).content()

    async def end(self) -> None:
        if self._loaded is not None:
            await self._loaded.end()

    async def _browser(self) -> Browser:
        self._loaded = self._loaded or await to_thread.run_sync(self.load)
        return self._loaded
