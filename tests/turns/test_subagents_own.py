"""What a definition brings for its sub-agent alone, as files and real programs: hooks, servers, when room is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import Condensation
from openhands_acp.engine.guidance.inventory import AgentDefinition, Inventory
from tests.harness.check import TestBackend, agent
from tests.harness.model import ScriptedModel, call, say
from tests.harness.narrow import narrow
from tests.turns.defined import MAKE, define, one
from tests.turns.delegating import results, task
from tests.turns.hooked import LOOK, TOUCH, hooks, seen, told
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]


async def test_hooks_of_a_definition_look_at_all_that_its_sub_agent_does_and_at_nothing_else(machine: Machine) -> None:
    names = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd")
    define(machine, hooks={name: one(LOOK) for name in names})
    hooks(machine, PreToolUse="echo x >> sessions", Stop="echo stop >> sessions")
    async with window(machine, TOUCH, MAKE, TOUCH, say("Made."), say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
    assert [
        (each["hook_event_name"], each.get("tool_name", each.get("prompt", ""))) for each in seen(machine)
    ] == snapshot(
        [
            ("SessionStart", ""),
            (
                "UserPromptSubmit",
                """\
Your task:


Make it\
""",
            ),
            ("PreToolUse", "terminal"),
            ("PostToolUse", "terminal"),
            ("Stop", ""),
            ("SessionEnd", ""),
        ]
    )
    assert (machine.project / "sessions").read_text().split() == snapshot(["x", "x", "x", "stop"])


async def test_a_definitions_hook_blocks_what_its_sub_agent_would_do(machine: Machine) -> None:
    define(machine, hooks={"PreToolUse": [{"matcher": "terminal", **one("echo no >&2; exit 2")[0]}]})
    async with window(machine, MAKE, TOUCH, say("Not made."), say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        assert told(it, 2)[-1] == "Rejected: a hook blocked this call: no"
    assert not (machine.project / "made").exists()


@pytest.mark.parametrize(
    ("event", "command", "requests"),
    [
        ("UserPromptSubmit", "echo 'not that' >&2; exit 2", 2),
        ("Stop", "test -e stopped && exit 0; touch stopped; echo 'check it' >&2; exit 2", 4),
    ],
)
async def test_a_definitions_hooks_keep_a_task_out_and_send_it_back(
    machine: Machine, event: str, command: str, requests: int
) -> None:
    define(machine, hooks={event: one(command)})
    async with window(machine, MAKE, say("Made."), say("Checked."), say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        assert len(it.model.requests) == requests
        report = told(it)[-1].partition("\n\n")[2]
    expected = {
        "UserPromptSubmit": snapshot(
            "It did not finish: A hook kept this prompt from the agent: not that. What it did stays done; `resume` with its task ID goes on with it."
        ),
        "Stop": "Checked.",
    }
    assert report == expected[event]


@pytest.mark.parametrize(("most", "is_compacted"), [(None, False), (9_000, True)])
async def test_a_definition_says_from_when_on_room_is_made(
    tmp_path: Path, most: int | None, is_compacted: bool
) -> None:
    for name in "abcd":
        (tmp_path / name).write_text("".join(f"{name} line {number}\n" for number in range(500)))
    steps = [call("file_editor", command="view", path=name) for name in "abcd"]
    model = narrow(*steps, [say("Read.")], summaries=[[say("## Task\nRead.")]] * 4, window=200_000, known=200_000)
    definition = AgentDefinition("reader", "Reads.", "", most_tokens=most)
    backend = TestBackend(
        ScriptedModel([[*task("READ", subagent_type="reader")], [say("Done.")]]),
        inventory=Inventory(agents=(definition,)),
        outputs=tmp_path / "outputs",
    )
    backend.by_purpose["subagent"] = model
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert results(running)[0].endswith("Read.")
        [journal] = backend.subagents.values()
        assert any(isinstance(entry.event, Condensation) for entry in journal.entries) is is_compacted


@pytest.mark.parametrize("compacts", [True, False])
async def test_a_definition_has_all_kept_whatever_the_window_is(tmp_path: Path, compacts: bool) -> None:
    for name in "abcd":
        (tmp_path / name).write_text("".join(f"{name} line {number}\n" for number in range(500)))
    steps = [call("file_editor", command="view", path=name) for name in "abcd"]
    model = narrow(*steps, [say("Read.")], summaries=[[say("## Task\nRead.")]] * 4, window=9_000, known=9_000)
    definition = AgentDefinition("reader", "Reads.", "", compacts=compacts)
    backend = TestBackend(
        ScriptedModel([[*task("READ", subagent_type="reader")], [say("Done.")]]),
        inventory=Inventory(agents=(definition,)),
        outputs=tmp_path / "outputs",
    )
    backend.by_purpose["subagent"] = model
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        said = results(running)[0].partition("\n\n")[2]
    expected = {
        True: "Read.",
        False: snapshot(
            "It did not finish: This conversation is longer than fake/model can read, and this sub-agent leaves out nothing of it. `condenser` in its definition says so. What it did stays done; `resume` with its task ID goes on with it."
        ),
    }
    assert said == expected[compacts]
