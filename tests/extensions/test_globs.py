"""To which files a glob in a skill applies."""

from __future__ import annotations

import re

import pytest

from openhands_acp.extensions.globs import patterns


@pytest.mark.parametrize(
    ("glob", "path", "applies"),
    [
        ("*.py", "a.py", True),
        ("*.py", "deep/in/a.py", True),
        ("*.py", "a.pyc", False),
        ("src/**/*.{ts,tsx}", "src/a.ts", True),
        ("src/**/*.{ts,tsx}", "src/a/b/c.tsx", True),
        ("src/**/*.{ts,tsx}", "lib/a.ts", False),
        ("docs/", "docs/a/b.md", True),
        ("./docs/**", "docs/a.md", True),
        ("/docs/*.md", "docs/a.md", True),
        ("docs/*.md", "docs/a/b.md", False),
        (".github/**", ".github/workflows/ci.yml", True),
        ("[ab].c", "x/b.c", True),
        ("[", "a", False),
        ("{a,b", "a", False),
    ],
)
def test_a_glob(glob: str, path: str, applies: bool) -> None:
    assert any(re.match(pattern, path) for pattern in patterns((glob,))) is applies


def test_none_is_none() -> None:
    assert patterns(()) == ()
