"""Lists and conversations as a terminal shows them. Pure: from what was found to what Rich prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from textwrap import dedent
from typing import assert_never

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from openhands_acp import display
from openhands_acp.engine.cards import Card, Shown, ShownCommand, ShownDiff, ShownSound, ShownText
from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import Image, Part
from openhands_acp.engine.messages import Text as TextPart
from openhands_acp.engine.usage.cost import dollars
from openhands_acp.sessions.scenes import (
    Amount,
    Asked,
    Attached,
    Began,
    Called,
    Ended,
    Failed,
    Planned,
    Said,
    Scene,
    Stopped,
    Summed,
    Thought,
    Totals,
)
from openhands_acp.sessions.shelf import Found

_SHORT_ID = 8
_PROMPT_LINES = 60
_TOLD_LINES = 40
_THOUGHT = 2_000
"""Characters."""
_WHEN = "Jan 01 12:00"
_GAP = 2
_MINUTE = 60
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
    longest = max((cell_len(_title(found).plain) for found in sessions), default=0)
    widths = [length, max(min(longest, room - for_folder), _NARROW), len(_WHEN), max(map(len, sizes), default=0)]
    widths += [for_folder] if with_folder else []
    # Not Rich's own table, which looks at each cell three times: it took most of the time of a long list.
    heads = [Text(name, "bold") for name in ("ID", "Title", "Last", "Size".rjust(widths[3]), "Folder")]
    rows = [_row(heads[: len(widths)], widths)]
    rows.append(Text("─" * (sum(widths) + _GAP * (len(widths) - 1)), no_wrap=True, overflow="crop"))
    for found, path, count in zip(sessions, folders, sizes, strict=True):
        last, count_ = Text(_day(found.summary.updated_at, now), "dim"), Text(count.rjust(widths[3]), "dim")
        cells = [Text(found.id[:length], "cyan"), _title(found), last, count_]
        rows.append(_row([*cells, *([Text(_end(path, for_folder), "dim")] if with_folder else [])], widths))
    return Group(*rows)


def _row(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    row = Text(no_wrap=True, overflow="crop")
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        cell.truncate(width, overflow="ellipsis", pad=True)
        row.append_text(cell)
        row.append(" " * _GAP if number < len(widths) - 1 else "")
    return row


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


def _span(began: datetime | None, updated: datetime) -> str:
    """Write from when to when, with the zone: a page is read elsewhere, too."""
    start, end = when(began or updated), when(updated)
    until = "" if start == end else f" to {end[11:] if start[:10] == end[:10] else end}"
    return f"{start}{until} {updated.astimezone():%Z}"


def size(found: Found) -> str:
    # Of OpenHands' own nobody has counted them.
    return f"{found.summary.messages} msg" if found.summary.messages is not None else ""


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
    yield Text(f"in all {spent(summed.used)}" if _is_any(summed.used) else spent(summed.used), "dim")


def spent(used: Amount) -> str:
    if not _is_any(used):
        return "no model call is on record"
    cost = "" if used.cost_usd is None else f" · {dollars(used.cost_usd)}"
    return f"{used.input_tokens:,} tokens in · {used.output_tokens:,} out{cost}"


def _is_any(used: Amount) -> bool:
    return bool(used.input_tokens or used.output_tokens)


def lasted(took: timedelta) -> str:
    """Write how long something took: seconds, or hours and minutes."""
    seconds = round(took.total_seconds())
    if seconds < _MINUTE:
        return f"{seconds} s" if seconds else "under 1 s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def facts(found: Found, summed: Totals) -> list[tuple[str, str]]:
    """List what is known of a session as a whole, by name."""
    rows = [("session", found.id), ("folder", folder(found)), ("when", _span(summed.began, found.summary.updated_at))]
    rows += [("model", summed.model)] if summed.model else []
    rows += [("mode", summed.mode)] if summed.mode else []
    rows += [("from", "OpenHands (only read)")] if found.is_openhands else []
    return [(name, display.plain(value)) for name, value in rows]


def counted(text: str) -> str:
    lines = len(text.splitlines())
    return f"{lines:,} line{'' if lines == 1 else 's'}"


def caption(part: Image) -> str:
    return f"(image: {display.plain(part.mime_type)}, {len(part.data) * 3 // 4:,} bytes)"


def printed(text: str, card: Card) -> str | None:
    """Return what stands in a code block, of what was read without the margin of its numbers; None for Markdown."""
    shown = display.unfenced(text)
    return None if shown == text else dedent(shown.expandtabs()) if card.kind == "read" else shown


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
        case Began(number, at, news):
            told = " · ".join([str(number), when(at), *map(display.plain, news)])
            return Rule(Text(told, "dim"), align="left", style="dim")
        case Asked(parts):
            return display.marked("❯", "bold green", _prompt(parts))
        case Said() | Thought() | Summed():
            return _words(scene)
        case Called():
            body = _body(scene)
            return Group(_heading(scene), display.indented(body)) if body is not None else _heading(scene)
        case Planned(entries, before):
            return display.plan(_pairs(entries), _pairs(before))
        case Failed(text):
            return display.marked("✗", "bold red", Text(display.plain(text), "red"))
        case Stopped():
            return display.marked("■", "yellow", Text("stopped", "yellow"))
        case Ended(took, used):
            return Text(f"{lasted(took)} · {spent(used)}", "dim")
        case _:
            assert_never(scene)


def _words(scene: Said | Thought | Summed) -> RenderableType:
    match scene:
        case Said(text):
            return display.said(text)
        case Thought(text) | Summed(text):
            return display.thought(display.begun(text.strip(), _THOUGHT))
        case _:
            assert_never(scene)


def _prompt(parts: Sequence[Part | Attached]) -> RenderableType:
    rows: list[RenderableType] = []
    for part in parts:
        match part:
            case TextPart(text):
                lines = display.bounded(display.plain(text).strip().splitlines(), _PROMPT_LINES, is_tail=False)
                rows.append(Text("\n".join(lines), "bold"))
            case Image():
                rows.append(Text(caption(part), "dim"))
            case Attached():
                rows.append(Text(f"({display.plain(part.name)}, {counted(part.text)})", "dim"))
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
            letters = printed(text, card)
            return _told(text) if letters is None else display.output(letters, is_read=card.kind == "read")
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


def _told(text: str) -> RenderableType | None:
    lines = text.strip().splitlines()
    shown = "\n".join(display.bounded(lines, _TOLD_LINES, is_tail=False))
    return display.markdown(shown, keeps_lines=True) if lines else None


def _pairs(entries: Sequence[PlanEntry]) -> list[tuple[str, str]]:
    return [(entry.content, entry.status) for entry in entries]
