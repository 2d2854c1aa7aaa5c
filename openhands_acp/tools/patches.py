"""OpenAI's patch format, read as models write it: sections for files, and hunks of lines in them.

Pure. Tolerant in what surrounds a patch and in what blanks and marks are forgotten; knows no files, and
leaves it to `patching` where a hunk belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from openhands_acp.engine.spelling import lf


@dataclass(frozen=True, slots=True)
class Line:
    kind: Literal[" ", "-", "+"]
    text: str
    is_bare: bool = False
    """Written without the blank that marks a line that stays; an empty one may be no line at all."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that stand next to each other, before and after."""

    lines: tuple[Line, ...]
    headings: tuple[str, ...] = ()
    """Lines somewhere above, each inside of what the one before it begins."""
    is_at_end: bool = False
    """The last of the lines is the last of the file."""
    has_final_newline: bool | None = None
    """Of the file afterwards, where the patch says so."""


@dataclass(frozen=True, slots=True)
class Add:
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Delete:
    path: str


@dataclass(frozen=True, slots=True)
class Update:
    path: str
    moved_to: str | None
    hunks: tuple[Hunk, ...]


Change: TypeAlias = Add | Delete | Update
Numbered: TypeAlias = tuple[int, str]


class BadPatch(Exception):
    """It cannot be read; the message says in which line, and what belongs there."""


def parse(text: str) -> tuple[Change, ...]:
    """Read a patch. Raises BadPatch."""
    sections = _sections(_unwrapped(text))
    if not sections:
        raise BadPatch("the patch is empty: there is no `*** Update File: path`, `*** Add File:` or `*** Delete File:`")
    return tuple(map(_change, sections))


def parse_so_far(text: str) -> tuple[Change, ...]:
    """Read what is there of a patch that is still being written, to show it; empty for what cannot be read."""
    try:
        begun = _sections(_unwrapped(text.rpartition("\n")[0] + "\n*** End Patch"))
        return tuple(_change(section) for section in begun if section.lines or section.verb == "Delete")
    except BadPatch:
        return ()


# ---------------------------------------------------------------- what surrounds it

_BEGIN = re.compile(r"""(?:.*[\s'"(])?\*\*\* Begin Patch\s*""")
_END = re.compile(r"""\s*\*\*\* End Patch['")\s]*""")
_HEADER = re.compile(r"\*\*\* (Add|Update|Delete) File: ?(.*)")
_MOVE = re.compile(r"\*\*\* Move(?: File)? to: ?(.*)", re.IGNORECASE)


def _unwrapped(text: str) -> list[Numbered]:
    """Return the lines between the patch's marks, without what shells and Markdown put round them."""
    lines = list(enumerate(lf(text).split("\n"), start=1))
    begin = next((at for at, (_, line) in enumerate(lines) if _BEGIN.fullmatch(line)), None)
    if begin is None:
        begin = next((at - 1 for at, (_, line) in enumerate(lines) if _HEADER.match(line.strip())), None)
    if begin is None:
        raise BadPatch("a patch begins with the line `*** Begin Patch`, and then `*** Update File: path`")
    end = next((at for at in range(len(lines) - 1, begin, -1) if _END.fullmatch(lines[at][1])), None)
    if end is None:
        raise BadPatch("the patch has no `*** End Patch` at its end, so it may be cut off; send it again, whole")
    body = lines[begin + 1 : end]
    return _outdented(lines[begin][1] if begin >= 0 else "", body)


def _outdented(mark: str, body: list[Numbered]) -> list[Numbered]:
    """Take away the margin of a patch that is indented as a whole."""
    margin = mark[: len(mark) - len(mark.lstrip())]
    if not margin or not all(line.startswith(margin) for _, line in body if line.strip()):
        return body
    return [(number, line[len(margin) :]) for number, line in body]


# ---------------------------------------------------------------- sections


@dataclass(frozen=True, slots=True)
class _Section:
    verb: str
    path: str
    number: int
    lines: list[Numbered]


def _sections(body: Iterable[Numbered]) -> list[_Section]:
    found: list[_Section] = []
    for number, line in body:
        # Inside of an update, a header with a blank before it is a line of the file.
        is_inside = bool(found) and found[-1].verb == "Update"
        header = _HEADER.match(line if is_inside else line.strip())
        if header:
            found.append(_Section(header[1], _path(header[2], number), number, []))
        elif line.startswith("***") and (_BEGIN.fullmatch(line) or _END.fullmatch(line)):
            # Several patches in one.
            continue
        elif found:
            found[-1].lines.append((number, line))
        elif line.strip():
            raise BadPatch(
                f"line {number}: `*** Update File: path`, `*** Add File: path` or `*** Delete File: path` belongs "
                f"here, not {line[:80]!r}"
            )
    return found


