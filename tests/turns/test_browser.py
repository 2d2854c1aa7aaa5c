"""A browser in a turn: what is asked by host, and what is told. The real one is in tests/browser."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.browser import Browser, Open, Sight, Spot, Step, Tab
from openhands_acp.engine.messages import ToolMessage
from openhands_acp.engine.ports import CallChunk
from openhands_acp.engine.subagents.builtin import BROWSER
from openhands_acp.engine.web import MovedElsewhere, Page, Unreachable
from openhands_acp.tools import tools_for
from openhands_acp.tools.browser import browser_tools
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed
from tests.harness.model import Answer, ScriptedModel, say

pytestmark = pytest.mark.anyio

HOME = "https://a.example/"


@dataclass(slots=True)
class PaperBrowser:
    """`Browser` over pages that are written down: each leads somewhere when its one element is clicked."""

    leads: dict[str, str]
    shown: str = ""
    hosts: set[str] = field(default_factory=set[str])
    ended: bool = False
    left: str = ""
    """Where the page goes by itself when it is read next."""

    async def do(self, step: Step) -> Sight:
        if isinstance(step, Open):
            self.hosts.add(step.url.split("/")[2])
        url = step.url if isinstance(step, Open) else self.leads[self.shown]
        if url.split("/")[2] not in self.hosts:
            raise MovedElsewhere(url)
        self.shown = url
        return Sight((Tab("1", url, "A page", True),), ('button "Go"',), "0.0 screens above, 1.0 below", None)

    async def spot(self, element: int | None = None) -> Spot:
        if not self.shown:
            raise Unreachable("no page is open; open one first")
        return Spot(self.shown, 'button "Go"')

    async def content(self) -> Page:
        if self.left:
            url, self.left = self.left, ""
            raise MovedElsewhere(url)
        return Page(self.shown, 200, "A page", f"Its text at {self.shown}")

    async def end(self) -> None:
        self.ended = True


def step(name: str, **arguments: Any) -> Answer:
    # Not by `call`, which has an `index` of its own.
    return [CallChunk(0, "call_0", f"browser_{name}", json.dumps(arguments))]


def backend(browser: Browser, *answers: Answer, mode: str = "always-ask") -> TestBackend:
    made = TestBackend(ScriptedModel((*answers, [say("Done.")])), mode=mode)
    made.browser = browser
    return made


def shown(running: Running) -> list[str]:
    questions = [m["params"] for _, m in running.editor.log if m.get("method") == "session/request_permission"]
    return [question["toolCall"]["content"][0]["content"]["text"] for question in questions]


def results(running: Running) -> list[str]:
    return [m.text for m in running.model.requests[-1] if isinstance(m, ToolMessage)]


SIGHT = '* tab 1: A page (%s)\n(0.0 screens above, 1.0 below)\n[0] button "Go"'


async def test_what_is_opened_and_done_is_asked_by_host_and_looking_is_not(tmp_path: Path) -> None:
    browser = PaperBrowser({HOME: f"{HOME}2", f"{HOME}2": f"{HOME}3"})
    answers = [
        step("navigate", url=HOME),
        step("click", index=0),
        step("get_content"),
        step("type", index=0, text="`x`"),
    ]
    async with agent(tmp_path, backend=backend(browser, *answers)) as running:
        await running.prompt("go")
        assert shown(running) == [
            f"Open `{HOME}` in a browser",
            f'Click `button "Go"` on `{HOME}`',
            f'Type `%60x%60` into `button "Go"` on `{HOME}2`',
        ]
        assert results(running) == [
            SIGHT % HOME,
            SIGHT % f"{HOME}2",
            f"# A page\n\nIts text at {HOME}2",
            SIGHT % f"{HOME}3",
        ]


async def test_always_covers_a_host_and_no_other(tmp_path: Path) -> None:
    browser = PaperBrowser({HOME: "https://b.example/x"})
    answers = [step("navigate", url=HOME), step("click", index=0)]
    permission = allowed("allow_always")
    async with agent(tmp_path, backend=backend(browser, *answers), permission=lambda _params: permission) as running:
        await running.prompt("go")
        assert shown(running) == [
            f"Open `{HOME}` in a browser",
            "Open `https://b.example/x`, where this leads to",
        ]
        assert browser.shown == "https://b.example/x"


async def test_a_page_that_went_elsewhere_by_itself_is_read_when_that_is_permitted(tmp_path: Path) -> None:
    browser = PaperBrowser({}, shown=HOME, left="https://b.example/x")
    async with agent(tmp_path, backend=backend(browser, step("get_content"))) as running:
        await running.prompt("go")
        assert shown(running) == ["Open `https://b.example/x`, where this leads to"]
        assert results(running) == ["# A page\n\nIts text at https://b.example/x"]


async def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    answers = [step("click", index=3), step("navigate", url="file:///etc/passwd")]
    async with agent(tmp_path, backend=backend(PaperBrowser({}), *answers)) as running:
        await running.prompt("go")
        assert results(running) == [
            "Error: no page is open; open one first",
            "Error: 'file:///etc/passwd' is not an address of the web: it must begin with https:// or http://",
        ]
        assert shown(running) == []


async def test_a_page_can_be_read_in_plan_mode_after_asking(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend(PaperBrowser({}), step("navigate", url=HOME), mode="plan")) as running:
        await running.prompt("go")
        assert (len(shown(running)), results(running)) == (1, [SIGHT % HOME])


def test_a_browsers_tools_join_where_there_is_one_under_openhands_names() -> None:
    names = [tool.spec.name for tool in tools_for("m", extra=browser_tools())]
    assert set(BROWSER) == {tool.spec.name for tool in browser_tools()}
    assert not set(BROWSER) & {tool.spec.name for tool in tools_for("m")}
    # Taken up again where there is none, they are gone; small models never had them.
    assert not set(BROWSER) & {tool.spec.name for tool in tools_for("m", names)}
    assert not set(BROWSER) & {tool.spec.name for tool in tools_for("m", slim=True, extra=browser_tools())}
