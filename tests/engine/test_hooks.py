"""Hooks as tables: when each counts, and what is read of what it says."""

from __future__ import annotations

import json

import pytest

from openhands_acp.engine.hooks.definitions import EventName, Hook, Ran, Verdict, judged, matches
from openhands_acp.engine.paths import AbsPath


@pytest.mark.parametrize(
    ("matcher", "name", "does"),
    [
        ("*", "terminal", True),
        ("", "terminal", True),
        ("terminal", "terminal", True),
        ("terminal", "terminals", False),
        ("Terminal", "terminal", False),
        ("/term/", "terminal", False),
        ("/term.*/", "terminal", True),
        ("file_.*", "file_editor", True),
        ("grep|glob", "glob", True),
        ("grep|glob", "globs", False),
    ],
)
def test_a_matcher_is_everything_a_name_or_a_whole_regular_expression(matcher: str, name: str, does: bool) -> None:
    assert matches(Hook("PreToolUse", "x", AbsPath("/h"), matcher), "PreToolUse", name) is does


@pytest.mark.parametrize(
    ("matcher", "name", "command", "plugin", "does"),
    [
        ("Bash", "terminal", "ls", None, True),
        ("Read", "file_editor", "view", None, True),
        ("Read", "file_editor", "str_replace", None, False),
        ("Write", "file_editor", "create", None, True),
        ("mcp__docs__find", "docs__find", "", None, True),
        ("Edit|Write", "file_editor", "insert", AbsPath("/h/p"), True),
        ("Edit|Write", "file_editor", "view", AbsPath("/h/p"), False),
        ("mcp__.*", "docs__find", "", AbsPath("/h/p"), True),
        ("Edit|Write", "file_editor", "insert", None, False),
        ("(?!terminal).*", "terminal", "ls", None, False),
    ],
)
def test_claudes_names_count_where_they_are_written_out_and_in_plugins(
    matcher: str, name: str, command: str, plugin: AbsPath | None, does: bool
) -> None:
    hook = Hook("PreToolUse", "x", AbsPath("/h"), matcher, plugin=plugin)
    assert matches(hook, "PreToolUse", name, {"command": command}) is does


@pytest.mark.parametrize(
    ("event", "asked", "name", "does"),
    [
        ("PreToolUse", "PostToolUse", "terminal", False),
        ("Stop", "Stop", "", True),
        ("SessionStart", "SessionStart", "terminal", True),
        ("SessionStart", "SessionStart", "resume", False),
    ],
)
def test_a_matcher_counts_where_there_is_something_to_match(
    event: EventName, asked: EventName, name: str, does: bool
) -> None:
    assert matches(Hook(event, "x", AbsPath("/h"), "terminal"), asked, name) is does


def specific(**fields: str) -> str:
    return json.dumps({"hookSpecificOutput": fields})


@pytest.mark.parametrize(
    ("ran", "verdict"),
    [
        (Ran(0), Verdict()),
        (Ran(0, "fine"), Verdict()),
        (Ran(0, '{"decision": "allow"}'), Verdict()),
        (Ran(0, specific(permissionDecision="allow")), Verdict()),
        (Ran(2, "out", "no\n"), Verdict(is_blocked=True, reason="no")),
        (Ran(2, "out"), Verdict(is_blocked=True, reason="out")),
        (Ran(2), Verdict(is_blocked=True, reason="it gave no reason")),
        (Ran(0, '{"decision": "deny", "reason": "r"}'), Verdict(is_blocked=True, reason="r")),
        (Ran(1, '{"decision": "block", "reason": "r"}'), Verdict(is_blocked=True, reason="r")),
        (Ran(0, '{"continue": false, "stopReason": "s"}'), Verdict(is_blocked=True, reason="s")),
        (
            Ran(0, specific(permissionDecision="deny", permissionDecisionReason="p")),
            Verdict(is_blocked=True, reason="p"),
        ),
        (Ran(0, '{"additionalContext": "a"}'), Verdict(additions=("a",))),
        (Ran(0, specific(additionalContext="a")), Verdict(additions=("a",))),
        (Ran(0, '{"additionalContext": 3, "reason": []}'), Verdict()),
        (Ran(1, "", "one\ntwo\n"), Verdict(complaint="ended with code 1 (two)")),
        (Ran(127), Verdict(complaint="ended with code 127")),
        (Ran(0, "{nonsense"), Verdict(complaint="prints JSON that cannot be read")),
        (Ran(None, failure="is gone"), Verdict(complaint="is gone")),
        (Ran(0, specific(permissionDecision="ask")), Verdict(question="it gave no reason")),
        (
            Ran(0, specific(permissionDecision="ask", permissionDecisionReason="p", additionalContext="a")),
            Verdict(question="p", additions=("a",)),
        ),
        (Ran(0, '{"decision": "ask", "reason": "r"}'), Verdict(question="r")),
        (Ran(1, '{"decision": "ask", "reason": "r"}'), Verdict(complaint="ended with code 1")),
    ],
)
def test_what_a_hook_says(ran: Ran, verdict: Verdict) -> None:
    assert judged(ran) == verdict
