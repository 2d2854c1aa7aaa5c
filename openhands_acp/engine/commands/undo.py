"""The slash commands about earlier states of the files: what a person types, and what they read."""

from __future__ import annotations

from datetime import UTC, datetime

from openhands_acp.engine.checkpoints.changes import as_patch, count_of, is_file, look, names_of
from openhands_acp.engine.checkpoints.snapshots import Change, SnapshotError, Snapshots
from openhands_acp.engine.checkpoints.timeline import Listed, Step, Timeline, timeline
from openhands_acp.engine.checkpoints.undo import Aim, Outcome, Session, go_back
from openhands_acp.engine.events import CheckpointTaken
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.spelling import fenced

_LISTED = 30


async def undo(session: Session, _argument: str) -> str:
    done = timeline(session.entries).done
    if not done:
        return "There is nothing to undo: no turn of this session has changed a file."
    step = done[-1]
    aim = Aim("undo", f"Undo “{step.title}”", step, is_unsure=step.after is None)
    return await _gone_back(session, aim, f"Undid **{step.title}**", "`/redo` takes this back.")


async def redo(session: Session, _argument: str) -> str:
    undone = timeline(session.entries).undone
    if not undone:
        return "There is nothing to redo: `/redo` takes back an `/undo` after which nothing else changed files."
    last = undone[-1]
    step = Step(last.step.id, last.step.title, last.before, last.after)
    aim = Aim("redo", f"Redo “{step.title}”", step)
    return await _gone_back(session, aim, f"Redid **{step.title}**", "`/undo` takes it back again.")


async def restore(session: Session, argument: str) -> str:
    told = timeline(session.entries)
    target = told.listed.get(argument.strip().lstrip("#"))
    if target is None:
        return "Name a checkpoint by its number: `/restore NUMBER`. `/checkpoints` lists them."
    try:
        theirs, since = await _persons_own(session, target)
    except SnapshotError as error:
        return _failed(error)
    step = Step(target.id, target.title, target.state, None)
    aim = Aim("restore", f"Back to before “{target.title}”", step, is_unsure=since is None, theirs=theirs, since=since)
    return await _gone_back(session, aim, f"Went back to before **{target.title}**", "`/undo` takes this back.")


async def diff(session: Session, _argument: str) -> str:
    told = timeline(session.entries)
    if not told.done:
        return "This session has changed no files."
    try:
        changes = await _all_changes(session.checkpoints.snapshots, told)
        looked = await look(session.checkpoints.snapshots, changes)
    except SnapshotError as error:
        return _failed(error)
    if not changes:
        return "All that this session changed is as it was before."
    parts = [f"**{_files(len(changes))} changed in this session**", fenced(as_patch(looked, session.root), "diff")]
    if rest := changes[len(looked) :]:
        parts.append(f"Left out here:\n\n{names_of([change.path for change in rest], session.root)}")
    return "\n\n".join(parts)


async def checkpoints(session: Session, _argument: str) -> str:
    listed = list(timeline(session.entries).listed.values())
    if not listed:
        return "There are no checkpoints yet: one is made before the first change of each turn."
    older = [f"- and {len(listed) - _LISTED} older ones"] if len(listed) > _LISTED else []
    return "\n".join(
        [
            "**Checkpoints**, each the state of the files before something changed them:",
            "",
            *[_line(item) for item in reversed(listed[-_LISTED:])],
            *older,
            "",
            "`/restore NUMBER` goes to one.",
        ]
    )


# ---------------------------------------------------------------- inside


async def _gone_back(session: Session, aim: Aim, title: str, way_back: str) -> str:
    try:
        outcome = await go_back(session, aim)
    except SnapshotError as error:
        return _failed(error)
    return "\n\n".join([_headline(outcome, title), *_details(outcome, session.root), way_back])


def _headline(outcome: Outcome, title: str) -> str:
    count = count_of(outcome.changed)
    return f"{title}: {_files(count)} changed." if count else f"{title}: there was nothing left to change."


def _details(outcome: Outcome, root: AbsPath) -> list[str]:
    parts: list[str] = []
    names = [_named(change, root) for change in outcome.changed if is_file(change)]
    if names:
        parts.append("\n".join(names[:20] + ([f"- and {len(names) - 20:,} more"] if len(names) > 20 else [])))
    if outcome.kept:
        parts.append(f"Your own changes are kept in:\n\n{names_of(outcome.kept, root)}")
    if outcome.failed:
        reasons = [f"- `{shortened(path, root)}`: {reason}" for path, reason in list(outcome.failed.items())[:20]]
        parts.append("Could not be put back:\n\n" + "\n".join(reasons))
    if outcome.uncovered:
        parts.append(
            "Left as it is, because it is too large, too much or not an ordinary file to be kept:\n\n"
            + names_of(outcome.uncovered, root)
        )
    return parts


def _named(change: Change, root: AbsPath) -> str:
    what = " (removed)" if change.after is None else " (back again)" if change.before is None else ""
    return f"- `{shortened(change.path, root)}`{what}"


async def _all_changes(snapshots: Snapshots, told: Timeline) -> list[Change]:
    """Return what this session changed in all, in its net effect: what the person changed elsewhere is left out."""
    now = (await snapshots.begin().done()).id
    found: dict[AbsPath, Change | None] = {}
    for step in told.done:
        in_all = {change.path: change for change in await snapshots.changes(step.before, now)}
        for change in await snapshots.changes(step.before, step.after or now):
            found.setdefault(change.path, in_all.get(change.path))
    return [change for _, change in sorted(found.items()) if change is not None and is_file(change)]


async def _persons_own(session: Session, target: Listed) -> tuple[frozenset[AbsPath], str | None]:
    """Return what the person changed between what the session did since a checkpoint, and the last state known."""
    events = [entry.event for entry in session.entries if isinstance(entry.event, CheckpointTaken)]
    first = next(number for number, event in enumerate(events) if event.checkpoint_id == target.id)
    paths: set[AbsPath] = set()
    last: str | None = None
    for event in events[first:]:
        if last is not None and event.moment != "after":
            changes = await session.checkpoints.snapshots.changes(last, event.before)
            paths |= {change.path for change in changes}
        last = event.after
    return frozenset(paths), last


def _line(item: Listed) -> str:
    changed = "cut short" if item.changed is None else _files(item.changed)
    return f"- `{item.id}` {clock(item.at)}, before **{item.title}** ({changed})"


def clock(at: datetime) -> str:
    """Say when something was, as this machine's clock has it; the day only if it was another."""
    here = at.astimezone()
    return f"{here:%H:%M}" if here.date() == datetime.now(UTC).astimezone().date() else f"{here:%Y-%m-%d %H:%M}"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _failed(error: SnapshotError) -> str:
    return f"That cannot be done: {error}."
