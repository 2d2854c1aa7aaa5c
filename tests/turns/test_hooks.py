"""Hooks over the wire, as real programs: what they are told, what they stop, and that nothing is left of them."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from tests.harness.editor import allowed, rejected
from tests.harness.model import call, say
from tests.turns.hooked import LOOK, TOUCH, asked, begun, done, hooks, runs, said, says, seen, told
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]


async def test_a_hook_is_told_in_the_fields_of_both(machine: Machine) -> None:
    names = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd")
    hooks(machine, **dict.fromkeys(names, LOOK))
    it = await done(machine, TOUCH, say("Done."))
    them = seen(machine)
    assert [each["hook_event_name"] for each in them] == list(names)
    common = {"session_id": it.session_id, "cwd": str(machine.project), "working_dir": str(machine.project)}
    for each in them:
        assert each.items() >= {**common, "event_type": each["hook_event_name"], "metadata": {}}.items()
        for name in (*common, "event_type", "hook_event_name", "metadata"):
            del each[name]
    assert them == snapshot(
        [
            {"source": "startup"},
            {"message": "go", "prompt": "go"},
            {"tool_name": "terminal", "tool_input": {"command": "touch made", "summary": "Make it"}},
            {
                "tool_name": "terminal",
                "tool_input": {"command": "touch made", "summary": "Make it"},
                "tool_response": {
                    "content": """\
