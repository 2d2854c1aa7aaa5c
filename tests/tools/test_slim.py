"""What a small model is told of the tools: little, and true."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from openhands_acp.engine.prompt import SLIM as PROMPT
from openhands_acp.tools import tools_for
from openhands_acp.tools.slim import SLIM

FULL = tuple(tool.spec.name for tool in tools_for("any/model"))
ARGUMENTS: Mapping[str, tuple[dict[str, str], ...]] = {
    "terminal": ({"command": "ls"},),
    "file_editor": (
        {"command": "view", "path": "a"},
        {"command": "create", "path": "a", "file_text": "x"},
        {"command": "str_replace", "path": "a", "old_str": "x", "new_str": "y"},
    ),
}


def test_the_tools_take_what_the_model_is_told_that_they_take() -> None:
    tools = {tool.spec.name: tool for tool in tools_for("any/model", slim=True)}
    for name, calls in ARGUMENTS.items():
        properties = tools[name].spec.parameters["properties"]
        assert isinstance(properties, Mapping)
        assert set(properties) == {key for call in calls for key in call}
        for call in calls:
            tools[name].parse(call)


def test_it_is_little_to_read() -> None:
    specs = [tool.spec for tool in tools_for("any/model", slim=True)]
    size = sum(len(spec.description) + len(json.dumps(spec.parameters)) for spec in specs)
    assert (size < 800, len(PROMPT) < 800) == (True, True)


@pytest.mark.parametrize(
    ("kept", "slim", "names"),
    [
        pytest.param((), True, SLIM, id="begun slim"),
        pytest.param((), False, FULL, id="begun full"),
        pytest.param(SLIM, False, SLIM, id="goes on slim with a large model"),
        pytest.param((*SLIM, "hub__list", "tool_search"), False, SLIM, id="goes on slim with tools of servers"),
        pytest.param(FULL, True, FULL, id="goes on full with a small model"),
        pytest.param(("execute_bash",), True, SLIM, id="of somebody else's, with a small model"),
    ],
)
def test_a_session_keeps_what_it_was_told(kept: tuple[str, ...], slim: bool, names: tuple[str, ...]) -> None:
    tools = tools_for("any/model", kept, slim=slim)
    assert tuple(tool.spec.name for tool in tools) == names
    assert (len(tools[0].spec.description) < 100) is (names == SLIM)
