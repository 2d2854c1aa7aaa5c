"""Patterns: regular expressions as two engines want them, and globs as regular expressions.

Pure, and nothing but the standard library: the search without ripgrep starts with it in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r"""
    (?P<escape> \\(?:[pPxuU]\{[^}]*\}|.)) |
    (?P<set> \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]) |
    (?P<times> \{\d+(?:,\d*)?\}) |
    (?P<named> \(\?<(?=[A-Za-z_])) |
    (?P<other> .)
    """,
    re.DOTALL | re.VERBOSE,
)
_POSIX: Mapping[str, str] = {
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:alnum:]": "a-zA-Z0-9",
    "[:upper:]": "A-Z",
    "[:lower:]": "a-z",
    "[:space:]": r"\t\v\f\r ",
    "[:blank:]": r"\t ",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:word:]": r"\w",
    "[:xdigit:]": "0-9A-Fa-f",
}
_NEEDS_NO_ESCAPE = "\"'`/,:;=!@% "
"""Older ripgreps refuse a backslash before these."""
_IN_PYTHON: Mapping[str, str] = {
    # Within a line, whatever the class: a match must not run over its end.
    r"\s": r"[^\S\n]",
    r"\W": r"[^\w\n]",
    r"\D": r"[^\d\n]",
    r"\z": r"\Z",
}


class PatternError(Exception):
    """The pattern cannot be searched for; the message says why."""


def one_line(pattern: str) -> str:
    """Refuse what can only fit several lines; spell what is literal so that every engine takes it so."""
    if "\n" in pattern:
        raise PatternError("it contains a line break, but lines are searched one at a time; look for one of the lines")
    tokens: list[str] = []
    for kind, token in _tokens(pattern):
        if token == r"\n":
            raise PatternError(r"it contains \n, but lines are searched one at a time; look for one of the lines")
        if kind == "other" and token == "{":
            tokens.append(r"\{")
        elif kind == "escape" and token[1] in _NEEDS_NO_ESCAPE:
            tokens.append(token[1])
        else:
            tokens.append(token)
    return "".join(tokens)


def for_python(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    """Compile what ripgrep would take, to be searched for in many lines at once."""
    translated = "".join(_in_python(kind, token) for kind, token in _tokens(one_line(pattern)))
    try:
        return re.compile(translated, re.MULTILINE | (re.IGNORECASE if ignore_case else 0))
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(error.msg if isinstance(error, re.error) else str(error)) from error


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    for token in _TOKEN.finditer(pattern):
        yield token.lastgroup or "", token[0]


def _in_python(kind: str, token: str) -> str:
    match kind:
        case "escape":
            return _escape(token)
        case "set":
            return _set(token)
        case "named":
            return "(?P<"
        case _:
            return token


def _escape(token: str) -> str:
    if token[1] in "xuU" and token[2:3] == "{":
        try:
            return re.escape(chr(int(token[3:-1], 16)))
        except (ValueError, OverflowError) as error:
            raise PatternError(f"there is no character {token}") from error
    if token[1] in "pP":
        raise PatternError(
            f"{token} needs ripgrep, which is not installed here; write a class such as [A-Za-z] or \\w instead"
        )
    return _IN_PYTHON.get(token, token)


def _set(token: str) -> str:
    inside = token[1:-1]
    negation = ""
    if inside.startswith("^"):
        negation, inside = "^\\n", inside[1:]
    first = ""
    if inside.startswith("]"):
        first, inside = r"\]", inside[1:]
    parts = re.findall(r"\[:\^?\w+:\]|\\.|.", inside, re.DOTALL)
    return f"[{negation}{first}{''.join(map(_in_set, parts))}]"


def _in_set(part: str) -> str:
    if part.startswith("[:"):
        if part not in _POSIX:
            raise PatternError(f"there is no class {part}; write it as a range")
        return _POSIX[part]
    # Python reserves these for sets of sets.
    return rf"\{part}" if part in "[&|~" else part


# ---------------------------------------------------------------- globs


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob to match a path below a folder; without a slash it fits the name at any depth."""
    anywhere = "" if "/" in glob.rstrip("/") else "(?:.*/)?"
    return re.compile(anywhere + glob_source(glob.removeprefix("/")), re.DOTALL)


def glob_source(glob: str) -> str:
    """Spell a glob as git's ignore files have it, and with {a,b}, as a regular expression without groups."""
    pieces: list[str] = []
    has_braces = _is_balanced(glob)
    depth = at = 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
            pieces.append("(?:.*/)?")
            at += 3
            continue
        if rest == "**" and (at == 0 or glob[at - 1] == "/"):
            pieces.append(".+")
            break
        if found := _GLOB_SET.match(rest):
            pieces.append(_glob_set(found))
            at += found.end()
            continue
        if rest[0] == "\\" and len(rest) > 1:
            pieces.append(re.escape(rest[1]))
            at += 2
            continue
        piece, depth = _glob_character(rest[0], depth, has_braces=has_braces)
        pieces.append(piece)
        at += 1
    return "".join(pieces)


_GLOB_SET = re.compile(r"\[([!^]?)(\]?[^\]]*)\]")


def _glob_set(found: re.Match[str]) -> str:
    inside = re.sub(r"([\\\[\]&|~^])", r"\\\1", found[2])
    source = f"[^/{inside}]" if found[1] else f"[{inside}]"
    try:
        re.compile(source)
    except re.error:
        return re.escape(found[0])
    return source


def _glob_character(character: str, depth: int, *, has_braces: bool) -> tuple[str, int]:
    match character:
        case "*":
            return "[^/]*", depth
        case "?":
            return "[^/]", depth
        case "{" if has_braces:
            return "(?:", depth + 1
        case "}" if has_braces:
            return ")", depth - 1
        case "," if depth:
            return "|", depth
        case _:
            return re.escape(character), depth


def _is_balanced(glob: str) -> bool:
    depth = 0
    for character in re.sub(r"\\.", "", glob):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0
