"""What a skill's `allowed-tools` lets through, however it is spelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.guidance.tool_limits import ToolLimit
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath

ROOT = AbsPath("/p")
VIEW: JsonObject = {"command": "view", "path": "/p/a"}
EDIT: JsonObject = {"command": "str_replace", "path": "/p/a"}


def run(line: str) -> JsonObject:
    return {"command": line}


@pytest.mark.parametrize(
    ("names", "tool", "arguments", "allowed"),
    [
        (("terminal",), "terminal", run("ls"), True),
        (("Bash",), "terminal", run("rm -r x; ls"), True),
        (("Bash",), "grep", {}, False),
        (("Bash(git:*)",), "terminal", run("git status"), True),
        (("Bash(git:*)",), "terminal", run("git"), True),
        (("Bash(git:*)",), "terminal", run("gitk"), False),
        (("Bash(git:*)",), "terminal", run("git status; rm x"), False),
        (("Bash(git:*)",), "terminal", run("git log $(rm x)"), False),
        (("Bash(git add *, npm test)",), "terminal", run("npm test"), True),
        (("Bash(git add *, npm test)",), "terminal", run("npm test --watch"), False),
        (("Bash(git:*)",), "terminal", run(""), True),
        (("Bash(git:*)",), "terminal", {"command": "y", "is_input": True}, False),
        (("Read",), "file_editor", VIEW, True),
        (("Read",), "file_editor", EDIT, False),
        (("Edit",), "file_editor", EDIT, True),
        (("Write",), "apply_patch", {}, True),
        (("Edit(docs/**)",), "file_editor", EDIT | {"path": "/p/docs/a/b.md"}, True),
        (("Edit(docs/**)",), "file_editor", EDIT | {"path": "docs/a.md"}, True),
        (("Edit(./docs/**, *.md)",), "file_editor", EDIT | {"path": "a.md"}, True),
        (("Edit(docs/**)",), "file_editor", EDIT | {"path": "docs/../src/a.py"}, False),
        (("Edit(docs/**)",), "file_editor", EDIT | {"path": "/etc/docs/a"}, False),
        (("Edit(/docs/**)",), "file_editor", EDIT | {"path": "docs/a"}, True),
        (("Edit(//etc/**)",), "file_editor", EDIT | {"path": "/etc/hosts"}, True),
        # What a patch is about, nobody has read yet.
        (("Edit(docs/**)",), "apply_patch", {}, False),
        (("Read(docs/**)",), "file_editor", VIEW, False),
        (("Grep(docs/**)",), "grep", {"pattern": "x"}, False),
        (("Grep(docs)",), "grep", {"pattern": "x", "path": "docs"}, True),
        (("WebFetch(domain:example.org)",), "fetch", {"url": "https://www.example.org/x"}, True),
        (("WebFetch(domain:example.org)",), "fetch", {"url": "https://badexample.org"}, False),
        (("WebFetch(domain:x)",), "fetch", {"url": "http://["}, False),
        (("WebFetch(domain:)",), "fetch", {"url": "https://example.org"}, False),
        (("Task(code-explorer)",), "task", {"subagent_type": "code-explorer"}, True),
        (("Task(code-explorer)",), "task", {}, False),
        (("github__list(x)",), "github__list", {}, False),
        (("Grep", "Glob"), "grep", {}, True),
        (("Grep", "Glob"), "terminal", run("ls"), False),
        (("mcp__github",), "github__list", {}, True),
        (("mcp__github__list",), "github__list", {}, True),
        (("mcp__github__list",), "github__delete", {}, False),
        (("mcp__git",), "github__list", {}, False),
        (("github__list",), "github__list", {}, True),
        ((), "terminal", run("ls"), False),
        ((), "think", {}, True),
        ((), "invoke_skill", {}, True),
        (("",), "terminal", run("ls"), False),
    ],
)
def test_a_limit(names: tuple[str, ...], tool: str, arguments: JsonObject, allowed: bool) -> None:
    assert (ToolLimit(names, "deploy").refusal(tool, arguments, ROOT) is None) is allowed


def test_a_refusal_says_what_is_left() -> None:
    assert ToolLimit(("Read", "Grep"), "deploy").refusal("terminal", None, ROOT) == (
        "'deploy', which the person called, allows only Read, Grep until this turn ends; do it with these, or tell the "
        "person what else it takes"
    )


@given(st.lists(st.text(max_size=20), max_size=3), st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_written_there_is_an_answer(names: list[str], tool: str, line: str) -> None:
    said = ToolLimit(tuple(names), "x").refusal(tool, {"command": line, "url": line, "path": line}, ROOT)
    assert said is None or said
