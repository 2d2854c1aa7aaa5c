"""The `grep` tool: look into files by regular expression, the person's unsaved text included.

Knows neither ripgrep nor ignore files: `hands.search` looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openhands_acp.engine.cards import Card, Location
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath, absolute, is_inside, shortened
from openhands_acp.engine.search import BadPattern, FoundIn, FoundLine, Matches, Query
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.define import define, of_characters, settled
from openhands_acp.tools.editor_view import fenced
from openhands_acp.tools.searching import (
    MOST_LOCATIONS,
    apart,
    counted,
    has_magic,
    is_elsewhere,
    no_such_place,
    place,
    title,
    unsaved,
    why_cut,
)

LINES = 250
FILES = 100
CHARACTERS = 20_000
"""Of one result."""

DESCRIPTION = r"""
Search the contents of files by regular expression, line by line. Prefer it to grep or rg in the terminal: it sees \
the person's unsaved text in files you have viewed, leaves out binary files and what .gitignore names, and does not \
ask.
- Escape what is meant literally with a backslash: . * + ? ( ) [ ] { } | ^ $
- `include` is a glob: `*.py` at any depth, `src/**/*.{ts,tsx}` from `path` on, `!*.min.js` for all but these.
- `output`: `lines` with their numbers, `files` (last changed first) or `count` per file.
Hidden files such as .github are searched, .git is not.""".replace("\\\n", "").strip()


class GrepArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    pattern: str
    path: str | None = Field(default=None, description="File or folder; else the working directory.")
    include: str | None = None
    output: Literal["lines", "files", "count"] = "lines"
    ignore_case: bool = False
    context: int = Field(default=0, ge=0, le=20, description="Lines around each match.")
    ignored: bool = Field(default=False, description="Also ignored files (node_modules, build).")
    max: int | None = Field(default=None, ge=1, le=1000, description="Most lines, else 250, or files, else 100.")

    @field_validator("pattern")
    @classmethod
    def _is_something_to_look_for(cls, pattern: str) -> str:
        if not pattern:
            raise ValueError("is empty; write the regular expression to look for")
        return pattern

    @field_validator("pattern", "path", "include")
    @classmethod
    def _can_be_passed_on(cls, text: str | None) -> str | None:
        if text and "\0" in text:
            raise ValueError("contains a NUL character; nothing that is searched can")
        return text and of_characters(text)


def grep() -> Tool:
    return define(
        name="grep",
        description=DESCRIPTION,
        args=GrepArgs,
        run=_run,
        card=lambda args, root: Card(title("grep", args.pattern, place(args.path, root), root, args.include), "search"),
        announce=Card("Search in files", "search"),
        sketch=_sketch,
        is_read_only=lambda _args: True,
    )


def _sketch(arguments: JsonObject, root: AbsPath) -> Card | None:
    pattern = settled(arguments).get("pattern")
    return Card(title("grep", pattern, root, root), "search") if isinstance(pattern, str) else None


async def _run(args: GrepArgs, hands: Hands) -> ToolResult:
    query = _query(args, hands.root)
    try:
        try:
            matches = await _found(query, hands)
        except FileNotFoundError:
            if query.include or not args.path or not has_magic(args.path):
                raise
            # A glob where a folder belongs.
            folder, include = apart(f"./{args.path}" if not is_elsewhere(args.path) else args.path, hands.root)
            query = replace(query, path=folder, include=include)
            matches = await _found(query, hands)
    except BadPattern as error:
        raise ToolError(
            f"the pattern {args.pattern!r} cannot be searched for: {error}. "
            f"To find it as it stands, escape it: {_escaped(args.pattern)}"
        ) from error
    except OSError as error:
        raise (await no_such_place(error, hands, query.path)) from error
    if not matches.files:
        text = "\n".join([await _nothing(args, query, hands), *why_cut(matches.cut)])
        return ToolResult(text, raw_output={"files": 0, "lines": 0})
    if args.output == "lines":
        return _lines(matches, args.max or LINES, hands.root)
    return _files(matches, args, hands.root)


async def _found(query: Query, hands: Hands) -> Matches:
    return await hands.search.matches(query, await unsaved(hands, query.path))


def _query(args: GrepArgs, root: AbsPath) -> Query:
    path, include = place(args.path, root), args.include or ""
    if "," in include and "{" not in include:
        # A list of globs, which is not one.
        include = "{" + ",".join(part.strip() for part in include.split(",")) + "}"
    elif is_elsewhere(include):
        path, include = apart(include, path)
    return Query(
        args.pattern,
        path,
        include,
        args.ignore_case,
        args.context,
        args.output,
        args.ignored,
    )


def _escaped(pattern: str) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", pattern)


async def _nothing(args: GrepArgs, query: Query, hands: Hands) -> str:
    """Say that there is nothing, and what may have been in the way."""
    if await _is_path(args.pattern, hands):
        return f"No line matches {args.pattern!r}, which is a path: look into it with `path`, or find files with glob."
    if r"\|" in args.pattern:
        return f"No line matches {args.pattern!r}. A backslash before | takes it literally; write | for alternatives."
    limits = [
        "upper and lower case counted (`ignore_case`)" if not args.ignore_case else "",
        f"only files that fit {query.include!r} were searched" if query.include else "",
        "files named by .gitignore were left out (`ignored`)" if not args.ignored else "",
    ]
    where = f" in {shortened(query.path, hands.root)}" if query.path != hands.root else ""
    return f"No line matches {args.pattern!r}{where}; {', '.join(filter(None, limits)) or 'everything was searched'}."


async def _is_path(pattern: str, hands: Hands) -> bool:
    path = PurePath(absolute(pattern, hands.root))
    if is_inside(AbsPath(str(path)), hands.roots):
        with suppress(OSError):
            return any(entry.name == path.name for entry in await hands.files.entries(AbsPath(str(path.parent))))
    return False


# ---------------------------------------------------------------- lines


@dataclass(slots=True)
class _Page:
    """What the model is shown, up to its bounds."""

    most: int
    root: AbsPath
    rows: list[str] = field(default_factory=list[str])
    size: int = 0
    matches: int = 0
    files: int = 0
    locations: list[Location] = field(default_factory=list[Location])

    def add(self, found: FoundIn) -> bool:
        """Add a file's lines as far as there is room; tell whether all of them fitted."""
        if self.files >= FILES or not found.lines:
            return False
        self._row(shortened(found.path, self.root))
        self.files += 1
        shown = 0
        for line, row in _rows(found.lines):
            if self.matches >= self.most or self.size + len(row) > CHARACTERS:
                return False
            self._row(row)
            if line.is_match:
                shown += 1
                self.matches += 1
                if len(self.locations) < MOST_LOCATIONS:
                    self.locations.append(Location(found.path, line.number))
        return shown == found.count

    def _row(self, row: str) -> None:
        self.rows.append(row)
        self.size += len(row) + 1


