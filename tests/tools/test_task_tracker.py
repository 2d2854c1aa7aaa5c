"""The tools that only speak: `task_tracker`, `think` and `finish`."""

from __future__ import annotations

import pytest

from openhands_acp.engine.events import PlanEntry
from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import ToolError, ToolResult
from openhands_acp.tools.finish import finish
from openhands_acp.tools.task_tracker import task_tracker
from openhands_acp.tools.think import think
from tests.harness.hands import PlainHands

pytestmark = pytest.mark.anyio

ROOT = AbsPath("/w")
TRACKER = task_tracker()


async def _track(hands: PlainHands, **arguments: JsonValue) -> str:
    result: ToolResult = await TRACKER.run(TRACKER.parse(arguments), hands)
    return result.text


async def test_a_task_list_becomes_the_plan_and_replaces_the_last() -> None:
    hands = PlainHands(ROOT)
    first = [{"title": "look"}, {"title": "mend", "notes": "carefully", "status": "in_progress"}]
    second = [{"title": "look", "status": "completed"}, {"title": "mend", "status": "pending", "notes": None}]
    assert await _track(hands, command="plan", task_list=first) == "Task list has been updated with 2 item(s)."
    assert await _track(hands, command="view") == "1. [ ] look\n2. [>] mend\n   carefully"
    await _track(hands, command="plan", task_list=second)
    assert await _track(hands, command="view") == "1. [x] look\n2. [ ] mend"
    await _track(hands, command="plan", task_list=[])
    assert hands.plans == [
        (PlanEntry("look", "pending"), PlanEntry("mend", "in_progress")),
        (PlanEntry("look", "completed"), PlanEntry("mend", "pending")),
        (),
    ]


async def test_a_session_without_a_list_says_how_to_make_one() -> None:
    assert await _track(PlainHands(ROOT), command="view") == (
        'No task list found. Use the "plan" command to create one.'
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"command": "plan"}, "Parameter `task_list` is required for command: plan"),
        ({"command": "plan", "task_list": [{"status": "todo"}]}, "`task_list[0].title` is missing"),
        (
            {"command": "plan", "task_list": [{"title": "a", "status": "later"}]},
            "`task_list[0].status` must be one of 'todo', 'in_progress' or 'done', got 'later'",
        ),
    ],
)
def test_a_wrong_list_is_explained(arguments: dict[str, JsonValue], error: str) -> None:
    with pytest.raises(ToolError) as caught:
        TRACKER.parse(arguments)
    assert str(caught.value) == error


async def test_a_thought_is_shown_and_nothing_else_happens() -> None:
    hands = PlainHands(ROOT)
    tool = think()
    assert await tool.run(tool.parse({"thought": "hm"}), hands) == ToolResult("Your thought has been logged.")
    assert (hands.thoughts, hands.said) == (["hm"], [])


@pytest.mark.parametrize(("message", "said"), [("Done.", ["Done."]), (" \n", [])])
async def test_finishing_ends_the_turn_with_its_message(message: str, said: list[str]) -> None:
    hands = PlainHands(ROOT)
    tool = finish()
    assert await tool.run(tool.parse({"message": message}), hands) == ToolResult("The turn has ended.", ends_turn=True)
    assert hands.said == said


def test_tools_that_show_themselves_have_no_card() -> None:
    tools = [(TRACKER, {"command": "view"}), (think(), {"thought": "hm"}), (finish(), {"message": "x"})]
    assert [tool.card(tool.parse(arguments), ROOT) for tool, arguments in tools] == [None, None, None]
