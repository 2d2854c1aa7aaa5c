"""Sub-agents as people define them: a Markdown file each, in OpenHands' fields.

Knows the fields, and what a tool is called by others; knows neither the places nor how a sub-agent works.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from openhands_acp.engine.guidance.inventory import AgentDefinition, Origin, Withheld, digest, quoted
from openhands_acp.engine.hooks.definitions import Hook
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.builtin import BROWSER
from openhands_acp.extensions.frontmatter import Document
from openhands_acp.extensions.hooks import hooks_of_field, lines_of, scripts_of
from openhands_acp.extensions.shelf import Shelf

LONGEST = 20_000
"""Characters of a definition's text, which each request of its sub-agent pays for."""
_LONGEST_DESCRIPTION = 1024
_LONGEST_NAME = 100
_EXAMPLE = re.compile(r"<example>(.*?)</example>", re.DOTALL | re.IGNORECASE)
_MODES: Mapping[str, str] = {
    "always_confirm": "always-ask",
    "confirm_risky": "llm-approve",
    "never_confirm": "always-approve",
}
"""OpenHands' words for them; ours are taken as well."""
_OURS = frozenset({"always-ask", "accept-edits", "llm-approve", "always-approve", "plan"})
_SERVERS = ("mcp_config", "mcp_servers")
"""OpenHands' names for the field; the first that is there counts."""
_COMPACTS = frozenset({"", "default", "inherit", "true"})
_KEEPS_ALL = frozenset({"none", "off", "false", "no", "disable", "disabled"})
_MOST_VALUES = 10_000
"""Of one field: YAML can say in a few lines what fills the memory."""
_TOOLS: Mapping[str, tuple[str, ...]] = {
    "terminaltool": ("terminal",),
    "bash": ("terminal",),
    "execute_bash": ("terminal",),
    "fileeditortool": ("file_editor",),
    "str_replace_editor": ("file_editor",),
    "read": ("file_editor",),
    "edit": ("file_editor",),
    "write": ("file_editor",),
    "tasktrackertool": ("task_tracker",),
    "todowrite": ("task_tracker",),
    "grep": ("grep",),
    "greptool": ("grep",),
    "glob": ("glob",),
    "globtool": ("glob",),
    "applypatchtool": ("apply_patch",),
    "webfetch": ("fetch",),
    "browser": BROWSER,
    "browsertoolset": BROWSER,
    "browser_tool_set": BROWSER,
    "tasktoolset": ("task",),
    "task_tool_set": ("task",),
    "tasktool": ("task",),
    "task": ("task",),
    "agent": ("task",),
}
"""What OpenHands' classes and Claude's tools are here, by their names in lower case."""


def agents_in(folder: Path, origin: Origin, shelf: Shelf) -> list[AgentDefinition]:
    """Read all definitions of a folder, in the order of their files' names."""
    files = [file for file in shelf.files(folder, "*.md") if file.name.lower() != "readme.md"]
    return [agent for file in files if (agent := _agent(file, origin, shelf)) is not None]


def withheld_agent(root: AbsPath, definition: AgentDefinition) -> Withheld:
    """Say what a project's sub-agent is, for whoever decides whether it counts."""
    tools = "all tools" if definition.tools is None else ", ".join(definition.tools) or "no tool"
    where = str(definition.path).removeprefix(f"{root}").lstrip("/\\") if definition.path else definition.name
    what = f"the sub-agent {quoted(definition.name)} ({quoted(where)}), which is told how to work and may use {tools}"
    what = "; ".join([what, *runs(definition)])
    lines = [*(hook.command for hook in definition.hooks), *map(_line_of, definition.servers.values())]
    written = json.dumps(definition.servers)
    return Withheld(root, what, digest("agent", repr(definition), written, *scripts_of(lines, Path(root))))


def runs(definition: AgentDefinition) -> list[str]:
    """Say what a definition has run while its sub-agent works, in pieces of one line of Markdown."""
    hooks = [f"its hooks run {', '.join(lines_of(definition.hooks))}"] if definition.hooks else []
    return [*hooks, *(f"its MCP server {quoted(name)} {_served(entry)}" for name, entry in definition.servers.items())]


