"""The `task_tracker` tool: the model's list of tasks, which the person sees as the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, assert_never

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.tools.define import define

DESCRIPTION = """\
Keep a list of tasks, which the person sees as your plan. Use it for work of several steps; not for a question \
or a change of one or two steps. Write it before you begin, keep one task `in_progress`, and mark each \
task `done` as soon as it is, not all at the end.
- `plan`: replaces the whole list by `task_list`.
- `view`: returns the list as it is."""

Status = Literal["todo", "in_progress", "done"]
_IN_PLAN: Mapping[Status, Literal["pending", "in_progress", "completed"]] = {
    "todo": "pending",
    "in_progress": "in_progress",
    "done": "completed",
}
_SYNONYMS: Mapping[object, Status] = {"pending": "todo", "completed": "done"}
_BOX: Mapping[Status, str] = {"todo": "[ ]", "in_progress": "[>]", "done": "[x]"}


class Task(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    title: str
    notes: str = ""
    status: Status = "todo"

    @field_validator("status", mode="before")
    @classmethod
    def _as_other_tools_call_it(cls, value: object) -> object:
        return _SYNONYMS.get(value, value) if isinstance(value, str) else value


class TaskTrackerArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    command: Literal["view", "plan"]
    task_list: list[Task] | None = Field(default=None, description="For `plan`: every task, in order.")

    @model_validator(mode="after")
    def _fits_the_command(self) -> Self:
        if self.command == "plan" and self.task_list is None:
            raise ValueError("Parameter `task_list` is required for command: plan")
        return self


class TaskList:
    """The session's tasks."""

    def __init__(self) -> None:
        self.tasks: tuple[Task, ...] = ()


def task_tracker() -> Tool:
    return define(
        name="task_tracker",
        description=DESCRIPTION,
        args=TaskTrackerArgs,
        run=_run,
        # The plan itself is what is shown.
        card=lambda _args, _root: None,
    )


async def _run(args: TaskTrackerArgs, hands: Hands) -> ToolResult:
    state = hands.recall(TaskList)
    match args.command:
        case "view":
            if not state.tasks:
                return ToolResult('No task list found. Use the "plan" command to create one.')
            return ToolResult("\n".join(_row(number, task) for number, task in enumerate(state.tasks, start=1)))
        case "plan":
            state.tasks = tuple(args.task_list or ())
            hands.plan(tuple(PlanEntry(task.title, _IN_PLAN[task.status]) for task in state.tasks))
            return ToolResult(f"Task list has been updated with {len(state.tasks)} item(s).")
        case _:
            assert_never(args.command)


def _row(number: int, task: Task) -> str:
    notes = f"\n   {task.notes}" if task.notes else ""
    return f"{number}. {_BOX[task.status]} {task.title}{notes}"
