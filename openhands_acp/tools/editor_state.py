"""What the file editor remembers in a session: what the model last saw of a file, and how to undo.

Pure; the session keeps one of each class.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import TextFile
from openhands_acp.tools.edits import lf

_VERSIONS = 10
_KEPT_TEXT = 256 * 1024
_KEPT_FILES = 100


@dataclass(frozen=True, slots=True)
class Changed:
    """A file is not what the model last saw; `old` is what that was, if it was short enough to keep."""

    old: str | None


class Seen:
    """What the model last saw of each file, by viewing or by editing it."""

    def __init__(self) -> None:
        self._digests: dict[AbsPath, bytes] = {}
        self._texts: dict[AbsPath, str] = {}

    def note(self, path: AbsPath, file: TextFile) -> None:
        view = lf(file.text)
        self._digests[path] = _digest(view)
        self._texts.pop(path, None)
        if len(view) <= _KEPT_TEXT:
            self._texts[path] = view
            if len(self._texts) > _KEPT_FILES:
                del self._texts[next(iter(self._texts))]

    def forget(self, path: AbsPath) -> None:
        self._digests.pop(path, None)
        self._texts.pop(path, None)

    def changed(self, path: AbsPath, file: TextFile) -> Changed | None:
        """Tell whether somebody else changed the file; a file never seen counts as unchanged."""
        digest = self._digests.get(path)
        return None if digest in (None, _digest(lf(file.text))) else Changed(self._texts.get(path))


class History:
    """The last versions of each file before this session's edits; None where there was no file."""

    def __init__(self) -> None:
        self._versions: dict[AbsPath, deque[TextFile | None]] = {}

    def push(self, path: AbsPath, before: TextFile | None) -> None:
        self._versions.setdefault(path, deque(maxlen=_VERSIONS)).append(before)

    def has(self, path: AbsPath) -> bool:
        return bool(self._versions.get(path))

    def last(self, path: AbsPath) -> TextFile | None:
        return self._versions[path][-1]

    def drop_last(self, path: AbsPath) -> None:
        self._versions[path].pop()


def _digest(view: str) -> bytes:
    # Surrogates cannot come from a file, but must not break a comparison either.
    return hashlib.blake2b(view.encode("utf-8", "surrogatepass"), digest_size=16).digest()
