"""Program output as a terminal would leave it: no control sequences, what was overwritten as it ended.

Pure, and fed piece by piece: any split of the same text comes to the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

LINE = 2_000
"""Characters of one line that can still be overwritten; what is before them is settled."""
ROWS = 40
"""Lines above the cursor that can still be overwritten; a terminal of ours has as many."""

_State: TypeAlias = Literal["text", "escape", "control", "string", "string_escape"]

_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_RUN = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+")
# Of no effect where they stand, a terminal takes them for nothing even in the middle of a control sequence.
_NOTHING = re.compile(r"[\x00-\x06\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x8f\x91-\x97\x99\x9a]+")
_LINE_ENDS = re.compile(r"\r+\n")
_COLOUR = re.compile(r"\x1b\[[\x30-\x3f]*m")
_PARAMETERS = re.compile(r"[\x20-\x3f]*")
_STRING_ENDS = re.compile(r"[\x07\n\x1b\x9c]")
_FARTHEST = 1_000
"""Columns that a control sequence can move; no terminal is wider."""
_LONGEST_PARAMETERS = 12


def clean(text: str) -> str:
    """Return `text` as a terminal would leave it."""
    cleaner = Cleaner()
    return cleaner.feed(text) + cleaner.finish()


@dataclass(slots=True)
class Cleaner:
    """A terminal of few lines, each endless: takes a stream, gives back what can no longer change."""

    rows: int = ROWS
    _above: list[str] = field(default_factory=list[str])
    _line: list[str] = field(default_factory=list[str])
    """The one with the cursor."""
    _below: list[str] = field(default_factory=list[str])
    """From the last to the next: the cursor has been moved up."""
    _raised: int = 0
    """Lines between the cursor and the lowest that it ever was on, erased ones included."""
    _column: int = 0
    _state: _State = "text"
    _parameters: str = ""
    _settled: list[str] = field(default_factory=list[str])

    def feed(self, text: str) -> str:
        """Take the next piece and return what it settled."""
        at = 0
        text = _NOTHING.sub("", text)
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
        return self._take_settled()

    @property
    def unsettled(self) -> str:
        """The lines that may still be overwritten."""
        return "\n".join([*self._above, "".join(self._line), *reversed(self._below)])

    def finish(self) -> str:
        """Settle everything; a control sequence cut short is dropped."""
        rest = self.unsettled
        self._above.clear()
        self._line.clear()
        self._below.clear()
        self._column = self._raised = 0
        self._state = "text"
        return rest

    # ---------------------------------------------------------------- text

    def _take_text(self, text: str, at: int) -> int:
        is_at_the_end = self._column == len(self._line) and not self._below
        if match := (_PLAIN if is_at_the_end else _RUN).match(text, at):
            self._write(match.group())
            return match.end()
        if match := _COLOUR.match(text, at):
            return match.end()
        match text[at]:
            case "\n":
                self._down(1)
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
        """Write at the cursor; a run with line ends is written only where there is nothing to the right or below."""
        start = run.rfind("\n") + 1
        if start:
            self._write_lines(run[:start])
            run = run[start:]
        missing = self._column - len(self._line)
        if missing > 0:
            self._line += " " * missing
        self._line[self._column : self._column + len(run)] = run
        self._column += len(run)
        # Longer lines grow only at their end, so the cursor is there.
        surplus = len(self._line) // LINE * LINE
        if surplus:
            self._settle(len(self._above))
            self._settled += self._line[:surplus]
            del self._line[:surplus]
            self._column -= surplus

    def _write_lines(self, lines: str) -> None:
        cut = end = len(lines) - 1
        for _ in range(self.rows):
            cut = lines.rfind("\n", 0, cut) if cut > 0 else -1
        if cut >= 0:
            # More than the screen holds: all but the last of it is settled as it is.
            self._settle(len(self._above))
            self._settled += [*self._line, lines[: cut + 1]]
            self._raised = 0
            self._above = lines[cut + 1 : end].split("\n") if cut < end else []
        else:
            first, *others = lines[:end].split("\n")
            self._above += ["".join(self._line) + first, *others]
            self._raised = max(0, self._raised - 1 - len(others))
            self._scroll()
        self._line.clear()
        self._column = 0

    def _scroll(self) -> None:
        # Seldom, and many at once: cheaper than one for each line.
        if len(self._above) > 2 * self.rows:
            self._settle(len(self._above) - self.rows)

    def _settle(self, count: int) -> None:
        self._settled += [f"{line}\n" for line in self._above[:count]]
        del self._above[:count]

    def _take_settled(self) -> str:
        settled = "".join(self._settled)
        self._settled.clear()
        return settled

    # ---------------------------------------------------------------- control

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
        self._parameters = (self._parameters + text[at : min(end, at + _LONGEST_PARAMETERS)])[:_LONGEST_PARAMETERS]
        if end == len(text):
            return end
        self._state = "text"
        if not "\x40" <= text[end] <= "\x7e":
            return end
        self._obey(text[end])
        return end + 1

    def _obey(self, final: str) -> None:
        first, _, second = self._parameters.partition(";")
        count, column = _number(first), _number(second)
        step = min(max(count, 1), _FARTHEST)
        match final:
            case "A" | "F":
                self._up(step)
                self._column = 0 if final == "F" else self._column
            case "B" | "E":
                self._down(min(step, self.rows))
                self._column = 0 if final == "E" else self._column
            case "C":
                self._column = min(self._column + step, max(_FARTHEST, self._column))
            case "D":
                self._column = max(0, self._column - step)
            case "G":
                self._column = step - 1
            case "H" | "f":
                self._up(self.rows)
                self._down(min(step, self.rows) - 1)
                self._column = min(max(column, 1), _FARTHEST) - 1
            case "J":
                self._erase_lines(count)
            case "K":
                self._erase(count)
            case _:
                pass

    def _up(self, count: int) -> None:
        """Go up, though not beyond the first row of the screen."""
        # Where that is may not follow from how much is still kept, or it would matter how the text was cut.
        count = min(count, self.rows - self._raised, len(self._above))
        self._raised += max(0, count)
        for _ in range(count):
            self._below.append("".join(self._line))
            self._line = list(self._above.pop())

    def _down(self, count: int) -> None:
        for _ in range(count):
            self._above.append("".join(self._line))
            self._line = list(self._below.pop()) if self._below else []
            self._raised = max(0, self._raised - 1)
        self._scroll()

    def _erase_lines(self, what: int) -> None:
        match what:
            case 0:
                del self._line[self._column :]
                self._below.clear()
            case 2 | 3:
                # What was on the screen scrolls out of it, as in terminals that keep it: it may be all there was.
                shown = self.finish()
                if shown:
                    self._settled.append(shown if shown.endswith("\n") else f"{shown}\n")
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


def _number(digits: str) -> int:
    return int(digits) if digits.isdecimal() else 0
