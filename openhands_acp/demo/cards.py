"""Tool calls, plans and usage as they look in a terminal. Pure: from what the wire says to what Rich prints."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from openhands_acp import display


def heading(call: Mapping[str, Any]) -> RenderableType:
    mark, style = display.STATUS.get(str(call.get("status")), display.STATUS["pending"])
    return display.marked(mark, style, title(call))


def title(call: Mapping[str, Any]) -> Text:
    return display.call_title(str(call.get("title", "?")), is_command=call.get("kind") == "execute")


def body(call: Mapping[str, Any], *, with_diff: bool = True) -> RenderableType | None:
    """Show what belongs beneath a call's title: output, bounded, and diffs."""
    parts = [part for item in call.get("content") or () if (part := _content(call, item, with_diff=with_diff))]
    return display.indented(Group(*parts)) if parts else None


def plan(entries: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """Return the whole plan when it is new, else only the lines that changed."""
    return display.plan(_pairs(entries), _pairs(before))


def usage(update: Mapping[str, Any]) -> str:
    text = f"{update['used']:,} of {update['size']:,} tokens"
    match update:
        case {"cost": {"amount": float(amount) | int(amount)}}:
            return f"{text} · ${amount:.4f}"
        case _:
            return text


def _pairs(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(str(entry.get("content", "")), str(entry.get("status"))) for entry in entries]


def _content(call: Mapping[str, Any], item: Mapping[str, Any], *, with_diff: bool) -> RenderableType | None:
    match item:
        case {"type": "diff", "path": str(path), "newText": str(new)}:
            shown = display.diff(item.get("oldText") or "", new) if with_diff else None
            is_named = os.path.basename(path) in str(call.get("title"))
            return shown if is_named or shown is None else Group(Text(display.plain(path), "dim"), shown)
        case {"type": "content", "content": {"type": "text", "text": str(text)}}:
            return _output(call, text)
        case _:
            return None


def _output(call: Mapping[str, Any], text: str) -> RenderableType | None:
    inner = display.unfenced(text)
    match call:
        case {"rawInput": {"command": str(command)}}:
            # The title says it already.
            inner = inner.removeprefix(f"$ {command}")
        case _:
            pass
    return display.output(inner, is_read=call.get("kind") == "read")
