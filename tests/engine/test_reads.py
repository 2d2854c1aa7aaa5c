"""Which command lines are known to change no file."""

from __future__ import annotations

import pytest

from openhands_acp.engine.permission.reads import may_write


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ls",
        "ls -la src",
        "cat a.py | head -20",
        "cd src && git status && git diff HEAD~1 -- a.py",
        "grep -rno 'a b' src; echo done",
        'rg "x|y" -o',
        "cat *",
        "[ -f a ] && sort a",
        "sort src/*",
        "rg '*' src",
        "find . -name '*.py' | sort | wc -l",
        "git log --oneline 2>/dev/null",
        "ls missing 2>&1 | tail -1",
        "pwd || true",
        "test -f a && cat a",
    ],
)
def test_what_only_reads_is_known(line: str) -> None:
    assert not may_write(line)


@pytest.mark.parametrize(
    "line",
    [
        "rm a",
        "ls > a",
        "ls >> a",
        "ls >/dev/null/../tmp/a",
        "cat a | tee b",
        "cat <(rm a)",
        "echo $(rm a)",
        "echo `rm a`",
        "echo ${x:=1}",
        "ls & rm a",
        "ls\nrm a",
        "ls; rm a",
        "(rm a)",
        "PATH=. ls",
        "./ls",
        "find . -delete",
        "find . -name a -exec rm {} +",
        "find . -fprint a",
        "sort -o a a",
        "sort -uo a a",
        "tree -no a",
        "sort --output=a a",
        "git checkout .",
        "git -c alias.x=!rm status",
        "git diff --output=a",
        "git",
        "git stash",
        "rg --pre ./rm x",
        "tree -o a",
        "date -s tomorrow",
        "sed -i s/a/b/ a",
        "awk '{print > \"a\"}' b",
        'python -c \'open("a", "w")\'',
        "uniq a b",
        "echo 'unclosed",
        "ls \\\n; rm a",
        "hostname new",
        "npm test",
        "echo a >| b",
        "cat << EOF",
        "ls &> a",
        "ls 2> a",
        # In sh, two commands.
        "ls &>/dev/null rm a",
        "sort --outp=a b",
        "sort --compress=./rm a",
        "git diff --outp=a",
        "git cat-file --filters HEAD:a",
        "file --comp -m a",
        "tree -R",
        "date -us tomorrow",
        # Where a file is called like an option.
        "sort *",
        "git log *",
        "rg x ?-a",
        "cat a | sort [a-z-]*",
    ],
)
def test_whatever_else_may_write(line: str) -> None:
    assert may_write(line)
