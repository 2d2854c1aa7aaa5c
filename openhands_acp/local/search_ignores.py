"""Which files a search leaves out: .gitignore and its kin, as ripgrep reads them. Little of the standard library only.

A nearer file outranks a farther one, .rgignore outranks .ignore, and both outrank git's; of one file the
last rule that fits counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from openhands_acp.local.search_patterns import glob_source

NAMES = (".rgignore", ".ignore", ".gitignore")
VERSION_CONTROL = (".git", ".hg", ".svn", ".jj")
"""Never searched, unless the path given leads into it."""
Rule = tuple[int, bool]
"""Its place in its file, and whether it ignores."""
Glob = tuple[str, Rule]
"""A rule's regular expression."""
_LARGEST = 1024 * 1024
_PLAIN = re.compile(r"[\w.@+ -]+/?")
_EXCLUDES_FILE = re.compile(r'^\s*excludesfile\s*=\s*"?\s*(.+?)\s*"?\s*$', re.IGNORECASE | re.MULTILINE)


class Rules:
    """The rules of one file."""

    __slots__ = ("by_name", "by_path", "names", "order", "start")

    def __init__(self, start: int, names: dict[str, Rule], by_name: list[Glob], by_path: list[Glob]) -> None:
        self.start = start
        """Where a path below its folder begins."""
        self.names = names
        """Plain names, the most of all rules; folders' with a slash at their end."""
        self.by_name = _any_of(by_name)
        self.by_path = _any_of(by_path)
        self.order = [rule for _, rule in (*by_name, *by_path)]
        """Of the rules in both patterns, by group."""

    def verdict(self, path: str, name: str) -> bool | None:
        """Tell whether a path is ignored; a folder's, and its name, end with a slash. None: no rule fits."""
        best = self.names.get(name)
        if name[-1] == "/":
            other = self.names.get(name[:-1])
            best = max(best, other) if best and other else best or other
        if self.by_name and (found := self.by_name.fullmatch(name)):
            rule = self.order[(found.lastindex or 1) - 1]
            best = max(best, rule) if best else rule
        if self.by_path and (found := self.by_path.fullmatch(path, self.start)):
            rule = self.order[(self.by_name.groups if self.by_name else 0) + (found.lastindex or 1) - 1]
            best = max(best, rule) if best else rule
        return None if best is None else best[1]


class Ignores:
    """All rules that count in one folder."""

    __slots__ = ("chains", "flat", "others")

    def __init__(self, chains: tuple[tuple[Rules, ...], ...] = ((), (), ()), others: tuple[Rules, ...] = ()) -> None:
        self.chains = chains
        """Of each of `NAMES`, the nearest first."""
        self.others = others
        """Of the repository's own exclude file and the person's."""
        self.flat = (*(rules for chain in chains for rules in chain), *others)

    def leave_out(self, path: str, name: str) -> bool:
        for rules in self.flat:
            verdict = rules.verdict(path, name)
            if verdict is not None:
                return verdict
        return False

    def entered(self, folder: str, names: Iterable[str]) -> Ignores:
        """Return what counts in `folder`, which has these names in it."""
        there = set(names)
        if ".git" not in there and there.isdisjoint(NAMES):
            return self
        chains, others = list(self.chains), self.others
        if ".git" in there:
            # Another repository: what git ignores outside of it says nothing here.
            chains[2] = ()
            others = (*_read(os.path.join(folder, ".git", "info", "exclude"), folder), *others[-1:])
        for index, name in enumerate(NAMES):
            if name in there:
                chains[index] = (*_read(os.path.join(folder, name), folder), *chains[index])
        return Ignores(tuple(chains), others)


def around(folder: str) -> Ignores:
    """Return what the folders above `folder` and the person's own settings ignore."""
    parents: list[str] = []
    above = os.path.dirname(folder)
    while not parents or parents[-1] != above:
        parents.append(above)
        above = os.path.dirname(above)
    ignores = Ignores(others=_read(_persons_own(), folder))
    for parent in reversed(parents):
        present = [name for name in (".git", *NAMES) if os.path.lexists(os.path.join(parent, name))]
        ignores = ignores.entered(parent, present)
    return ignores


def is_left_out(path: str, top: str) -> bool:
    """Tell whether a search of the folder `top` would pass by this file in it, or by a folder on the way."""
    ignores, folder = around(top), top
    names = os.path.relpath(path, top).split(os.sep)
    for index, name in enumerate(names):
        present = [known for known in (".git", *NAMES) if os.path.lexists(os.path.join(folder, known))]
        ignores = ignores.entered(folder, present)
        folder = os.path.join(folder, name)
        slash = "/" if index < len(names) - 1 else ""
        if name in VERSION_CONTROL or ignores.leave_out(slashed(folder) + slash, name + slash):
            return True
    return False


def slashed(path: str) -> str:
    return path if os.sep == "/" else path.replace(os.sep, "/")


def _persons_own() -> str:
    """Find git's `core.excludesFile`. Git itself is not run: its settings can make it run anything."""
    home = os.path.expanduser("~")
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for name in (os.path.join(home, ".gitconfig"), os.path.join(settings, "git", "config")):
        if found := _EXCLUDES_FILE.search(_text(name)):
            return os.path.expanduser(found[1])
    return os.path.join(settings, "git", "ignore")


def _read(path: str, folder: str) -> tuple[Rules, ...]:
    rules = parsed(_text(path), folder)
    return (rules,) if rules else ()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(_LARGEST)
    except OSError:
        return ""


def parsed(text: str, folder: str) -> Rules | None:
    """Read the lines of an ignore file in `folder`; None if there is no rule among them."""
    names: dict[str, Rule] = {}
    by_name: list[Glob] = []
    by_path: list[Glob] = []
    for place, line in enumerate(text.removeprefix("\ufeff").splitlines()):
        rule = line.rstrip() if not line.rstrip().endswith("\\") else line
        ignores = not rule.startswith("!")
        rule = rule if ignores else rule[1:]
        if not rule.strip("/") or rule.startswith("#"):
            continue
        bare = rule.rstrip("/")
        end = "/" if rule.endswith("/") else "/?"
        if "/" in bare:
            by_path.append((glob_source(bare.removeprefix("/")) + end, (place, ignores)))
        elif _PLAIN.fullmatch(rule):
            names[rule] = (place, ignores)
        else:
            by_name.append((glob_source(bare) + end, (place, ignores)))
    if not (names or by_name or by_path):
        return None
    # The last first: of alternatives, the first that fits is taken.
    by_name.reverse()
    by_path.reverse()
    start = len(slashed(folder).rstrip("/")) + 1
    return Rules(start, names, by_name, by_path)


def _any_of(rules: list[Glob]) -> re.Pattern[str] | None:
    if not rules:
        return None
    return re.compile("|".join(f"({source})" for source, _ in rules), re.DOTALL)
