"""Hooks: commands of the person's that look at what happens, and may stop it. When each counts, and what it said.

Pure, but for the door to whoever runs them. Spelling follows OpenHands', with Claude's fields beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, cast

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath

EventName: TypeAlias = Literal["PreToolUse", "PostToolUse", "UserPromptSubmit", "SessionStart", "Stop", "SessionEnd"]

TIMEOUT = 60.0
"""Seconds that a hook gets, unless it says otherwise."""
_OF_TOOLS = frozenset({"PreToolUse", "PostToolUse", "SessionStart"})
"""Where a matcher counts: for the last, it is about how the session began."""
_BLOCKS = 2
"""The exit code by which a hook says no."""
_METACHARACTERS = frozenset("|.*+?[](){}^$\\")
_NO_ARGUMENTS: JsonObject = {}
_CLAUDES: Mapping[str, tuple[str, ...]] = {
    "terminal": ("Bash",),
    "apply_patch": ("Edit", "MultiEdit", "Write"),
    "grep": ("Grep",),
    "glob": ("Glob",),
    "task": ("Task",),
    "task_tracker": ("TodoWrite",),
    "fetch": ("WebFetch",),
}
"""What Claude Code calls tools like ours."""
_OF_EDITOR: Mapping[str, tuple[str, ...]] = {"view": ("Read",), "create": ("Write",)}
_LONGEST = 10_000
"""Characters of a reason or an addition that are read."""


@dataclass(frozen=True, slots=True)
class Hook:
    event: EventName
    command: str
    """A line for the shell."""
    source: AbsPath
    """The file that it is written in."""
    matcher: str = "*"
    timeout: float = TIMEOUT
    is_async: bool = False
    """It is not waited for, and decides nothing."""
    folder: AbsPath | None = None
    """Of the project that it belongs to, in which it runs; None: the session's first."""
    plugin: AbsPath | None = None
    """The folder of the plugin that it is from."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a hook did."""

    code: int | None
    """None: it did not come to its end."""
    stdout: str = ""
    stderr: str = ""
    failure: str = ""
    """Why it did not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of asking. It never allows anything: what a hook does not block is asked for as ever, or more."""

    is_blocked: bool = False
    reason: str = ""
    question: str = ""
    """Why the person is to be asked, whatever the mode says; empty: no hook wants that."""
    additions: tuple[str, ...] = ()
    """What the model is to read besides."""
    complaint: str = ""
    """What is wrong with the hook, in words that follow its name."""


class Runner(Protocol):
    async def run(self, hook: Hook, payload: JsonObject) -> Ran:
        """Run one with this on its stdin, to its end; to be cancelled, which ends all that it started."""
        ...


class Hooks(Runner, Protocol):
    """Runs those of one session."""

    def begin(self, hook: Hook, payload: JsonObject, ended: Callable[[Ran], None]) -> None:
        """Run one that nobody waits for, and say at its end what it did; the session's end is its end, too."""
        ...


@dataclass(frozen=True, slots=True)
class NoHooks:
    async def run(self, hook: Hook, payload: JsonObject) -> Ran:
        return Ran(0)

    def begin(self, hook: Hook, payload: JsonObject, ended: Callable[[Ran], None]) -> None:
        pass


# ---------------------------------------------------------------- when


def pattern_of(matcher: str) -> str | None:
    """Return the regular expression that a matcher is; None if it is everything, or one name."""
    if matcher in ("", "*"):
        return None
    if len(matcher) > 2 and matcher.startswith("/") and matcher.endswith("/"):
        return matcher[1:-1]
    return matcher if _METACHARACTERS & set(matcher) else None


def matches(hook: Hook, event: EventName, name: str, arguments: JsonObject = _NO_ARGUMENTS) -> bool:
    """Tell whether a hook counts for this event, with a tool of this name.

    Claude's names count besides: in plugins, which are often written for it, and where a name is written out.
    """
    if hook.event != event:
        return False
    if event not in _OF_TOOLS or hook.matcher in ("", "*"):
        return True
    pattern = pattern_of(hook.matcher)
    if pattern is None:
        return hook.matcher in (name, *_claudes(name, arguments))
    # An expression for all tools but some means ours.
    names = (name, *_claudes(name, arguments)) if hook.plugin is not None else (name,)
    return any(re.fullmatch(pattern, each) for each in names)


def _claudes(name: str, arguments: JsonObject) -> tuple[str, ...]:
    if "__" in name:
        return (f"mcp__{name}",)
    if name == "file_editor":
        return _OF_EDITOR.get(str(arguments.get("command")), ("Edit", "MultiEdit"))
    return _CLAUDES.get(name, ())


# ---------------------------------------------------------------- what it is told


def payload(event: EventName, session_id: str, folder: AbsPath, **fields: Any) -> JsonObject:
    """Say what happens, in the fields of OpenHands and of Claude Code. `fields` are the event's own."""
    return {
        "event_type": event,
        "hook_event_name": event,
        "session_id": session_id,
        "working_dir": folder,
        "cwd": folder,
        "metadata": {},
        **fields,
    }


def variables(hook: Hook, told: JsonObject) -> dict[str, str]:
    """Return what stands in its environment."""
    folder = str(told["cwd"])
    named = {
        "OPENHANDS_PROJECT_DIR": folder,
        "CLAUDE_PROJECT_DIR": folder,
        "OPENHANDS_SESSION_ID": str(told["session_id"]),
        "OPENHANDS_EVENT_TYPE": hook.event,
        "OPENHANDS_TOOL_NAME": str(told.get("tool_name") or ""),
    }
    return named if hook.plugin is None else {**named, "CLAUDE_PLUGIN_ROOT": hook.plugin}


# ---------------------------------------------------------------- what it says


def judged(ran: Ran) -> Verdict:
    """Read what a hook said."""
    if ran.code is None:
        return Verdict(complaint=ran.failure)
    said, complaint = _said(ran.stdout)
    own = _table(said.get("hookSpecificOutput"))
    decision = own.get("permissionDecision") or said.get("decision")
    words = (own.get("permissionDecisionReason"), said.get("reason"), said.get("stopReason"), ran.stderr)
    if ran.code == _BLOCKS or decision in ("deny", "block") or said.get("continue") is False:
        # What it wrote is its reason, however it was to be read.
        return Verdict(is_blocked=True, reason=_first((*words, "" if said else ran.stdout, "it gave no reason")))
    if ran.code != 0:
        last = ran.stderr.strip().splitlines()[-1:]
        return Verdict(complaint=f"ended with code {ran.code}" + (f" ({last[0][:200]})" if last else ""))
    question = _first((*words[:2], "it gave no reason")) if decision == "ask" else ""
    added = (_text(own.get("additionalContext")), _text(said.get("additionalContext")))
    return Verdict(question=question, additions=tuple(filter(None, added)), complaint=complaint)


def _said(stdout: str) -> tuple[dict[str, Any], str]:
    """Return what it says as JSON, and what is wrong with that; what is no JSON at all says nothing."""
    if not stdout.lstrip().startswith("{"):
        return {}, ""
    try:
        return _table(json.loads(stdout)), ""
    except (ValueError, RecursionError):
        return {}, "prints JSON that cannot be read"


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _first(words: tuple[object, ...]) -> str:
    return next(filter(None, map(_text, words)))


def _text(value: object) -> str:
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""
