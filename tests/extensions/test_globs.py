"""To which files a glob in a skill applies."""

from __future__ import annotations

import re

import pytest

from openhands_acp.extensions.globs import TooMuch, patterns


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


@pytest.mark.parametrize(
    "globs",
    [
        ("{a,b}" * 8,),
        ("{1..9}",),
        tuple(f"{number}/*" for number in range(201)),
        ("*a*a*a*",),
        ("**/*a*/**/*b*/**/c*",),
    ],
)
def test_what_would_take_too_long_is_refused(globs: tuple[str, ...]) -> None:
    with pytest.raises(TooMuch):
        patterns(globs)


def test_a_glob_that_does_not_fit_is_done_with_soon() -> None:
    """However the path is made for it: there is no pattern of those that are taken with which this would not end."""
    deep, long = "a/" * 100 + "a", "/".join(["a" * 60] * 8)
    for glob in ("**/a/**/a/**/ab", "**/*a*ab/**/*b", "*a*ab", "a*a*ab/**/x*"):
        for pattern in patterns((glob,)):
            assert not any(re.match(pattern, path) for path in (deep, long, "a" * 255))


def test_none_is_none() -> None:
    assert patterns(()) == ()
