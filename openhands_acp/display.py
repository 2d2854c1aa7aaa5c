"""What a conversation is made of as it looks outside of an editor: marks, Markdown, plans, diffs, bounds.

Pure: from plain values to what Rich prints, or to rows; knows neither events nor the protocol.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

STATUS = {
    "pending": ("○", "dim"),
    "in_progress": ("●", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
}
PLAN = {"pending": ("○", "dim"), "in_progress": ("▸", "yellow"), "completed": ("✓", "green")}

OUTPUT_LINES = 14
READ_LINES = 5
_DIFF_LINES = 40
_CONTEXT = 2
_COMPARABLE = 20_000
"""Lines that difflib gets through in the time a person would wait."""
_FENCED = re.compile(r"\s*(`{3,})[^\n]*\n(.*?)\n?\1\s*", re.DOTALL)
# Sequences as a whole (window titles and links, colours and cursor), then whatever is left of such characters.
_CONTROL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Take out what could steer the terminal: neither a model nor a file may."""
    return _CONTROL.sub("", text)


def unfenced(text: str) -> str:
    """Return what stands in a text that is one block of code; any other as it is."""
    fenced = _FENCED.fullmatch(text)
    return fenced[2] if fenced else text


def marked(mark: str, style: str, body: RenderableType) -> RenderableType:
    """Put a mark in front of `body`, which hangs beside it."""
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(mark, style), body)
    return grid


def indented(body: RenderableType) -> RenderableType:
    return Padding(body, (0, 0, 0, 4), expand=False)


def said(text: str) -> RenderableType:
    """Show what the agent wrote, which is Markdown."""
    return marked("●", "bold blue", Markdown(plain(text.strip()), hyperlinks=False))


def thought(text: str) -> RenderableType:
    return marked("∴", "dim", Text(plain(text.strip()), "dim italic"))


def call_title(title: str, *, is_command: bool) -> Text:
    return Text(("$ " if is_command else "") + plain(title), "bold")


def output(text: str, *, is_read: bool) -> RenderableType | None:
    """Show output, bounded: of what was read the beginning, of a command the end."""
    lines = text.strip("\n").expandtabs().splitlines()
    if not any(lines):
        return None
    shown = "\n".join(bounded(lines, READ_LINES if is_read else OUTPUT_LINES, is_tail=not is_read))
    return Text(plain(shown), "dim")


def bounded(lines: Sequence[str], limit: int, *, is_tail: bool) -> list[str]:
    """Keep `limit` lines of one end, and say how many are left out."""
    left_out = len(lines) - limit
    if left_out <= 1:
        return list(lines)
    note = f"… {left_out} lines"
    return [note, *lines[left_out:]] if is_tail else [*lines[:limit], note]


def plan(entries: Sequence[tuple[str, str]], before: Sequence[tuple[str, str]]) -> RenderableType | None:
    """Return the whole plan when it is new, else only the lines that changed; an entry is its text and status."""
    changed = [entry for entry in entries if entry not in before]
    if not changed:
        return None
    rows = [marked(*PLAN.get(status, PLAN["pending"]), Text(plain(content))) for content, status in changed]
    is_new = not before or len(changed) == len(entries)
    return Group(Text("Plan", "bold"), *rows) if is_new else Group(*rows)


# ---------------------------------------------------------------- diffs


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a diff; of a gap between two places nothing is told."""

    sign: Literal[" ", "-", "+", "⋮"]
    number: int = 0
    """Of the line in its own version, from 1."""
    line: str = ""


def diff_rows(old: str, new: str) -> Iterator[Row]:
    """Tell what changes, with two lines around."""
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > _COMPARABLE:
        yield from (Row("-", number, line) for number, line in enumerate(before, start=1))
        yield from (Row("+", number, line) for number, line in enumerate(after, start=1))
        return
    for number, group in enumerate(difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(_CONTEXT)):
        if number:
            yield Row("⋮")
        for kind, i1, i2, j1, j2 in group:
            if kind == "equal":
                yield from (Row(" ", j + 1, after[j]) for j in range(j1, j2))
                continue
            yield from (Row("-", i + 1, before[i]) for i in range(i1, i2))
            yield from (Row("+", j + 1, after[j]) for j in range(j1, j2))


_ROW_STYLE = {" ": "dim", "-": "red", "+": "green"}


def diff(old: str, new: str) -> RenderableType:
    """Show what changes, with its line numbers, bounded."""
    rows = list(diff_rows(old, new))
    width = len(str(max((row.number for row in rows), default=0)))
    left_out = len(rows) - _DIFF_LINES
    shown = [Text(f"… {left_out} more lines", "dim")] if left_out > 0 else []
    return Group(*(_row(row, width) for row in rows[:_DIFF_LINES]), *shown)


def _row(row: Row, width: int) -> Text:
    if row.sign == "⋮":
        return Text("⋮", "dim")
    return Text.assemble((f"{row.number:>{width}} ", "dim"), (f"{row.sign} {plain(row.line)}", _ROW_STYLE[row.sign]))
