"""What may be done without asking. Pure: decides, and does nothing.

A rule that the person made ("always allow ...") is kept as text, so that the journal can hold it:
`read:<path>` and `write:<path>` for one file, `words:<json list>` for command lines that begin with
these words, `line:<command>` for one exact command line, `keys:<json [command, keys]>` for exactly
these keys typed into exactly this program, `tool:<json [server, tool]>` and `server:<name>` for tools of a server,
`sample:<name>` for a server that asks the model, `fetch:<host>` for a host on the web. `words@<mark>` and `line@<mark>`
count only in a shell that takes words as it did when they were made (`meanings`), those without a mark only where it
takes them as they read.
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
from openhands_acp.engine.permission import authority


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


@dataclass(frozen=True, slots=True)
class UseTool:
    """A server of others is told to do something: what it does, only the server knows."""

    server: str
    tool: str
    """As the server calls it; empty: its resources are read."""
    title: str
    """For the person."""
    is_read_only: bool
    """As the server claims."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A server of others has the session's model answer something."""

    server: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Something is asked of a host on the web, which learns at least the address that is asked for."""

    host: str
    """With its port, if it is not the usual one."""


Effect: TypeAlias = Read | Write | Execute | Type | UseTool | Sample | Fetch


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
    "the session is in plan mode, which is read-only: nothing may be written or run. Read what you need, then put the "
    "plan to the person with exit_plan_mode if you have it, else as your answer; they decide when it is carried out"
)

# Words and quoted words only: no expansion, redirection, control operator, comment, assignment or line break,
# so that what runs is one program with exactly these arguments, whatever the shell.
# Character by character: a word that could be matched in pieces would be tried in all of them.
_PLAIN = re.compile(r"""(?:[\w./:@%,+=-]|'[^'\n]*'|"[^"\\$`!\n]*"|[ \t])+""")


def decide(
    mode: Mode, effect: Effect, *, risk: Risk, roots: tuple[AbsPath, ...], rules: Collection[str] = ()
) -> Verdict:
    """Judge one effect of one tool call.

    Reading inside the roots never asks, in any mode; what a rule covers is not asked again.
    """
    if isinstance(effect, Read) and is_inside(effect.path, roots):
        return Allow()
    is_covered = any(_covers(rule, effect) for rule in rules)
    if isinstance(effect, Sample):
        # In every mode: it costs the person's money, and what is asked comes from somebody else.
        return Allow() if is_covered else Ask()
    if mode == "plan":
        return _in_plan_mode(effect, is_covered=is_covered)
    if mode == "always-approve" or is_covered:
        return Allow()
    if mode == "accept-edits":
        return Allow() if isinstance(effect, Write) and _is_ordinary(effect.path, roots) else Ask()
    if mode == "llm-approve":
        # Of a tool that only reads, as its server says, the model is not asked how risky it is.
        claimed = "LOW" if risk == "UNKNOWN" and isinstance(effect, UseTool) and effect.is_read_only else risk
        return Allow() if claimed in ("LOW", "MEDIUM") else Ask()
    return Ask()


def _in_plan_mode(effect: Effect, *, is_covered: bool) -> Verdict:
    match effect:
        case Read():
            return Ask()
        case UseTool(is_read_only=True) | Fetch():
            return Allow() if is_covered else Ask()
        case _:
            return Deny(_PLAN)


def rule_for(effect: Effect) -> str:
    """Return the rule that "always" makes of this effect: never wider than what its name says."""
    match effect:
        case Read(path):
            return f"read:{path}"
        case Write(path):
            return f"write:{path}"
        case Execute(line, mark):
            words, at = authority.leading(plain_words(line)), f"@{mark}" if mark else ""
            return f"words{at}:{json.dumps(words, ensure_ascii=False)}" if words else f"line{at}:{line}"
        case Type(line, keys):
            return f"keys:{json.dumps([line, keys], ensure_ascii=False)}"
        case UseTool(server, tool):
            return f"tool:{json.dumps([server, tool], ensure_ascii=False)}"
        case Sample(server):
            return f"sample:{server}"
        case Fetch(host):
            return f"fetch:{host}"
        case _:
            assert_never(effect)


