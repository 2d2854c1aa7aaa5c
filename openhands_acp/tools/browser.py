"""The `browser_*` tools: a real browser, for pages that need scripts, clicks and typing; under OpenHands' names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.browser import (
    Back,
    Click,
    CloseTab,
    Look,
    Open,
    Scroll,
    Sight,
    Step,
    SwitchTab,
    TypeInto,
)
from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.engine.web import Unreachable
from openhands_acp.tools.define import RISK_IN_BRIEF, define
from openhands_acp.tools.long_results import told

A = TypeVar("A", bound=BaseModel)

_CONFIG = ConfigDict(defer_build=True, frozen=True)
_INDEX = "Its number in the last list"


class NavigateArgs(BaseModel):
    model_config = _CONFIG

    url: str = Field(description="Whole, with https://")
    new_tab: bool = False


class ClickArgs(BaseModel):
    model_config = _CONFIG

    index: int = Field(description=_INDEX)


class TypeArgs(BaseModel):
    model_config = _CONFIG

    index: int = Field(description=_INDEX)
    text: str = Field(description="Replaces what is there; a line break at the end is Enter")


class GetStateArgs(BaseModel):
    model_config = _CONFIG

    include_screenshot: bool = False


class ScrollArgs(BaseModel):
    model_config = _CONFIG

    direction: Literal["up", "down"] = "down"


class NoArgs(BaseModel):
    model_config = _CONFIG


class TabArgs(BaseModel):
    model_config = _CONFIG

    tab_id: str


def browser_tools() -> tuple[Tool, ...]:
    return (*_acting(), *_looking())


def _acting() -> tuple[Tool, ...]:
    return (
        _stepping(
            "browser_navigate",
            "Open a page in a browser, where `fetch` shows too little. Answers, as all that follow, with the tabs and "
            "a numbered list of what can be clicked and typed into.",
            NavigateArgs,
            lambda args: Open(args.url.strip(), args.new_tab),
            lambda args: f"Open {args.url} in a browser",
            risk=RISK_IN_BRIEF,
        ),
        _stepping(
            "browser_click",
            "Click an element.",
            ClickArgs,
            lambda args: Click(args.index),
            lambda args: f"Click element {args.index} in the browser",
            risk=RISK_IN_BRIEF,
        ),
        _stepping(
            "browser_type",
            "Fill a field, or choose from a list. Never passwords or keys.",
            TypeArgs,
            lambda args: TypeInto(args.index, args.text),
            lambda args: f"Type into element {args.index} in the browser",
            risk=RISK_IN_BRIEF,
        ),
    )


def _looking() -> tuple[Tool, ...]:
    return (
        _stepping(
            "browser_get_state",
            "List again what is on the page by now.",
            GetStateArgs,
            lambda args: Look(args.include_screenshot),
            lambda _args: "Look at the page",
        ),
        define(
            name="browser_get_content",
            description="Read the whole page, as Markdown.",
            args=NoArgs,
            run=_content,
            card=lambda _args, _root: Card("Read the page", "fetch"),
            announce=Card("Read the page", "fetch"),
        ),
        _stepping(
            "browser_scroll",
            "Scroll by nearly a screen.",
            ScrollArgs,
            lambda args: Scroll(args.direction),
            lambda args: f"Scroll {args.direction}",
        ),
        _stepping("browser_go_back", "Go back a page.", NoArgs, lambda _args: Back(), lambda _args: "Go back"),
        _stepping("browser_list_tabs", "List the tabs.", NoArgs, lambda _args: Look(), lambda _args: "List the tabs"),
        _stepping(
            "browser_switch_tab",
            "Show another tab.",
            TabArgs,
            lambda args: SwitchTab(args.tab_id),
            lambda args: f"Show tab {args.tab_id}",
        ),
        _stepping(
            "browser_close_tab",
            "Close a tab.",
            TabArgs,
            lambda args: CloseTab(args.tab_id),
            lambda args: f"Close tab {args.tab_id}",
        ),
    )


def _stepping(
    name: str,
    description: str,
    args: type[A],
    step: Callable[[A], Step],
    title: Callable[[A], str],
    *,
    risk: JsonObject | None = None,
) -> Tool:
    return define(
        name=name,
        description=description,
        args=args,
        run=_taking(step),
        card=lambda given, _root: Card(title(given), "fetch"),
        announce=Card("Use a browser", "fetch"),
        risk=risk,
    )


def _taking(step: Callable[[A], Step]) -> Callable[[A, Hands], Awaitable[ToolResult]]:
    async def run(args: A, hands: Hands) -> ToolResult:
        try:
            sight = await hands.browser.do(step(args))
        except Unreachable as error:
            raise ToolError(str(error)) from error
        shown = next((tab for tab in sight.tabs if tab.is_shown), None)
        what = f"**{shown.title or 'A page without a title'}**, {shown.url}" if shown else "No page is open."
        return ToolResult(
            _in_words(sight), (ShownText(what),), images=() if sight.picture is None else (sight.picture,)
        )

    return run


async def _content(_args: NoArgs, hands: Hands) -> ToolResult:
    try:
        page = await hands.browser.content()
    except Unreachable as error:
        raise ToolError(str(error)) from error
    text, kept = await told(f"# {page.title}\n\n{page.text}", hands)
    shown = ShownText(f"**{page.title}**, {len(page.text):,} characters from {page.url}")
    return ToolResult(text, (shown,), output=kept)


def _in_words(sight: Sight) -> str:
    if not sight.tabs:
        return "No page is open."
    tabs = [f"{'* ' if tab.is_shown else '  '}tab {tab.id}: {tab.title} ({tab.url})" for tab in sight.tabs]
    elements = [f"[{at}] {element}" for at, element in enumerate(sight.elements)] or ["(nothing to click or type into)"]
    return "\n".join([*tabs, *([f"({sight.position})"] if sight.position else []), *elements])
