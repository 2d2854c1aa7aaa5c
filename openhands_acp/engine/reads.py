"""Which command lines are known to change no file. Pure; whatever is not plain to see may change some."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_READERS = frozenset(
    """
    [ basename cat cd cmp column comm cut date df diff dirname du echo egrep false fgrep file find git grep groups head
    hostname id jq ls md5sum nl nproc od paste printenv printf ps pwd readlink realpath rg seq sha1sum sha256sum sleep
    sort stat tail test tr tree true type uname uptime wc whereis which whoami
    """.split()
)
_OF_GIT = frozenset(
    "blame cat-file describe diff grep log ls-files ls-tree merge-base rev-list rev-parse shortlog show status".split()
)
_WRITES_WITH = {
    "date": ("-s", "--set"),
    "file": ("-C", "--compile"),
    "find": ("-delete", "-exec", "-fls", "-fprint", "-ok"),
    "git": ("--ext-diff", "--output", "--textconv", "-O", "--open-files-in-pager"),
    "hostname": (),
    "rg": ("--pre", "--hostname-bin"),
    "sort": ("-o", "--output", "--compress-program"),
    "tree": ("-o",),
}
"""What an argument begins with that makes a reader write, or run something."""
_CLUSTER = re.compile(r"-[A-Za-z]*o")
"""Short options in one word, with one that names a file to write."""
_NOWHERE = re.compile(r"(?:(?:\d|&)?>>?\s*/dev/null|\d?>&\d)(?=$|[\s;|&])")
_TOO_CLEVER = re.compile(r"[`$\n\r\\<>(){}]")
_OPERATORS = frozenset(("|", "||", "&&", ";"))


def may_write(line: str) -> bool:
    """Tell whether a shell may change a file by running `line`: a no is certain, a yes is not."""
    line = _NOWHERE.sub(" ", line)
    if _TOO_CLEVER.search(line):
        return True
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        commands = list(_commands(list(lexer)))
    except ValueError:
        return True
    return not all(_only_reads(words) for words in commands)


def _commands(tokens: list[str]) -> Iterator[list[str]]:
    """Split at the operators that join commands. Raises ValueError for any other."""
    words: list[str] = []
    for token in [*tokens, ";"]:
        if token in _OPERATORS:
            if words:
                yield words
            words = []
        elif set(token) <= set("();<>|&"):
            raise ValueError(token)
        else:
            words.append(token)


def _only_reads(words: list[str]) -> bool:
    name, *arguments = words
    if name not in _READERS:
        return False
    if name == "git" and (not arguments or arguments[0] not in _OF_GIT):
        return False
    if name == "hostname" and arguments:
        return False
    if name in ("sort", "tree") and any(_CLUSTER.match(argument) for argument in arguments):
        return False
    return not any(argument.startswith(writer) for writer in _WRITES_WITH.get(name, ()) for argument in arguments)
