"""A session as a terminal shows it, and what pages have in common with that."""

from __future__ import annotations

import re

from hypothesis import given, settings
from inline_snapshot import snapshot
from rich.cells import cell_len

from openhands_acp.engine import events
from openhands_acp.engine.cards import ShownCommand, ShownText
from openhands_acp.engine.events import Entry
from openhands_acp.engine.messages import Image, Text
from tests.sessions.shelves import LONG
from tests.sessions.shown import as_page, call, in_terminal
from tests.store.conversations import conversations, stamped


def test_a_terminal_shows_the_whole_conversation() -> None:
    shown = in_terminal(stamped(LONG), 80)
    # Times are local.
    timeless = re.sub(r"(?m)^when .*$", "when     then", re.sub(r"(?m)^(\d+ · )[-\d]+ [\d:]+", r"\1then", shown))
    assert timeless == snapshot("""\
Mend the tide
session  aa000000-0002-4000-8000-000000000001
folder   /home/ada/tidepool
when     then
model    anthropic/claude-sonnet-4-5
mode     always-ask
! a note

1 · then · anthropic/claude-sonnet-4-5 · always-ask ────────────────

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

23 s · 1,200 tokens in · 34 out · $0.25

2 · then ───────────────────────────────────────────────────────────

❯ Push it.

✗ $ git push
    the person stopped the turn before it ran

■ stopped

3 · then ───────────────────────────────────────────────────────────

❯ And now?

✗ The model cannot be reached.

in all 1,200 tokens in · 34 out · $0.25\
""")


@settings(max_examples=25, deadline=None)
@given(conversations())
def test_any_conversation_can_be_shown_in_any_width(made: list[Entry]) -> None:
    for width in (20, 80):
        shown = in_terminal(made, width)
        assert "\x1b" not in shown
        assert [line for line in shown.splitlines() if cell_len(line) > width] == []
    assert "\x1b" not in as_page(made)


def test_an_address_longer_than_a_line_is_whole() -> None:
    address = "https://example.org/" + "a" * 200
    shown = in_terminal(stamped([events.NoticeEvent("n", "text", f"See {address}")]), 40)
    assert address in shown.replace("\n  ", "")


def test_what_a_tool_tells_in_markdown_is_shown_as_such_in_its_lines() -> None:
    made = stamped([call("other", ShownText("**bold**: one\ntwo\n\n- three"))])
    assert "bold: one\n    two\n\n     • three\n" in in_terminal(made, 80)


def test_a_line_without_end_is_cut_in_a_terminal() -> None:
    made = stamped([call("execute", ShownCommand("x", "y" * 900))])
    assert "y… 400 more characters" in in_terminal(made, 80)


def test_a_prompt_that_no_turn_came_to_read_is_shown_once() -> None:
    begun = [LONG[0], events.TurnStarted("t", (Text("Never read."),))]
    for more in ([], [events.NoticeEvent("n", "user", "Never read."), events.TurnEnded("t", "end_turn")]):
        assert in_terminal(stamped([*begun, *more]), 80).count("❯ Never read.") == 1


REORDERED = "a \u202elive\u202c b \u2066c\u2069"


def test_nothing_is_read_in_another_order_than_it_is_in() -> None:
    made = stamped([events.NoticeEvent("n", "text", REORDERED), call("execute", ShownCommand(REORDERED, REORDERED))])
    for shown in (in_terminal(made, 80), as_page(made)):
        assert (re.findall("[\u202a-\u202e\u2066-\u2069]", shown), "a �live� b �c�" in shown) == ([], True)


def test_what_a_call_gave_to_look_at_is_shown_with_it() -> None:
    image = Image("image/png", "aGk=")
    made = stamped(
        [call("read", ShownText("")), events.ObservationEvent("c", "a", "file_editor", "an image", images=(image,))]
    )
    assert '<pre>\nan image</pre><img alt="(image: image/png, 3 bytes)" src="data:image/png;base64,aGk=">' in as_page(
        made
    )
    assert "(image: image/png, 3 bytes)" in in_terminal(made, 80)
