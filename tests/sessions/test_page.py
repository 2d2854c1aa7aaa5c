"""A session as one page for a browser; `make browser` has one look at such pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from openhands_acp.engine import events
from openhands_acp.engine.cards import Card, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStarted
from openhands_acp.sessions.page import page
from openhands_acp.sessions.story import scenes, totals
from tests.sessions.shelves import LONG, ROOT, TIDES
from tests.sessions.shown import as_page, call, found
from tests.store.conversations import conversations, stamped

EVIL = "</pre></td></style></title><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload=alert(1) &lt;b&gt;"
LINKS = "[a](javascript:alert(1)) ![b](https://example.org/b.png) <https://example.org> [c](data:text/html,x)"
EVIL_PATH = AbsPath(f"/{EVIL}")
HOSTILE: list[Durable] = [
    events.ConversationStarted(TIDES, (EVIL_PATH,), EVIL, EVIL),
    events.MessageEvent(
        "m", "user", (Text(EVIL), Image(EVIL, EVIL), Image("image/png", EVIL), Image("image/svg+xml", ""))
    ),
    events.ThoughtEvent("m", "r", EVIL),
    events.MessageEvent("m", "assistant", (Text(f"{EVIL}\n\n    {EVIL}\n\n```{EVIL}\n{EVIL}\n```\n\n{LINKS}"),), "r"),
    events.ActionEvent("c", "p", EVIL, EVIL, "r", "LOW", Card(EVIL, "execute")),
    events.ObservationEvent(
        "c",
        "a",
        EVIL,
        EVIL,
        shown=(ShownText(EVIL), ShownCommand(f"{EVIL}\n{EVIL}", EVIL), ShownDiff(EVIL_PATH, EVIL, f"{EVIL}\n{EVIL}")),
    ),
    events.PlanUpdated((events.PlanEntry(EVIL, "pending"),)),
    events.NoticeEvent("n", "text", EVIL),
    events.NoticeEvent("n", "user", EVIL),
    events.ConversationErrorEvent("n", EVIL, EVIL),
]


class Seen(HTMLParser):
    """Every element and attribute, as a browser takes them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


OURS = set(
    "html head meta title style body header h1 dl dt dd nav main article section div p b span time footer pre code "
    "details summary table tbody thead tr td th ul ol li img small ins del s a em strong hr blockquote br h2 h3".split()
)
NAMES = set("lang charset http-equiv content name class id value datetime alt src href start".split())


@pytest.mark.parametrize("made", [HOSTILE, LONG])
def test_nothing_of_a_conversation_becomes_markup(made: list[Durable]) -> None:
    text = as_page(stamped(made), EVIL)
    seen = Seen(text)
    assert seen.elements - OURS == set()
    assert {name for name, _ in seen.attributes} - NAMES == set()
    loaded = [value for name, value in seen.attributes if name == "src"]
    assert [value for value in loaded if not value.startswith("data:image/png;base64,")] == []
    linked = [value for name, value in seen.attributes if name == "href"]
    assert [
        value for value in linked if not value.startswith("https://") and not re.fullmatch(r"#turn-\d+", value)
    ] == []
    assert "<script" not in text
    assert "default-src 'none'" in text


@settings(max_examples=20, deadline=None)
@given(conversations())
def test_nothing_of_any_conversation_becomes_markup(made: list[Entry]) -> None:
    seen = Seen(as_page(made))
    assert (seen.elements - OURS, {name for name, _ in seen.attributes} - NAMES) == (set(), set())


def test_a_page_stands_alone_and_has_everything() -> None:
    text = as_page(stamped(LONG))
    _, _, content = text.partition('<meta name="viewport"')
    assert re.findall(r"(?i)(?:src=|href=|url\(|@import)(?!.data:image/png|.#turn-\d).{9}", content) == []
    assert "prefers-color-scheme: dark" in text
    assert '<img alt="(image: image/png, 3 bytes)" src="data:image/png;base64,aGk=">' in text
    assert "<p>I will <strong>look</strong> first.</p>" in text
    assert (
        '<tr class="old"><td>2</td><td>-</td><td>HIGH = 7</td></tr>'
        '<tr class="new"><td>2</td><td>+</td><td>HIGH = 8</td></tr>'
    ) in text
    assert "<small><ins>+1</ins> <del>−1</del></small><small>allowed once</small>" in text
    # Of a long output the end is open.
    assert "<details><summary>20 lines before</summary><pre>\nline 1\n" in text
    assert "line 20</pre></details><pre>\nline 21\n" in text
    assert "1,200 tokens in · 34 out · $0.25" in text


