"""The demo's throw-away project: a program with one mistake, tests that show it, git history if there is git."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openhands_acp.llm.scripted import MISTAKE, PROGRAM, TESTS

_PROGRAM_TEXT = f'''\
"""The price of a basket, in cents."""

SHIPPING = 490
FREE_SHIPPING_FROM = 5000


def total(prices):
    """Add up the goods, and the shipping: it is free from 50.00 on."""
    goods = sum(prices)
    shipping = 0 if {MISTAKE} else SHIPPING
    return goods + shipping
'''
_TESTS_TEXT = """\
import unittest

from basket import total


class Total(unittest.TestCase):
    def test_small(self):
        self.assertEqual(total([1200, 800]), 2490)

    def test_exactly_50(self):
        self.assertEqual(total([3000, 2000]), 5000)

    def test_large(self):
        self.assertEqual(total([9900]), 9900)
"""
_FILES = {PROGRAM: _PROGRAM_TEXT, TESTS: _TESTS_TEXT, ".gitignore": "__pycache__/\n"}

_TEST_LIMIT = 60.0
_GIT_LIMIT = 10.0
_GIT = (
    "git",
    # The person's own configuration could sign, template or run things.
    *("-c", "user.name=openhands-acp", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false"),
    *("-c", f"core.hooksPath={os.devnull}", "-c", "core.autocrlf=false"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    passes: bool
    output: str
    tests_were_changed: bool
    """By the agent; what is told here is what the original ones say."""


@dataclass(frozen=True, slots=True)
class Repository:
    folder: Path
    scratch: Path
    """A folder beside it, for what is not the project's."""
    has_git: bool
    interpreter: str

    @property
    def test_command(self) -> str:
        """The line that runs the tests in a shell."""
        words = [self.interpreter, "-m", "unittest", "-v"]
        return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)

    def is_untouched(self) -> bool:
        return all(_text(self.folder / name) == text for name, text in _FILES.items())

    def check(self) -> Verdict:
        """Run the tests as they were made. Takes as long as they do."""
        were_changed = _text(self.folder / TESTS) != _TESTS_TEXT
        (self.folder / TESTS).write_text(_TESTS_TEXT, encoding="utf-8", newline="\n")
        command = [self.interpreter, "-m", "unittest"]
        try:
            result = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_TEST_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Verdict(False, f"{error}", were_changed)
        return Verdict(result.returncode == 0, result.stdout.strip(), were_changed)

    def changes(self) -> str:
        """Tell which files differ from the first commit, as git counts it; empty without git."""
        result = _git(self.folder, "diff", "--stat=72") if self.has_git else None
        return result.stdout.rstrip() if result else ""


@contextmanager
def repository(*, keep: bool) -> Generator[Repository]:
    """Make the project in a folder of its own, and remove both afterwards unless they are to be kept."""
    # Resolved: what a session is told must be what its tools then see (on macOS, /tmp is a link).
    parent = Path(tempfile.mkdtemp(prefix="openhands-acp-demo-")).resolve()
    try:
        folder, scratch = parent / "basket", parent / "openhands"
        folder.mkdir()
        scratch.mkdir()
        for name, text in _FILES.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        yield Repository(folder, scratch, _commit(folder), _interpreter(folder))
    finally:
        if not keep:
            shutil.rmtree(parent, ignore_errors=True)


def _commit(folder: Path) -> bool:
    steps = (("init", "-q"), ("add", "-A"), ("commit", "-q", "--no-verify", "-m", "A basket"))
    return all(_git(folder, *step) for step in steps)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run git; None if it is missing or fails."""
    # Variables such as GIT_DIR, set while a hook runs, would point it at another repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            [*_GIT, *arguments],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None


def _interpreter(folder: Path) -> str:
    """Return a short name if it runs a Python 3 with unittest (on Windows it may open a shop); else our own."""
    for name in ("python3", "python"):
        if shutil.which(name) is None:
            continue
        try:
            probe = [name, "-c", "import sys, unittest; sys.exit(sys.version_info < (3, 8))"]
            subprocess.run(
                probe, cwd=folder.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_LIMIT, check=True
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return name
    return sys.executable


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
