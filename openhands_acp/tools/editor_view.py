"""How the file editor spells files, changes and folders for the model and the person, bounded.

Pure, but for listing a folder through `Files`. Texts are LF views; line numbers are true ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import unified_diff
from itertools import islice
from pathlib import PurePath
from typing import ParamSpec, TypeVar

from anyio import to_thread

from openhands_acp.engine import spelling
from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.checkpoints.diffs import CONTEXT, without_common_ends
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.ports import DirEntry, Files

WHOLE = 16_000
"""Characters of one view."""
_LINE = 2_000
_PERSON = 8_000
_CHANGE = 6_000
_COMPARABLE = 10_000
"""Lines that difflib gets through in the time a person would wait."""
_CONTEXT = 4
_LARGE = 256 * 1024
"""Characters from which on searching and numbering go to a worker thread."""
_TOP_ENTRIES = 300
_SUB_ENTRIES = 40


P = ParamSpec("P")
R = TypeVar("R")


async def computed(text: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a pure function, in a worker thread if `text` is so large that others would wait."""
    if len(text) <= _LARGE:
        return function(*args, **kwargs)
    return await to_thread.run_sync(lambda: function(*args, **kwargs), abandon_on_cancel=True)


# ---------------------------------------------------------------- lines


def numbered(lines: Sequence[str], first: int = 1, limit: int = WHOLE) -> str:
    """Spell lines as `cat -n` does; leave out the middle beyond `limit` characters, and say so."""
    rows = [_row(number, line) for number, line in enumerate(lines, start=first)]
    if sum(map(len, rows)) + len(rows) <= limit:
        return "\n".join(rows)
    head = _fitting(rows, limit // 2)
    tail = _fitting(reversed(rows[head:]), limit // 2)
    begin, end = first + head, first + len(rows) - tail - 1
    mark = f"[... lines {begin}-{end} are left out here; see them with view_range [{begin}, {end}]]"
    return "\n".join([*rows[:head], mark, *rows[len(rows) - tail :]])


def around(lines: Sequence[str], first: int, last: int, limit: int = _CHANGE) -> str:
    """Spell lines `first` to `last` and a few before and after, as `numbered` does."""
    begin = max(0, first - 1 - _CONTEXT)
    return numbered(lines[begin : last + _CONTEXT], begin + 1, limit)


def changes(old: str, new: str) -> str:
    """Tell the model how `new` differs from `old`, bounded."""
    before, after, skipped = without_common_ends(old, new)
    if len(before) + len(after) > _COMPARABLE:
        return f"[most of the file: lines {skipped + 1}-{skipped + len(after)} are new or different]"
    diff: list[str] = []
    size = 0
    # Only what differs and its surroundings goes in: difflib is slow on what is equal, too.
    for line in islice(unified_diff(before, after, lineterm="", n=CONTEXT), 2, None):
        shown = _hunk_moved(line, skipped) if line.startswith("@@") else _cut(line)
        size += len(shown) + 1
        if size > _CHANGE:
            diff.append("[... more changes; view the file to see them]")
            break
        diff.append(shown)
    return "\n".join(diff)


def _row(number: int, line: str) -> str:
    return f"{number:6}\t{_cut(line)}"


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]} [... {len(line) - _LINE} more characters in this line]"


def _fitting(rows: Iterable[str], limit: int) -> int:
    """Count the rows that fit in `limit` characters."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row) + 1
        if size > limit:
            return count
    raise AssertionError("the rows were longer than twice the limit")


def _hunk_moved(header: str, by: int) -> str:
    return re.sub(r"(?<=[-+])\d+", lambda found: str(int(found[0]) + by), header)


# ---------------------------------------------------------------- for the person


def fenced(text: str) -> ShownText:
    """Show text as it is, whatever Markdown it contains."""
    shown = text if len(text) <= _PERSON else text[: text.rfind("\n", 0, _PERSON) + 1 or _PERSON] + "[...]"
    return ShownText(spelling.fenced(shown))


# ---------------------------------------------------------------- folders


async def folder(files: Files, path: AbsPath, root: AbsPath) -> str:
    """List a folder two levels deep, hidden entries counted, large folders cut."""
    entries = await files.entries(path)
    rows: list[str] = []
    for entry in _visible(entries)[:_TOP_ENTRIES]:
        child = _inside(path, entry)
        rows.append(_entry(child, entry, root))
        if entry.is_dir:
            rows += await _children(files, child, root)
    hidden = len(entries) - len(_visible(entries))
    return "\n".join(
        [
            f"Here's the files and directories up to 2 levels deep in {path}, excluding hidden items:",
            *rows,
            *_left_out(_visible(entries), _TOP_ENTRIES),
            *([f"{hidden} hidden files/directories in this directory are excluded."] if hidden else []),
        ]
    )


async def _children(files: Files, path: AbsPath, root: AbsPath) -> list[str]:
    try:
        entries = _visible(await files.entries(path))
    except OSError as error:
        return [f"  [{error.strerror or error}]"]
    rows = [_entry(_inside(path, each), each, root) for each in entries[:_SUB_ENTRIES]]
    return rows + _left_out(entries, _SUB_ENTRIES)


def _visible(entries: Sequence[DirEntry]) -> list[DirEntry]:
    return [entry for entry in entries if not entry.name.startswith(".")]


def _inside(path: AbsPath, entry: DirEntry) -> AbsPath:
    return AbsPath(str(PurePath(path, entry.name)))


def _entry(path: AbsPath, entry: DirEntry, root: AbsPath) -> str:
    return shortened(path, root) + ("/" if entry.is_dir else "")


def _left_out(entries: Sequence[DirEntry], limit: int) -> list[str]:
    return [f"[... {len(entries) - limit} more here]"] if len(entries) > limit else []
