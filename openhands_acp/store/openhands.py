"""OpenHands' own conversations, read where OpenHands keeps them: `<folder>/<hex of the id>/`.

Writes nothing there. What is broken, or newer than this, is left out with a reason, and never raised.
"""

from __future__ import annotations

import json
import os
import re
import stat
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
from openhands_acp.store.listing import IsIn, Key, Summary, anywhere, is_name, key_of
from openhands_acp.store.openhands_events import SILENT, translate
from openhands_acp.store.openhands_fields import RawEvent, is_object, parts_of
from openhands_acp.store.reading import NoSuchSession, Stored

_EVENT = re.compile(r"event-(\d{5,10})-([0-9a-fA-F-]{8,64})\.json")
_LOOKED_AT = 12
"""Events that are searched for a title: the first message is always near the top."""
_COUNTED = 300
"""Events of a conversation in which messages are counted: each is a file to open, and a list must not wait."""
_MESSAGE = re.compile(rb'"kind"\s*:\s*"MessageEvent"')
_ROOT_ID = "__root__"
_LARGEST = 64 * 1024**2


def newest(folder: Path, is_in: IsIn = anywhere, start: Key | None = None) -> Iterator[tuple[Key, Summary]]:
    """Yield the conversations in `folder` as a `Listing`; one that is not readable is left out."""
    # Not with `Path`, which takes longer to make than to look at.
    keys = (key_of(_updated_at(f"{folder}/{name}"), name) for name in names(folder))
    for key in sorted((key for key in keys if start is None or key < start), reverse=True):
        if summary := _summary(folder / key[1], is_in):
            yield key, summary


def names(folder: Path) -> list[str]:
    """Name what may be conversations: the folders that are named for an id, without its dashes."""
    try:
        return [name for name in os.listdir(folder) if is_name(name)]
    except OSError:
        return []


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
        asked_for = UUID(session_id)
    except ValueError:
        raise NoSuchSession(session_id) from None
    if str(asked_for) != session_id:
        # Spelt in another way, it would be another session of ours.
        raise NoSuchSession(session_id)
    return folder / asked_for.hex


def _event_files(path: Path) -> list[_EventFile]:
    try:
        names = [entry.name for entry in (path / "events").iterdir()]
    except OSError:
        return []
    found = [match for name in names if (match := _EVENT.fullmatch(name))]
    files = [_EventFile(int(match[1]), match[2], path / "events" / match[0]) for match in found]
    return sorted(files, key=lambda file: (file.index, file.event_id))


def _summary(path: Path, is_in: IsIn) -> Summary | None:
    state = _base_state(path, [])
    root = _root(path, state)
    if not is_in(root):
        return None
    files = _event_files(path)
    if not files:
        return None
    title = _title(state)
    if title is None:
        looked_at = _events(files[:_LOOKED_AT], [])
        first = next((parts for event in looked_at if (parts := _first_words(event))), ())
        title = title_of(first)
    return Summary(str(UUID(path.name)), (root,), title, _updated_at(path), _messages(files))


def _messages(files: Sequence[_EventFile]) -> int | None:
    """Count what the person and the agent said; None if there is too much to look through."""
    if len(files) > _COUNTED:
        return None
    read = (_bytes_of(file.path)[0] for file in files)
    return sum(_is_message(data) for data in read if _MESSAGE.search(data))


def _is_message(data: bytes) -> bool:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return is_object(event) and event.get("kind") == "MessageEvent" and event.get("source") != "environment"


def _updated_at(path: Path | str) -> datetime:
    try:
        # A folder is as new as its newest file, where files are only added.
        return datetime.fromtimestamp(os.stat(f"{path}/events").st_mtime, UTC)
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
        case {"kind": "MessageEvent", "source": "environment"}:
            # OpenHands' own words, in the person's voice.
            return ()
        case {"kind": "MessageEvent", "llm_message": {"role": "user", "content": content}}:
            return parts_of(content)
        case _:
            return ()


def _json(path: Path, notes: list[str]) -> Mapping[str, Any] | None:
    value, why = _read(path)
    if is_object(value):
        return value
    notes.append(f"{path.name}: left out, {why or 'it is no JSON object'}")
    return None


def _read(path: Path) -> tuple[object, str]:
    """Return what a file says, or why it cannot be told."""
    data, why = _bytes_of(path)
    if why:
        return None, why
    try:
        return json.loads(data), ""
    except (ValueError, RecursionError):
        return None, f"it is {'not whole JSON' if data else 'empty'}"


def _bytes_of(path: Path) -> tuple[bytes, str]:
    """Return what is in a file, or why it cannot be told."""
    try:
        status = path.stat()
        # A pipe would be waited for, and for ever.
        if not stat.S_ISREG(status.st_mode):
            return b"", "it is no file"
        if status.st_size > _LARGEST:
            return b"", f"it is larger than {_LARGEST // 1024**2} MiB"
        return path.read_bytes(), ""
    except OSError as error:
        return b"", error.strerror or "it cannot be read"


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
        event_id = named if isinstance(named, str) and named and named.isprintable() else file.event_id
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
    if state.get("execution_status") == "running":
        # The head is kept after each step, so a process that was killed has left it behind its last events.
        at = _newest_after(at, raw, places)
    kept: set[int] = set()
    while at is not None and at not in kept:
        kept.add(at)
        at = _parent(raw, at, places)
    # State updates never are the head, and so on no path; nor are all hooks.
    left_out = [place for place in range(len(raw)) if place not in kept and raw[place].get("kind") not in SILENT]
    if left_out:
        notes.append(f"{len(left_out)} event(s) of other branches: left out")
    return [event for place, event in enumerate(raw) if place in kept]


def _newest_after(at: int | None, raw: list[RawEvent], places: Mapping[str, int]) -> int | None:
    """Return the newest event that comes of the one at `at`."""
    if at is None:
        return None
    found = {at}
    for place in range(at + 1, len(raw)):
        if not _is_state(raw[place]) and _parent(raw, place, places) in found:
            found.add(place)
    return max(found)


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
