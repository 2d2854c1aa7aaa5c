"""Lists and conversations as a terminal shows them. Pure: from what was found to what Rich prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from textwrap import dedent
from typing import assert_never

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from openhands_acp import display
from openhands_acp.engine.cards import Card, Shown, ShownCommand, ShownDiff, ShownSound, ShownText
from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import Image, Part
from openhands_acp.engine.messages import Text as TextPart
from openhands_acp.sessions.shelf import Found
from openhands_acp.sessions.story import Asked, Called, Failed, Planned, Said, Scene, Stopped, Thought, Totals

_SHORT_ID = 8
_PROMPT_LINES = 60
_WHEN = "Jan 01 12:00"
_GAP = 2
_NARROW = 8
"""Columns that a title or a folder keeps even where there is no room."""


def table(sessions: Sequence[Found], width: int, now: datetime, *, with_folder: bool) -> RenderableType:
    """Show a list in `width` columns; ids are as short as they can be told apart, titles and folders as they must."""
    length = _telling_apart([found.id for found in sessions])
    folders = [display.plain(folder(found)) if with_folder else "" for found in sessions]
    sizes = [size(found) for found in sessions]
    gaps = _GAP * (4 if with_folder else 3)
    room = width - length - len(_WHEN) - max(map(len, sizes), default=0) - gaps
    for_folder = min(max(map(cell_len, folders), default=0), max(room // 3, _NARROW))
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, _GAP - 1, 0, 0), pad_edge=False)
    shown.add_column("ID", style="cyan", no_wrap=True, min_width=length)
    shown.add_column("Title", no_wrap=True, overflow="ellipsis", max_width=max(room - for_folder, _NARROW))
    shown.add_column("Last", style="dim", no_wrap=True, min_width=len(_WHEN))
    shown.add_column("Size", style="dim", justify="right", no_wrap=True)
    if with_folder:
        shown.add_column("Folder", style="dim", no_wrap=True, overflow="ellipsis", max_width=for_folder)
    for found, path, count in zip(sessions, folders, sizes, strict=True):
        row: list[RenderableType] = [found.id[:length], _title(found), _day(found.summary.updated_at, now), count]
        shown.add_row(*row, *([Text(_end(path, for_folder))] if with_folder else []))
    return shown


def _day(time: datetime, now: datetime) -> str:
    """Write a time as `ls -l` does: of this year with the hour, else with the year."""
    local = time.astimezone()
    return f"{local:%b %d %H:%M}" if local.year == now.astimezone().year else f"{local:%b %d  %Y}"


def _end(path: str, room: int) -> str:
    """Cut a path at its beginning: folders of one person differ at the end."""
    if cell_len(path) <= room:
        return path
    while cell_len(path) >= room:
        path = path[1:]
    return f"…{path}"


def _title(found: Found) -> Text:
    title = Text(display.plain(found.title))
    return Text.assemble(("OpenHands ", "magenta"), title) if found.is_openhands else title


def when(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


def size(found: Found) -> str:
    # Of OpenHands' own only the files are counted.
    return f"{found.summary.messages} {'ev' if found.is_openhands else 'msg'}"


def folder(found: Found) -> str:
    """Return where a session works, as a person writes it."""
    path = next(iter(found.summary.roots), "")
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path == home or path.startswith(home + os.sep) else path


def conversation(
    found: Found, summed: Totals, scenes: Iterator[Scene], notes: Sequence[str]
) -> Iterator[RenderableType]:
    """Tell a session from its beginning to its end, one block after another."""
    yield _head(found, summed)
    for note in notes:
        yield display.marked("!", "bold yellow", Text(display.plain(note), "yellow"))
    was_line = False
    for scene in scenes:
        block = _scene(scene)
        if block is None:
            continue
        # Calls of one line stay close together.
        is_line = isinstance(scene, Called) and _body(scene) is None
        if not (was_line and is_line):
            yield Text("")
        yield block
        was_line = is_line
    yield Text("")
    yield Text(spent(summed), "dim")


def spent(summed: Totals) -> str:
    if not summed.input_tokens and not summed.output_tokens:
        return "no model call is on record"
    cost = "" if summed.cost_usd is None else f" · ${summed.cost_usd:.4f}"
    return f"{summed.input_tokens:,} tokens in · {summed.output_tokens:,} out{cost}"


def facts(found: Found, summed: Totals) -> list[tuple[str, str]]:
    """List what is known of a session as a whole, by name."""
    rows = [("session", found.id), ("folder", folder(found)), ("when", when(found.summary.updated_at))]
    rows += [("model", summed.model)] if summed.model else []
    rows += [("mode", summed.mode)] if summed.mode else []
    rows += [("from", "OpenHands (only read)")] if found.is_openhands else []
    return [(name, display.plain(value)) for name, value in rows]


def caption(part: Image) -> str:
    return f"(image: {display.plain(part.mime_type)}, {len(part.data) * 3 // 4:,} bytes)"


def printed(text: str, card: Card) -> str:
    """Return what a tool told without the fence, and what was read without the margin of its line numbers."""
    shown = display.unfenced(text)
    return dedent(shown.expandtabs()) if card.kind == "read" else shown


def _head(found: Found, summed: Totals) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    for name, value in facts(found, summed):
        rows.add_row(Text(name, "dim"), Text(value))
    return Group(Text(display.plain(found.title), "bold"), rows)


def _telling_apart(ids: Sequence[str]) -> int:
    return next((length for length in range(_SHORT_ID, 37) if len({each[:length] for each in ids}) == len(ids)), 36)


# ---------------------------------------------------------------- scenes


def _scene(scene: Scene) -> RenderableType | None:
    match scene:
        case Asked(parts):
            return display.marked("❯", "bold green", _prompt(parts))
        case Said(text):
            return display.said(text)
        case Thought(text):
            return display.thought(text)
        case Called():
            body = _body(scene)
            return Group(_heading(scene), display.indented(body)) if body is not None else _heading(scene)
        case Planned(entries, before):
            return display.plan(_pairs(entries), _pairs(before))
        case Failed(text):
            return display.marked("✗", "bold red", Text(display.plain(text), "red"))
        case Stopped():
            return display.marked("■", "yellow", Text("stopped", "yellow"))
        case _:
            assert_never(scene)


def _prompt(parts: Sequence[Part]) -> RenderableType:
    rows: list[RenderableType] = []
    for part in parts:
        match part:
            case TextPart(text):
                lines = display.bounded(display.plain(text).strip().splitlines(), _PROMPT_LINES, is_tail=False)
                rows.append(Text("\n".join(lines), "bold"))
            case Image():
                rows.append(Text(caption(part), "dim"))
            case _:
                assert_never(part)
    return Group(*rows)


def _heading(call: Called) -> RenderableType:
    mark, style = display.STATUS[call.status]
    title = display.call_title(call.card.title, is_command=call.card.kind == "execute")
    decision = f"  ({call.decision})" if call.decision else ""
    return display.marked(mark, style, Text.assemble(title, (decision, "dim not bold")))


def _body(call: Called) -> RenderableType | None:
    parts = [part for item in call.shown if (part := _shown(item, call.card)) is not None]
    parts += [Text(caption(image), "dim") for image in call.images]
    return Group(*parts) if parts else None


def _shown(item: Shown, card: Card) -> RenderableType | None:
    match item:
        case ShownText(text):
            return display.output(printed(text, card), is_read=card.kind == "read")
        case ShownCommand(line, output):
            # A title is one line; whoever wants to know what ran wants all of them.
            whole = [Text(display.plain(line.strip()))] if "\n" in line.strip() else []
            below = display.output(output, is_read=False) if output else None
            rows = [*whole, *([below] if below is not None else [])]
            return Group(*rows) if rows else None
        case ShownDiff(path, old, new):
            is_named = os.path.basename(path) in card.title
            above = [*([item.besides] if item.besides else []), *([] if is_named else [path])]
            return Group(*(Text(display.plain(words), "dim") for words in above), display.diff(old or "", new or ""))
        case ShownSound():
            return None
        case _:
            assert_never(item)


def _pairs(entries: Sequence[PlanEntry]) -> list[tuple[str, str]]:
    return [(entry.content, entry.status) for entry in entries]
