"""Which command lines are known to change no file. Pure; whatever is not plain to see may change some."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

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
    "git": ("--ext-diff", "--filters", "--output", "--textconv", "-O", "--open-files-in-pager"),
    "hostname": (),
    "rg": ("--pre", "--hostname-bin"),
    "sort": ("-o", "--output", "--compress-program"),
    "tree": ("-o",),
}
"""What an argument begins with that makes a reader write, or run something."""
_CLUSTERS = {
    "date": re.compile(r"-[A-Za-z]*s"),
    "sort": re.compile(r"-[A-Za-z]*o"),
    "tree": re.compile(r"-[A-Za-z]*[oR]"),
}
"""Short options in one word, with one that names a file to write; `tree -R` writes to files of its own naming."""
_NOWHERE = re.compile(r"(?:\d?>>?[ \t]*/dev/null|\d?>&\d)(?=$|[\s;|&])")
"""Not `&>`, which only bash takes for one sign."""
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_MAY_BE_AN_OPTION = re.compile(r"(?:^|[\s;|&])(?:[*?]|\[(?=\S))")
"""A pattern that a file fits which is called like an option: `sort *` where there is a file `-oa`."""
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
    if _MAY_BE_AN_OPTION.search(_QUOTED.sub("_", line)) and any(words[0] in _WRITES_WITH for words in commands):
        return True
    return not all(only_reads(words) for words in commands)


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


def only_reads(words: Sequence[str]) -> bool:
    """Tell whether a program with these arguments is known to change no file, and to run no other program."""
    name, *arguments = words
    if name not in _READERS:
        return False
    if name == "git" and (not arguments or arguments[0] not in _OF_GIT):
        return False
    if name == "hostname" and arguments:
        return False
    if name in _CLUSTERS and any(_CLUSTERS[name].match(argument) for argument in arguments):
        return False
    return not any(spells(argument, writer) for writer in _WRITES_WITH.get(name, ()) for argument in arguments)


def spells(argument: str, option: str) -> bool:
    """Tell whether an argument begins with an option, which many programs take cut short: `--outp=a`."""
    name = argument.partition("=")[0]
    return argument.startswith(option) or (
        len(name) > len("--") and option.startswith("--") and option.startswith(name)
    )
