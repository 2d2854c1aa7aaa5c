"""A session as a terminal and as a browser show it, for tests of both."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from openhands_acp.engine import cards, events
from openhands_acp.engine.cards import Card
from openhands_acp.engine.events import Entry
from openhands_acp.sessions.page import page
from openhands_acp.sessions.shelf import Found
from openhands_acp.sessions.show import conversation
from openhands_acp.sessions.story import scenes, totals
from openhands_acp.store.listing import Summary
from tests.sessions.shelves import ROOT, TIDES


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


def call(kind: cards.CallKind, shown: cards.Shown) -> events.ActionEvent:
    return events.ActionEvent("c", "p", "t", "{}", "r", "LOW", Card("Look", kind, (), (shown,)))
