"""What the file editor remembers in a session: what the model last saw of a file, and how to undo.

Pure; the session keeps one of each class.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import TextFile
from openhands_acp.engine.spelling import lf

_VERSIONS = 10
_KEPT_TEXT = 1024 * 1024
"""Characters of one file that are kept, to merge with what somebody else makes of it."""
_KEPT_IN_ALL = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Changed:
    """A file is not what the model last saw; `old` is what that was, if it was short enough to keep."""

    old: str | None


class Seen:
    """What the model last saw of each file, by viewing or by editing it."""

    def __init__(self) -> None:
        self._digests: dict[AbsPath, bytes] = {}
        self._texts: dict[AbsPath, str] = {}
        self._missed: set[AbsPath] = set()

    def note(self, path: AbsPath, file: TextFile) -> None:
        view = lf(file.text)
        self._missed.discard(path)
        self._digests[path] = _digest(view)
        self._texts.pop(path, None)
        if len(view) <= _KEPT_TEXT:
            self._texts[path] = view
        while sum(map(len, self._texts.values())) > _KEPT_IN_ALL:
            del self._texts[next(iter(self._texts))]

    def paths(self) -> tuple[AbsPath, ...]:
        """Return the files that the model has seen, the latest first."""
        return tuple(reversed(self._digests))

    def misses_again(self, path: AbsPath) -> bool:
        """Note that an edit did not fit; tell whether the one before it in this file did not, either."""
        again = path in self._missed
        self._missed.add(path)
        return again

    def forget(self, path: AbsPath) -> None:
        self._digests.pop(path, None)
        self._texts.pop(path, None)

    def changed(self, path: AbsPath, file: TextFile) -> Changed | None:
        """Tell whether somebody else changed the file; a file never seen counts as unchanged."""
        digest = self._digests.get(path)
        return None if digest in (None, _digest(lf(file.text))) else Changed(self._texts.get(path))


@dataclass(frozen=True, slots=True)
class Step:
    """One edit of this session; `before` is None where there was no file, `after` where it was removed."""

    before: TextFile | None
    after: TextFile | None


class History:
    """The last edits of each file, newest last."""

    def __init__(self) -> None:
        self._steps: dict[AbsPath, deque[Step]] = {}

    def push(self, path: AbsPath, step: Step) -> None:
        self._steps.setdefault(path, deque(maxlen=_VERSIONS)).append(step)

    def last(self, path: AbsPath) -> Step | None:
        steps = self._steps.get(path)
        return steps[-1] if steps else None

    def drop_last(self, path: AbsPath) -> None:
        self._steps[path].pop()


def _digest(view: str) -> bytes:
    # Surrogates cannot come from a file, but must not break a comparison either.
    return hashlib.blake2b(view.encode("utf-8", "surrogatepass"), digest_size=16).digest()
