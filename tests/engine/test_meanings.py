from __future__ import annotations

import pytest

from openhands_acp.engine.permission.meanings import in_words, mark_of, other_meanings

REDEFINED = {
    "git": "git () { :; }",
    "deactivate": "deactivate () { :; }",
    "$PATH": 'declare -x PATH="/x"',
    "$GIT_PAGER": "",
    "$PS1": "declare -- PS1",
    "$FOO": 'declare -x FOO="1"',
}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("git status", {"git", "$PATH", "$GIT_PAGER"}),
        ("'git' status", {"git", "$PATH", "$GIT_PAGER"}),
        ("ls git", {"$PATH", "$GIT_PAGER"}),
        ("/usr/bin/git status", {"$PATH", "$GIT_PAGER"}),
        # Whatever is more than words may come to any name.
        ("ls | wc", {"git", "deactivate", "$PATH", "$GIT_PAGER"}),
        ('g""it status; ls', {"git", "deactivate", "$PATH", "$GIT_PAGER"}),
        ("A=1 git status", {"git", "deactivate", "$PATH", "$GIT_PAGER"}),
    ],
)
def test_what_may_make_a_line_run_something_else(line: str, names: set[str]) -> None:
    assert set(other_meanings(line, REDEFINED)) == names


def test_a_shell_is_known_again_by_what_its_names_mean_in_whatever_order() -> None:
    marks = [
        mark_of({"git": "a", "$PATH": "b"}),
        mark_of({"$PATH": "b", "git": "a"}),
        mark_of({"git": "a", "$PATH": "c"}),
        mark_of({"git": "a"}),
        mark_of({"git": "\ud800"}),
        mark_of({}),
    ]
    assert (marks[0] == marks[1], len(set(marks)), marks[-1]) == (True, 5, "")


@pytest.mark.parametrize(
    ("meanings", "said"),
    [
        ({}, "You allowed this as the shell was then. It is another one now."),
        (
            {"$PATH": "x", "ls": "y", "git": "z", "$ENV": ""},
            "You allowed this before, but earlier commands may have changed what it runs: `git` is not the program of "
            "that name, `ls` is not the program of that name, `ENV`, `PATH` changed.",
        ),
    ],
)
def test_why_it_is_asked_is_said_in_words(meanings: dict[str, str], said: str) -> None:
    assert in_words(meanings) == said
