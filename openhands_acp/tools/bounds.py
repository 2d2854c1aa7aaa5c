"""Text cut down to what is worth reading: its head and its tail, and how much is missing between.

Pure, and fed piece by piece: any split of the same text comes to the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_KB, _MB = 1_000, 1_000_000


class Bounded:
    """Keep the first and the last characters of a stream and count the rest."""

    def __init__(self, head_chars: int, tail_chars: int) -> None:
        self._head_chars = head_chars
        self._tail_chars = tail_chars
        self._head = ""
        self._tail: deque[str] = deque()
        self._held = 0
        self._gone = _Amount()

    def add(self, text: str) -> None:
        """Take the next piece; costs its length."""
        room = self._head_chars - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        # One more than will be shown: it tells whether the tail begins at the start of a line.
        needed = self._tail_chars + 1
        if len(text) > needed:
            self._gone.count(text[:-needed])
            text = text[-needed:]
        if text:
            self._tail.append(text)
            self._held += len(text)
        while self._tail and self._held - len(self._tail[0]) >= needed:
            first = self._tail.popleft()
            self._gone.count(first)
            self._held -= len(first)

    def copy(self) -> Bounded:
        """Return another that goes on from here."""
        other = Bounded(self._head_chars, self._tail_chars)
        other._head, other._tail = self._head, self._tail.copy()
        other._held, other._gone = self._held, self._gone.copy()
        return other

    def text(self) -> str:
        """Return all of it, or its head and tail with a line between that says what is missing."""
        tail = "".join(self._tail)
        if self._held <= self._tail_chars:
            return self._head + tail
        gone = self._gone.copy()
        surplus = self._held - self._tail_chars - 1
        gone.count(tail[:surplus])
        head, cut = _cut_head(self._head)
        gone.count(cut)
        cut, tail = _cut_tail(tail[surplus:])
        gone.count(cut)
        glue = "\n" if head and not head.endswith("\n") else ""
        return f"{head}{glue}[… {gone} left out …]\n{tail}"


@dataclass(slots=True)
class _Amount:
    lines: int = 0
    size: int = 0
    """In bytes."""

    def count(self, text: str) -> None:
        self.lines += text.count("\n")
        self.size += len(text) if text.isascii() else len(text.encode(errors="replace"))

    def copy(self) -> _Amount:
        return _Amount(self.lines, self.size)

    def __str__(self) -> str:
        size = _spell_size(self.size)
        match self.lines:
            case 0:
                return size
            case 1:
                return f"1 line ({size})"
            case _:
                return f"{self.lines:,} lines ({size})"


def _spell_size(size: int) -> str:
    for unit, name in ((_MB, "MB"), (_KB, "kB")):
        # Rounded up to the next unit where it would read 1,000.0 of this one.
        if size >= unit * 0.99995:
            return f"{size / unit:,.1f} {name}"
    return "1 byte" if size == 1 else f"{size} bytes"


def _cut_head(text: str) -> tuple[str, str]:
    """Cut after the last line end, unless that would cost half of it."""
    end = text.rfind("\n") + 1
    return (text[:end], text[end:]) if end > len(text) // 2 else (text, "")


def _cut_tail(text: str) -> tuple[str, str]:
    """Cut after the first line end, unless that would cost half of it; the first character goes anyway."""
    start = text.find("\n") + 1
    return (text[:start], text[start:]) if 0 < start <= len(text) // 2 else (text[:1], text[1:])
