"""Hooks that want the person to be asked, over the wire: once, with the reason, whatever the mode and the rules say."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import call, say
from tests.turns.hooked import TOUCH, asked, done, hooks, said, says, told
from tests.turns.windows import Machine, Window, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

CLAUDES = says(hookSpecificOutput={"permissionDecision": "ask", "permissionDecisionReason": "it is Friday"})
OPENHANDS = says(decision="ask", reason="it is Friday")


def edit(command: str = "create", **arguments: Any) -> Any:
    return call("file_editor", command=command, path="a.txt", security_risk="LOW", **arguments)


async def answered(machine: Machine, mode: str, answer: dict[str, Any], *answers: Any) -> Window:
    async with window(machine, *answers) as it:
        it.editor.permission = lambda _params: answer
        await it.announced(await it.new())
        await it.editor.request("session/set_mode", sessionId=it.session_id, modeId=mode)
        await it.prompt("go")
        return it


def questions(it: Window) -> list[dict[str, Any]]:
    log = [message for way, message in it.editor.log if way == "out"]
    return [m["params"] for m in log if m.get("method") == "session/request_permission"]


@pytest.mark.parametrize("line", [CLAUDES, OPENHANDS])
@pytest.mark.parametrize("mode", ["always-approve", "always-ask"])
async def test_a_hook_has_the_person_asked_once_and_with_its_reason(machine: Machine, line: str, mode: str) -> None:
    hooks(machine, PreToolUse=line)
    it = await answered(machine, mode, allowed(), TOUCH, say("Done."))
    [question] = questions(it)
    assert (machine.project / "made").exists()
    assert ([option["name"] for option in question["options"]], question["toolCall"]["content"]) == snapshot(
        (
            ["Allow once", "Reject"],
            [
                {
                    "type": "content",
                    "content": {
                        "type": "text",
                        "text": """\
```console
$ touch made
```\
""",
                    },
                },
                {"type": "content", "content": {"type": "text", "text": "A hook wants you to be asked: it is Friday"}},
            ],
        )
    )


async def test_what_the_person_does_not_want_is_not_done(machine: Machine) -> None:
    hooks(machine, PreToolUse=CLAUDES)
    it = await answered(machine, "always-approve", rejected(), TOUCH, say("Well."))
    assert not (machine.project / "made").exists()
    assert told(it)[-1] == snapshot(
        "Rejected: the person said no to this. Do not try it again another way; ask or go on without it"
    )


async def test_whoever_closes_the_question_stops_the_turn(machine: Machine) -> None:
    hooks(machine, PreToolUse=CLAUDES)
    it = await answered(machine, "always-approve", dismissed(), TOUCH)
    assert len(it.model.requests) == 1
    assert not (machine.project / "made").exists()


async def test_a_change_is_asked_about_as_a_change(machine: Machine) -> None:
    hooks(machine, PreToolUse=CLAUDES)
    (machine.project / "a.txt").write_text("one\n")
    it = await answered(
        machine, "accept-edits", allowed(), edit("str_replace", old_str="one", new_str="two"), say("Done.")
    )
    [question] = questions(it)
    assert [item["type"] for item in question["toolCall"]["content"]] == snapshot(["diff", "content"])
    assert (machine.project / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize(
    "step",
    [
        edit("view"),
        call("grep", pattern="one"),
        call("task", prompt="Make it", description="Makes", subagent_type="general-purpose"),
    ],
)
async def test_what_is_never_asked_about_otherwise_is_asked_about(machine: Machine, step: Any) -> None:
    hooks(machine, PreToolUse=CLAUDES)
    (machine.project / "a.txt").write_text("one\n")
    it = await answered(machine, "always-approve", rejected(), step, say("Well."))
    assert len(questions(it)) == 1
    assert told(it)[-1].startswith("Rejected: the person said no")


async def test_plan_mode_refuses_even_so(machine: Machine) -> None:
    hooks(machine, PreToolUse=CLAUDES)
    it = await answered(machine, "plan", allowed(), TOUCH, say("Well."))
    assert (questions(it), (machine.project / "made").exists()) == ([], False)


async def test_one_that_blocks_spares_the_question(machine: Machine) -> None:
    hooks(machine, PreToolUse=CLAUDES)
    hooks(machine, project=True, PreToolUse="exit 2")
    (machine.root / "home/acp.toml").write_text(f'trusted = ["{machine.project}"]\ntitles = false\n')
    it = await done(machine, TOUCH, say("Well."))
    assert asked(it) == []
    assert told(it)[-1] == snapshot("Rejected: a hook blocked this call: it gave no reason")


async def test_a_sub_agents_call_is_asked_about_with_its_name(machine: Machine) -> None:
    hooks(machine, PreToolUse=f"grep -q touch && {CLAUDES}; true")
    task = call("task", prompt="Make it", description="Makes", subagent_type="general-purpose")
    it = await answered(machine, "always-approve", allowed(), task, TOUCH, say("Made."), say("Done."))
    assert [question["toolCall"]["title"] for question in questions(it)] == snapshot(["general-purpose: touch made"])
    assert (machine.project / "made").exists()


async def test_other_hooks_cannot_ask_and_that_is_told(machine: Machine) -> None:
    hooks(machine, Stop=CLAUDES)
    it = await done(machine, say("Ok."), say("Ok."), prompts=("go", "go"))
    assert (asked(it), [text for text in said(it) if text != "Ok."]) == snapshot(
        (
            [],
            [
                'The Stop hook `echo \'{"hookSpecificOutput": {"permissionDecision": "ask", "permissionDecisionReason": "it is Friday"}}\'` (`ROOT/home/hooks.json`) wants you to be asked, which only a PreToolUse hook can have.'
            ],
        )
    )
