"""Exported pages in a real Chromium: nothing runs, nothing is loaded, nothing sticks out. Run by `make browser`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.events import Durable, NoticeEvent
from openhands_acp.web.chromium import usable_chromium
from tests.sessions.shelves import LONG
from tests.sessions.shown import as_page
from tests.sessions.test_page import EVIL, HOSTILE
from tests.store.conversations import stamped

TABLE = "| a | b |\n| - | - |\n| " + "c" * 300 + " | " + "d " * 200 + "|"
WIDE: list[Durable] = [*LONG, NoticeEvent("n", "text", f"{'e' * 500}\n\n    {'f' * 500}\n\n{TABLE}")]
_WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # By its name: `make check` looks at types where it is not installed.
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=usable_chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


def opened(page: Any, file: Path, made: list[Durable], title: str) -> list[str]:
    """Show the page with everything unfolded; return what happened besides."""
    happened: list[str] = []

    def on_request(request: Any) -> None:
        happened.append(request.url)

    def on_message(message: Any) -> None:
        happened.append(message.text)

    def on_dialog(dialog: Any) -> None:
        happened.append(dialog.message)
        dialog.dismiss()

    page.on("request", on_request)
    page.on("console", on_message)
    page.on("dialog", on_dialog)
    file.write_text(as_page(stamped(made), title), "utf-8", "replace")
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    inline = "data:image/png;base64,"
    return [each for each in happened if each != file.as_uri() and not each.startswith(inline)]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(("made", "title"), [(HOSTILE, EVIL), (WIDE, "w" * 200)])
def test_a_page_only_shows_and_fits(browser: Any, tmp_path: Path, made: list[Durable], title: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    assert opened(page, tmp_path / "page.html", made, title) == []
    assert page.title() == title
    wide, room = page.evaluate(_WIDTHS)
    assert wide <= room
    page.close()
