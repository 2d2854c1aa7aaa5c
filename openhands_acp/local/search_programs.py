"""The two programs that search, ripgrep and our own: their command lines, and what they print.

Knows no processes; what was found goes into `Gathered`, which is bounded.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, assert_never

import openhands_acp
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.search import FoundIn, FoundLine, Query
from openhands_acp.local.search_ignores import VERSION_CONTROL
from openhands_acp.local.search_patterns import one_line
from openhands_acp.local.search_plain import excerpt, fits

MOST_MATCHES = 50_000
"""Lines or files found, from which on a search has said enough."""
_KEPT = 5_000
"""Lines kept in all, those of the first files by path: far more than anybody is shown."""
_MOST_PATHS = 200_000
_NAME = re.compile(r"[\w.*?+@{}, -]+")
_STARTER = "import sys; sys.path.insert(0, {!r}); from openhands_acp.local.search_plain import main; main()"


class Enough(Exception):
    """Nobody needs more of what is being found."""


@dataclass(slots=True)
class Gathered:
    """What was found so far, by file."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    lines: dict[str, list[FoundLine]] = field(default_factory=dict[str, list[FoundLine]])
    _kept: int = 0
    _found: int = 0

    def add(self, path: str, line: FoundLine) -> None:
        self.counts[path] = self.counts.get(path, 0) + line.is_match
        self.lines.setdefault(path, []).append(line)
        self._kept += 1
        if self._kept > 2 * _KEPT:
            self._drop_last()
        self._count_one(MOST_MATCHES)

    def count(self, path: str, count: int) -> None:
        self.counts[path] = count
        self._count_one(MOST_MATCHES)

    def drop(self, path: str) -> None:
        self.counts.pop(path, None)
        self.lines.pop(path, None)

    def take_path(self, path: str) -> None:
        self.counts[path] = 0
        self._count_one(_MOST_PATHS)

    def found(self, path: str) -> FoundIn:
        return FoundIn(AbsPath(path), self.counts[path], tuple(self.lines.get(path, ())))

    def _count_one(self, most: int) -> None:
        self._found += 1
        if self._found > most:
            raise Enough

    def _drop_last(self) -> None:
        """Let go of the lines of the last files by path; that they match is still known."""
        self._kept = 0
        for path in sorted(self.lines):
            room = max(0, _KEPT - self._kept)
            del self.lines[path][room:]
            self._kept += len(self.lines[path])


Take = Callable[[bytes], None]
"""Takes in one record of a program's output. Raises Enough."""


# ---------------------------------------------------------------- ripgrep


def ripgrep(program: str, query: Query, gathered: Gathered) -> tuple[list[str], bytes, Take]:
    """Return the command line, what separates its records, and what takes them in."""
    line = [*_walk(program, query.include, ignored=query.ignored), "--crlf", "--auto-hybrid-regex"]
    line += ["--ignore-case" if query.ignore_case else "--case-sensitive"]
    is_wanted = fits(query.include, query.path)
    match query.wanted:
        case "lines":
            line += ["--json", "--context", str(query.context)]
            take = _json_taker(gathered, is_wanted)
        case "files":
            line += ["--files-with-matches", "--null"]
            take = _if_fits(lambda path: gathered.count(path, 0), is_wanted)
        case "count":
            line += ["--count", "--null", "--with-filename"]
            take = _count_taker(gathered, is_wanted)
        case _:
            assert_never(query.wanted)
    separator = b"\0" if query.wanted == "files" else b"\n"
    return [*line, f"--regexp={one_line(query.pattern)}", "--", query.path], separator, take


def ripgrep_files(
    program: str, glob: str, path: AbsPath, gathered: Gathered, *, ignored: bool
) -> tuple[list[str], bytes, Take]:
    line = [*_walk(program, glob, ignored=ignored), "--files", "--null", "--", path]
    return line, b"\0", _if_fits(gathered.take_path, fits(glob, path))


def _walk(program: str, glob: str, *, ignored: bool) -> list[str]:
    line = [program, "--no-config", "--color=never", "--no-messages", "--no-ignore-messages", "--hidden"]
    line += [f"--glob=!{{{','.join(VERSION_CONTROL)}}}"]
    # Hidden files are the project's, too (.github, .env.example); what is not, ignore files usually name.
    line += ["--no-ignore"] if ignored else ["--no-require-git"]
    # As a type, because a glob of ripgrep's would bring ignored files back. What is left of it is looked at by `fits`.
    name = glob.rpartition("/")[2]
    if _NAME.fullmatch(name) and name.strip("*") and not glob.startswith("!") and glob.count("{") == name.count("{"):
        line += [f"--type-add=wanted:{name}", "--type=wanted"]
    return line


def _if_fits(take: Callable[[str], None], is_wanted: Callable[[str], bool]) -> Take:
    def taken(record: bytes) -> None:
        path = os.fsdecode(record)
        if is_wanted(path):
            take(path)

    return taken


def _count_taker(gathered: Gathered, is_wanted: Callable[[str], bool]) -> Take:
    begun: list[bytes] = []

    def taken(record: bytes) -> None:
        name, end, count = record.partition(b"\0")
        begun.append(name)
        if not end:
            # A name with a line break in it.
            return
        path = os.fsdecode(b"\n".join(begun))
        begun.clear()
        if is_wanted(path):
            gathered.count(path, int(count))

    return taken


def _json_taker(gathered: Gathered, is_wanted: Callable[[str], bool]) -> Take:
    def taken(record: bytes) -> None:
        if record.startswith((b'{"type":"begin"', b'{"data":{"elapsed_total"')):
            return
        event = json.loads(record)
        data = event["data"]
        match event["type"]:
            case "end" if data["binary_offset"] is not None:
                gathered.drop(os.fsdecode(_bytes(data["path"])))
            case "match" | "context":
                path = os.fsdecode(_bytes(data["path"]))
                if is_wanted(path):
                    gathered.add(path, _found_line(data, is_match=event["type"] == "match"))
            case _:
                pass

    return taken


def _found_line(data: dict[str, Any], *, is_match: bool) -> FoundLine:
    line = _bytes(data["lines"]).rstrip(b"\n")
    text = line.decode("utf-8", "replace")
    first = data["submatches"][0]["start"] if data["submatches"] else 0
    return FoundLine(data["line_number"], excerpt(text, len(line[:first].decode("utf-8", "replace"))), is_match)


def _bytes(value: dict[str, Any]) -> bytes:
    """Read a text of ripgrep's, which is base64 where it is not UTF-8."""
    return base64.b64decode(value["bytes"]) if "bytes" in value else value["text"].encode()


# ---------------------------------------------------------------- our own


def plain(query: Query, gathered: Gathered) -> tuple[list[str], bytes, Take]:
    def take(record: bytes) -> None:
        path, count, *line = json.loads(record)
        if line:
            text, is_match = line
            gathered.add(path, FoundLine(count, text, is_match))
        else:
            gathered.count(path, count)

    return _python(query, query.pattern), b"\n", take


def plain_files(glob: str, path: AbsPath, gathered: Gathered, *, ignored: bool) -> tuple[list[str], bytes, Take]:
    asked = Query("", path, glob, ignored=ignored)
    return _python(asked, None), b"\0", lambda record: gathered.take_path(os.fsdecode(record))


def _python(query: Query, pattern: str | None) -> list[str]:
    # Isolated and without `site`: nothing of the project it looks at, or of the person's, is imported.
    home = str(Path(openhands_acp.__file__).parents[1])
    return [sys.executable, "-I", "-S", "-c", _STARTER.format(home), json.dumps({**asdict(query), "pattern": pattern})]
