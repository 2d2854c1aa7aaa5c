"""Which counts where the editor's text of a file is not the disk's: typed and not saved, or not reloaded yet.

Pure. Knows what both had in common last, and what was on the disk since; texts have bare line feeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openhands_acp.engine.merge import merge
from openhands_acp.engine.paths import AbsPath

_FILES = 500


@dataclass(frozen=True, slots=True)
class Counting:
    text: str | None
    """None: what is on the disk."""
    is_contested: bool = False
    """Both changed, and writing either would lose the other."""


@dataclass(slots=True)
class _Shared:
    text: str
    since: set[int] = field(default_factory=set[int])
    """Hashes of the texts that were on the disk afterwards."""


class Buffers:
    def __init__(self) -> None:
        self._shared: dict[AbsPath, _Shared] = {}

    def knows(self, path: AbsPath) -> bool:
        """Tell whether the editor's text of a file was ever compared with the disk's."""
        return path in self._shared

    def settle(self, path: AbsPath, on_disk: str, buffer: str | None, *, is_fresh: bool) -> Counting:
        """Say what counts. `is_fresh`: the disk changed so lately that the editor may not know it yet."""
        if buffer is not None and buffer == on_disk:
            self._share(path, on_disk)
            return Counting(None)
        shared = self._shared.get(path)
        if not buffer:
            # "" may mean that there is no such file for the editor.
            if shared is not None:
                shared.since.add(hash(on_disk))
            return Counting(None)
        if shared is None:
            return self._at_first(path, on_disk, buffer, is_fresh=is_fresh)
        if hash(buffer) in shared.since:
            # The editor came to know one of the changes, and not those after it.
            shared.text = buffer
        if buffer == shared.text:
            shared.since.add(hash(on_disk))
            return Counting(None)
        if on_disk == shared.text:
            return Counting(buffer)
        shared.since.add(hash(on_disk))
        merged = merge(shared.text, buffer, on_disk)
        return Counting(buffer, is_contested=True) if merged is None else Counting(merged)

    def _at_first(self, path: AbsPath, on_disk: str, buffer: str, *, is_fresh: bool) -> Counting:
        if is_fresh:
            return Counting(buffer, is_contested=True)
        # The disk was as it is when the editor opened the file, so what differs was typed.
        self._share(path, on_disk)
        return Counting(buffer)

    def _share(self, path: AbsPath, text: str) -> None:
        self._shared.pop(path, None)
        self._shared[path] = _Shared(text)
        if len(self._shared) > _FILES:
            del self._shared[next(iter(self._shared))]
