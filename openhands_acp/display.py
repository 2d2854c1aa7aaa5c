"""What a conversation is made of as it looks outside of an editor: marks, Markdown, plans, diffs, bounds.

Pure: from plain values to what Rich prints, or to rows; knows neither events nor the protocol.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
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
_LINE = 500
"""Characters of one line of output."""
_DIFF_LINES = 40
_CONTEXT = 2
_COMPARABLE = 20_000
"""Lines that difflib gets through in the time a person would wait."""
_FENCED = re.compile(r"\s*(`{3,})[^\n]*\n(.*?)\n?\1\s*", re.DOTALL)
# Sequences as a whole (window titles and links, colours and cursor), then whatever is left of such characters.
_CONTROL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What has a text read in another order than it is in; right-to-left scripts need none of it.
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SPELT = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "●": "*",
        "○": "o",
        "▸": ">",
        "❯": ">",
        "∴": "~",
        "■": "#",
        "…": "...",
        "⋮": ":",
        "·": "-",
        "─": "-",
    }
)


def plain(text: str) -> str:
    """Take out what could steer the terminal, or show another text than there is: neither a model nor a file may."""
    return _REORDERING.sub("\ufffd", _CONTROL.sub("", text))


def spelt(error: UnicodeError) -> tuple[str, int]:
    """Put letters for marks that an encoding lacks, and a question mark for the rest: a handler for `codecs`."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end].translate(_SPELT)
    return "".join(letter if letter.isascii() else "?" for letter in letters), error.end


def unfenced(text: str) -> str:
    """Return what stands in a text that is one block of code; any other as it is."""
    fenced = _FENCED.fullmatch(text)
    return fenced[2] if fenced and fenced[1] not in fenced[2] else text


def marked(mark: str, style: str, body: RenderableType) -> RenderableType:
    """Put a mark in front of `body`, which hangs beside it."""
    return _Hung(f"{mark} ", style, body)


def indented(body: RenderableType) -> RenderableType:
    return _Hung(" " * 4, "", body)


@dataclass(frozen=True, slots=True)
class _Hung:
    """As a table of two columns would show it, in a third of the time."""

    before: str
    style: str
    body: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = cell_len(self.before)
        # Not cut: of an address or a path that is longer than a line, every letter counts.
        inner = options.update(width=max(options.max_width - room, 1), overflow="fold")
        before = Segment(self.before, console.get_style(self.style))
        for line in console.render_lines(self.body, inner, pad=False):
            yield before
            yield from line
            yield Segment.line()
            before = Segment(" " * room)


def said(text: str) -> RenderableType:
    """Show what the agent wrote, which is Markdown."""
    return marked("●", "bold blue", markdown(text))


def markdown(text: str, *, keeps_lines: bool = False) -> RenderableType:
    return _Markdown(plain(text.strip()), keeps_lines)


@dataclass(frozen=True, slots=True)
class _Markdown:
    """Rich's, without the empty lines that it begins and ends with."""

    text: str
    keeps_lines: bool
    """A line that ends ends, as what is no prose is written."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Late: it brings what colours code in all languages there are, and a list of sessions shows none.
        from rich.markdown import Markdown

        markdown = Markdown(self.text, hyperlinks=False)
        if self.keeps_lines:
            for inner in (inner for block in markdown.parsed for inner in block.children or ()):
                inner.type = "hardbreak" if inner.type == "softbreak" else inner.type
        lines = console.render_lines(markdown, options, pad=False)
        full = [at for at, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        for line in lines[full[0] : full[-1] + 1] if full else []:
            yield from line
            yield Segment.line()


def thought(text: str) -> RenderableType:
    return marked("∴", "dim", Text(plain(text.strip()), "dim italic"))


def call_title(title: str, *, is_command: bool) -> Text:
    return Text(("$ " if is_command else "") + plain(title), "bold")


def output(text: str, *, is_read: bool) -> RenderableType | None:
    """Show output, bounded: of what was read the beginning, of a command the end."""
    lines = text.strip("\n").expandtabs().splitlines()
    if not any(lines):
        return None
    shown = bounded(lines, READ_LINES if is_read else OUTPUT_LINES, is_tail=not is_read)
    return Text("\n".join(begun(plain(line), _LINE) for line in shown), "dim")


def begun(text: str, limit: int) -> str:
    """Keep the beginning of a text, and say how much is left out."""
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}… {left_out:,} more characters"


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
