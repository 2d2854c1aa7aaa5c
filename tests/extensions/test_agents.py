"""Sub-agents as people define them: OpenHands' fields, what others call our tools, and what is wrong by file and line."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from openhands_acp.engine.guidance.inventory import AgentDefinition
from openhands_acp.engine.hooks.definitions import Hook
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.builtin import BROWSER
from openhands_acp.extensions.agents import agents_in, withheld_agent
from openhands_acp.extensions.shelf import Shelf

FULL = """\
---
name: code-reviewer
description: |
  Reviews code changes.

  <example>please review this PR</example>
  <example>can you do
  a security review?</example>
tools:
  - TerminalTool
  - file_editor
model: openai/gpt-5
permission_mode: confirm_risky
color: purple
skills: style, security
max_iteration_per_run: 20
max_budget_per_run: 0.5
audience: maintainers
---

You are a meticulous code reviewer.
"""


LAUGHS = ", ".join(
    f"&{it} [{', '.join([f'*{before}' if before else 'ha'] * 10)}]" for before, it in pairwise(["", *"abcde"])
)
"""YAML of one line that stands for a hundred thousand."""


def read(folder: Path, **files: str) -> tuple[list[AgentDefinition], tuple[str, ...]]:
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text)
    shelf = Shelf()
    agents = agents_in(folder, "user", shelf)
    return agents, tuple(problem.replace(str(folder), "DIR") for problem in shelf.problems)


def test_all_fields_of_openhands_are_read(tmp_path: Path) -> None:
    agents, problems = read(tmp_path, reviewer=FULL, README="# Not one", README2="")
    assert (agents[-1], problems) == (
        AgentDefinition(
            "code-reviewer",
            "Reviews code changes. For example: please review this PR; can you do a security review?",
            "You are a meticulous code reviewer.",
            ("terminal", "file_editor"),
            "openai/gpt-5",
            "llm-approve",
            ("style", "security"),
            20,
            0.5,
            "user",
            AbsPath(str(tmp_path / "reviewer.md")),
        ),
        ("DIR/README2.md: has no `description`, so that no model knows when to use it",),
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    agents, problems = read(tmp_path, plain="---\ndescription: Does it.\n---\nDo it.\n")
    path = AbsPath(str(tmp_path / "plain.md"))
    assert agents == [AgentDefinition("plain", "Does it.", "Do it.", origin="user", path=path)]
    assert problems == ()


@pytest.mark.parametrize(
    ("written", "tools"),
    [
        ("[]", ()),
        ("terminal", ("terminal",)),
        ("Read, Grep, Glob, Bash(git log:*)", ("file_editor", "grep", "glob", "terminal")),
        ("[BrowserToolSet, fetch]", (*BROWSER, "fetch")),
        ("[TaskToolSet, github, github__search]", ("task", "github", "github__search")),
    ],
)
def test_tools_go_by_the_names_that_others_have_for_them(tmp_path: Path, written: str, tools: tuple[str, ...]) -> None:
    agents, _ = read(tmp_path, x=f"---\ndescription: d\ntools: {written}\n---\n")
    assert agents[0].tools == tools


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("permission_mode: sometimes", "`permission_mode` cannot be 'sometimes'; it is as the session's."),
        ("max_iteration_per_run: many", "`max_iteration_per_run` must be a whole number above 0"),
        ("max_iteration_per_run: 0", "`max_iteration_per_run` must be a whole number above 0"),
        ("max_budget_per_run: -1", "`max_budget_per_run` must be a number of dollars above 0"),
        ("hooks: [x]", "`hooks` must be an object of events"),
        ("hooks: {Halt: []}", "there is no event 'Halt' here"),
        (
            "hooks: {Stop: [{hooks: [{type: prompt}]}]}",
            "hooks of the type 'prompt' are not supported, only commands are",
        ),
        ("mcp_config: [x]", "`mcp_config` must be a table of servers by their names"),
        ("mcp_servers: {a: x}", "`mcp_servers`: 'a' must be a table"),
        ("condenser: maybe", "`condenser` cannot be 'maybe'; it is as the session's."),
        ("condenser: 3", "`condenser` cannot be 3; it is as the session's."),
        (
            "condenser: {kind: PipelineCondenser}",
            "`condenser`: there is no 'PipelineCondenser' here; it is as the session's",
        ),
        ("condenser: {max_tokens: few}", "`condenser`: `max_tokens` must be a whole number above 0"),
        (
            "condenser: {max_size: 80, llm: {}}",
            "`condenser`: only `max_tokens` counts, and not max_size, llm: room is made by tokens, not by events",
        ),
        (
            "profile_store_dir: /x",
            "`profile_store_dir` is not supported: `model` names one of the profiles in OpenHands' own folder",
        ),
        (f"hooks: [{LAUGHS}]", "`hooks` has too much in it"),
        ("name: ''", "`name` is empty"),
        (f"name: {'n' * 101}", "`name` has more than 100 characters"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_rest_counts(tmp_path: Path, field: str, problem: str) -> None:
    agents, problems = read(tmp_path, x=f"---\ndescription: d\n{field}\n---\nt\n", y="---\ndescription: d\n---\n")
    [told] = problems
    assert told.startswith(f"DIR/x.md:3: {problem}")
    it = agents[0]
    assert (it.mode, it.max_steps, it.max_cost, it.hooks, it.servers) == (None, None, None, (), {})
    assert (it.compacts, it.most_tokens, agents[-1].name) == (True, None, "y")


OWN = """\
---
description: Does it.
hooks:
  PreToolUse:
    - matcher: terminal
      hooks: [{type: command, command: ./check.sh, timeout: 5}]