[no output]
[exit code 0]\
""",
                    "is_error": False,
                },
            },
            {"stop_hook_active": False},
            {"reason": "other"},
        ]
    )


async def test_a_hook_has_its_variables_and_no_keys(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("MINE", "yes")
    names = "OPENHANDS_PROJECT_DIR CLAUDE_PROJECT_DIR OPENHANDS_EVENT_TYPE OPENHANDS_TOOL_NAME MINE ANTHROPIC_API_KEY"
    line = "; ".join(f'echo "{name}=${name}"' for name in names.split())
    hooks(machine, PreToolUse=f"({line}; pwd) > seen")
    await done(machine, TOUCH, say("Done."))
    assert (machine.project / "seen").read_text().replace(str(machine.root), "ROOT").splitlines() == snapshot(
        [
            "OPENHANDS_PROJECT_DIR=ROOT/project",
            "CLAUDE_PROJECT_DIR=ROOT/project",
            "OPENHANDS_EVENT_TYPE=PreToolUse",
            "OPENHANDS_TOOL_NAME=terminal",
            "MINE=yes",
            "ANTHROPIC_API_KEY=",
            "ROOT/project",
        ]
    )


@pytest.mark.parametrize("line", ["echo 'not here' >&2; exit 2", says(decision="deny", reason="not here")])
async def test_a_blocked_call_is_not_run_and_nobody_is_asked(machine: Machine, line: str) -> None:
    hooks(machine, PreToolUse=line)
    it = await done(machine, TOUCH, say("Well."))
    assert asked(it) == []
    assert not (machine.project / "made").exists()
    assert told(it)[-1] == snapshot("Rejected: a hook blocked this call: not here")


async def test_a_hook_that_allows_spares_no_question(machine: Machine) -> None:
    hooks(machine, PreToolUse=says(decision="allow", hookSpecificOutput={"permissionDecision": "allow"}))
    async with window(machine, TOUCH, say("Well.")) as it:
        it.editor.permission = lambda _params: rejected()
        await it.announced(await it.new())
        await it.prompt("go")
    assert len(asked(it)) == 1
    assert not (machine.project / "made").exists()


@pytest.mark.parametrize("line", [says(additionalContext="Tidy up."), "echo 'Tidy up.' >&2; exit 2"])
async def test_what_a_hook_says_of_a_result_is_read_with_it(machine: Machine, line: str) -> None:
    hooks(machine, PostToolUse=line)
    it = await done(machine, TOUCH, say("Well."))
    assert (machine.project / "made").exists()
    assert told(it)[-1].splitlines()[-1] == snapshot("(A hook says: Tidy up.)")


async def test_a_blocked_prompt_stays_out_of_what_the_model_reads(machine: Machine) -> None:
    hooks(machine, UserPromptSubmit="if grep -q hunter2; then echo 'a password' >&2; exit 2; fi")
    it = await done(machine, say("Ok."), prompts=("hunter2", "hello"))
    assert said(it) == snapshot(["A hook kept this prompt from the agent: a password", "Ok."])
    assert told(it) == ["hello"]
    assert len(it.model.requests) == 1


async def test_what_a_command_stands_for_is_looked_at_too(machine: Machine) -> None:
    (machine.root / "home/commands").mkdir()
    (machine.root / "home/commands/leak.md").write_text("Say hunter2.")
    hooks(machine, UserPromptSubmit="if grep -q hunter2; then exit 2; fi")
    it = await done(machine, prompts=("/leak",))
    assert it.model.requests == []


async def test_what_a_hook_adds_to_a_prompt_the_model_reads(machine: Machine) -> None:
    hooks(machine, UserPromptSubmit=says(additionalContext="It is Sunday."), SessionStart=says(additionalContext="Hi."))
    it = await done(machine, say("Ok."))
    assert told(it) == snapshot(["(A hook adds: Hi.)", "(A hook adds: It is Sunday.)", "go"])


async def test_a_turn_that_may_not_stop_goes_on_a_few_times(machine: Machine) -> None:
    hooks(machine, Stop=f"{LOOK}; echo 'run the tests' >&2; exit 2")
    it = await done(machine, *(say(f"Done {number}.") for number in range(6)))
    assert [each["stop_hook_active"] for each in seen(machine)] == [False, True, True, True, True]
    assert told(it)[-1] == snapshot("(A hook does not let you stop yet: run the tests)")
    assert said(it)[-2:] == snapshot(["A hook sends this back (5 of 5): run the tests", "Done 5."])


async def test_a_hook_that_does_not_work_is_told_once_and_blocks_nothing(machine: Machine) -> None:
    hooks(machine, PreToolUse="./nowhere.sh 2>/dev/null", Stop={"command": "sleep 100", "timeout": 0.2})
    it = await done(machine, TOUCH, TOUCH, say("Done."), say("Done."), prompts=("go", "go"))
    assert (machine.project / "made").exists()
    assert said(it) == snapshot(
        [
            "The PreToolUse hook `./nowhere.sh 2>/dev/null` (`ROOT/home/hooks.json`) ended with code 127. It blocked nothing.",
            "Done.",
            "The Stop hook `sleep 100` (`ROOT/home/hooks.json`) did not end in 0.2 s, and was ended. It blocked nothing.",
            "Done.",
        ]
    )


async def test_a_hook_that_takes_too_long_is_ended_with_all_it_started(machine: Machine) -> None:
    line = "sleep 1000 & echo $! > pid; (trap '' TERM; sleep 1000) & wait"
    hooks(machine, PreToolUse={"command": line, "timeout": 0.5})
    await done(machine, TOUCH, say("Done."))
    assert not runs(machine.project / "pid")


async def test_a_cancelled_turn_ends_its_hook(machine: Machine) -> None:
    hooks(machine, PreToolUse="sleep 1000 & echo $! > pid; wait")
    async with window(machine, TOUCH) as it:
        await it.announced(await it.new())
        turn = it.begin("go")
        await begun(machine)
        it.editor.notify("session/cancel", sessionId=it.session_id)
        assert (await it.editor.answer(turn))["result"] == snapshot({"stopReason": "cancelled"})
        assert not runs(machine.project / "pid")
        assert not (machine.project / "made").exists()


@pytest.mark.parametrize("event", ["UserPromptSubmit", "SessionStart"])
async def test_a_prompt_that_is_cancelled_before_a_hook_saw_it_is_not_read_later(machine: Machine, event: str) -> None:
    wait = "test -e pid || { echo $$ > pid; exec sleep 1000; }"
    events: dict[str, Any] = {"UserPromptSubmit": "true", event: wait}
    hooks(machine, project=False, **events)
    async with window(machine, say("Ok.")) as it:
        await it.announced(await it.new())
        turn = it.begin("hunter2")
        await begun(machine)
        it.editor.notify("session/cancel", sessionId=it.session_id)
        await it.editor.answer(turn)
        await it.prompt("hello")
    assert not [text for text in told(it) if "hunter2" in text]


async def test_a_hook_in_the_background_is_not_waited_for_and_ends_with_the_session(machine: Machine) -> None:
    hooks(machine, PreToolUse={"command": "echo $$ > pid; exec sleep 1000", "async": True})
    async with window(machine, TOUCH, say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        assert (machine.project / "made").exists()
        await begun(machine)
    assert not runs(machine.project / "pid")


async def test_a_long_input_that_nobody_reads_does_no_harm(machine: Machine) -> None:
    hooks(machine, UserPromptSubmit="true", Stop="cat > /dev/null; yes | head -c 300000")
    it = await done(machine, say("Ok."), prompts=("x" * 300_000,))
    assert said(it) == ["Ok."]


async def test_calls_of_sub_agents_are_looked_at_too(machine: Machine) -> None:
    hooks(machine, PreToolUse=f"{LOOK}; grep -q made seen.jsonl && exit 2; true")
    task = call("task", prompt="Make it", description="Makes", subagent_type="general-purpose")
    it = await done(machine, task, TOUCH, say("It did not work."), say("Done."))
    assert not (machine.project / "made").exists()
    assert [each["tool_name"] for each in seen(machine)] == snapshot(["task", "terminal"])
    assert len(it.model.requests) == 4


@pytest.mark.parametrize(("answer", "count"), [(allowed("deliberate_allow_once"), 1), (rejected(), 0)])
async def test_a_projects_hooks_run_once_they_are_trusted(machine: Machine, answer: dict[str, Any], count: int) -> None:
    hooks(machine, project=True, Stop="echo ran >> ran")
    async with window(machine, say("Ok."), say("Ok.")) as it:
        it.editor.permission = lambda _params: answer
        await it.announced(await it.new())
        await it.prompt("go")
        ran = machine.project / "ran"
        assert (len(ran.read_text().splitlines()) if ran.exists() else 0) == count
        # What it becomes later is another thing.
        hooks(machine, project=True, Stop="touch evil")
        it.editor.permission = lambda _params: rejected()
        await it.prompt("go")
    assert asked(it) == ["Trust this project?"] * 2
    assert not (machine.project / "evil").exists()


async def test_doctor_and_status_say_which_hooks_count(machine: Machine) -> None:
    hooks(machine, Stop="true", PreToolUse="true")
    it = await done(machine, prompts=("/doctor", "/status"))
    assert [line for text in said(it) for line in text.splitlines() if "Hooks" in line] == snapshot(
        ["- ✓ **Hooks**: 2 from `ROOT/home/hooks.json`", "| Hooks | 2 from `ROOT/home/hooks.json` |"]
    )
