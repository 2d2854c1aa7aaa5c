"""A Chromium, driven through Playwright, whose every connection goes through the gate.

Lives in a thread and an event loop of its own: Playwright starts tasks as it likes, and they end with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from openhands_acp.engine.browser import Open, Sight, Spot, Step
from openhands_acp.engine.web import Page, Unreachable
from openhands_acp.web import tabs
from openhands_acp.web.addresses import target_of
from openhands_acp.web.gate import Gate
from openhands_acp.web.reading import read

logger = logging.getLogger(__name__)

T = TypeVar("T")

_START = 60.0
_ACT = 10.0
_STEP = 60.0
"""For whatever has no deadline of its own: a page whose script never rests answers nothing."""
_END = 5.0
_UNTRUSTED = "; a company's own certificates have to be in the system's store or, on Linux, in ~/.pki/nssdb (README)"
_SIZE = {"width": 1280, "height": 800}
_FLAGS = (
    # Nothing may go round the gate: neither calls between browsers nor names that are looked up ahead.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    "--disable-background-networking",
)


class ChromiumBrowser:
    """`Browser`. Starts with the first step, and anew where it has crashed."""

    def __init__(
        self,
        program: str,
        allowed: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """`environ` is what it inherits; `allowed` and `trust` as for `FetchingWeb`.

        Chromium itself trusts whom the system trusts, and on Linux who is in the person's NSS database: it cannot be
        told of a file.
        """
        self._launch = _Launch(program, Gate(allowed, trust=trust), environ)
        self._running: _Running | None = None

    async def do(self, step: Step) -> Sight:
        gate = self._launch.gate
        gate.refused.clear()
        if isinstance(step, Open):
            # In words; the gate's own refusal is only a page.
            await gate.way(target_of(step.url))
        try:
            return await self._call(lambda pages: tabs.taken(pages, step))
        except Unreachable as error:
            reason = gate.refused.get(tabs.host_of(step.url)) if isinstance(step, Open) else None
            raise Unreachable(reason or str(error)) from error

    async def spot(self, element: int | None = None) -> Spot:
        return await self._call(lambda pages: tabs.spot(pages, element))

    async def content(self) -> Page:
        url, title, html = await self._call(tabs.content)
        _, text = await read(html.encode(errors="replace"), url, "utf-8")
        return Page(url, 200, title, text)

    async def end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.stop()
            with anyio.move_on_after(_END, shield=True):
                await to_thread.run_sync(running.thread.join, _END, abandon_on_cancel=True)

    async def _call(self, work: Callable[[tabs.Pages], Coroutine[Any, Any, T]]) -> T:
        if self._running is None or not self._running.thread.is_alive():
            self._running = _Running(self._launch)
        try:
            with anyio.fail_after(_START):
                pages = await _awaited(self._running.pages)
            under_way = self._running.submit(work(pages))
            try:
                with anyio.fail_after(_STEP):
                    return await _awaited(under_way)
            finally:
                under_way.cancel()
        except TimeoutError as error:
            raise Unreachable(
                "the browser did not do it in time; look at the page and try again, or open another"
            ) from error
        except CancelledError as error:
            # It ended at that moment: crashed, or closed by the person.
            raise Unreachable("the browser is gone; open the page again") from error


@dataclass(frozen=True, slots=True)
class _Launch:
    program: str
    gate: Gate
    environ: Mapping[str, str]


class _Running:
    """One browser process, and the thread that drives it."""

    def __init__(self, launch: _Launch) -> None:
        self.pages: Future[tabs.Pages] = Future()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        # A daemon: nobody who ends the process waits for a browser that hangs.
        self.thread = threading.Thread(target=self._run, args=(launch,), name="browser", daemon=True)
        self.thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        worded = _worded(work)
        try:
            return asyncio.run_coroutine_threadsafe(worded, self._loop)
        except RuntimeError:  # It has ended by itself.
            worded.close()
            work.close()
            over: Future[T] = Future()
            over.cancel()
            over.set_running_or_notify_cancel()
            return over

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
            # This machine's own addresses, too, which Chromium would otherwise reach by itself.
            proxy={"server": f"http://127.0.0.1:{port}", "bypass": "<-loopback>"},
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
        pages = tabs.Pages(context)

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
        raise Unreachable(f"the browser cannot do it ({reason}){_UNTRUSTED if 'ERR_CERT' in reason else ''}") from error
