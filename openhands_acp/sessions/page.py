"""A conversation as one page for a browser, which loads nothing: no script, no font, no picture from elsewhere.

Rules of this file: whatever comes from a conversation goes through `escape`, or through Markdown with
HTML and pictures off; and if something still slipped through, the page's own policy forbids it to run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from html import escape as escape_html
from typing import assert_never

from markdown_it import MarkdownIt

from openhands_acp.display import diff_rows, plain, unfenced
from openhands_acp.engine.events import Card, PlanEntry, Shown, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.messages import Image, Part, Text
from openhands_acp.sessions.shelf import Found
from openhands_acp.sessions.show import caption, facts, spent
from openhands_acp.sessions.story import Asked, Called, Failed, Planned, Said, Scene, Stopped, Thought, Totals

_DIFF_ROWS = 2_000
_OPEN_LINES = 25
"""Output of more lines is folded."""
_PICTURES = re.compile(r"image/(png|jpeg|gif|webp)")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_MARKS = {"completed": "✓", "failed": "✗", "pending": "○", "in_progress": "▸"}
_SIGNS = {" ": "same", "-": "old", "+": "new"}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1f2328; --dim: #59636e; --line: #d1d9e0; --block: #f6f8fa;
  --new: #dafbe1; --old: #ffebe9; --good: #1a7f37; --bad: #cf222e; --you: #0969da; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --dim: #9198a1; --line: #30363d;
  --block: #161b22; --new: #12351f; --old: #40191c; --good: #3fb950; --bad: #f85149; --you: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 60rem; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem; }
dt, .dim, footer { color: var(--dim); }
dd { margin: 0; }
section { margin: 1.1rem 0; }
pre, code, table.diff { font: 13px/1.45 ui-monospace, monospace; }
code { background: var(--block); padding: .1em .3em; border-radius: 4px; }
pre { background: var(--block); padding: .7rem .9rem; border-radius: 6px; overflow-x: auto; margin: .4rem 0;
  white-space: pre-wrap; }
pre code { background: none; padding: 0; }
.you { border-left: 3px solid var(--you); padding-left: .9rem; white-space: pre-wrap; font-weight: 600; }
.you img { display: block; max-width: 100%; margin: .5rem 0; }
.thought { color: var(--dim); font-style: italic; white-space: pre-wrap; }
.said table, .said th, .said td { border: 1px solid var(--line); border-collapse: collapse; padding: .2rem .6rem; }
.call > p { margin: 0; font-weight: 600; }
.call > p b { margin-right: .4rem; }
.completed > p b { color: var(--good); }
.failed > p b, .error { color: var(--bad); }
summary { color: var(--dim); cursor: pointer; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
table.diff { border-collapse: collapse; width: 100%; }
table.diff td { padding: 0 .6rem; white-space: pre-wrap; vertical-align: top; }
table.diff td:first-child { color: var(--dim); text-align: right; width: 1%; user-select: none; white-space: nowrap; }
tr.new { background: var(--new); } tr.old { background: var(--old); } tr.gap { color: var(--dim); }
ul.plan { list-style: none; padding-left: 0; }
"""

# Markdown of a model: no HTML of its own, and no pictures, which a browser would fetch.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def page(found: Found, summed: Totals, scenes: Iterator[Scene], notes: Sequence[str]) -> str:
    """Write the whole page."""
    title = escape(found.title)
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(found, summed))
    told = "".join(f'<p class="dim">Note: {escape(note)}</p>' for note in notes)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head>",
            f"<body><header><h1>{title}</h1><dl>{rows}</dl>{told}</header><main>",
            *(_scene(scene) for scene in scenes),
            f"</main><footer>{escape(spent(summed))}</footer></body></html>",
            "",
        ]
    )


def escape(text: str) -> str:
    """Spell text so that a browser shows it and does nothing else."""
    return escape_html(plain(text))


def _scene(scene: Scene) -> str:
    match scene:
        case Asked(parts):
            return f'<section class="you">{"".join(map(_part, parts))}</section>'
        case Said(text):
            return f'<section class="said">{_MARKDOWN.render(plain(text))}</section>'
        case Thought(text):
            return f'<section class="thought">{escape(text.strip())}</section>'
        case Called(card, status, shown, decision):
            sign = "$ " if card.kind == "execute" else ""
            asked = f' <span class="dim">({escape(decision)})</span>' if decision else ""
            heading = f"<p><b>{_MARKS[status]}</b>{sign}{escape(card.title)}{asked}</p>"
            body = "".join(_shown(item, card) for item in shown)
            return f'<section class="call {status}">{heading}{body}</section>'
        case Planned(entries, _):
            return f'<section><ul class="plan">{"".join(map(_entry, entries))}</ul></section>'
        case Failed(text):
            return f'<section class="error">✗ {escape(text)}</section>'
        case Stopped():
            return '<section class="dim">■ stopped</section>'
        case _:
            assert_never(scene)


def _part(part: Part) -> str:
    match part:
        case Text(text):
            return f"<div>{escape(text.strip())}</div>"
        case Image(mime_type, data):
            if _PICTURES.fullmatch(mime_type) and _BASE64.fullmatch(data):
                return f'<img alt="{escape(caption(part))}" src="data:{mime_type};base64,{data}">'
            return f'<div class="dim">{escape(caption(part))}</div>'
        case _:
            assert_never(part)


def _entry(entry: PlanEntry) -> str:
    return f"<li>{_MARKS[entry.status]} {escape(entry.content)}</li>"


def _shown(item: Shown, card: Card) -> str:
    match item:
        case ShownText(text):
            return _output(unfenced(text))
        case ShownCommand(line, output):
            whole = f"<pre>{escape(line.strip())}</pre>" if "\n" in line.strip() else ""
            return whole + _output(output or "")
        case ShownDiff(path, old, new):
            named = "" if os.path.basename(path) in card.title else f'<div class="dim">{escape(path)}</div>'
            return named + _diff(old or "", new)
        case _:
            assert_never(item)


def _output(text: str) -> str:
    text = text.strip("\n")
    if not text.strip():
        return ""
    count = text.count("\n") + 1
    block = f"<pre>{escape(text)}</pre>"
    return block if count <= _OPEN_LINES else f"<details><summary>{count} lines</summary>{block}</details>"


def _diff(old: str, new: str) -> str:
    rows = list(diff_rows(old, new))
    left_out = len(rows) - _DIFF_ROWS
    lines = [
        '<tr class="gap"><td></td><td>⋮</td></tr>'
        if row.sign == "⋮"
        else f'<tr class="{_SIGNS[row.sign]}"><td>{row.number}</td><td>{row.sign} {escape(row.line)}</td></tr>'
        for row in rows[:_DIFF_ROWS]
    ]
    lines += [f'<tr class="gap"><td></td><td>… {left_out} more lines</td></tr>'] if left_out > 0 else []
    return f'<div class="scroll"><table class="diff">{"".join(lines)}</table></div>'
