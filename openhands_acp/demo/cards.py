"""Tool calls, plans and diffs as they look in a terminal. Pure: from what the wire says to what Rich prints."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_STATUS = {
    "pending": ("○", "dim"),
    "in_progress": ("●", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
}
_PLAN = {"pending": ("○", "dim"), "in_progress": ("▸", "yellow"), "completed": ("✓", "green")}

_OUTPUT_LINES = 14
_READ_LINES = 5
_DIFF_LINES = 40
_CONTEXT = 2
_FENCED = re.compile(r"\s*(`{3,})[^\n]*\n(.*?)\n?\1\s*", re.DOTALL)
# Sequences as a whole (window titles and links, colours and cursor), then whatever is left of such characters.
_CONTROL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Take out what could steer the terminal: neither a model nor a file may."""
    return _CONTROL.sub("", text)


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


def heading(call: Mapping[str, Any]) -> RenderableType:
    mark, style = _STATUS.get(str(call.get("status")), _STATUS["pending"])
    return marked(mark, style, title(call))


def title(call: Mapping[str, Any]) -> Text:
    prefix = "$ " if call.get("kind") == "execute" else ""
    return Text(prefix + plain(str(call.get("title", "?"))), "bold")


def body(call: Mapping[str, Any], *, with_diff: bool = True) -> RenderableType | None:
    """Show what belongs beneath a call's title: output, bounded, and diffs."""
    parts = [part for item in call.get("content") or () if (part := _content(call, item, with_diff=with_diff))]
    return indented(Group(*parts)) if parts else None


def plan(entries: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """Return the whole plan when it is new, else only the lines that changed."""
    changed = [entry for entry in entries if entry not in before]
    if not changed:
        return None
    rows = [
        marked(*_PLAN.get(str(entry.get("status")), _PLAN["pending"]), Text(plain(str(entry.get("content", "")))))
        for entry in changed
    ]
    is_new = not before or len(changed) == len(entries)
    return Group(Text("Plan", "bold"), *rows) if is_new else Group(*rows)


def usage(update: Mapping[str, Any]) -> str:
    text = f"{update['used']:,} of {update['size']:,} tokens"
    match update:
        case {"cost": {"amount": float(amount) | int(amount)}}:
            return f"{text} · ${amount:.4f}"
        case _:
            return text


def diff(old: str, new: str) -> RenderableType:
    """Show what changes, with its line numbers and two lines around."""
    rows = list(_diff_rows(old.splitlines(), new.splitlines()))
    left_out = len(rows) - _DIFF_LINES
    shown = [Text(f"… {left_out} more lines", "dim")] if left_out > 0 else []
    return Group(*rows[:_DIFF_LINES], *shown)


def bounded(lines: Sequence[str], limit: int, *, is_tail: bool) -> list[str]:
    """Keep `limit` lines of one end, and say how many are left out."""
    left_out = len(lines) - limit
    if left_out <= 1:
        return list(lines)
    note = f"… {left_out} lines"
    return [note, *lines[left_out:]] if is_tail else [*lines[:limit], note]


def _content(call: Mapping[str, Any], item: Mapping[str, Any], *, with_diff: bool) -> RenderableType | None:
    match item:
        case {"type": "diff", "path": str(path), "newText": str(new)}:
            shown = diff(item.get("oldText") or "", new) if with_diff else None
            is_named = os.path.basename(path) in str(call.get("title"))
            return shown if is_named or shown is None else Group(Text(plain(path), "dim"), shown)
        case {"type": "content", "content": {"type": "text", "text": str(text)}}:
            return _output(call, text)
        case _:
            return None


def _output(call: Mapping[str, Any], text: str) -> RenderableType | None:
    fenced = _FENCED.fullmatch(text)
    inner = fenced[2] if fenced else text
    match call:
        case {"rawInput": {"command": str(command)}}:
            # The title says it already.
            inner = inner.removeprefix(f"$ {command}")
        case _:
            pass
    is_read = call.get("kind") == "read"
    lines = inner.strip("\n").expandtabs().splitlines()
    if not any(lines):
        return None
    shown = "\n".join(bounded(lines, _READ_LINES if is_read else _OUTPUT_LINES, is_tail=not is_read))
    return Text(plain(shown), "dim")


def _diff_rows(old: list[str], new: list[str]) -> Iterator[Text]:
    width = len(str(max(len(old), len(new))))
    for number, group in enumerate(difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(_CONTEXT)):
        if number:
            yield Text("⋮", "dim")
        for kind, i1, i2, j1, j2 in group:
            if kind == "equal":
                yield from (_row(width, j + 1, " ", new[j], "dim") for j in range(j1, j2))
                continue
            yield from (_row(width, i + 1, "-", old[i], "red") for i in range(i1, i2))
            yield from (_row(width, j + 1, "+", new[j], "green") for j in range(j1, j2))


def _row(width: int, number: int, sign: str, line: str, style: str) -> Text:
    return Text.assemble((f"{number:>{width}} ", "dim"), (f"{sign} {plain(line)}", style))
