"""Putting files back as they were, and nothing else.

Knows paths and what is to be there; knows nothing of turns, and no link leads it out of the folders it works in.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from openhands_acp.engine.checkpoints.snapshots import FileState, SnapshotError
from openhands_acp.engine.paths import AbsPath


class _Refused(Exception):
    """This path is not written to; the message says why."""


@dataclass(slots=True)
class Restoring:
    """One restore. Made anew for each."""

    roots: tuple[AbsPath, ...]
    content: Callable[[FileState], bytes]
    failed: dict[AbsPath, str] = field(default_factory=dict[AbsPath, str])
    _modes: dict[str, int] = field(default_factory=dict[str, int])
    """Folders whose mode is set at the end, when nothing more is written into them."""

    def restore(self, wanted: Mapping[AbsPath, FileState | None]) -> dict[AbsPath, str]:
        """Remove first, deepest first; then make folders from above, and files; modes of folders at last."""
        if any(wanted.values()):
            for root in self.roots:
                with suppress(OSError):
                    # A root that was removed is made again, whatever mode it had.
                    os.makedirs(root, exist_ok=True)
        gone = [path for path in wanted if wanted[path] is None or not _is_kind(path, wanted[path])]
        for path in sorted(gone, key=_depth, reverse=True):
            self._try(path, self._remove)
        for path in sorted(wanted, key=_depth):
            state = wanted[path]
            if state is not None and path not in self.failed:
                self._try(path, lambda path, state=state: self._put(path, state))
        for path in sorted(self._modes, key=_depth, reverse=True):
            with suppress(OSError):
                os.chmod(path, self._modes[path])
        return self.failed

    def _try(self, path: AbsPath, act: Callable[[AbsPath], None]) -> None:
        try:
            self._check(path)
            try:
                act(path)
            except PermissionError:
                self._open_up(os.path.dirname(path))
                act(path)
        except (OSError, SnapshotError, _Refused) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.failed[path] = reason

    def _check(self, path: AbsPath) -> None:
        """Refuse a path that a link leads away from where it seems to be."""
        root = next((root for root in self.roots if path.startswith(root.rstrip(os.sep) + os.sep)), None)
        if root is None:
            raise _Refused("it is outside the project")
        inner = os.path.relpath(os.path.dirname(path), root)
        real = os.path.join(os.path.realpath(root), inner) if inner != "." else os.path.realpath(root)
        if os.path.realpath(os.path.dirname(path)) != os.path.normpath(real):
            raise _Refused("a link stands where its folder was")

    def _remove(self, path: AbsPath) -> None:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(status.st_mode):
            if sys.platform == "win32":
                os.chmod(path, stat.S_IWRITE)
            os.unlink(path)
            return
        self._modes.pop(path, None)
        os.rmdir(path)

    def _put(self, path: AbsPath, state: FileState) -> None:
        match state.kind:
            case "folder":
                if not os.path.isdir(path):
                    os.mkdir(path)
                self._modes[path] = state.mode
            case "link":
                self._replace(path, lambda new: os.symlink(os.fsdecode(self.content(state)), new))
            case "file":
                self._put_file(path, state)
            case "left_out":
                pass

    def _put_file(self, path: AbsPath, state: FileState) -> None:
        data = self.content(state)

        def write(new: str) -> None:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            os.chmod(new, state.mode)

        # Never into the file itself: it may have other names, which are not to change.
        self._replace(path, write)

    def _replace(self, path: AbsPath, make: Callable[[str], None]) -> None:
        # Beside it, under a name that fits wherever the file's own does.
        new = os.path.join(os.path.dirname(path), f".{uuid4().hex[:12]}~")
        try:
            make(new)
            os.replace(new, path)
        except OSError:
            with suppress(OSError):
                os.unlink(new)
            raise

    def _open_up(self, folder: str) -> None:
        """Make a folder writable for as long as something in it is put back."""
        mode = stat.S_IMODE(os.stat(folder).st_mode)
        self._modes.setdefault(folder, mode)
        os.chmod(folder, mode | 0o700)


def _depth(path: str) -> tuple[int, str]:
    return path.count(os.sep), path


def _is_kind(path: AbsPath, state: FileState | None) -> bool:
    """Tell whether what is there can be replaced in one step: a folder by a folder, anything else by no folder."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return True
    return state is not None and is_folder == (state.kind == "folder")
