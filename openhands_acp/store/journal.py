"""One session's events on disk: append-only JSONL in a folder of its own.

Rules of this file: a record is one `write`, so it is there whole or as a torn last line, never in
between; nothing already written is touched; only who holds the lock writes; a disk that fails costs
one notice, never the session, and what it did not take is written as soon as it does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from openhands_acp.engine.events import ConversationStateUpdateEvent, Entry, TurnEnded, TurnStarted
from openhands_acp.engine.ports import Taken
from openhands_acp.store.blobs import LIMIT, Blobs, put_away, sync_files, sync_folder
from openhands_acp.store.codec import to_json
from openhands_acp.store.index import NOTHING, Index, glance_of
from openhands_acp.store.lock import BINARY, NOFOLLOW, Lock, is_still_there, try_lock, unlock
from openhands_acp.store.outputs import outputs_in
from openhands_acp.store.reading import BLOBS_NAME, JOURNAL_NAME, Stored, parsed

LOCK_NAME = "lock"
_NEW_FOLDERS = 4
"""So many may have been made for it: its own, and on a new machine `~/.openhands/acp/sessions`."""

_WENT_ON = "this session went on in another window; open it again to see what was said there"
_GONE = "this session was deleted in another window; start a new one"
_WRITTEN = "this session is being written in another window; close it there, then send this again"
_AGAIN = "This session is saved again, with all that was said meanwhile."


class FileJournal:
    """Holds back its first records until its owner starts a turn: an untouched session leaves no trace."""

    def __init__(self, folder: Path, tell: Callable[[str], None], after: Stored | None = None) -> None:
        """Continue `after`, if it is given; entries of it that are in no journal yet (size 0) are written first.

        `tell` is given a sentence when the session cannot be saved, and one when it can be again.
        """
        self._path = folder / JOURNAL_NAME
        self._tell = tell
        self._index = Index(folder.parent)
        self._blobs = Blobs(folder / BLOBS_NAME)
        self._outputs: list[Path] = []
        """Named since the last time that all was synced."""
        self._lock: Lock | None = None
        self._fd: int | None = None
        self._written = glance_of(after.entries, after.size) if after and after.size else NOTHING
        self._held: list[Entry] = list(after.entries) if after and not after.size else []
        self._was_at_work = bool(after and after.owner)
        """Somebody else, when it was read: whatever became of them, it is to be read again."""
        self._is_holding = True
        """Until the first turn, and while the disk fails."""
        self._is_failing = False
        """The person knows that it is not saved."""
        self._is_doubtful = False
        """The disk has lost something, and does not say what: that all is saved cannot be said any more."""
        self._is_over = False

    def claim(self) -> None:
        """Become the owner, if this is not so yet, and cut off what is not whole. Raises Taken."""
        if self._is_over:
            return
        try:
            if self._fd is None:
                self._claim()
            elif not is_still_there(self._fd, self._path):
                self._lose()
            # What somebody copied is kept at once: it is more than an untouched session.
            if (
                self._is_failing
                or self._has_chosen
                or any(isinstance(entry.event, TurnStarted) for entry in self._held)
            ):
                self._release()
        except Taken:
            # What is in memory only is nobody else's.
            if not self._is_failing:
                raise
        except OSError as error:
            self._hold(error)

    def has_gone_on(self) -> bool:
        """Tell whether somebody else has written since it was read."""
        try:
            return self._fd is None and (self._was_at_work or self._path.stat().st_size != self._written.size)
        except OSError:
            return False

    def append(self, entry: Entry) -> None:
        if self._is_over:
            return
        self._held.append(entry)
        if self._is_failing and isinstance(entry.event, TurnEnded):
            self._try_again()
            return
        is_first = isinstance(entry.event, TurnStarted) and not self._is_failing
        # Turns from before the claim are history, put in by whoever copies a conversation.
        if self._fd is not None and (is_first or not self._is_holding):
            try:
                self._release()
            except OSError as error:
                self._hold(error)

    def keep(self, entries: Iterable[Entry]) -> None:
        """Write a conversation that nobody has open. Raises Taken and, where others are told in words, OSError."""
        self._held.extend(entries)
        self._claim()
        self._release()
        assert self._fd is not None
        self._sync(self._fd)

    def sync(self) -> None:
        fd = self._fd
        if fd is None or self._is_over:
            return
        try:
            self._sync(fd)
        except OSError as error:
            # Called from a thread, so the session may have been closed meanwhile.
            if self._fd is not None:
                # It may succeed the next time, and what was lost stays lost.
                self._is_doubtful = True
                self._complain(error)
        else:
            self._index.note(self._path.parent.name, self._written, is_open=True)

    def close(self) -> None:
        if self._is_failing or self._has_chosen:
            # Nobody is there to be told any more; and where somebody else goes on with it, theirs counts.
            with suppress(Taken):
                self.claim()
        if self._fd is not None and self._written.size:
            self._index.note(self._path.parent.name, self._written, is_open=False)
        self._is_over = True
        self._held.clear()
        self._let_go()

    @property
    def _has_chosen(self) -> bool:
        """Tell whether a mode, a model or a title was chosen for a session that is kept, and is not written yet."""
        chosen = (entry for entry in self._held if isinstance(entry.event, ConversationStateUpdateEvent))
        return bool(self._written.size) and any(chosen)

    def _claim(self) -> None:
        """Raises Taken and OSError, and leaves nothing open then."""
        folder = self._path.parent
        is_new = not self._written.size
        if is_new:
            try:
                folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.mkdir(exist_ok=True, mode=0o700)
            except FileExistsError as error:
                raise NotADirectoryError(20, "a file is where its folder should be", str(folder)) from error
        if folder.is_symlink():
            raise NotADirectoryError(20, "its folder is a link", str(folder))
        try:
            self._lock = Lock(folder / LOCK_NAME)
            flags = os.O_RDWR | os.O_APPEND | BINARY | NOFOLLOW | (os.O_CREAT if is_new else 0)
            self._fd = os.open(self._path, flags, 0o600)
            # Besides the other lock, whose file somebody may have tidied away.
            if not try_lock(self._fd):
                raise Taken(_WRITTEN)
            self._cut(self._fd)
        except BaseException as error:
            self._let_go()
            if isinstance(error, FileNotFoundError) and not is_new:
                raise Taken(_GONE) from error
            raise
        self._index.note(folder.name, self._written, is_open=True)

    def _cut(self, fd: int) -> None:
        """Cut off a record that is not whole. Raises Taken if there are whole ones that were not read."""
        if self._was_at_work:
            raise Taken(_WENT_ON)
        size, read = os.fstat(fd).st_size, self._written.size
        if size == read:
            return
        os.lseek(fd, read, os.SEEK_SET)
        rest = b"".join(iter(lambda: os.read(fd, 1 << 20), b""))
        if size < read or any(parsed(line) is not None for line in rest.split(b"\n")[:-1]):
            raise Taken(_WENT_ON)
        os.ftruncate(fd, read)

    def _sync(self, fd: int) -> None:
        self._blobs.sync()
        outputs, self._outputs = self._outputs, []
        for output in outputs:
            # A command may have deleted what another printed: the journal says what it was.
            with suppress(OSError):
                sync_files([output])
        os.fsync(fd)
        for folder in self._path.parents[:_NEW_FOLDERS]:
            sync_folder(folder)

    def _line(self, entry: Entry) -> bytes:
        record = to_json(entry)
        line = _spelt(record)
        if len(line) > LIMIT or b'"$blob"' in line:
            line = _spelt(put_away(record, self._blobs.keep))
        return line

    def _release(self) -> None:
        """Write what is held back, all or nothing. Raises OSError."""
        assert self._fd is not None
        if self._is_failing:
            # What it took last may be half a record.
            os.ftruncate(self._fd, self._written.size)
        held, self._held = self._held, []
        try:
            self._write(held)
        except OSError:
            self._held = held
            raise
        self._is_holding = False

    def _write(self, entries: list[Entry]) -> None:
        assert self._fd is not None
        data = b"".join(map(self._line, entries))
        rest = memoryview(data)
        try:
            while rest:
                # A full disk takes a part, and says why with the next.
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._written.size)
            raise
        self._outputs += [Path(output.path) for output in outputs_in(entries) if output.sha256]
        # In one step: a thread that syncs reads it.
        self._written = glance_of(entries, self._written.size + len(data), self._written)

    def _hold(self, error: OSError) -> None:
        self._is_holding = True
        self._complain(error)

    def _try_again(self) -> None:
        """Write what the disk did not take, at the end of a turn, and tell if it has taken all."""
        self.claim()
        if not (self._held or self._is_doubtful or self._is_over):
            self._is_failing = False
            self._tell(_AGAIN)

    def _complain(self, error: OSError) -> None:
        # Nothing is closed: this may be the thread that syncs, while the loop writes to the same number.
        if not self._is_failing:
            self._is_failing = True
            self._tell(
                f"This session cannot be saved: {error.strerror} ({self._path}). It goes on in memory, and each turn "
                "tries again to save all of it."
            )

    def _lose(self) -> None:
        self._is_over = True
        self._held.clear()
        self._tell(
            f"This session cannot be saved any more: its file was removed ({self._path}). It goes on in memory, and "
            "`/fork` saves a copy of it."
        )

    def _let_go(self) -> None:
        fd, self._fd = self._fd, None
        lock, self._lock = self._lock, None
        if fd is not None:
            # Windows refuses where somebody else has it.
            with suppress(OSError):
                unlock(fd)
            os.close(fd)
        if lock is not None:
            lock.release()


def _spelt(record: object) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"
