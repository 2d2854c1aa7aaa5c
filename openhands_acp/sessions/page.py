"""A conversation as one page for a browser, which loads nothing: no script, no font, no picture from elsewhere.

Rules of this file: whatever comes from a conversation goes through `escape`, or through Markdown with
HTML and pictures off; and if something still slipped through, the page's own policy forbids it to run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape as escape_html
from typing import assert_never

from markdown_it import MarkdownIt

from openhands_acp.display import Row, diff_rows, plain
from openhands_acp.engine.cards import Card, Shown, ShownCommand, ShownDiff, ShownSound, ShownText
from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import Image, Part, Text
from openhands_acp.sessions.page_style import POLICY, STYLE
from openhands_acp.sessions.scenes import (
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
from openhands_acp.sessions.show import caption, counted, facts, lasted, printed, spent, when

_DIFF_ROWS = 2_000
_OPEN_LINES = 25
"""Output of more lines is folded, but for its end."""
_END_LINES = 10
_OPEN_CHARACTERS = 3_000
"""Of output in fewer lines."""
_OPEN_PROMPT = 40
_OPEN_THOUGHT = 600
"""Characters."""
_NAME = 90
"""Characters of a heading in the contents, and of a thought that is folded."""
_TURNS = 3
"""So many want a list of contents."""
_PICTURES = re.compile(r"image/(png|jpeg|gif|webp)")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_MARKS = {"completed": "✓", "failed": "✗", "pending": "○", "in_progress": "▸"}
_SIGNS = {" ": "same", "-": "old", "+": "new"}

# Markdown of a model: no HTML of its own, and no pictures, which a browser would fetch.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
# What tools tell in lines stays in lines.
_LINES = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")


def page(found: Found, summed: Totals, scenes: Iterator[Scene], notes: Sequence[str]) -> str:
    """Write the whole page."""
    title = escape(found.title)
    known = [*facts(found, summed), ("used", spent(summed.used))]
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in known)
    told = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    turns = list(_turns(scenes))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{STYLE}</style></head>",
            f"<body><header><h1>{title}</h1><dl>{rows}</dl>{told}{_contents(turns)}</header><main>",
            *map(_turn, turns),
            "</main></body></html>",
            "",
        ]
    )


@dataclass(slots=True)
class _Turn:
    began: Began | None
    """None: what stands before the first."""
    scenes: list[Scene]


def _turns(scenes: Iterator[Scene]) -> Iterator[_Turn]:
    turn = _Turn(None, [])
    for scene in scenes:
        if isinstance(scene, Began):
            if turn.began is not None or turn.scenes:
                yield turn
            turn = _Turn(scene, [])
        else:
            turn.scenes.append(scene)
    if turn.began is not None or turn.scenes:
        yield turn


def _contents(turns: Sequence[_Turn]) -> str:
    numbered = [(turn.began.number, _named(turn)) for turn in turns if turn.began is not None]
    if len(numbered) < _TURNS:
        return ""
    items = "".join(f'<li value="{number}"><a href="#turn-{number}">{name}</a></li>' for number, name in numbered)
    return f"<nav>{_folded(f'{len(numbered)} turns', f'<ol>{items}</ol>')}</nav>"


def _named(turn: _Turn) -> str:
    """Name a turn by what the person said in it first."""
    asked = (part for scene in turn.scenes if isinstance(scene, Asked) for part in scene.parts)
    texts = (part.text.strip() for part in asked if isinstance(part, Text))
    return escape(_begun(next(filter(None, texts), "…")))


def _begun(text: str) -> str:
    line = " ".join(text[: 2 * _NAME].split())
    return line if len(line) <= _NAME else f"{line[:_NAME].rstrip()}…"


def _turn(turn: _Turn) -> str:
    body = "\n".join(map(_scene, turn.scenes))
    if turn.began is None:
        return body
    number, at = turn.began.number, turn.began.at
    time = f'<time datetime="{at.isoformat()}">{when(at)}</time>'
    news = "".join(f"<span>{escape(each)}</span>" for each in turn.began.news)
    heading = f'<h2><a href="#turn-{number}">{number}</a>{time}{news}</h2>'
    return f'<article id="turn-{number}">{heading}\n{body}</article>'


def escape(text: str) -> str:
    """Spell text so that a browser shows it and does nothing else."""
    return escape_html(plain(text))


def _scene(scene: Scene) -> str:
    match scene:
        case Asked(parts):
            return f'<section class="asked">{"".join(map(_part, parts))}</section>'
        case Said() | Thought() | Summed():
            return _words(scene)
        case Called():
            return _call(scene)
        case Planned(entries, before):
            changed = [entry for entry in entries if entry not in before]
            return f'<section><ul class="plan">{"".join(map(_entry, changed))}</ul></section>' if changed else ""
        case Failed(text):
            return f'<section class="error">✗ {_MARKDOWN.renderInline(plain(text))}</section>'
        case Stopped():
            return '<section class="dim">■ stopped</section>'
        case Ended(took, used):
            return f"<footer>{lasted(took)} · {spent(used)}</footer>"
        case Began():
            # A turn of its own, or a sub-agent's, which has none.
            return ""
        case _:
            assert_never(scene)


def _words(scene: Said | Thought | Summed) -> str:
    match scene:
        case Said(text):
            return f'<section class="said">{_MARKDOWN.render(plain(text))}</section>'
        case Thought(text):
            return f'<section class="thought">{_thought(text.strip())}</section>'
        case Summed(text):
            body = f'<div class="said">{_LINES.render(plain(text))}</div>'
            return f'<section class="summed">{_folded("The summary that the model goes on with", body)}</section>'
        case _:
            assert_never(scene)


def _part(part: Part | Attached) -> str:
    match part:
        case Text(text):
            lines = text.strip().splitlines()
            more = len(lines) - _OPEN_PROMPT
            if more <= 1:
                return f"<div>{escape(text.strip())}</div>"
            beginning, rest = "\n".join(lines[:_OPEN_PROMPT]), "\n".join(lines[_OPEN_PROMPT:])
            return f"<div>{escape(beginning)}</div>{_folded(f'{more} more lines', f'<div>{escape(rest)}</div>')}"
        case Image(mime_type, data):
            if _PICTURES.fullmatch(mime_type) and _BASE64.fullmatch(data):
                return f'<img alt="{escape(caption(part))}" src="data:{mime_type};base64,{data}">'
            return f'<div class="dim">{escape(caption(part))}</div>'
        case Attached(name, text):
            return _folded(f"{escape(name)}, {counted(text)}", _block(text.splitlines()))
        case _:
            assert_never(part)


def _thought(text: str) -> str:
    shown = f"<div>{escape(text)}</div>"
    return shown if len(text) <= _OPEN_THOUGHT else _folded(escape(_begun(text)), shown)


def _entry(entry: PlanEntry) -> str:
    return f'<li class="{entry.status}"><b>{_MARKS[entry.status]}</b>{escape(entry.content)}</li>'


# ---------------------------------------------------------------- calls


def _call(call: Called) -> str:
    title = escape(call.card.title)
    named = f"<code>$ {title}</code>" if call.card.kind == "execute" else f"<span>{title}</span>"
    asked = f"<small>{escape(call.decision)}</small>" if call.decision else ""
    # Once for both: comparing long files takes a while.
    compared = [item for item in call.shown if isinstance(item, ShownDiff)]
    diffs = {item: list(diff_rows(item.old or "", item.new or "")) for item in compared}
    body = "".join([*(_shown(item, call.card, diffs) for item in call.shown), *map(_part, call.images), _inner(call)])
    heading = f"<p><b>{_MARKS[call.status]}</b>{named}{_counts(diffs)}{asked}</p>"
    return f'<section class="call {call.status}">{heading}{body}</section>'


def _inner(call: Called) -> str:
    scenes = "\n".join(map(_scene, call.inner))
    return _folded("All that it said and did", f'<div class="inner">{scenes}</div>') if call.inner else ""


def _counts(diffs: Mapping[ShownDiff, Sequence[Row]]) -> str:
    """Tell how many lines came and went, as readers of diffs are used to."""
    new, old = (sum(row.sign == sign for rows in diffs.values() for row in rows) for sign in "+-")
    counts = [f"<ins>+{new}</ins>"] * bool(new) + [f"<del>−{old}</del>"] * bool(old)
    return f"<small>{' '.join(counts)}</small>" if counts else ""


def _shown(item: Shown, card: Card, diffs: Mapping[ShownDiff, Sequence[Row]]) -> str:
    match item:
        case ShownText(text):
            letters = printed(text, card)
            # Of what was read, the end says no more than the rest.
            return _told(text) if letters is None else _output(letters, 0 if card.kind == "read" else _END_LINES)
        case ShownCommand(line, output):
            whole = f'<pre class="line">{escape(line.strip())}</pre>' if "\n" in line.strip() else ""
            return whole + _output(output or "", _END_LINES)
        case ShownDiff(path):
            is_named = os.path.basename(path) in card.title
            above = [*([item.besides] if item.besides else []), *([] if is_named else [path])]
            return "".join(f'<div class="path">{escape(words)}</div>' for words in above) + _diff(diffs[item])
        case ShownSound():
            return ""
        case _:
            assert_never(item)


def _told(text: str) -> str:
    if not text.strip():
        return ""
    told = f'<div class="said">{_LINES.render(plain(text))}</div>'
    return told if len(text.splitlines()) <= _OPEN_LINES else _folded(counted(text), told)


def _output(text: str, end: int) -> str:
    lines = text.strip("\n").splitlines()
    if not text.strip():
        return ""
    if len(lines) <= _OPEN_LINES:
        few = _block(lines)
        return few if len(text) <= _OPEN_CHARACTERS else _folded(f"{counted(text)}, {len(text):,} characters", few)
    hidden, shown = lines[: len(lines) - end], lines[len(lines) - end :]
    label = f"{len(hidden)} lines before" if shown else f"{len(lines)} lines"
    return _folded(label, _block(hidden)) + (_block(shown) if shown else "")


def _block(lines: Sequence[str]) -> str:
    joined = "\n".join(lines)
    # The parser drops a line break that follows the tag.
    return f"<pre>\n{escape(joined)}</pre>"


def _folded(label: str, body: str) -> str:
    return f"<details><summary>{label}</summary>{body}</details>"


def _diff(rows: Sequence[Row]) -> str:
    if not rows:
        return '<div class="path">No line differs as it is shown here.</div>'
    left_out = len(rows) - _DIFF_ROWS
    lines = [_GAP if row.sign == "⋮" else _row(row) for row in rows[:_DIFF_ROWS]]
    lines += [f'<tr class="gap"><td></td><td></td><td>… {left_out} more lines</td></tr>'] if left_out > 0 else []
    return f'<div class="scroll"><table class="diff">{"".join(lines)}</table></div>'


_GAP = '<tr class="gap"><td></td><td></td><td>⋮</td></tr>'


def _row(row: Row) -> str:
    number = f"<td>{row.number}</td><td>{row.sign.strip()}</td>"
    return f'<tr class="{_SIGNS[row.sign]}">{number}<td>{escape(row.line)}</td></tr>'
