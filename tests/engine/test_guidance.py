"""How much of what people wrote down is told, and what of it stays."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.context.compaction import Budget, what_stays
from openhands_acp.engine.events import Condensation, Durable, MessageEvent, SystemPromptEvent
from openhands_acp.engine.guidance.events import SkillActivated
from openhands_acp.engine.guidance.inventory import NOTHING, Instruction, Inventory, Skill
from openhands_acp.engine.guidance.skills import listing
from openhands_acp.engine.guidance.telling import guided
from openhands_acp.engine.items import Guidance, Item, Step, Summary, condensed, weight_of_item
from openhands_acp.engine.messages import CallMade, Text, UserMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.prompt import SLIM, STATIC
from openhands_acp.engine.transcript import Transcript

ENOUGH = Budget(tail=0, last=0, words=10_000, summary=1_000, guidance=10_000)


def skills(count: int, description: str) -> Inventory:
    return Inventory(
        skills=tuple(
            Skill(f"skill-{number}", description, "text", AbsPath(f"/s/{number}/SKILL.md"), is_folder=True)
            for number in range(count)
        )
    )


@pytest.mark.parametrize(
    ("count", "description", "lines"),
    [(3, "x" * 1024, 4), (40, "x" * 1024, 41), (200, "x" * 1024, 201), (5_000, "x" * 1024, 152)],
)
def test_the_list_of_skills_is_bounded(count: int, description: str, lines: int) -> None:
    told = listing(skills(count, description), ("invoke_skill",))
    assert len(told) < 13_000
    assert len(told.splitlines()) == lines
    assert "- skill-2" in told


def item(kind: str, number: int) -> Item:
    match kind:
        case "user":
            return UserMessage((Text(f"wish {number}"),))
        case "step":
            call = CallMade(f"c{number}", "look", "{}")
            return Step("looks", calls={f"c{number}": call}, results={f"c{number}": ("x" * 500, ())})
        case _:
            return Guidance(f"skill-{number % 4}", f"{number}: {'y' * 300}")


HISTORIES = st.lists(st.sampled_from(["user", "step", "guidance"]), max_size=30).map(
    lambda kinds: [item(kind, number) for number, kind in enumerate(kinds)]
)


@given(HISTORIES, st.integers(0, 3_000), st.integers(0, 3_000))
def test_what_stays_of_guidance_is_the_newest_of_each_and_bounded(items: list[Item], tail: int, room: int) -> None:
    kept = what_stays(items, Budget(tail, tail, 10_000, 1_000, room), lambda _key: "there")
    before = [items[at] for at in kept.guidance]
    assert all(isinstance(each, Guidance) and each in items[: kept.until] for each in before)
    assert sum(map(weight_of_item, before)) <= room
    names = [each.name for each in [*before, *items[kept.until :]] if isinstance(each, Guidance)]
    assert all(names.count(each.name) == 1 for each in before if isinstance(each, Guidance))
    plan = kept.with_summary("cut", "sum")
    assert plan.of(items) == condensed(items, kept.until, plan.kept, "sum", plan.shortened)


def test_with_room_enough_all_that_holds_stays_and_what_was_said_of_it_before_goes() -> None:
    items: list[Item] = [
        Guidance("a", "old"),
        item("step", 1),
        Guidance("b", "of b"),
        Guidance("a", "new"),
        item("step", 2),
    ]
    plan = what_stays(items, ENOUGH, lambda _key: "there").with_summary("summary", "sum")
    assert plan.of(items) == [Guidance("b", "of b"), Guidance("a", "new"), Summary("sum")]


def test_what_did_not_stay_is_not_known_any_more() -> None:
    transcript = Transcript()
    events: list[Durable] = [
        SkillActivated("a", "text of a", "prompt", "word"),
        MessageEvent("m", "user", (Text("go"),)),
        SkillActivated("b", "text of b", "path", "b"),
    ]
    for number, event in enumerate(events):
        transcript.apply(event, str(number))
    assert transcript.active == {"a": "text of a", "b": "text of b"}
    transcript.apply(Condensation("k", "cut", 9, 3, until=3, kept=(1, 2)), "k")
    assert transcript.active == {"b": "text of b"}


ROOT = AbsPath("/w")


@dataclass(slots=True)
class Place:
    inventory: Inventory
    model_behind: str = "openai/gpt-5"
    root: AbsPath = ROOT


RULES = Inventory(
    instructions=(
        Instruction(AbsPath("/w/AGENTS.md"), ROOT, "x" * 2_000),
        Instruction(AbsPath("/w/CLAUDE.md"), ROOT, "for Claude", "claude"),
    ),
    skills=skills(1, "d").skills,
    memory="Likes tea.",
    identity="You are Ada.",
)


def test_who_it_is_may_be_another_and_nothing_else_of_the_static_part() -> None:
    prompt = SystemPromptEvent(STATIC, "dynamic", ())
    assert guided(prompt, Place(NOTHING)) == prompt
    told = guided(prompt, Place(RULES))
    assert told.static == STATIC.replace("You are OpenHands, a coding agent.", "You are Ada.")
    assert "for Claude" not in told.dynamic
    assert "for Claude" in guided(prompt, Place(RULES, "anthropic/claude-5")).dynamic


def test_a_small_model_is_told_the_beginning_of_the_rules_and_no_more() -> None:
    told = guided(SystemPromptEvent(SLIM, "dynamic", ()), Place(RULES, "ollama/qwen3:4b")).dynamic
    assert len(told) < 1_900
    assert "[… cut: AGENTS.md has more; read it for the rest]" in told
    assert "- skill-0: d (/s/0/SKILL.md)\n" in told
    assert "tea" not in told


def test_rules_that_are_too_many_are_cut() -> None:
    rules = tuple(Instruction(AbsPath(f"/w/{number}/AGENTS.md"), ROOT, f"{number} " * 4_000) for number in range(9))
    told = guided(SystemPromptEvent(STATIC, "", ()), Place(Inventory(instructions=rules))).dynamic
    assert len(told) < 25_000
    assert "read them: 3/AGENTS.md, 4/AGENTS.md, 5/AGENTS.md, 6/AGENTS.md, 7/AGENTS.md, 8/AGENTS.md\n" in told