mcp_servers:
  notes: {command: python, args: [notes.py], env: {SINCE: 2026-01-02}}
condenser: {kind: LLMSummarizingCondenser, max_tokens: 50000}
---
Do it.
"""


def test_what_it_brings_for_itself_is_read(tmp_path: Path) -> None:
    agents, problems = read(tmp_path, x=OWN)
    path = AbsPath(f"{tmp_path}/x.md")
    hook = Hook("PreToolUse", "./check.sh", path, "terminal", 5)
    notes = {"command": "python", "args": ["notes.py"], "env": {"SINCE": "2026-01-02"}}
    expected = AgentDefinition("x", "Does it.", "Do it.", origin="user", path=path, hooks=(hook,), line=7)
    assert agents == [replace(expected, servers={"notes": notes}, most_tokens=50_000)]
    assert problems == ()


@pytest.mark.parametrize(
    ("written", "compacts"),
    [("off", False), ("none", False), ("{kind: NoOpCondenser}", False), ("default", True), ("true", True), ("~", True)],
)
def test_whether_room_is_made_in_its_conversation_is_its_to_say(tmp_path: Path, written: str, compacts: bool) -> None:
    agents, problems = read(tmp_path, x=f"---\ndescription: d\ncondenser: {written}\n---\n")
    assert ([agent.compacts for agent in agents], problems) == ([compacts], ())


def test_a_file_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    broken = "---\nname: [\n---\n"
    agents, problems = read(tmp_path, a=broken, b="---\ndescription: d\n---\n", c=f"{'x' * 300_000}")
    assert ([agent.name for agent in agents], [told.partition(": ")[0] for told in problems]) == (
        ["b"],
        ["DIR/a.md:3", "DIR/c.md"],
    )


def test_what_a_project_brings_is_another_thing_whenever_it_changes(tmp_path: Path) -> None:
    root = AbsPath("/w")
    agent = AgentDefinition("x", "d", "p", ("terminal",), path=AbsPath("/w/.openhands/agents/x.md"))
    withheld = withheld_agent(root, agent)
    assert withheld.what == (
        "the sub-agent `x` (`.openhands/agents/x.md`), which is told how to work and may use terminal"
    )
    changed = [
        replace(agent, prompt="q"),
        replace(agent, tools=None),
        replace(agent, mode="always-approve"),
        replace(agent, hooks=(Hook("Stop", "true", AbsPath("/w/x.md")),)),
        replace(agent, servers={"a": {"command": "true"}}),
        replace(agent, compacts=False),
    ]
    assert withheld.digest not in {withheld_agent(root, each).digest for each in changed}