def _served(entry: Mapping[str, Any]) -> str:
    return f"runs {quoted(line)}" if (line := _line_of(entry)) else f"is at {quoted(str(entry.get('url')))}"


def _line_of(entry: Mapping[str, Any]) -> str:
    args = cast("list[object]", entry["args"]) if isinstance(entry.get("args"), list) else []
    return shlex.join([str(word) for word in (entry.get("command"), *args) if word is not None])


def of_project(definition: AgentDefinition, root: AbsPath) -> AgentDefinition:
    """Have it work in its project."""
    hooks = tuple([replace(hook, folder=root) for hook in definition.hooks])
    return replace(definition, folder=root, hooks=hooks)


def of_plugin(definition: AgentDefinition, plugin: AbsPath) -> AgentDefinition:
    """Have it find what its plugin has."""
    hooks = tuple([replace(hook, plugin=plugin) for hook in definition.hooks])
    return replace(definition, folder=plugin, hooks=hooks)


def _agent(file: Path, origin: Origin, shelf: Shelf) -> AgentDefinition | None:
    if (document := shelf.document(file)) is None:
        return None
    name = " ".join(shelf.string(document, "name", file.stem).split())
    if not name or len(name) > _LONGEST_NAME:
        said = f"`name` has more than {_LONGEST_NAME} characters" if name else "`name` is empty"
        shelf.problem(file, said, document.line_of("name"))
        return None
    if "profile_store_dir" in document.fields:
        said = "`profile_store_dir` is not supported: `model` names one of the profiles in OpenHands' own folder"
        shelf.problem(file, said, document.line_of("profile_store_dir"))
    compacts, most_tokens = _condenser(document, shelf)
    servers = next((field for field in _SERVERS if field in document.fields), _SERVERS[0])
    model = shelf.string(document, "model", "inherit")
    return AgentDefinition(
        name,
        _description(document, shelf),
        _prompt(document, shelf),
        _tools(document, shelf),
        None if model in ("", "inherit") else model,
        _mode(document, shelf),
        shelf.words(document, "skills") or (),
        _whole(document, "max_iteration_per_run", shelf),
        _positive(document, "max_budget_per_run", shelf),
        origin,
        AbsPath(str(file)),
        _hooks(document, shelf),
        _servers(document, servers, shelf),
        document.line_of(servers),
        compacts=compacts,
        most_tokens=most_tokens,
    )


def _description(document: Document, shelf: Shelf) -> str:
    """Return it in one line, its examples at the end."""
    text = shelf.string(document, "description")
    if not text:
        shelf.problem(document.path, "has no `description`, so that no model knows when to use it")
    examples = [" ".join(example.split()) for example in _EXAMPLE.findall(text)]
    plain = " ".join(_EXAMPLE.sub(" ", text).split())
    told = f"{plain} For example: {'; '.join(examples)}" if examples else plain
    if len(told) <= _LONGEST_DESCRIPTION:
        return told
    line = document.line_of("description")
    shelf.problem(document.path, f"`description` is cut to {_LONGEST_DESCRIPTION} characters", line)
    return told[:_LONGEST_DESCRIPTION]


def _prompt(document: Document, shelf: Shelf) -> str:
    if len(document.body) > LONGEST:
        shelf.problem(document.path, f"has {len(document.body):,} characters, and is cut to {LONGEST:,}")
    return document.body[:LONGEST]


def _tools(document: Document, shelf: Shelf) -> tuple[str, ...] | None:
    written = shelf.tools(document, "tools")
    if written is None:
        return None
    # What stands in parentheses narrows a tool elsewhere; here the mode and the person do.
    bare = [name.partition("(")[0] for name in written]
    return tuple(dict.fromkeys(ours for name in bare for ours in _TOOLS.get(name.lower(), (name,))))


def _hooks(document: Document, shelf: Shelf) -> tuple[Hook, ...]:
    written = _plain(document, "hooks", shelf)
    line = document.line_of("hooks")
    return () if written is None else tuple(hooks_of_field(written, document.path, line, shelf))


