"""A session as a terminal and as a browser show it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from inline_snapshot import snapshot
from rich.console import Console

from openhands_acp.engine import cards, events
from openhands_acp.engine.cards import Card, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.sessions.page import page
from openhands_acp.sessions.shelf import Found
from openhands_acp.sessions.show import conversation
from openhands_acp.sessions.story import scenes, totals
from openhands_acp.store.library import Summary
from tests.sessions.shelves import LONG, ROOT, TIDES
from tests.store.conversations import conversations, stamped


def found(title: str = "Mend the tide") -> Found:
    return Found(Summary(TIDES, (ROOT,), title, datetime(2026, 1, 1, 12, tzinfo=UTC), 3), False)


def in_terminal(made: Sequence[Entry], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for block in conversation(found(), totals(made), scenes(made), ["a note"]):
        console.print(block)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def as_page(made: Sequence[Entry], title: str = "Mend the tide") -> str:
    return page(found(title), totals(made), scenes(made), ["a note"])


def test_a_terminal_shows_the_whole_conversation() -> None:
    shown = in_terminal(stamped(LONG), 80)
    # The time of the head is local.
    assert re.sub(r"(?m)^when .*$", "when     then", shown) == snapshot("""\
Mend the tide
session  aa000000-0002-4000-8000-000000000001
folder   /home/ada/tidepool
when     then
model    anthropic/claude-sonnet-4-5
mode     always-ask
! a note

❯ Mend the *tide*.
  (image: image/png, 3 bytes)

∴ Let me see.

● I will look first.

✓ View tide.py
    1  HIGH = 7

✗ $ make test …  (allowed for the session)
    make test
    make lint
    … 16 lines
    line 17
    line 18
    line 19
    line 20
    line 21
    line 22
    line 23
    line 24
    line 25
    line 26
    line 27
    line 28
    line 29
    line 30

✓ Edit tide.py  (allowed once)
    1   a
    2 - HIGH = 7
    2 + HIGH = 8

Plan
✓ Find it
▸ Mend it

✗ Ask for the weather
    there is no such tool

✗ $ git push  (rejected)

● Done, but for the push.

❯ Push it.

✗ $ git push
    the person stopped the turn before it ran

■ stopped

❯ And now?

✗ The model cannot be reached.

1,200 tokens in · 34 out · $0.2500\
""")


@settings(max_examples=25, deadline=None)
@given(conversations())
def test_any_conversation_can_be_shown_in_any_width(made: list[Entry]) -> None:
    for width in (20, 80):
        shown = in_terminal(made, width)
        assert "\x1b" not in shown
    assert "\x1b" not in as_page(made)


# ---------------------------------------------------------------- the page


def call(kind: cards.CallKind, shown: cards.Shown) -> events.ActionEvent:
    return events.ActionEvent("c", "p", "t", "{}", "r", "LOW", Card("Look", kind, (), (shown,)))


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
    "html head meta title style body header h1 dl dt dd main section div p b span pre code details summary table tbody "
    "thead tr td th ul ol li img small ins del a em strong hr blockquote br h2 h3".split()
)
NAMES = {"lang", "charset", "http-equiv", "content", "name", "class", "alt", "src", "href", "start"}


@pytest.mark.parametrize("made", [HOSTILE, LONG])
def test_nothing_of_a_conversation_becomes_markup(made: list[Durable]) -> None:
    text = as_page(stamped(made), EVIL)
    seen = Seen(text)
    assert seen.elements - OURS == set()
    assert {name for name, _ in seen.attributes} - NAMES == set()
    loaded = [value for name, value in seen.attributes if name == "src"]
    assert [value for value in loaded if not value.startswith("data:image/png;base64,")] == []
    linked = [value for name, value in seen.attributes if name == "href"]
    assert [value for value in linked if not value.startswith("https://")] == []
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
    assert re.findall(r"(?i)(?:src=|href=|url\(|@import)(?!.data:image/png).{9}", content) == []
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
    assert "1,200 tokens in · 34 out · $0.2500" in text


NUMBERED = "\n".join(f"{number:6}\tline" for number in range(8, 12))
MANY = "\n".join("abc" for _ in range(60))


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            call("read", ShownText(f"```\n{NUMBERED}\n```")),
            "<pre>\n 8  line\n 9  line\n10  line\n11  line</pre>",
        ),
        (call("read", ShownText(MANY)), f"<details><summary>60 lines</summary><pre>\n{MANY}</pre></details>"),
        (call("other", ShownText("\n\n  a\n\n")), "<pre>\n  a</pre>"),
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
            f"<details><summary>a long thought</summary><div>{'x' * 1001}</div></details>",
        ),
        (
            events.MessageEvent("m", "user", (Text(MANY),)),
            f"<div>{MANY[:159]}</div><details><summary>20 more lines</summary><div>{MANY[160:]}</div></details>",
        ),
    ],
    ids=["numbers", "read", "few", "blank", "same", "new", "removed", "moved", "thought", "prompt"],
)
def test_what_is_long_is_folded_and_margins_go(event: Durable, shown: str) -> None:
    section = re.search(r"(?s)<section[^>]*>(?:<p>.*?</p>)?(.*)</section>", as_page(stamped([event])))
    # What is said of a call that never ended comes last.
    assert section is not None
    assert section[1].removesuffix("<pre>\nThere is no result of this call.</pre>") == shown


def test_what_a_call_gave_to_look_at_is_shown_with_it() -> None:
    image = Image("image/png", "aGk=")
    made = stamped(
        [call("read", ShownText("")), events.ObservationEvent("c", "a", "file_editor", "an image", images=(image,))]
    )
    assert '<pre>\nan image</pre><img alt="(image: image/png, 3 bytes)" src="data:image/png;base64,aGk=">' in as_page(
        made
    )
    assert "(image: image/png, 3 bytes)" in in_terminal(made, 80)


def test_a_huge_diff_is_cut_and_not_computed() -> None:
    text = as_page(stamped([call("edit", ShownDiff(ROOT, "a\n" * 30_000, "b\n" * 30_000))]))
    assert (text.count("<tr"), "… 58000 more lines" in text) == (2001, True)
