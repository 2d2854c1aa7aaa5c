"""Search without ripgrep: a program of its own, so that no pattern, however bad, holds up anybody but itself.

`python -c "...main()" REQUEST` takes JSON and prints a JSON array a line, or paths with a NUL after each.
Standard library only, and little of it (no dataclasses, no typing): it is started anew for each search.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator

from openhands_acp.local.search_ignores import VERSION_CONTROL, Ignores, around, slashed
from openhands_acp.local.search_patterns import PatternError, for_python, glob_pattern

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is still looked into."""
WIDEST = 400
"""Characters of a line that are shown."""
_BEFORE = 100
"""Of these, at most so many before the match."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKS = tuple(bom for bom, _ in _BOMS)
_READING = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe is not waited for."""
_BLOCK = 1024 * 1024


def main() -> None:
    try:
        _answer(**json.loads(sys.argv[1]))
    except PatternError as error:
        sys.stderr.write(f"pattern: {error}")
        sys.exit(2)
    except BrokenPipeError:
        # Nobody listens any more; not even to what is left in the buffer.
        os._exit(1)


def _answer(
    *, pattern: str | None, path: str, include: str, ignore_case: bool, context: int, wanted: str, ignored: bool
) -> None:
    """Search, or without a pattern list the files."""
    paths = files_in(path, fits(include, path), ignored=ignored)
    if pattern is None:
        for each in paths:
            sys.stdout.buffer.write(os.fsencode(each) + b"\0")
        return
    compiled = for_python(pattern, ignore_case=ignore_case)
    for each in [path] if os.path.isfile(path) else paths:
        text = _text(each)
        if text is None or compiled.search(text) is None:
            continue
        for row in found_in(text, compiled, wanted, context):
            sys.stdout.write(json.dumps([each, *row]) + "\n")


# ---------------------------------------------------------------- which files


def fits(include: str, top: str) -> Callable[[str], bool]:
    """Return a test for whether a path in `top` fits the glob; with `!` before it, neither it nor a folder above."""
    if not include:
        return lambda _path: True
    start = len(top.rstrip(os.sep)) + 1
    if include.startswith("!"):
        unwanted = re.compile(glob_pattern(include[1:].rstrip("/")).pattern + "(?:/.*)?", re.DOTALL)
        return lambda path: unwanted.fullmatch(slashed(path), start) is None
    wanted = glob_pattern(f"{include}**" if include.endswith("/") else include)
    return lambda path: wanted.fullmatch(slashed(path), start) is not None


def files_in(top: str, is_wanted: Callable[[str], bool], *, ignored: bool) -> Iterator[str]:
    """Walk through the files below `top`, without links, and without what is ignored unless `ignored`."""
    waiting = [(top, Ignores() if ignored else around(top))]
    while waiting:
        folder, ignores = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError:
            continue
        if not ignored:
            ignores = ignores.entered(folder, [entry.name for entry in entries])
        for entry in entries:
            path, name = entry.path, entry.name
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                is_file = entry.is_file(follow_symlinks=False)
            except OSError:
                continue
            if is_folder and name not in VERSION_CONTROL:
                if not ignores.leave_out(slashed(path) + "/", name + "/"):
                    waiting.append((path, ignores))
            elif is_file and name not in VERSION_CONTROL and is_wanted(path):
                if ignores.leave_out(slashed(path), name):
                    continue
                yield path


def _text(path: str) -> str | None:
    """Read a text file; None if it cannot be read, is too large, or is none."""
    try:
        file = os.open(path, _READING)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return None
        # One more than there should be, so that one read tells the end, too; unless it grew, or tells no size (/proc).
        data = os.read(file, status.st_size + 1)
        if len(data) > status.st_size:
            data += _rest(file)
    except OSError:
        return None
    finally:
        os.close(file)
    return decoded(data)


def _rest(file: int) -> bytes:
    blocks: list[bytes] = []
    while (block := os.read(file, _BLOCK)) and len(blocks) * _BLOCK < LARGEST:
        blocks.append(block)
    return b"".join(blocks)


def decoded(data: bytes) -> str | None:
    """Decode what a byte order mark says, else UTF-8 with marks for what is none; None for a binary file.

    Lines end with LF then: what ends a line is no part of it.
    """
    if data.startswith(_MARKS):
        bom, encoding = next(each for each in _BOMS if data.startswith(each[0]))
        text = data[len(bom) :].decode(encoding, "replace")
        if "\0" in text:
            return None
    elif b"\0" in data:
        return None
    else:
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n") if "\r" in text else text


# ---------------------------------------------------------------- what is in them


Row = tuple[int] | tuple[int, str, bool]
"""How many lines match (0 where nobody wants to know), or a line: its number, its text, whether it matches."""


def found_in(text: str, pattern: re.Pattern[str], wanted: str, context: int) -> Iterator[Row]:
    matches = _matches(text, pattern)
    match wanted:
        case "files":
            if next(matches, None):
                yield (0,)
        case "count":
            if count := sum(1 for _ in matches):
                yield (count,)
        case _:
            yield from _with_context(text, matches, context) if context else _lines(text, matches)


def _matches(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int, int]]:
    """Go through the lines that match: where each begins and ends, and where the match begins in it."""
    at = 0
    search = pattern.search
    while at < len(text) and (found := search(text, at)):
        first = found.start()
        begin = text.rfind("\n", 0, first) + 1
        end = text.find("\n", first)
        end = len(text) if end < 0 else end
        if begin == len(text):
            # What is after the last line's end is no line.
            return
        if found.end() > end:
            # It ran on into the next line: does this one fit by itself?
            alone = search(text[begin:end])
            if alone is None:
                at = end + 1
                continue
            first = begin + alone.start()
        yield begin, end, first - begin
        at = end + 1


def _lines(text: str, matches: Iterator[tuple[int, int, int]]) -> Iterator[Row]:
    number, counted = 1, 0
    for begin, end, first in matches:
        number += text.count("\n", counted, begin)
        counted = begin
        yield number, excerpt(text[begin:end], first), True


def _with_context(text: str, matches: Iterator[tuple[int, int, int]], context: int) -> Iterator[Row]:
    lines: list[str] | None = None
    found: dict[int, int] = {}
    number, counted = 1, 0
    for begin, _, first in matches:
        lines = lines or text.removesuffix("\n").split("\n")
        number += text.count("\n", counted, begin)
        counted = begin
        found[number] = first
    if lines is None:
        return
    shown = {each for number in found for each in range(number - context, number + context + 1)}
    for number in sorted(shown):
        if 1 <= number <= len(lines):
            yield number, excerpt(lines[number - 1], found.get(number, 0)), number in found


def excerpt(line: str, first: int) -> str:
    """Cut a long line so that what is at `first` can be seen."""
    line = line.removesuffix("\n").removesuffix("\r")
    if len(line) <= WIDEST:
        return line
    begin = max(0, min(first - _BEFORE, len(line) - WIDEST))
    end = begin + WIDEST
    before = f"[… {begin} characters] " if begin else ""
    after = f" [… {len(line) - end} characters]" if end < len(line) else ""
    return f"{before}{line[begin:end]}{after}"
