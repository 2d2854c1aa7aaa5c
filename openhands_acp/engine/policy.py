"""What may be done without asking. Pure: decides, and does nothing.

A rule that the person made ("always allow ...") is kept as text, so that the journal can hold it:
`read:<path>` and `write:<path>` for one file, `words:<json list>` for command lines that begin with
these words, `line:<command>` for one exact command line, `keys:<json [command, keys]>` for exactly
these keys typed into exactly this program. `words@<mark>` and `line@<mark>` count only in a shell that takes
words as it did when they were made (`meanings`), those without a mark only where it takes them as they read.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from openhands_acp.engine.events import Risk
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath, is_inside


@dataclass(frozen=True, slots=True)
class Read:
    path: AbsPath


@dataclass(frozen=True, slots=True)
class Write:
    path: AbsPath


@dataclass(frozen=True, slots=True)
class Execute:
    line: str
    mark: str = ""
    """Of a shell that may run something else than the line says (`meanings.mark_of`)."""


@dataclass(frozen=True, slots=True)
class Type:
    """Keys go to a program that runs: what they do there, only the program knows."""

    line: str
    """By which the program was started."""
    keys: str


Effect: TypeAlias = Read | Write | Execute | Type


@dataclass(frozen=True, slots=True)
class Allow:
    pass


@dataclass(frozen=True, slots=True)
class Ask:
    pass


@dataclass(frozen=True, slots=True)
class Deny:
    reason: str
    """The model reads it."""


Verdict: TypeAlias = Allow | Ask | Deny

_PLAN = (
    "the session is in plan mode, which is read-only: nothing may be written or run. Read what you need, then answer "
    "with the plan; the person will switch the mode when they want it carried out"
)

# Words and quoted words only: no expansion, redirection, control operator, comment, assignment or line break,
# so that what runs is one program with exactly these arguments, whatever the shell.
# Character by character: a word that could be matched in pieces would be tried in all of them.
_PLAIN = re.compile(r"""(?:[\w./:@%,+=-]|'[^'\n]*'|"[^"\\$`!\n]*"|[ \t])+""")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WITH_SUBCOMMANDS = _words(
    """
    git npm pnpm yarn bun cargo go uv pip poetry pdm hatch dotnet docker podman kubectl helm terraform gh brew apt
    apt-get dnf mvn gradle rustup conda composer bundle rails mix
    """
)
# Programs whose arguments carry the authority: they run, delete or send what they are told to.
_NEVER_BY_NAME = _words(
    """
    sh bash zsh dash fish ksh pwsh powershell cmd python python2 python3 node deno ruby perl php lua tclsh osascript
    env sudo su doas xargs find parallel nohup time timeout nice watch script ssh scp rsync nc ncat socat curl wget
    eval exec source . command builtin npx pnpx bunx uvx pipx awk gawk sed tee dd rm rmdir mv cp ln install truncate
    chmod chown chgrp kill pkill killall mkfs mount umount crontab at systemctl make just ninja
    """
)


def decide(
    mode: Mode, effect: Effect, *, risk: Risk, roots: tuple[AbsPath, ...], rules: Collection[str] = ()
) -> Verdict:
    """Judge one effect of one tool call.

    Reading inside the roots never asks, in any mode; what a rule covers is not asked again.
    """
    if isinstance(effect, Read) and is_inside(effect.path, roots):
        return Allow()
    if mode == "plan":
        return Ask() if isinstance(effect, Read) else Deny(_PLAN)
    if mode == "always-approve" or any(_covers(rule, effect) for rule in rules):
        return Allow()
    if mode == "accept-edits":
        return Allow() if isinstance(effect, Write) and _is_ordinary(effect.path, roots) else Ask()
    if mode == "llm-approve":
        return Allow() if risk in ("LOW", "MEDIUM") else Ask()
    return Ask()


def rule_for(effect: Effect) -> str:
    """Return the rule that "always" makes of this effect: never wider than what its name says."""
    match effect:
        case Read(path):
            return f"read:{path}"
        case Write(path):
            return f"write:{path}"
        case Execute(line, mark):
            words, at = _leading_words(line), f"@{mark}" if mark else ""
            return f"words{at}:{json.dumps(words, ensure_ascii=False)}" if words else f"line{at}:{line}"
        case Type(line, keys):
            return f"keys:{json.dumps([line, keys], ensure_ascii=False)}"
        case _:
            assert_never(effect)


def rule_in_words(rule: str, effect: Effect, shown_path: str) -> str:
    """Name the option, so that the person knows what they agree to."""
    kind, mark, value = _parts(rule)
    if mark:
        return f"{rule_in_words(f'{kind}:{value}', effect, shown_path)}, with the shell as it is now"
    if kind == "words":
        return f"Always allow `{shlex.join(json.loads(value))} …` in this session"
    if kind == "line":
        return "Always allow exactly this command in this session"
    if kind == "keys":
        return "Always allow typing exactly this into this command in this session"
    return f"Always allow {'editing' if isinstance(effect, Write) else 'reading'} {shown_path} in this session"


def covered_in_another_shell(effect: Execute, rules: Collection[str]) -> bool:
    """Tell whether it would be allowed by a rule that was made when the shell took words otherwise."""
    return any(_covers(rule, Execute(effect.line, _parts(rule)[1])) for rule in rules)


def _parts(rule: str) -> tuple[str, str, str]:
    """Split a rule into its kind, its mark and what it is about."""
    kind, _, value = rule.partition(":")
    kind, _, mark = kind.partition("@")
    return kind, mark, value


def _covers(rule: str, effect: Effect) -> bool:
    kind, mark, value = _parts(rule)
    match effect:
        case Read(path):
            # Who may change a file may look at it.
            return kind in ("read", "write") and value == path
        case Write(path):
            return kind == "write" and value == path
        case Execute(line):
            if mark != effect.mark:
                return False
            if kind == "line":
                return value == line
            if kind != "words":
                return False
            words, prefix = plain_words(line), json.loads(value)
            return words[: len(prefix)] == prefix if words else False
        case Type(line, keys):
            # Who may run a command may not thereby say yes to all that it asks.
            return kind == "keys" and json.loads(value) == [line, keys]
        case _:
            assert_never(effect)


def _leading_words(line: str) -> list[str]:
    """Return the words that name what the command does, or nothing if only the whole line does."""
    words = plain_words(line)
    if not words or words[0] in _NEVER_BY_NAME or "/" in words[0]:
        return []
    if words[0] not in _WITH_SUBCOMMANDS:
        return words[:1]
    if len(words) < 2 or words[1].startswith("-") or words[1] in ("exec", "run", "x", "dlx", "config"):
        # `git -c`, `npm exec`, `docker run`: the next word decides, so more of the line belongs to the rule.
        return words[:3] if len(words) > 2 and words[1] == "run" and not words[2].startswith("-") else []
    return words[:2]


def plain_words(line: str) -> list[str]:
    """Split a command line that is nothing but words, of which the first names a program; any other gives no words."""
    if not _PLAIN.fullmatch(line):
        return []
    words = shlex.split(line)
    return [] if not words or "=" in words[0] else words


def _is_ordinary(path: AbsPath, roots: tuple[AbsPath, ...]) -> bool:
    """Tell a project's file from one that makes other programs run something (git's own, ours)."""
    return is_inside(path, roots) and not {".git", ".openhands"} & set(re.split(r"[\\/]", path))
