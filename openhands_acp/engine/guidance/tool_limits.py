"""What a skill or a command allows of tools while the person has it carried out. Pure.

People write names of OpenHands', or of Claude's: `terminal`, `Bash(git:*)`, `Read(docs/**), Grep`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath, absolute, shortened
from openhands_acp.engine.permission.policy import plain_words

_ALWAYS = frozenset({"think", "finish", "task_tracker", "ask_user", "invoke_skill", "exit_plan_mode"})
"""They touch nothing."""
_OURS: Mapping[str, tuple[str, ...]] = {
    "bash": ("terminal",),
    "execute_bash": ("terminal",),
    "read": ("file_editor",),
    "edit": ("file_editor", "apply_patch"),
    "multiedit": ("file_editor", "apply_patch"),
    "write": ("file_editor", "apply_patch"),
    "str_replace_editor": ("file_editor",),
    "ls": ("file_editor", "glob"),
    "webfetch": ("fetch",),
}
"""What others call tools of ours."""
_ENTRY = re.compile(r"([^(]+)(?:\((.*)\))?", re.DOTALL)
_READING = frozenset({"read", "ls"})


@dataclass(frozen=True, slots=True)
class ToolLimit:
    names: tuple[str, ...]
    """As they are written."""
    by: str
    """Whose limit it is."""

    def refusal(self, tool_name: str, arguments: JsonObject | None, root: AbsPath) -> str | None:
        """Say why a call may not run, to the model; None if it may. Paths are as they are read in `root`."""
        if tool_name in _ALWAYS or any(_allows(entry, tool_name, arguments or {}, root) for entry in self.names):
            return None
        allowed = ", ".join(self.names) or "no tools"
        return (
            f"{self.by!r}, which the person called, allows only {allowed} until this turn ends; do it with these, or "
            "tell the person what else it takes"
        )


def _allows(entry: str, tool_name: str, arguments: JsonObject, root: AbsPath) -> bool:
    found = _ENTRY.fullmatch(entry.strip())
    if found is None:
        return False
    name, pattern = found[1].strip(), found[2]
    if name.startswith("mcp__"):
        # Claude's spelling of what a server has; without a tool's name it is all of them.
        whole = name.removeprefix("mcp__")
        return tool_name == whole or ("__" not in whole and tool_name.startswith(f"{whole}__"))
    if tool_name not in _OURS.get(name.lower(), (name, name.lower())):
        return False
    if name.lower() in _READING and arguments.get("command", "view") != "view":
        return False
    return pattern is None or _is_meant(tool_name, arguments, [each.strip() for each in pattern.split(",")], root)


def _is_meant(tool_name: str, arguments: JsonObject, patterns: list[str], root: AbsPath) -> bool:
    """Tell whether a call is about what stands in brackets behind a tool's name; where nobody can tell, it is not."""
    match tool_name:
        case "terminal":
            return _is_covered(arguments, patterns)
        case "file_editor" | "grep" | "glob":
            path = absolute(str(arguments.get("path") or "."), root)
            return any(_is_at(path, pattern, root) for pattern in patterns)
        case "fetch":
            host = _host_of(str(arguments.get("url")))
            hosts = [pattern.removeprefix("domain:") for pattern in patterns]
            return any(host == each or host.endswith(f".{each}") for each in hosts if each)
        case "task":
            return str(arguments.get("subagent_type", "general-purpose")) in patterns
        case _:
            return False


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        # No address: whoever would fetch it says so.
        return ""


def _is_at(path: AbsPath, pattern: str, root: AbsPath) -> bool:
    # As Claude spells it: `//` begins a whole path, `/` one in the project.
    if pattern.startswith(("//", "~")):
        return fnmatchcase(path, os.path.expanduser(pattern.removeprefix("/")))
    return fnmatchcase(shortened(path, root), pattern.removeprefix("./").removeprefix("/"))


def _is_covered(arguments: JsonObject, patterns: Iterable[str]) -> bool:
    """Tell whether a command line is one plain command as a pattern says: `git:*`, `npm run *`, `ls`."""
    line = arguments.get("command")
    if not isinstance(line, str) or arguments.get("is_input"):
        # To look at what was allowed, and to end it, is allowed; to type into it is another thing.
        return not arguments.get("is_input")
    if not line.strip():
        return True
    words = plain_words(line)
    if not words:
        return False
    spelt = " ".join(words)
    return any(_fits(spelt, pattern) for pattern in patterns)


def _fits(line: str, pattern: str) -> bool:
    if pattern.endswith((":*", " *")):
        head = pattern[:-2]
        return line == head or line.startswith(f"{head} ")
    return fnmatchcase(line, pattern)
