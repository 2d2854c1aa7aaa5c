"""Files that people write for an agent, as they were read last: read again only when they changed.

Nothing here raises: what cannot be read is told, with file and line, and left out. Knows no file by name.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeAlias, cast

from openhands_acp.engine.guidance.inventory import on_one_line
from openhands_acp.extensions.frontmatter import Document, Malformed, parsed

LARGEST = 256 * 1024
"""Bytes of a file that somebody may have written by hand."""
_LISTED = re.compile(r"(?:[^,\n{]|\{[^}]*\}?)+")
"""With commas between them, but for those in braces, which are a glob's."""
_TOOL = re.compile(r"[^\s,(]+(?:\([^)]{0,1000}\))?")
"""With a bound: else each parenthesis that nobody closes would be looked for to the end, over and over."""
Stamp: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: Stamp
    document: Document | None
    text: str
    problem: str = ""
    line: int | None = None


class Shelf:
    def __init__(self, project: Collection[str] = (), before: Shelf | None = None) -> None:
        """`project`: folders of others, maybe hostile: what is in there and leads out of them is not read.

        What `before` has read is read again only where it changed; what was wrong then is not taken over.
        """
        self._project = tuple(os.path.realpath(folder) for folder in project)
        self._spelt = tuple({*self._project, *map(os.path.abspath, project)})
        """However files in there are asked for: links may lead to the folders themselves."""
        self._read: dict[Path, _Read] = {} if before is None else dict(before._read)
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._problems)

    def problem(self, path: Path, sentence: str, line: int | None = None) -> None:
        """Note what is wrong in a file, in words that follow its name."""
        name = on_one_line(str(path))
        where = f"{name}:{line}" if line is not None else name
        self._problems[f"{where}: {sentence}"] = None

    # ---------------------------------------------------------------- reading

    def text(self, path: Path) -> str | None:
        """Return a file's text; None if it is not there, or cannot be read."""
        read = self._taken(path, with_fields=False)
        return None if read is None or read.problem else read.text

    def document(self, path: Path) -> Document | None:
        read = self._taken(path, with_fields=True)
        return None if read is None else read.document

    def json(self, path: Path) -> dict[str, Any] | None:
        """Return the object in a file; None if there is none."""
        if (text := self.text(path)) is None:
            return None
        try:
            value: object = json.loads(text)
        except json.JSONDecodeError as error:
            self.problem(path, f"is not JSON: {error.msg}", error.lineno)
            return None
        except (RecursionError, ValueError) as error:
            # Thousands of brackets, or a number of thousands of digits.
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else "a number in it is too long"
            self.problem(path, f"is not JSON that can be read: {reason}", 1)
            return None
        if not isinstance(value, dict):
            self.problem(path, "must be a JSON object", 1)
            return None
        return cast("dict[str, Any]", value)

    def _taken(self, path: Path, *, with_fields: bool) -> _Read | None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._read.pop(path, None)
            return None
        except OSError as error:
            self.problem(path, f"cannot be read: {error.strerror or error}")
            return None
        stamp = status.st_mtime_ns, status.st_size, status.st_ino
        kept = self._read.get(path)
        if kept is None or kept.stamp != stamp or (with_fields and kept.document is None and not kept.problem):
            kept = self._read[path] = self._fresh(path, stamp, status, with_fields=with_fields)
        if kept.problem:
            self.problem(path, kept.problem, kept.line)
        return kept

    def _fresh(self, path: Path, stamp: Stamp, status: os.stat_result, *, with_fields: bool) -> _Read:
        def bad(problem: str, line: int | None = None) -> _Read:
            return _Read(stamp, None, "", problem, line)

        if not stat.S_ISREG(status.st_mode):
            # A pipe would never end.
            return bad("is not a file")
        if status.st_size > LARGEST:
            return bad(f"has {status.st_size / 1024 / 1024:.1f} MB, which is too much: at most {LARGEST // 1024} KB")
        if self._leads_out(path):
            return bad("leads out of the project, and is left out")
        try:
            text = path.read_bytes()[:LARGEST].decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as error:
            return bad(f"cannot be read: {error.strerror or error}")
        except UnicodeDecodeError as error:
            return bad("is not UTF-8", path.read_bytes()[: error.start].count(b"\n") + 1)
        if not with_fields:
            return _Read(stamp, None, text)
        try:
            return _Read(stamp, parsed(path, text), text)
        except Malformed as error:
            return bad(str(error), error.line)

    def _leads_out(self, path: Path) -> bool:
        # The folder it is asked for in says whose it is; where its links lead, what it is.
        if not any(_is_in(os.path.abspath(path), folder) for folder in self._spelt):
            return False
        real = os.path.realpath(path)
        return not any(_is_in(real, folder) for folder in self._project)

    # ---------------------------------------------------------------- folders

    def files(self, folder: Path, glob: str) -> list[Path]:
        """List files of a folder in the order of their names; hidden ones are not."""
        return [path for path in self._entries(folder) if path.is_file() and fnmatch(path.name, glob)]

    def folders(self, folder: Path) -> list[Path]:
        return [path for path in self._entries(folder) if path.is_dir()]

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder / name for name in os.listdir(folder) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.problem(folder, f"cannot be listed: {error.strerror or error}")
            return []

    # ---------------------------------------------------------------- fields

    def string(self, document: Document, name: str, default: str = "") -> str:
        """Return a field that is a text; numbers and the like are taken as they read."""
        value = document.fields.get(name)
        if value is None:
            return default
        if (text := spelt(value)) is not None:
            return text
        self.problem(document.path, f"`{name}` must be a text", document.line_of(name))
        return default

    def flag(self, document: Document, name: str, *, default: bool) -> bool:
        value = document.fields.get(name, default)
        if isinstance(value, bool):
            return value
        self.problem(document.path, f"`{name}` must be true or false", document.line_of(name))
        return default

    def tools(self, document: Document, name: str) -> tuple[str, ...] | None:
        """Return a field that names tools, with commas or spaces between them: `Bash(git add:*) Read`."""
        if isinstance(value := document.fields.get(name), str):
            return tuple(_TOOL.findall(value))
        return self.words(document, name)

    def words(self, document: Document, name: str) -> tuple[str, ...] | None:
        """Return a field that is a list, or a text with commas; None if it is not there."""
        value = document.fields.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            listed: list[object] = [*_LISTED.findall(value)]
        else:
            listed = cast("list[object]", value) if isinstance(value, list) else [None]
        texts = [text for each in listed if (text := spelt(each)) is not None]
        if len(texts) < len(listed):
            self.problem(document.path, f"`{name}` must be a list of texts", document.line_of(name))
            return ()
        return tuple(dict.fromkeys(filter(None, texts)))


def spelt(value: object) -> str | None:
    """Spell what stands in a field as the text that it reads as; None if it is none."""
    if not isinstance(value, str | int | float | date):
        return None
    # Without halves of characters, which YAML can spell and no request can carry.
    return str(value).strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
