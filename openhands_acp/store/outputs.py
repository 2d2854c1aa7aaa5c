"""The files beside a journal that hold what is too long to be read at once: named by events, with their hash.

Terminals write what commands print; what was left out of a conversation is written here. This knows which events
name a file, what a copy of a conversation needs, and what is lost.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.events import Condensation, Entry, ObservationEvent
from openhands_acp.engine.paths import AbsPath

logger = logging.getLogger(__name__)

OUTPUT_NAME = "output"
_SESSION = re.compile(r"[0-9a-f]{32}")


def keep(folder: Path, name: str, text: str) -> KeptOutput | None:
    """Put `text` into a file that replaces another of its name; None, and a line in the log, if the disk refuses."""
    data = text.encode(errors="replace")
    place, draft = folder / name, folder / f".{name}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
        # A copy of this session may have the old one for its own: it is replaced here, not written over.
        os.replace(draft, place)
    except OSError as error:
        logger.warning("what is left out of a conversation is not kept in %s: %s", place, error)
        return None
    return KeptOutput(AbsPath(str(place)), sha256(data).hexdigest(), len(data))


def outputs_in(entries: Iterable[Entry]) -> Iterator[KeptOutput]:
    for entry in entries:
        if isinstance(entry.event, ObservationEvent | Condensation) and entry.event.output is not None:
            yield entry.event.output


def copied(entries: Iterable[Entry], session: Path) -> Iterator[Entry]:
    """Yield a conversation that is to be kept in the folder `session`, with files of its own there.

    So it can be read on when the one that it was copied from is deleted. What is lost stays named as it was.
    """
    moved: dict[str, str] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ObservationEvent | Condensation) and (output := event.output) is not None:
            place = session / OUTPUT_NAME / Path(output.path).name
            if _copy(Path(output.path), place):
                moved |= {output.path: str(place), str(Path(output.path).parent): str(place.parent)}
                output = replace(output, path=AbsPath(str(place)))
            event = _told_anew(event, output, moved)
        elif isinstance(event, Condensation):
            event = _told_anew(event, None, moved)
        yield entry if event is entry.event else replace(entry, event=event)


def what_is_lost(entries: Iterable[Entry]) -> Iterator[str]:
    """Say of each output that is not in its file any more that it is so; reads them all."""
    # A job is looked at more than once: what counts is the file as its last look found it.
    for output in {output.path: output for output in outputs_in(entries)}.values():
        try:
            if not _is_what_it_was(output):
                yield f"the whole output of a command is not what it was ({output.path})"
        except OSError as error:
            yield f"the whole output of a command is lost: {error.strerror} ({output.path})"


def _is_what_it_was(output: KeptOutput) -> bool:
    status = os.lstat(output.path)
    # Of a command whose end nobody saw, it is only known that there was a file.
    if not stat.S_ISREG(status.st_mode) or output.size not in (0, status.st_size):
        return False
    with open(output.path, "rb") as file:
        return output.sha256 in ("", file_digest(file, "sha256").hexdigest())


def _copy(file: Path, place: Path) -> bool:
    """Put a file of one session among those of another, if it is one; tell whether it is there."""
    try:
        # A journal may name any file: none but another session's output becomes this one's own.
        session = file.parent.parent
        is_output = file.parent.name == OUTPUT_NAME and _SESSION.fullmatch(session.name)
        if not is_output or session.parent != place.parent.parent.parent:
            return False
        if any(path.is_symlink() for path in (session, file.parent)) or not stat.S_ISREG(file.lstat().st_mode):
            return False
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _link(file, place)
    except OSError:
        return False
    return True


def _link(file: Path, place: Path) -> None:
    with suppress(FileExistsError):
        try:
            # The same file: nobody writes to it once its command has ended.
            os.link(file, place, follow_symlinks=False)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            # Another disk, or a system that links nothing (Python raises the second where it cannot leave links alone).
            shutil.copyfile(file, place, follow_symlinks=False)


def _told_anew(
    event: ObservationEvent | Condensation, output: KeptOutput | None, moved: Mapping[str, str]
) -> ObservationEvent | Condensation:
    """Name the files where they are now, wherever the event does."""

    def renamed(text: str) -> str:
        for before, now in moved.items():
            text = text.replace(before, now)
        return text

    if isinstance(event, Condensation):
        shortened = tuple([replace(each, text=each.text and renamed(each.text)) for each in event.shortened])
        return replace(event, summary=renamed(event.summary), shortened=shortened, output=output)
    raw = event.raw_output
    if raw is not None:
        raw = {name: renamed(value) if isinstance(value, str) else value for name, value in raw.items()}
    return replace(event, text=renamed(event.text), raw_output=raw, output=output)
