"""Which definitions of sub-agents count, under which names, and which may work side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openhands_acp.engine.guidance.inventory import AgentDefinition, Inventory
from openhands_acp.engine.subagents.builtin import BUILT_IN, known, named, only_looks

MINE = AgentDefinition("Code Explorer", "Mine.", "")
LOOKS = AgentDefinition("reader", "", "", tools=("grep", "fetch"))


def test_one_that_people_wrote_stands_for_the_programs_however_its_name_is_spelt() -> None:
    definitions = known(Inventory(agents=(MINE, AgentDefinition("code_explorer", "Another.", ""))))
    assert definitions == (MINE, *(each for each in BUILT_IN if each.name != "code-explorer"))
    assert [named(name, definitions) for name in ("code-explorer", " CODE_explorer", "explorer")] == [MINE, MINE, None]


@pytest.mark.parametrize(
    ("definition", "looks"),
    [
        (LOOKS, True),
        (replace(LOOKS, tools=None), False),
        (replace(LOOKS, tools=("grep", "terminal")), False),
        (replace(LOOKS, servers={"db": {"command": "db"}}), False),
        (replace(LOOKS, servers={"db": {"command": "db"}}, mode="plan"), True),
        (replace(LOOKS, tools=None, mode="plan"), True),
    ],
)
def test_only_those_that_can_change_nothing_work_side_by_side(definition: AgentDefinition, looks: bool) -> None:
    assert only_looks(definition) is looks