def _servers(document: Document, field: str, shelf: Shelf) -> dict[str, Any]:
    written = _plain(document, field, shelf)
    if isinstance(written, dict) and isinstance(inner := cast("dict[str, Any]", written).get("mcpServers"), dict):
        # As in the files that name servers.
        written = cast("dict[str, Any]", inner)
    if written is not None and not isinstance(written, dict):
        shelf.problem(document.path, f"`{field}` must be a table of servers by their names", document.line_of(field))
        return {}
    servers = cast("dict[str, Any]", written or {})
    for name in [name for name, entry in servers.items() if not isinstance(entry, dict)]:
        shelf.problem(document.path, f"`{field}`: {name!r} must be a table", document.line_of(field))
        del servers[name]
    return servers


def _condenser(document: Document, shelf: Shelf) -> tuple[bool, int | None]:
    """Return whether room is made in its conversation, and from how many tokens on if not as the window says."""
    written = _plain(document, "condenser", shelf)
    line = document.line_of("condenser")
    match str(written).lower() if isinstance(written, str | bool) else written:
        case None:
            return True, None
        case str(word) if word.strip() in _COMPACTS:
            return True, None
        case str(word) if word.strip() in _KEEPS_ALL:
            return False, None
        case dict():
            table = cast("dict[str, Any]", written)
        case _:
            said = (
                f"`condenser` cannot be {written!r}; it is as the session's. There are: default, none, `max_tokens: N`"
            )
            shelf.problem(document.path, said, line)
            return True, None
    match table.get("kind", "LLMSummarizingCondenser"):
        case "NoOpCondenser":
            return False, None
        case "LLMSummarizingCondenser":
            pass
        case kind:
            shelf.problem(document.path, f"`condenser`: there is no {kind!r} here; it is as the session's", line)
            return True, None
    if others := [name for name in table if name not in ("kind", "max_tokens")]:
        said = (
            f"`condenser`: only `max_tokens` counts, and not {', '.join(others)}: room is made by tokens, not by events"
        )
        shelf.problem(document.path, said, line)
    most = table.get("max_tokens")
    if most is None or (isinstance(most, int) and not isinstance(most, bool) and most > 0):
        return True, most
    shelf.problem(document.path, "`condenser`: `max_tokens` must be a whole number above 0", line)
    return True, None


class _TooMuch(Exception):
    """There is more in a field than there is room for."""


def _plain(document: Document, field: str, shelf: Shelf) -> object:
    """Return a field's value as JSON has it; None where it is not there, or cannot be such, which is told."""
    try:
        return _as_json(document.fields.get(field), iter(range(_MOST_VALUES)))
    except (_TooMuch, RecursionError):
        shelf.problem(document.path, f"`{field}` has too much in it", document.line_of(field))
        return None


def _as_json(value: object, room: Iterator[int]) -> object:
    if next(room, None) is None:
        raise _TooMuch
    match value:
        case Mapping():
            table = cast("Mapping[object, object]", value)
            return {str(name): _as_json(inner, room) for name, inner in table.items()}
        case list():
            return [_as_json(each, room) for each in cast("list[object]", value)]
        case None | bool() | int() | float() | str():
            return value
        case _:
            # A date, say.
            return str(value)


def _mode(document: Document, shelf: Shelf) -> str | None:
    written = shelf.string(document, "permission_mode")
    mode = _MODES.get(written, written)
    if not mode or mode in _OURS:
        return mode or None
    said = f"`permission_mode` cannot be {written!r}; it is as the session's. There are: {', '.join(_MODES)}"
    shelf.problem(document.path, said, document.line_of("permission_mode"))
    return None


def _whole(document: Document, field: str, shelf: Shelf) -> int | None:
    value = document.fields.get(field)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    shelf.problem(document.path, f"`{field}` must be a whole number above 0", document.line_of(field))
    return None


def _positive(document: Document, field: str, shelf: Shelf) -> float | None:
    value = document.fields.get(field)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    shelf.problem(document.path, f"`{field}` must be a number of dollars above 0", document.line_of(field))
    return None