def wider_rule_for(effect: Effect) -> str | None:
    """Return the rule that covers more than `rule_for` does, where a person may well mean that."""
    return f"server:{effect.server}" if isinstance(effect, UseTool) else None


def rule_in_words(rule: str, effect: Effect, shown_path: str) -> str:
    """Name the option, so that the person knows what they agree to."""
    kind, mark, value = parts_of(rule)
    if mark:
        return f"{rule_in_words(f'{kind}:{value}', effect, shown_path)}, with the shell as it is now"
    if kind == "words":
        return f"Always allow `{shlex.join(json.loads(value))} …` in this session"
    if kind == "line":
        return "Always allow exactly this command in this session"
    if kind == "keys":
        return "Always allow typing exactly this into this command in this session"
    if isinstance(effect, UseTool):
        what = f"all tools of {effect.server}" if kind == "server" else f"{effect.title} of {effect.server}"
        return f"Always allow {what} in this session"
    if isinstance(effect, Sample):
        return f"Always let {effect.server} ask the model in this session"
    if isinstance(effect, Fetch):
        return f"Always allow {effect.host} in this session"
    return f"Always allow {'editing' if isinstance(effect, Write) else 'reading'} {shown_path} in this session"


def covered_in_another_shell(effect: Execute, rules: Collection[str]) -> bool:
    """Tell whether it would be allowed by a rule that was made when the shell took words otherwise."""
    return any(_covers(rule, Execute(effect.line, parts_of(rule)[1])) for rule in rules)


def server_of(rule: str) -> str | None:
    """Return the server that a rule is about, if it is about one."""
    kind, _, value = parts_of(rule)
    if kind == "tool":
        return str(json.loads(value)[0])
    return value if kind in ("server", "sample") else None


def parts_of(rule: str) -> tuple[str, str, str]:
    """Split a rule into its kind, its mark and what it is about."""
    kind, _, value = rule.partition(":")
    kind, _, mark = kind.partition("@")
    return kind, mark, value


def _covers(rule: str, effect: Effect) -> bool:
    kind, mark, value = parts_of(rule)
    match effect:
        case Read(path):
            # Who may change a file may look at it.
            return kind in ("read", "write") and value == path
        case Write(path):
            return kind == "write" and value == path
        case Execute(line):
            return mark == effect.mark and _covers_line(kind, value, line)
        case Type(line, keys):
            # Who may run a command may not thereby say yes to all that it asks.
            return kind == "keys" and json.loads(value) == [line, keys]
        case UseTool(server, tool):
            return value == server if kind == "server" else kind == "tool" and json.loads(value) == [server, tool]
        case Sample(server):
            return kind == "sample" and value == server
        case Fetch(host):
            return kind == "fetch" and value == host
        case _:
            assert_never(effect)


def _covers_line(kind: str, value: str, line: str) -> bool:
    if kind != "words":
        return kind == "line" and value == line
    words, prefix = plain_words(line), json.loads(value)
    return bool(words) and words[: len(prefix)] == prefix and authority.stays_within(words, prefix)


def plain_words(line: str) -> list[str]:
    """Split a command line that is nothing but words, of which the first names a program; any other gives no words."""
    if not _PLAIN.fullmatch(line):
        return []
    words = shlex.split(line)
    return [] if not words or "=" in words[0] else words


def _is_ordinary(path: AbsPath, roots: tuple[AbsPath, ...]) -> bool:
    """Tell a project's file from one that makes other programs run something (git's own, ours)."""
    return is_inside(path, roots) and not {".git", ".openhands"} & set(re.split(r"[\\/]", path))