NUMBERED = "\n".join(f"{number:6}\tline" for number in range(8, 12))
MANY = "\n".join("abc" for _ in range(60))


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            call("read", ShownText(f"```\n{NUMBERED}\n```")),
            "<pre>\n 8  line\n 9  line\n10  line\n11  line</pre>",
        ),
        (
            call("read", ShownText(f"```\n{MANY}\n```")),
            f"<details><summary>60 lines</summary><pre>\n{MANY}</pre></details>",
        ),
        (
            call("execute", ShownCommand("x", "y" * 3001)),
            f"<details><summary>1 line, 3,001 characters</summary><pre>\n{'y' * 3001}</pre></details>",
        ),
        (
            call("other", ShownText("\n\n  **a**\nb ~~c~~\n\n")),
            '<div class="said"><p><strong>a</strong><br />\nb <s>c</s></p>\n</div>',
        ),
        (call("other", ShownText(" \n ")), ""),
        (
            call("edit", ShownDiff(AbsPath("/Look"), "a", "a")),
            '<div class="path">No line differs as it is shown here.</div>',
        ),
        (
            call("edit", ShownDiff(AbsPath("/b"), None, "a")),
            '<div class="path">/b</div><div class="scroll"><table class="diff">'
            '<tr class="new"><td>1</td><td>+</td><td>a</td></tr></table></div>',
        ),
        (
            call("edit", ShownDiff(AbsPath("/b"), "a", None)),
            '<div class="path">Removed</div><div class="path">/b</div><div class="scroll"><table class="diff">'
            '<tr class="old"><td>1</td><td>-</td><td>a</td></tr></table></div>',
        ),
        (
            call("edit", ShownDiff(AbsPath("/b"), "a", "a", AbsPath("/a"), "Made executable")),
            '<div class="path">Renamed from /a; Made executable</div><div class="path">/b</div>'
            '<div class="path">No line differs as it is shown here.</div>',
        ),
        (
            events.ThoughtEvent("m", "r", "x" * 1001),
            f"<details><summary>{'x' * 90}…</summary><div>{'x' * 1001}</div></details>",
        ),
        (
            events.MessageEvent("m", "user", (Text(MANY),)),
            f"<div>{MANY[:159]}</div><details><summary>20 more lines</summary><div>{MANY[160:]}</div></details>",
        ),
        (
            events.MessageEvent("m", "user", (Text('<file path="/w/a.py" lines="3-4">\na < b\nc\n</file>'),)),
            "<details><summary>/w/a.py:3-4, 2 lines</summary><pre>\na &lt; b\nc</pre></details>",
        ),
        (
            events.Condensation("k", "summary", 9, 5, summary="Was *done*.\nAll of it."),
            '<details><summary>The summary that the model goes on with</summary><div class="said">'
            "<p>Was <em>done</em>.<br />\nAll of it.</p>\n</div></details>",
        ),
    ],
    ids=[
        "numbers",
        "read",
        "characters",
        "markdown",
        "blank",
        "same",
        "new",
        "removed",
        "moved",
        "thought",
        "prompt",
        "attached",
        "summary",
    ],
)
def test_what_is_long_is_folded_and_margins_go(event: Durable, shown: str) -> None:
    section = re.search(r"(?s)<section[^>]*>(?:<p>.*?</p>)?(.*)</section>", as_page(stamped([event])))
    # What is said of a call that never ended comes last.
    assert section is not None
    assert section[1].removesuffix("<pre>\nThere is no result of this call.</pre>") == shown


def test_a_turn_tells_what_is_new_in_it_and_the_contents_lead_to_it() -> None:
    made = [
        *LONG[:3],
        events.TurnEnded("t", "end_turn"),
        events.ConversationStateUpdateEvent("model", "a/<b>"),
        events.ConversationStateUpdateEvent("thought_level", "high"),
        events.TurnStarted("u"),
        events.NoticeEvent("m", "user", "/status  <now>"),
        events.TurnEnded("u", "end_turn"),
        events.TurnStarted("v"),
    ]
    text = as_page(stamped(made))
    headings = re.findall(r'<article id="(.*?)"><h2><a href="(.*?)">(.*?)</a><time .*?</time>(.*?)</h2>', text)
    assert headings == [
        ("turn-1", "#turn-1", "1", "<span>anthropic/claude-sonnet-4-5</span><span>always-ask</span>"),
        ("turn-2", "#turn-2", "2", "<span>a/&lt;b&gt;</span><span>thinking high</span>"),
        ("turn-3", "#turn-3", "3", ""),
    ]
    assert re.findall(r'<li value="\d"><a href="(.*?)">(.*?)</a>', text) == [
        ("#turn-1", "Mend the *tide*."),
        ("#turn-2", "/status &lt;now&gt;"),
        ("#turn-3", "…"),
    ]


def test_a_turn_tells_what_it_took() -> None:
    assert "<footer>23 s · 1,200 tokens in · 34 out · $0.25</footer></article>" in as_page(stamped(LONG))


def test_a_page_has_what_sub_agents_said_in_the_calls_that_they_worked_for() -> None:
    def task(call_id: str) -> list[Durable]:
        return [
            events.ActionEvent(call_id, "p", "task", "{}", "r", "LOW", Card(f"Task {call_id}", "other")),
            SubagentStarted("task_00000001", call_id, "explorer"),
            events.ObservationEvent(call_id, "a", "task", "Done."),
        ]

    inner = [
        events.TurnStarted("t"),
        events.MessageEvent("m", "user", (Text("Look <here>"),)),
        events.ActionEvent("i", "p", "task", "{}", "r", "LOW", Card("Deeper", "other")),
        SubagentStarted("task_00000002", "i", "explorer"),
        events.ObservationEvent("i", "a", "task", "Done."),
        events.TurnEnded("t", "end_turn"),
    ]
    subagents = {
        "subagents/task_00000001": stamped(inner),
        "subagents/task_00000001/subagents/task_00000002": stamped([events.NoticeEvent("n", "text", "Deep down.")]),
    }
    made = stamped([*task("c1"), *task("c2")])
    text = page(found(), totals(made), scenes(made, subagents), [])
    first, second = text.split("Task c2")
    # Of one that was gone on with, the last call tells all.
    counts = [part.count('<div class="inner">') for part in (first, second)]
    assert (counts, "<article" in text) == ([0, 2], False)
    assert second.index("Look &lt;here&gt;") < second.index("Deeper") < second.index("Deep down.")


def test_a_huge_diff_is_cut_and_not_computed() -> None:
    text = as_page(stamped([call("edit", ShownDiff(ROOT, "a\n" * 30_000, "b\n" * 30_000))]))
    assert (text.count("<tr"), "… 58000 more lines" in text) == (2001, True)
