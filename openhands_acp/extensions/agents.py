"""Sub-agents as people define them: a Markdown file each, in OpenHands' fields.

Knows the fields, and what a tool is called by others; knows neither the places nor how a sub-agent works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from openhands_acp.engine.builtin_agents import BROWSER
from openhands_acp.engine.inventory import AgentDefinition, Origin, Withheld, digest, quoted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.frontmatter import Document
from openhands_acp.extensions.shelf import Shelf

LONGEST = 20_000
"""Characters of a definition's text, which each request of its sub-agent pays for."""
_LONGEST_DESCRIPTION = 1024
_EXAMPLE = re.compile(r"<example>(.*?)</example>", re.DOTALL | re.IGNORECASE)
_MODES: Mapping[str, str] = {
    "always_confirm": "always-ask",
    "confirm_risky": "llm-approve",
    "never_confirm": "always-approve",
}
"""OpenHands' words for them; ours are taken as well."""
_OURS = frozenset({"always-ask", "accept-edits", "llm-approve", "always-approve", "plan"})
_NOT_YET = ("hooks", "mcp_servers", "mcp_config", "condenser", "profile_store_dir")
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
    return Withheld(root, what, digest("agent", repr(definition)))


def _agent(file: Path, origin: Origin, shelf: Shelf) -> AgentDefinition | None:
    if (document := shelf.document(file)) is None:
        return None
    name = " ".join(shelf.string(document, "name", file.stem).split())
    if not name:
        shelf.problem(file, "`name` is empty", document.line_of("name"))
        return None
    for field in _NOT_YET:
        if field in document.fields:
            shelf.problem(file, f"`{field}` of a sub-agent is not supported yet and left out", document.line_of(field))
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
