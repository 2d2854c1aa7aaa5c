"""Program output cut down to what is worth reading: as a terminal would leave it, head and tail.

Pure, and fed piece by piece: any split of the same text comes to the same.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

LINE = 2_000
"""Characters of one line that can still be overwritten; what is before them is settled."""

_State: TypeAlias = Literal["text", "escape", "control", "string", "string_escape"]

_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_RUN = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+")
_LINE_ENDS = re.compile(r"\r+\n")
_COLOUR = re.compile(r"\x1b\[[\x30-\x3f]*m")
_PARAMETERS = re.compile(r"[\x20-\x3f]*")
_STRING_ENDS = re.compile(r"[\x07\n\x1b\x9c]")
_KB, _MB = 1_000, 1_000_000
_FARTHEST = 1_000
"""Columns that a control sequence can move; no terminal is wider."""


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


# ---------------------------------------------------------------- what a terminal would leave


def clean(text: str) -> str:
    """Return `text` as a terminal would leave it: no control sequences, overwritten lines as they ended."""
    cleaner = Cleaner()
    return cleaner.feed(text) + cleaner.finish()


@dataclass(slots=True)
class Cleaner:
    """A terminal of one endless line: takes a stream, gives back what can no longer change.

    Movements to other lines are dropped, not followed: the lines above have been given away.
    """

    _line: list[str] = field(default_factory=list[str])
    _column: int = 0
    _state: _State = "text"
    _parameters: str = ""
    _settled: list[str] = field(default_factory=list[str])

    def feed(self, text: str) -> str:
        """Take the next piece and return what it settled."""
        at = 0
        if "\r\n" in text:
            text = _LINE_ENDS.sub("\n", text)
        while at < len(text):
            match self._state:
                case "text":
                    at = self._take_text(text, at)
                case "escape":
                    at = self._take_escape(text, at)
                case "control":
                    at = self._take_control(text, at)
                case "string":
                    at = self._take_string(text, at)
                case "string_escape":
                    # ESC \ ends a string; any other escape ends it too and begins something new.
                    self._state = "text" if text[at] == "\\" else "escape"
                    at += text[at] == "\\"
                case _:
                    assert_never(self._state)
        settled = "".join(self._settled)
        self._settled.clear()
        return settled

    @property
    def line(self) -> str:
        """The line that may still be overwritten."""
        return "".join(self._line)

    def finish(self) -> str:
        """Settle the last line; a control sequence cut short is dropped."""
        line = self.line
        self._line.clear()
        self._column = 0
        self._state = "text"
        return line

    def _take_text(self, text: str, at: int) -> int:
        plain = _PLAIN if self._column == len(self._line) else _RUN
        if match := plain.match(text, at):
            self._write(match.group())
            return match.end()
        if match := _COLOUR.match(text, at):
            return match.end()
        match text[at]:
            case "\n":
                self._settled += [*self._line, "\n"]
                self._line.clear()
                self._column = 0
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(0, self._column - 1)
            case "\x1b":
                self._state = "escape"
            case "\x9b":
                self._enter_control()
            case "\x90" | "\x98" | "\x9d" | "\x9e" | "\x9f":
                self._state = "string"
            case _:
                pass
        return at + 1

    def _write(self, run: str) -> None:
        """Write at the cursor; a run with line ends is written only where there is nothing to the right."""
        start = run.rfind("\n") + 1
        if start:
            self._settled += [*self._line, run[:start]]
            self._line.clear()
            self._column = 0
            run = run[start:]
        missing = self._column - len(self._line)
        if missing > 0:
            self._line += " " * missing
        self._line[self._column : self._column + len(run)] = run
        self._column += len(run)
        # Longer lines grow only at their end, so the cursor is there.
        surplus = len(self._line) // LINE * LINE
        if surplus:
            self._settled += self._line[:surplus]
            del self._line[:surplus]
            self._column -= surplus

    def _take_escape(self, text: str, at: int) -> int:
        match text[at]:
            case "[":
                self._enter_control()
            case "]" | "P" | "X" | "^" | "_":
                self._state = "string"
            case char if "\x20" <= char <= "\x2f":
                # The name of a character set follows.
                pass
            case char if "\x30" <= char <= "\x7e":
                self._state = "text"
            case _:
                # Not an escape sequence: the character speaks for itself.
                self._state = "text"
                return at
        return at + 1

    def _enter_control(self) -> None:
        self._state = "control"
        self._parameters = ""

    def _take_control(self, text: str, at: int) -> int:
        match = _PARAMETERS.match(text, at)
        end = match.end() if match else at
        # Only the first number is ever looked at.
        self._parameters = (self._parameters + text[at : min(end, at + 8)])[:8]
        if end == len(text):
            return end
        self._state = "text"
        if not "\x40" <= text[end] <= "\x7e":
            return end
        self._obey(text[end])
        return end + 1

    def _obey(self, final: str) -> None:
        digits = self._parameters.partition(";")[0]
        count = int(digits) if digits.isdecimal() else 0
        step = min(max(count, 1), _FARTHEST)
        match final:
            case "K":
                self._erase(count)
            case "G":
                self._column = step - 1
            case "C":
                self._column = min(self._column + step, max(_FARTHEST, self._column))
            case "D":
                self._column = max(0, self._column - step)
            case _:
                pass

    def _erase(self, what: int) -> None:
        match what:
            case 0:
                del self._line[self._column :]
            case 1:
                upto = min(self._column + 1, len(self._line))
                self._line[:upto] = " " * upto
            case 2:
                self._line.clear()
            case _:
                pass

    def _take_string(self, text: str, at: int) -> int:
        match = _STRING_ENDS.search(text, at)
        if match is None:
            return len(text)
        match match.group():
            case "\x1b":
                self._state = "string_escape"
            case "\n":
                # Binary output may open a string that nobody closes; a line is all it may swallow.
                self._state = "text"
                return match.start()
            case _:
                self._state = "text"
        return match.end()