def _rows(lines: tuple[FoundLine, ...]) -> Iterator[tuple[FoundLine, str]]:
    has_context = any(not line.is_match for line in lines)
    before = lines[0].number
    for line in lines:
        gap = "  --\n" if has_context and line.number > before + 1 else ""
        yield line, f"{gap}  {line.number}{':' if line.is_match else '-'} {line.text}"
        before = line.number


def _lines(matches: Matches, most: int, root: AbsPath) -> ToolResult:
    page = _Page(most, root)
    for found in matches.files:
        if not page.add(found) and (page.matches >= most or page.files >= FILES or page.size >= CHARACTERS):
            break
    total = sum(found.count for found in matches.files)
    head = f"{counted(total, 'line matches', 'lines match')} in {counted(len(matches.files), 'file', 'files')}:"
    text = "\n".join([head, *page.rows, *_left_out(total, len(matches.files), page), *why_cut(matches.cut)])
    raw: JsonObject = {"files": len(matches.files), "lines": total, "shown": page.matches}
    return ToolResult(text, (fenced(text),), tuple(page.locations), raw)


def _left_out(lines: int, files: int, page: _Page) -> list[str]:
    if page.matches == lines:
        return []
    left = counted(lines - page.matches, "line is", "lines are")
    of_files = f", all of {counted(files - page.files, 'file', 'files')} among them" if files > page.files else ""
    return [f"[… {left} left out{of_files}: narrow `path`, `include` or `pattern`, or ask for `output` files]"]


# ---------------------------------------------------------------- files


def _files(matches: Matches, args: GrepArgs, root: AbsPath) -> ToolResult:
    most = args.max or FILES
    shown = matches.files[:most]
    is_count = args.output == "count"
    total = sum(found.count for found in matches.files)
    files = counted(len(matches.files), "file", "files")
    head = f"{counted(total, 'line matches', 'lines match')} in {files}, " if is_count else f"{files} match, "
    rows = [f"{f'{found.count}  ' if is_count else ''}{shortened(found.path, root)}" for found in shown]
    left = len(matches.files) - len(shown)
    note = (
        [f"[… {counted(left, 'file is', 'files are')} left out: narrow `path`, `include` or `pattern`]"] if left else []
    )
    text = "\n".join([f"{head}the last changed first:", *rows, *note, *why_cut(matches.cut)])
    raw: JsonObject = {"files": len(matches.files), "lines": total} if is_count else {"files": len(matches.files)}
    locations = tuple(Location(found.path) for found in shown[:MOST_LOCATIONS])
    return ToolResult(text, (fenced(text),), locations, raw)
