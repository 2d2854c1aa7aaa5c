"""OpenHands' own conversations, read where OpenHands keeps them: `<folder>/<hex of the id>/`.

Writes nothing there. What is broken, or newer than this, is left out with a reason, and never raised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from openhands_acp.engine.events import ConversationStarted, Entry
from openhands_acp.engine.messages import Part
from openhands_acp.engine.paths import AbsPath, absolute
from openhands_acp.engine.titles import title_of
from openhands_acp.store.library import Summary
from openhands_acp.store.openhands_events import RawEvent, is_object, parts_of, translate
from openhands_acp.store.reading import NoSuchSession, Stored

_FOLDER = re.compile(r"[0-9a-f]{32}")
_EVENT = re.compile(r"event-(\d{5,10})-([0-9a-fA-F-]{8,64})\.json")
_LOOKED_AT = 12
"""Events that are searched for a title: the first message is always near the top."""
_ROOT_ID = "__root__"


def conversations(folder: Path) -> list[Summary]:
    """List the conversations in `folder`, newest first; one that is not readable is left out."""
    try:
        found = [path for path in folder.iterdir() if _FOLDER.fullmatch(path.name)]
    except OSError:
        return []
    summaries = [summary for path in found if (summary := _summary(path)) is not None]
    return sorted(summaries, key=lambda summary: summary.updated_at, reverse=True)


def read_conversation(folder: Path, session_id: str) -> Stored:
    """Read one conversation as entries of ours. Raises NoSuchSession."""
    path = _path_of(folder, session_id)
    files = _event_files(path)
    if not files:
        raise NoSuchSession(session_id)
    notes: list[str] = []
    state = _base_state(path, notes)
    raw = _branch(list(_events(files, notes)), state, notes)
    root = _root(path, state)
    first = next((parts for event in raw if (parts := _first_words(event))), ())
    entries, left_out = translate(raw, root, _title(state) or title_of(first))
    # Mode and model are those of whoever takes it up: OpenHands' modes are others, its model may have no key here.
    started = ConversationStarted(session_id, (root,), "", "")
    at = entries[0].timestamp if entries else _updated_at(path)
    stamp = str(uuid5(NAMESPACE_URL, f"{session_id}/started"))
    return Stored([Entry(stamp, at, started), *entries], (*notes, *left_out), 0)


def folder_of(folder: Path, session_id: str) -> Path | None:
    """Return where a conversation is, if there is one of this id."""
    try:
        path = _path_of(folder, session_id)
    except NoSuchSession:
        return None
    return path if _event_files(path) else None


# ---------------------------------------------------------------- folders and files


@dataclass(frozen=True, slots=True)
class _EventFile:
    index: int
    event_id: str
    path: Path


def _path_of(folder: Path, session_id: str) -> Path:
    try:
        # Whatever was asked for, what comes out is 32 hexadecimal digits: never a way out of the folder.
        return folder / UUID(session_id).hex
    except ValueError:
        raise NoSuchSession(session_id) from None


def _event_files(path: Path) -> list[_EventFile]:
    try:
        names = [entry.name for entry in (path / "events").iterdir()]
    except OSError:
        return []
    found = [match for name in names if (match := _EVENT.fullmatch(name))]
    files = [_EventFile(int(match[1]), match[2], path / "events" / match[0]) for match in found]
    return sorted(files, key=lambda file: (file.index, file.event_id))


def _summary(path: Path) -> Summary | None:
    files = _event_files(path)
    if not files:
        return None
    state = _base_state(path, [])
    title = _title(state)
    if title is None:
        looked_at = _events(files[:_LOOKED_AT], [])
        first = next((parts for event in looked_at if (parts := _first_words(event))), ())
        title = title_of(first)
    return Summary(str(UUID(path.name)), (_root(path, state),), title, _updated_at(path), len(files))


def _updated_at(path: Path) -> datetime:
    try:
        # A folder is as new as its newest file, where files are only added.
        return datetime.fromtimestamp((path / "events").stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return datetime(1970, 1, 1, tzinfo=UTC)


def _base_state(path: Path, notes: list[str]) -> Mapping[str, Any]:
    state = _json(path / "base_state.json", notes)
    return state if state is not None else {}


def _root(path: Path, state: Mapping[str, Any]) -> AbsPath:
    here = AbsPath(str(path.absolute()))
    match state:
        case {"workspace": {"working_dir": str(written)}} if written and "\0" not in written:
            return absolute(written, here)
        case _:
            return here


def _title(state: Mapping[str, Any]) -> str | None:
    match state:
        case {"tags": {"title": str(title)}} | {"title": str(title)} if title.strip():
            return " ".join(title.split())
        case _:
            return None


def _first_words(event: RawEvent) -> tuple[Part, ...]:
    match event:
        case {"kind": "MessageEvent", "llm_message": {"role": "user", "content": content}}:
            return parts_of(content)
        case _:
            return ()


def _json(path: Path, notes: list[str]) -> Mapping[str, Any] | None:
    data = b""
    try:
        data = path.read_bytes()
        value: object = json.loads(data)
    except OSError as error:
        notes.append(f"{path.name}: left out, {error.strerror or 'it cannot be read'}")
    except (ValueError, RecursionError):
        notes.append(f"{path.name}: left out, it is {'not whole JSON' if data else 'empty'}")
    else:
        if is_object(value):
            return value
        notes.append(f"{path.name}: left out, it is no JSON object")
    return None


# ---------------------------------------------------------------- events


def _events(files: Sequence[_EventFile], notes: list[str]) -> Iterator[RawEvent]:
    """Read the files in their order, each event once."""
    expected, seen = 0, set[str]()
    for file in files:
        if file.index > expected:
            last = f" to {file.index - 1}" if file.index - 1 > expected else ""
            notes.append(f"event {expected}{last}: missing")
        expected = file.index + 1
        event = _json(file.path, notes)
        if event is None:
            continue
        if not isinstance(event.get("kind"), str):
            notes.append(f"{file.path.name}: left out, it does not say what kind of event it is")
            continue
        named = event.get("id")
        event_id = named if isinstance(named, str) and named else file.event_id
        if event_id in seen:
            notes.append(f"{file.path.name}: left out, its event was there before")
            continue
        seen.add(event_id)
        yield {**event, "id": event_id}


def _branch(raw: list[RawEvent], state: Mapping[str, Any], notes: list[str]) -> list[RawEvent]:
    """Keep the path from the root to the head: a conversation may have been taken back and gone on elsewhere."""
    if not any(event.get("parent_id") for event in raw):
        return raw
    if state.get("head_is_empty") is True:
        notes.append("the conversation was taken back to its beginning; nothing of it counts")
        return []
    places = {str(event["id"]): place for place, event in enumerate(raw)}
    at = places.get(str(state.get("leaf_event_id")), _last(raw))
    kept: set[int] = set()
    while at is not None and at not in kept:
        kept.add(at)
        at = _parent(raw, at, places)
    # State updates never are the head, and so on no path.
    left_out = [place for place in range(len(raw)) if place not in kept and not _is_state(raw[place])]
    if left_out:
        notes.append(f"{len(left_out)} event(s) of other branches: left out")
    return [event for place, event in enumerate(raw) if place in kept]


def _parent(raw: list[RawEvent], at: int, places: Mapping[str, int]) -> int | None:
    parent = raw[at].get("parent_id")
    if parent == _ROOT_ID:
        return None
    # Older events name no parent, and a parent's file may be broken: then it is the one before.
    before = next((place for place in range(at - 1, -1, -1) if not _is_state(raw[place])), None)
    return places.get(parent, before) if isinstance(parent, str) else before


def _last(raw: list[RawEvent]) -> int | None:
    return next((place for place in range(len(raw) - 1, -1, -1) if not _is_state(raw[place])), None)


def _is_state(event: RawEvent) -> bool:
    return event.get("kind") == "ConversationStateUpdateEvent"
