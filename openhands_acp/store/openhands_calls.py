"""Calls and their results as OpenHands' own models of its tools take them, which refuse whatever they do not know.

Of its tools only those that are always loaded there: one unknown kind makes a whole conversation unreadable
to it. All others are spelt as calls of an MCP server's tools, which may have any arguments. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhands_acp.engine.cards import ShownDiff
from openhands_acp.engine.events import ObservationEvent

Wire = dict[str, Any]


class _Call(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="ignore")


class _Terminal(_Call):
    command: str
    is_input: bool = False
    timeout: Annotated[float, Field(ge=0)] | None = None
    reset: bool = False


class _FileEditor(_Call):
    command: Literal["view", "create", "str_replace", "insert", "undo_edit"]
    path: str
    file_text: str | None = None
    old_str: str | None = None
    new_str: str | None = None
    insert_line: Annotated[int, Field(ge=0)] | None = None
    view_range: list[int] | None = None


class _Task(_Call):
    title: str
    notes: str = ""
    status: Literal["todo", "in_progress", "done"] = "todo"


class _TaskTracker(_Call):
    command: Literal["view", "plan"]
    task_list: list[_Task] = []


class _Think(_Call):
    thought: str


class _Finish(_Call):
    message: str


_KINDS: Mapping[str, tuple[str, type[_Call]]] = {
    "terminal": ("Terminal", _Terminal),
    "file_editor": ("FileEditor", _FileEditor),
    "task_tracker": ("TaskTracker", _TaskTracker),
    "think": ("Think", _Think),
    "finish": ("Finish", _Finish),
}


def action_of(tool_name: str, arguments: Wire) -> Wire:
    """Spell what a tool was called with; what OpenHands' tool of that name would refuse, as an MCP server's."""
    if tool_name in _KINDS:
        kind, model = _KINDS[tool_name]
        try:
            return {**model.model_validate(arguments).model_dump(exclude_unset=True), "kind": f"{kind}Action"}
        except ValidationError:
            pass
    return {"data": arguments, "kind": "MCPToolAction"}


def observation_of(action: Wire | None, event: ObservationEvent, content: list[Wire]) -> Wire:
    """Spell what a call came to, as the result of `action`."""
    seen: Wire = {"content": content, "is_error": event.is_error}
    match action:
        case {"kind": "TerminalAction"}:
            raw = event.raw_output or {}
            code = raw.get("exit_code")
            exit_code = code if isinstance(code, int) else None
            seen |= {"command": action["command"], "exit_code": exit_code, "timeout": bool(raw.get("timed_out"))}
        case {"kind": "FileEditorAction"}:
            seen |= {"command": action["command"], "path": action["path"], **_change(event)}
        case {"kind": "TaskTrackerAction"}:
            seen |= {"command": action["command"], "task_list": action.get("task_list", [])}
        case {"kind": "ThinkAction" | "FinishAction"}:
            pass
        case _:
            return {**seen, "tool_name": event.tool_name, "kind": "MCPToolObservation"}
    return {**seen, "kind": action["kind"].replace("Action", "Observation")}


def _change(event: ObservationEvent) -> Wire:
    for item in event.shown:
        if isinstance(item, ShownDiff):
            old, new = item.old, item.new
            return {"path": item.path, "prev_exist": old is not None, "old_content": old, "new_content": new}
    return {}
