"""What differs between two states of the files, for a person: as a card with diffs, and as one text.

Reads contents through `Snapshots`; does not know why anything changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from openhands_acp.engine.cards import Card, Location, Shown, ShownDiff, ShownText
from openhands_acp.engine.checkpoints.diffs import mode_note
from openhands_acp.engine.checkpoints.snapshots import Change, FileState, Snapshots
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.spelling import lf

_MOST = 20
"""Files of one card whose contents are shown."""
_LARGE = 100_000
"""Characters of one file that are shown."""
_ALL = 400_000
"""Characters of one card."""
_NAMED = 50
"""Files that are named besides."""
_LINES = 600
"""Lines of a text with all diffs."""


_OF_TOOLS = frozenset(
    "__pycache__ .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache node_modules .venv venv .tox .nox".split()
)


def is_covered(change: Change) -> bool:
    """Tell whether both sides of it can be brought back."""
    return not any(state is not None and state.kind == "left_out" for state in (change.before, change.after))


def is_file(change: Change) -> bool:
    """Tell whether a file or a link is part of it, and not only a folder."""
    return is_covered(change) and any(
        s is not None and s.kind in ("file", "link") for s in (change.before, change.after)
    )


def work_in(changes: Sequence[Change]) -> list[Change]:
    """Return the files that changed, but for what tools keep for themselves: who runs tests has changed nothing."""
    return [change for change in changes if is_file(change) and not _is_of_tools(change)]


def count_of(changes: Sequence[Change]) -> int:
    """Count the files that changed (`work_in`); of folders alone, those."""
    folders = (change for change in changes if is_covered(change) and not _is_of_tools(change))
    return len(work_in(changes)) or len(list(folders))


def _is_of_tools(change: Change) -> bool:
    return not _OF_TOOLS.isdisjoint(change.path.split(os.sep))


def names_of(paths: Iterable[AbsPath], root: AbsPath, most: int = _NAMED) -> str:
    """List paths as Markdown, the first of many."""
    listed = list(paths)
    lines = [f"- `{shortened(path, root)}`" for path in listed[:most]]
    return "\n".join([*lines, f"- and {len(listed) - most:,} more"] if len(listed) > most else lines)


@dataclass(frozen=True, slots=True)
class Looked:
    """A file before and after, as far as it is text."""

    path: AbsPath
    old: str | None
    new: str | None
    note: str
    """What differs besides the text; why no text is shown."""
    is_text: bool


async def look(
    snapshots: Snapshots, changes: Sequence[Change], instead: Mapping[AbsPath, str | None] | None = None
) -> list[Looked]:
    """Read what changed, up to a bound. `instead` is the text that counts as the one before, by path.

    Raises SnapshotError.
    """
    looked: list[Looked] = []
    size = 0
    for change in changes:
        before, after, has_other = change.before, change.after, change.path in (instead or {})
        old = (instead or {})[change.path] if has_other else await _text(snapshots, before)
        new = await _text(snapshots, after)
        is_lacking = (old is None and before is not None and not has_other) or (new is None and after is not None)
        size += len(old or "") + len(new or "")
        note = ""
        if before is not None and after is not None and before.kind == after.kind == "file":
            note = mode_note(before.mode, after.mode)
        if is_lacking or size > _ALL:
            what = "removed" if after is None else "new" if before is None else "changed"
            looked.append(Looked(change.path, None, None, f"{what}, not shown: no text, or too much", is_text=False))
        else:
            looked.append(Looked(change.path, old, new, note, is_text=True))
        if len(looked) == _MOST:
            break
    return looked


async def card_of(
    snapshots: Snapshots, changes: Sequence[Change], root: AbsPath, title: str, written: Mapping[AbsPath, str | None]
) -> Card | None:
    """Show what changed but for what was `written` and shown already; None if that was all. Raises SnapshotError.

    What tools keep for themselves is left out: after every run of tests nobody wants to be told of their caches.
    """
    files = work_in(changes)
    fresh = [
        change
        for change in files
        if change.path not in written or await _text(snapshots, change.after) not in (None, written[change.path])
    ]
    if not fresh:
        return None
    looked = await look(snapshots, fresh, written)
    what = shortened(fresh[0].path, root) if len(fresh) == 1 else f"{len(fresh):,} files"
    locations = tuple(Location(change.path) for change in fresh[:_MOST] if change.after is not None)
    return Card(f"{title}: {what}", "edit", locations, shown(looked, [c.path for c in fresh], root))


def shown(looked: Sequence[Looked], paths: Sequence[AbsPath], root: AbsPath) -> tuple[Shown, ...]:
    """Make of it what a card shows; of the paths beyond, only the names."""
    items: list[Shown] = [
        ShownDiff(item.path, item.old, item.new, note=item.note)
        if item.is_text
        else ShownText(f"`{shortened(item.path, root)}`: {item.note}")
        for item in looked
    ]
    rest = paths[len(looked) :]
    return (*items, ShownText(f"And without their contents:\n\n{names_of(rest, root)}")) if rest else tuple(items)


def as_patch(looked: Sequence[Looked], root: AbsPath) -> str:
    """Write one unified diff, as git does, down to a bound that it names."""
    lines = [line for item in looked for line in _patch(item, shortened(item.path, root))]
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"… {len(lines) - _LINES:,} more lines are left out here"]
    return "\n".join(lines)


def _patch(item: Looked, name: str) -> Iterable[str]:
    name = name.replace(os.sep, "/")
    yield f"diff --git a/{name} b/{name}"
    if not item.is_text:
        yield f"({item.note})"
        return
    yield from ["new file"] if item.old is None else ["deleted file"] if item.new is None else []
    yield from [f"({item.note})"] if item.note else []
    old, new = _lines(item.old), _lines(item.new)
    before, after = "/dev/null" if item.old is None else f"a/{name}", "/dev/null" if item.new is None else f"b/{name}"
    for line in unified_diff(old, new, before, after):
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str | None) -> list[str]:
    *lines, last = (text or "").split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])


async def _text(snapshots: Snapshots, state: FileState | None) -> str | None:
    """Return a file's text as a person reads it, or where a link leads; None for what is no text, or too long."""
    if state is None or state.kind not in ("file", "link"):
        return None
    data = await snapshots.content(state)
    if len(data) > _LARGE or b"\0" in data:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return f"(a link to {text})\n" if state.kind == "link" else lf(text)