def _path(written: str, number: int) -> str:
    path = written.strip().strip("`'\"")
    if not path:
        raise BadPatch(f"line {number}: the path is missing")
    return path


def _change(section: _Section) -> Change:
    match section.verb:
        case "Add":
            return Add(section.path, _added(section))
        case "Delete":
            for number, line in section.lines:
                if line.strip() and not line.startswith("-"):
                    raise BadPatch(f"line {number}: nothing belongs below `*** Delete File:`, not {line[:80]!r}")
            return Delete(section.path)
        case _:
            return _update(section)


def _added(section: _Section) -> str:
    lines = [(number, line) for number, line in section.lines if line.rstrip() != "*** End of File"]
    while lines and not lines[-1][1].strip():
        lines.pop()
    while lines and (not lines[0][1].strip() or lines[0][1].startswith("@@")):
        lines.pop(0)
    is_open = bool(lines) and _is_newline_note(lines[-1][1])
    texts = lines[:-1] if is_open else lines
    if any(line.startswith("+") for _, line in texts):
        for number, line in texts:
            if line.strip() and not line.startswith("+"):
                raise BadPatch(f"line {number}: each line of an added file begins with `+`, unlike {line[:80]!r}")
        texts = [(number, line[1:]) for number, line in texts]
    text = "\n".join(line for _, line in texts)
    return text if is_open or not texts else text + "\n"


def _is_newline_note(line: str) -> bool:
    return line.startswith("\\") and "newline" in line


# ---------------------------------------------------------------- hunks

_RANGES = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)")
_FILE_NAMES = re.compile(r"(?:---|\+\+\+) \S.*")


def _update(section: _Section) -> Update:
    lines = section.lines
    moved_to: str | None = None
    while lines and (not lines[0][1].strip() or _MOVE.match(lines[0][1])):
        number, line = lines[0]
        if moved := _MOVE.match(line):
            moved_to = _path(moved[1], number)
        lines = lines[1:]
    while lines and _FILE_NAMES.fullmatch(lines[0][1]) and any(line.startswith("@@") for _, line in lines):
        lines = lines[1:]
    hunks = [hunk for hunk in _hunks(lines) if any(line.kind != " " for line in hunk.lines)]
    if not hunks and moved_to is None:
        raise BadPatch(f"line {section.number}: no line of {section.path} is added (`+`) or removed (`-`)")
    return Update(section.path, moved_to, tuple(hunks))


def _hunks(lines: Sequence[Numbered]) -> list[Hunk]:
    hunks: list[Hunk] = []
    headings: list[str] = []
    taken: list[Numbered] = []
    for number, line in lines:
        if line.startswith("@@"):
            if any(each.strip() for _, each in taken):
                hunks.append(_hunk(taken, headings))
                headings = []
            taken = []
            headings += _headings(line)
        else:
            taken.append((number, line))
            if line.rstrip() == "*** End of File":
                hunks.append(_hunk(taken, headings))
                headings, taken = [], []
    if any(each.strip() for _, each in taken):
        hunks.append(_hunk(taken, headings))
    return hunks


def _headings(line: str) -> list[str]:
    ranges = _RANGES.fullmatch(line)
    heading = ranges[1] if ranges else line[2:].strip().removesuffix("@@")
    return [heading.strip()] if heading.strip() and heading.strip() != "..." else []


def _hunk(numbered: Iterable[Numbered], headings: Sequence[str]) -> Hunk:
    lines: list[Line] = []
    is_at_end = False
    final: bool | None = None
    for number, line in numbered:
        match line[:1]:
            case "+" | "-" | " " as kind:
                lines.append(Line(kind, line[1:]))
            case "\\" if lines and _is_newline_note(line):
                # Of a line that is removed, it says nothing of what comes in its place.
                final = lines[-1].kind == "-"
                is_at_end = True
            case "*" if line.rstrip() == "*** End of File":
                is_at_end = True
            case "*" if line.startswith("*** "):
                raise BadPatch(
                    f"line {number}: {line[:80]!r} is no mark of a patch; a line of the file begins with a blank"
                )
            case _:
                lines.append(Line(" ", line, is_bare=True))
    return Hunk(tuple(lines), tuple(headings), is_at_end, final)
