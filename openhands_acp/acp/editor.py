"""The editor as the session's files: a port spoken as requests to the client.

Knows that an editor may hold unsaved text, may hold stale text, may change what it saves, and may
fail; then the disk counts (clients.md rule 17).
"""

from __future__ import annotations

import logging
import os
import stat
import time
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from openhands_acp.acp.asking import Ask, member
from openhands_acp.acp.buffers import Buffers
from openhands_acp.acp.clients import Client
from openhands_acp.engine.paths import AbsPath, MadeFolders, is_inside
from openhands_acp.engine.ports import DirEntry, FileChanged, Files, TextFile, UnreadableFile
from openhands_acp.engine.spelling import lf
from openhands_acp.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

_PATIENCE = 10.0
"""Seconds for the editor to read or write one file; then it is done without it."""

_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between looks at a file that the editor may be about to reload."""
_CONTESTED = (
    "the editor holds changes to it that are not saved, and it changed on the disk as well; to lose neither, nothing "
    "was written, and no command should write it either. Do what else there is to do, then tell the person that you "
    "wait for this file: saving it in the editor keeps what they typed, reloading it there takes what is on the disk. "
    "After that, view it and try again"
)


@dataclass(slots=True)
class EditorFiles:
    """`Files` that sees the editor's unsaved text and lets what it writes land in the editor.

    Everything else (encodings, modes, folders, files outside the project) is the disk's.
    """

    session_id: str
    roots: tuple[AbsPath, ...]
    client: Client
    ask: Ask
    disk: Files
    _buffers: Buffers = field(default_factory=Buffers)
    _contested: set[AbsPath] = field(default_factory=set[AbsPath])
    _folders: MadeFolders = field(default_factory=MadeFolders)
    began: int = field(default_factory=time.time_ns)
    """Nanoseconds; what was on the disk before, the editor had time to notice."""

    async def read(self, path: AbsPath) -> TextFile:
        try:
            on_disk = await self.disk.read(path)
        except FileNotFoundError:
            unsaved = await self._buffer(path) if self.client.may_hold_unsaved_files else None
            # Some clients answer "" for a file that is not there.
            if not unsaved:
                raise
            return TextFile(unsaved)
        if not _is_plain(on_disk):
            return on_disk
        buffer = await self._buffer(path)
        is_fresh = not self._buffers.knows(path) and _changed_after(path, self.began)
        if is_fresh and path not in self._contested:
            on_disk, buffer = await self._reloaded(path, on_disk, buffer)
        counting = self._buffers.settle(
            path, lf(on_disk.text), None if buffer is None else lf(buffer), is_fresh=is_fresh
        )
        self._contested.discard(path)
        if counting.is_contested:
            self._contested.add(path)
        return on_disk if counting.text is None else replace(on_disk, text=_like(on_disk.text, counting.text))

    async def _reloaded(self, path: AbsPath, on_disk: TextFile, buffer: str | None) -> tuple[TextFile, str | None]:
        """Give the editor a moment to notice that a file changed on the disk."""
        for pause in _PAUSES:
            if not buffer or lf(buffer) == lf(on_disk.text):
                break
            await anyio.sleep(pause)
            on_disk, buffer = await self.disk.read(path), await self._buffer(path)
        return on_disk, buffer

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        await self._check(path, replaces)
        mode = _mode(path)
        # A file that nobody may write is the disk's to refuse: an editor running as its owner may get round it.
        is_locked = mode is not None and not mode & 0o222
        if not self.client.writes_files or not _is_plain(file) or not is_inside(path, self.roots) or is_locked:
            return await self.disk.write(path, file, replaces=await self._on_disk(path))
        self._folders.make_for(path)
        if not await self._say(path, file.text):
            return await self.disk.write(path, file, replaces=await self._on_disk(path))
        mode = file.mode if mode is None else mode
        if mode is not None and _mode(path) not in (mode, None):
            # Some clients write a new file in its place.
            os.chmod(path, mode)
        try:
            return await self.read(path)
        except FileNotFoundError:
            return file

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self._check(path, replaces)
        if (on_disk := await self._on_disk(path)) is not None:
            await self.disk.remove(path, replaces=on_disk)
            self._folders.remove_for(path)

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        return await self.disk.read_bytes(path, limit)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        return await self.disk.entries(path)

    async def _check(self, path: AbsPath, replaces: TextFile | None) -> None:
        try:
            now = await self.read(path)
        except FileNotFoundError:
            now = None
        if now != replaces:
            raise FileChanged(path, now)
        if path in self._contested:
            raise UnreadableFile(_CONTESTED)

    async def _on_disk(self, path: AbsPath) -> TextFile | None:
        try:
            return await self.disk.read(path)
        except FileNotFoundError:
            return None

    async def _buffer(self, path: AbsPath) -> str | None:
        """Return the editor's text; None if it offers none, or fails."""
        if not self.client.reads_files or not is_inside(path, self.roots):
            return None
        answer = await self._ask("fs/read_text_file", {"sessionId": self.session_id, "path": path})
        content = member(answer, "content")
        return content.removeprefix("\ufeff") if isinstance(content, str) else None

    async def _say(self, path: AbsPath, text: str) -> bool:
        params = {"sessionId": self.session_id, "path": path, "content": text}
        return await self._ask("fs/write_text_file", params) is not _FAILED

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        with anyio.move_on_after(_PATIENCE):
            try:
                return await self.ask(method, params)
            except RemoteError as error:
                logger.info("%s: %s; using the disk", method, error)
                return _FAILED
        logger.warning("%s: no answer within %s s; using the disk", method, _PATIENCE)
        return _FAILED


_FAILED = object()


def _is_plain(file: TextFile) -> bool:
    """Tell whether the protocol's text can carry this file: anything else would be saved as plain UTF-8."""
    return file.encoding == "utf-8" and not file.bom


def _like(on_disk: str, buffer: str) -> str:
    """Give the editor's text the disk's line endings: editors that keep them apart hand out bare line feeds."""
    is_crlf = "\r\n" in on_disk and "\n" not in on_disk.replace("\r\n", "")
    return buffer.replace("\n", "\r\n") if is_crlf and "\r\n" not in buffer else buffer


def _changed_after(path: AbsPath, moment: int) -> bool:
    try:
        return os.stat(path).st_mtime_ns > moment
    except OSError:
        return False


def _mode(path: AbsPath) -> int | None:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return None
