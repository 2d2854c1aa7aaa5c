"""The `glob` tool: find files by the pattern of their path.

Knows neither ripgrep nor ignore files: `hands.search` looks.
"""

from __future__ import annotations

from contextlib import suppress

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openhands_acp.engine.cards import Card
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath, absolute, is_inside, shortened
from openhands_acp.engine.search import Paths
from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.tools.define import define, of_characters, settled
from openhands_acp.tools.editor_view import fenced
from openhands_acp.tools.searching import (
    apart,
    counted,
    has_magic,
    is_elsewhere,
    no_such_place,
    place,
    places,
    title,
    why_cut,
)

MOST = 100

DESCRIPTION = """\
Find files by name, the last changed first, at most 100. `*.py` fits at any depth, `src/**/*.ts` from `path` on, \
`**/test_*/*.{js,ts}` below any folder. Finds hidden files such as .github/workflows, not what is in .git, and \
leaves out what .gitignore names unless `ignored`. To look into files use grep; to list a folder, file_editor's view."""


class GlobArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    pattern: str
    path: str | None = Field(default=None, description="Folder; else the working directory.")
    ignored: bool = Field(default=False, description="Also ignored files.")

    @field_validator("pattern", "path")
    @classmethod
    def _is_a_path(cls, text: str | None) -> str | None:
        if text is not None and (not text.strip() or "\0" in text):
            raise ValueError("is no path: it is empty or contains a NUL character")
        return text and of_characters(text)


def glob() -> Tool:
    return define(
        name="glob",
        description=DESCRIPTION,
        args=GlobArgs,
        run=_run,
        card=lambda args, root: Card(title("glob", args.pattern, place(args.path, root), root), "search"),
        announce=Card("Find files", "search"),
        sketch=_sketch,
        is_read_only=lambda _args: True,
    )


def _sketch(arguments: JsonObject, root: AbsPath) -> Card | None:
    pattern = settled(arguments).get("pattern")
    return Card(title("glob", pattern, root, root), "search") if isinstance(pattern, str) else None


async def _run(args: GlobArgs, hands: Hands) -> ToolResult:
    folder, pattern = _where(args, hands.root)
    try:
        try:
            found = await hands.search.paths(pattern, folder, ignored=args.ignored)
        except FileNotFoundError:
            if not args.path or not has_magic(args.path):
                raise
            # A glob where a folder belongs.
            joined = f"{args.path.rstrip('/')}/{args.pattern.lstrip('/')}"
            folder, pattern = apart(joined if is_elsewhere(joined) else f"./{joined}", hands.root)
            found = await hands.search.paths(pattern, folder, ignored=args.ignored)
    except OSError as error:
        raise (await no_such_place(error, hands, folder)) from error
    if not found.count and not has_magic(pattern):
        found = await _below(absolute(pattern.lstrip("/"), folder), args, hands) or found
    if not found.count:
        return ToolResult("\n".join([_nothing(args, folder, hands.root), *why_cut(found.cut)]), raw_output={"files": 0})
    return _told(found, hands.root)


def _where(args: GlobArgs, root: AbsPath) -> tuple[AbsPath, str]:
    folder, pattern = apart(args.pattern, place(args.path, root))
    return folder, f"{pattern}**" if pattern.endswith("/") else pattern


async def _below(folder: AbsPath, args: GlobArgs, hands: Hands) -> Paths | None:
    """List all of what may be a folder, where a pattern belongs."""
    if is_inside(folder, hands.roots):
        with suppress(OSError):
            return await hands.search.paths("**", folder, ignored=args.ignored)
    return None


def _nothing(args: GlobArgs, folder: AbsPath, root: AbsPath) -> str:
    where = f" in {shortened(folder, root)}" if folder != root else ""
    left_out = "" if args.ignored else "; files named by .gitignore were left out (`ignored`)"
    wider = f" Try `**/{args.pattern.lstrip('/')}`." if "/" in args.pattern and "**" not in args.pattern else ""
    return f"No file fits {args.pattern!r}{where}{left_out}.{wider}"


def _told(found: Paths, root: AbsPath) -> ToolResult:
    shown = found.paths[:MOST]
    left = found.count - len(shown)
    head = f"{counted(found.count, 'file', 'files')}, the last changed first:"
    note = [f"[… {counted(left, 'file is', 'files are')} left out: narrow the pattern or `path`]"] if left else []
    text = "\n".join([head, *(shortened(path, root) for path in shown), *note, *why_cut(found.cut)])
    return ToolResult(text, (fenced(text),), places(shown), {"files": found.count})
