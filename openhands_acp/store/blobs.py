"""Large texts beside the journal, each in a file that is named for what is in it.

Knows records as JSON and nothing of events, but where a text that is lost cannot be put by a sentence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from openhands_acp.store.lock import BINARY, NOFOLLOW

LIMIT = 32 * 1024
"""Bytes of a text that still stands in its record."""

_KEY = "$blob"


class Lost(Exception):
    """A file of this name is not there, or not what it was."""


def put_away(record: Any, keep: Callable[[bytes], str]) -> Any:
    """Return `record` with each large text given to `keep`, and the name that it returned in its place."""
    if isinstance(record, str):
        # A character has four bytes or less, so most texts need not be encoded to know.
        if len(record) * 4 <= LIMIT or len(data := record.encode("utf-8", "surrogatepass")) <= LIMIT:
            return record
        return {_KEY: keep(data), "size": len(data)}
    if isinstance(record, list | tuple):
        return [put_away(item, keep) for item in cast("list[Any]", record)]
    if isinstance(record, Mapping):
        done = {key: put_away(value, keep) for key, value in cast("Mapping[str, Any]", record).items()}
        # Somebody's own object that looks like one of ours is wrapped, and so comes back as it was.
        return {_KEY: "", "value": done} if _KEY in done else done
    return record


def put_back(record: Any, text_of: Callable[[str], str], lose: Callable[[str], None]) -> Any:
    """Undo `put_away`. A text that `text_of` cannot find is told to `lose`, and replaced by a sentence."""
    if isinstance(record, list):
        return [put_back(item, text_of, lose) for item in cast("list[Any]", record)]
    if not isinstance(record, dict):
        return record
    fields = cast("dict[str, Any]", record)
    match fields:
        case {"$blob": "", "value": dict()}:
            own = cast("dict[str, Any]", fields["value"])
            return {key: put_back(item, text_of, lose) for key, item in own.items()}
        case {"$blob": str(name), "size": int(size)}:
            try:
                return text_of(name)
            except Lost as error:
                lose(f"a text of {size} bytes is lost: {error}")
                return f"(a text of {size} bytes stood here; its file was lost)"
        case {"type": "Image", "data": {"$blob": str(name), "size": int()}}:
            # A sentence is no picture: whoever reads it as one fails.
            try:
                return {**fields, "data": text_of(name)}
            except Lost as error:
                lose(f"an image is lost: {error}")
                return {"type": "Text", "text": "(an image stood here; its file was lost)"}
        case _:
            back: dict[str, Any] = {key: put_back(item, text_of, lose) for key, item in fields.items()}
            if _are_images(fields.get("images")):
                # Where there is place for images only, a sentence has none.
                back["images"] = [item for item in back["images"] if _is_image(item)]
            return back


def _are_images(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_image, cast("list[Any]", value)))


def _is_image(value: Any) -> bool:
    return isinstance(value, dict) and cast("dict[str, Any]", value).get("type") == "Image"


class Blobs:
    """The files of one session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new: list[Path] = []
        self._read: dict[str, str] = {}

    def keep(self, data: bytes) -> str:
        """Write `data` unless it is there already, and whole; return its name. Raises OSError."""
        name = sha256(data).hexdigest()
        path = self.folder / name
        if _size_of(path) == len(data):
            with suppress(Lost):
                self._text(name)
                return name
        self.folder.mkdir(mode=0o700, exist_ok=True)
        temporary = self.folder / f"{name}.{os.getpid()}"
        # What a process of the same number left when it was killed.
        temporary.unlink(missing_ok=True)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._new.append(path)
        return name

    def text(self, name: str) -> str:
        """Return the text of this name, as one object however often it is asked for. Raises Lost."""
        if name not in self._read:
            self._read[name] = self._text(name)
        return self._read[name]

    def _text(self, name: str) -> str:
        if len(name) != 64 or set(name) - set("0123456789abcdef"):
            raise Lost("its name is none")
        try:
            fd = os.open(self.folder / name, os.O_RDONLY | BINARY | NOFOLLOW)
            with os.fdopen(fd, "rb") as file:
                data = file.read()
        except OSError as error:
            raise Lost(f"{error.strerror} ({self.folder / name})") from error
        if sha256(data).hexdigest() != name:
            raise Lost(f"the file is damaged ({self.folder / name})")
        return data.decode("utf-8", "surrogatepass")

    def sync(self) -> None:
        """Make the files since the last time survive a power cut. Raises OSError."""
        new, self._new = self._new, []
        sync_files(new)


def sync_files(paths: Sequence[Path]) -> None:
    """Make files survive a power cut, with their names. Raises OSError."""
    for path in paths:
        _sync(path)
    for folder in {path.parent for path in paths}:
        sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Make a folder's list of names survive a power cut, on systems that can."""
    with suppress(OSError):
        _sync(path)


def _sync(path: Path) -> None:
    fd = os.open(path, (os.O_RDWR if path.is_file() else os.O_RDONLY) | BINARY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _size_of(path: Path) -> int | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
