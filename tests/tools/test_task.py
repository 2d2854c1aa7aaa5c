"""The `task` tool: what a model is told of it, and what of its calls can run side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.guidance.inventory import NOTHING, AgentDefinition, Inventory
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.builtin import known
from openhands_acp.engine.tool import Errand, ToolError
from openhands_acp.tools.task import task
from tests.harness.hands import PlainHands, called, parsed

pytestmark = pytest.mark.anyio

OWN = Inventory(
    agents=(
        AgentDefinition("reviewer", "Reviews changes.", "", tools=("grep", "glob"), origin="project"),
        AgentDefinition("code-explorer", "Explores, and writes down what it finds.", "", origin="user"),
    )
)


def test_the_model_is_told_of_each_definition_that_counts_once() -> None:
    lines = task(known(OWN)).spec.description.splitlines()
    assert [line.partition(":")[0] for line in lines[lines.index("`subagent_type` is one of:") + 1 :]] == [
        "- reviewer",
        "- code-explorer",
        "- general-purpose",
        "- bash-runner",
        "- web-researcher",
    ]
    assert "- code-explorer: Explores, and writes down what it finds." in lines


@pytest.mark.parametrize(
    ("inventory", "arguments", "looks"),
    [
        (NOTHING, {"subagent_type": "code-explorer"}, True),
        (NOTHING, {"subagent_type": "Code Explorer"}, True),
        # There is one browser.
        (NOTHING, {"subagent_type": "web-researcher"}, False),
        (NOTHING, {"subagent_type": "bash-runner"}, False),
        (NOTHING, {}, False),
        (NOTHING, {"subagent_type": "nobody"}, False),
        # Which one a task goes on with, its arguments do not say.
        (NOTHING, {"subagent_type": "code-explorer", "resume": "task_00000001"}, False),
        (OWN, {"subagent_type": "reviewer"}, True),
        # The person's own of that name may write.
        (OWN, {"subagent_type": "code-explorer"}, False),
    ],
)
def test_only_those_that_cannot_change_anything_run_side_by_side(
    inventory: Inventory, arguments: dict[str, str], looks: bool
) -> None:
    tool = task(known(inventory))
    assert tool.is_read_only(parsed(tool, {"prompt": "x", **arguments})) is looks


async def test_it_hands_on_what_it_is_given_and_tells_what_comes_of_it(tmp_path: Path) -> None:
    hands = PlainHands(AbsPath(str(tmp_path)))
    given = {"description": "Look", "prompt": "Look at it.", "subagent_type": "reviewer", "resume": ""}
    result = await called(task(known(OWN)), hands, **given)
    assert (result.text, hands.errands) == ("Task ID: task_00000001", [Errand("reviewer", "Look at it.", "Look")])


def test_a_task_without_words_is_sent_back() -> None:
    with pytest.raises(ToolError, match="`prompt` must say what is to be done"):
        parsed(task(known(NOTHING)), {"prompt": " \n"})


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        ({"prompt": "Look.\nThen think."}, "general-purpose: Look."),
        ({"prompt": "x", "description": "Read it", "subagent_type": "reviewer"}, "reviewer: Read it"),
        ({"prompt": "x", "resume": "task_00000001"}, "task_00000001: x"),
    ],
)
def test_its_card_says_who_does_what(arguments: dict[str, str], title: str) -> None:
    tool = task(known(OWN))
    card = tool.card(parsed(tool, arguments), AbsPath("/w"))
    assert card == Card(title, "other", (), (ShownText(arguments["prompt"]),))
