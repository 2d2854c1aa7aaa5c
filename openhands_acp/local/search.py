"""This machine's folders as the `Search` port: ripgrep where it is installed, else a program of our own.

Either runs as a process, so that cancelling or the end of patience is the end of it.
"""

from __future__ import annotations

import heapq
import logging
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from anyio import to_thread

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.search import BadPattern, FoundIn, Matches, Paths, Query
from openhands_acp.engine.spelling import lf
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.search_ignores import is_left_out
from openhands_acp.local.search_patterns import PatternError, one_line
from openhands_acp.local.search_plain import LARGEST, decoded, fits
from openhands_acp.local.search_programs import (
    Enough,
    Gathered,
    Take,
    plain,
    plain_files,
    ripgrep,
    ripgrep_files,
)

logger = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds until a search is ended, and what it found by then is given."""
_LISTED = 1_000
_MOST_OUTPUT = 64 * 1024 * 1024
_LONGEST_RECORD = 8 * 1024 * 1024
_BLOCK = 256 * 1024
# No keys, no settings of ripgrep's: what finds a person's own ignore file, and what a process needs to start.
_ENVIRONMENT = ("HOME", "XDG_CONFIG_HOME", "PATH", "USERPROFILE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")

Program = tuple[list[str], bytes, Take]


def find_ripgrep(path: str | None = None) -> str | None:
    """Find it on `path`, else PATH, unless it lies in the folder that an editor happened to start us in."""
    found = shutil.which("rg", path=path)
    is_ours = found is not None and os.path.isabs(found) and os.path.dirname(found) != os.getcwd()
    return found if is_ours else None


@dataclass(frozen=True, slots=True)
class LocalSearch:
    find: Callable[[str | None], str | None] = find_ripgrep
    """Given a PATH, names the ripgrep to use; None: there is none."""
    patience: float = PATIENCE
    environment: LoginEnvironment | None = None
    """Whose PATH counts: a program started from a dock does not see what the person installed."""

    async def matches(self, query: Query, unsaved: Mapping[AbsPath, str]) -> Matches:
        try:
            one_line(query.pattern)
        except PatternError as error:
            raise BadPattern(str(error)) from error
        os.stat(query.path)
        instead = await to_thread.run_sync(_that_count, query, unsaved) if unsaved else {}
        gathered, cut = await self._look(query)
        if instead:
            cut = await self._look_instead(query, instead, gathered) or cut
        found = [gathered.found(path) for path, count in gathered.counts.items() if count or query.wanted == "files"]
        if query.wanted == "lines":
            return Matches(tuple(sorted(found, key=lambda each: each.path)), cut)
        return Matches(tuple(await to_thread.run_sync(_newest, found)), cut)

    async def paths(self, glob: str, path: AbsPath, *, ignored: bool) -> Paths:
        os.scandir(path).close()
        gathered, program, cut = Gathered(), await self._ripgrep(), None
        if program is not None:
            cut = await self._try(ripgrep_files(program, glob, path, gathered, ignored=ignored))
        if not isinstance(cut, str):
            gathered = Gathered()
            cut = await self._insist(plain_files(glob, path, gathered, ignored=ignored))
        found = [FoundIn(AbsPath(each), 0) for each in gathered.counts]
        newest = await to_thread.run_sync(_newest, found, _LISTED)
        return Paths(tuple(each.path for each in newest), len(found), cut)

    async def _look(self, query: Query) -> tuple[Gathered, Cut]:
        gathered, program, reason = Gathered(), await self._ripgrep(), ""
        if program is not None:
            cut = await self._try(ripgrep(program, query, gathered))
            if isinstance(cut, str):
                return gathered, cut
            reason = cut.reason
        _refuse_what_is_too_large(query.path)
        # Also for what some ripgreps refuse and Python knows: looking ahead and behind, and back references.
        gathered = Gathered()
        try:
            return gathered, await self._insist(plain(query, gathered))
        except BadPattern:
            if reason:
                raise BadPattern(reason) from None
            raise

    async def _look_instead(self, query: Query, instead: Mapping[AbsPath, str], gathered: Gathered) -> Cut:
        """Look into unsaved texts as if they were files, and take what is found there for the files."""
        with tempfile.TemporaryDirectory(prefix="openhands-search-") as folder:
            real = await to_thread.run_sync(_copied, instead, folder)
            found, cut = await self._look(replace(query, path=AbsPath(folder), include="", ignored=True))
        for path in instead:
            gathered.drop(path)
        for copy, count in found.counts.items():
            gathered.counts[real[copy]] = count
            gathered.lines[real[copy]] = found.lines.get(copy, [])
        return cut

    async def _ripgrep(self) -> str | None:
        return self.find(None if self.environment is None else (await self.environment.inherited()).get("PATH"))

    async def _try(self, program: Program) -> Cut | _Failed:
        """Run ripgrep; whatever is wrong with it is no reason not to search."""
        try:
            outcome = await _run(program, self.patience)
        except OSError as error:
            outcome = _Failed(str(error))
        if isinstance(outcome, _Failed):
            logger.info("ripgrep: %s; searching without it", outcome.reason)
        return outcome

    async def _insist(self, program: Program) -> Cut:
        outcome = await _run(program, self.patience)
        if not isinstance(outcome, _Failed):
            return outcome
        kind, _, reason = outcome.reason.partition(": ")
        if kind == "pattern":
            raise BadPattern(reason)
        raise RuntimeError(outcome.reason)


def _refuse_what_is_too_large(path: AbsPath) -> None:
    size = os.stat(path).st_size
    if size > LARGEST and os.path.isfile(path):
        raise OSError(
            f"the file is too large to be searched here ({size // 1024 // 1024} MB): use grep in the terminal"
        )


def _that_count(query: Query, unsaved: Mapping[AbsPath, str]) -> dict[AbsPath, str]:
    """Choose the texts that a search of the disk would have seen, but differently."""
    is_wanted = fits(query.include, query.path)
    chosen: dict[AbsPath, str] = {}
    for path, text in unsaved.items():
        is_itself = path == query.path
        is_below = path.startswith(query.path.rstrip(os.sep) + os.sep)
        if not is_itself and not (is_below and is_wanted(path)):
            continue
        if _is_on_disk(path, text) or (is_below and not query.ignored and is_left_out(path, query.path)):
            continue
        chosen[path] = text
    return chosen


def _copied(texts: Mapping[AbsPath, str], folder: str) -> dict[str, AbsPath]:
    """Write each text to a file in `folder`; return whose text is in which."""
    real = {os.path.join(folder, str(number)): path for number, path in enumerate(texts)}
    for copy, path in real.items():
        Path(copy).write_text(texts[path], encoding="utf-8", errors="replace", newline="")
    return real


def _is_on_disk(path: AbsPath, text: str) -> bool:
    try:
        on_disk = decoded(Path(path).read_bytes())
    except OSError:
        return False
    return on_disk is not None and on_disk == lf(text)


def _newest(found: Iterable[FoundIn], most: int | None = None) -> list[FoundIn]:
    """Put the last changed first; those of the same moment by path."""

    def age(each: FoundIn) -> tuple[float, str]:
        try:
            return -os.stat(each.path).st_mtime, each.path
        except OSError:
            return 0.0, each.path

    return sorted(found, key=age) if most is None else heapq.nsmallest(most, found, key=age)


# ---------------------------------------------------------------- a process


Cut = Literal["", "time", "size"]


@dataclass(frozen=True, slots=True)
class _Failed:
    reason: str


class _Running:
    """One program, from when it is wanted; may be ended from anywhere at any time, even before it began."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._has_ended = False
        self.is_late = False

    def began(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._has_ended:
            process.kill()

    def end(self) -> None:
        self._has_ended = True
        if self._process is not None:
            self._process.kill()

    def give_up(self) -> None:
        self.is_late = True
        self.end()


async def _run(program: Program, patience: float) -> Cut | _Failed:
    """Run a program and take in what it prints. Cancelling ends it."""
    running = _Running()
    try:
        # Abandoned, the thread sees the end of the output at once, and clears the process away.
        return await to_thread.run_sync(_ran, program, patience, running, abandon_on_cancel=True)
    finally:
        running.end()


def _ran(program: Program, patience: float, running: _Running) -> Cut | _Failed:
    line, separator, take = program
    timer = threading.Timer(patience, running.give_up)
    timer.daemon = True
    is_whole = True
    with tempfile.TemporaryFile() as errors, _started(line, errors) as process:
        running.began(process)
        timer.start()
        try:
            assert process.stdout is not None
            _take_all(process.stdout, separator, take)
        except Enough:
            is_whole = False
        finally:
            timer.cancel()
            if not is_whole:
                process.kill()
            code = process.wait()
        if running.is_late or not is_whole:
            return "time" if running.is_late else "size"
        if code in (0, 1) and os.fstat(errors.fileno()).st_size == 0:
            # 1 is ripgrep's way to say that it found nothing.
            return ""
        return _Failed(_said(errors) or f"ended with {code}")


def _started(line: list[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _take_all(output: IO[bytes], separator: bytes, take: Take) -> None:
    rest: list[bytes] = []
    size = held = 0
    while block := os.read(output.fileno(), _BLOCK):
        size += len(block)
        if size > _MOST_OUTPUT:
            raise Enough
        first, *others = block.split(separator)
        rest.append(first)
        held += len(first)
        if not others:
            continue
        if held <= _LONGEST_RECORD:
            take(b"".join(rest))
        for record in others[:-1]:
            take(record)
        rest, held = [others[-1]], len(others[-1])


def _said(errors: IO[bytes]) -> str:
    """Return what a program complained of: ripgrep names the error in one of several lines, ours has one."""
    errors.seek(0)
    lines = errors.read(100_000).decode("utf-8", "replace").strip().splitlines()
    errors_named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (*errors_named, *lines[-1:], "")[0].strip()
