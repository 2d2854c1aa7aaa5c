"""How far hooks reach, over the wire: failed calls, commands in texts, plugins, sub-agents, and what runs behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from tests.harness.model import call, say
from tests.harness.waiting import PATIENCE
from tests.turns.hooked import LOOK, TOUCH, asked, done, hooks, said, seen, told
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

MISSING = call("file_editor", command="view", path="nowhere.txt")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_a_call_that_fails_is_told_as_a_result_too(machine: Machine) -> None:
    hooks(machine, PostToolUse=f"{LOOK}; echo 'look first' >&2; exit 2")
    it = await done(machine, MISSING, say("Well."))
    assert json.loads(
        json.dumps([each["tool_response"] for each in seen(machine)]).replace(str(machine.root), "ROOT")
    ) == snapshot(
        [
            {
                "content": "The path ROOT/project/nowhere.txt does not exist. Please provide a valid path.",
                "is_error": True,
            }
        ]
    )
    assert told(it)[-1].replace(str(machine.root), "ROOT") == snapshot("""\
Error: The path ROOT/project/nowhere.txt does not exist. Please provide a valid path.

(A hook says: look first)\
""")


@pytest.mark.parametrize("step", [call("nothing", a=1), call("task", prompt=" ")])
async def test_a_call_that_cannot_be_one_is_told_to_no_hook(machine: Machine, step: Any) -> None:
    hooks(machine, PreToolUse=LOOK, PostToolUse=LOOK)
    await done(machine, step, say("Well."))
    assert seen(machine) == []


async def test_what_a_hook_blocked_the_person_sees_with_its_reason(machine: Machine) -> None:
    hooks(machine, PreToolUse="echo 'not here' >&2; exit 2")
    async with window(machine, TOUCH, say("Well.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        cards = [u for u in it.editor.updates() if u.get("status") == "failed"]
        assert [item["content"]["text"] for item in cards[0]["content"]] == snapshot(
            [
                """\
```console
$ touch made
```\
""",
                "Not done: a hook blocked this call: not here",
            ]
        )
        journal = machine.journal(it.session_id).read_text()
    assert '"rejection_source":"hook"' in journal.replace(" ", "")


@pytest.mark.parametrize(
    ("file", "prompt"),
    [
        ("home/commands/ship.md", "/ship"),
        ("home/skills/ship/SKILL.md", "/ship"),
    ],
)
async def test_commands_in_texts_are_looked_at_as_calls_of_the_terminal(
    machine: Machine, file: str, prompt: str
) -> None:
    write(machine.root / file, "---\ndescription: Ships\n---\nShip: !`touch made`, !`echo care`.")
    hooks(machine, PreToolUse=f"{LOOK}; if grep -q made seen.jsonl; then echo no >&2; rm seen.jsonl; exit 2; fi")
    it = await done(machine, say("Ok."), prompts=(prompt,))
    assert not (machine.project / "made").exists()
    assert asked(it) == ["echo care"]
    assert [(each["tool_name"], each["tool_input"]) for each in seen(machine)] == snapshot(
        [("terminal", {"command": "echo care"})]
    )
    assert any("Ship: (not run: a hook blocked this call: no), care." in text for text in told(it))


HOOK = {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "$CLAUDE_PLUGIN_ROOT/no.sh"}]}]}


@pytest.mark.parametrize(
    "written", [HOOK, {"hooks": HOOK}, "./config/guard.json", ["config/guard.json"]], ids=["bare", "in", "path", "list"]
)
async def test_a_plugins_manifest_brings_hooks(machine: Machine, written: Any) -> None:
    plugin = machine.root / "home/plugins/guard"
    write(plugin / ".claude-plugin/plugin.json", json.dumps({"name": "guard", "hooks": written}))
    write(plugin / "config/guard.json", json.dumps({"hooks": HOOK}))
    write(plugin / "no.sh", "#!/bin/sh\necho 'the plugin says no' >&2\nexit 2\n")
    (plugin / "no.sh").chmod(0o755)
    it = await done(machine, TOUCH, say("Well."))
    assert told(it)[-1] == "Rejected: a hook blocked this call: the plugin says no"
    assert [text for text in said(it) if text != "Well."] == []


async def test_a_projects_plugin_is_asked_about_with_the_hooks_of_its_manifest(machine: Machine) -> None:
    plugin = machine.project / ".openhands/plugins/guard"
    write(plugin / "plugin.json", json.dumps({"hooks": HOOK}))
    async with window(machine, TOUCH, say("Well.")) as it:
        questions: list[str] = []

        def answer(params: dict[str, Any]) -> dict[str, Any]:
            questions.append(params["toolCall"]["content"][0]["content"]["text"])
            return {"outcome": {"outcome": "selected", "optionId": params["options"][0]["optionId"]}}

        it.editor.permission = answer
        await it.announced(await it.new())
        await it.prompt("go")
    assert "which has hooks that run `$CLAUDE_PLUGIN_ROOT/no.sh`" in questions[0]


async def test_a_hook_behind_that_fails_is_told_once_when_there_is_a_moment(machine: Machine) -> None:
    hooks(machine, UserPromptSubmit={"command": "./nowhere.sh 2>/dev/null", "async": True})
    async with window(machine, *([say("Ok.")] for _ in range(200))) as it:
        await it.announced(await it.new())
        with anyio.fail_after(PATIENCE):
            while not [text for text in said(it) if text != "Ok."]:
                await it.prompt("go")
        # It fails at each prompt.
        await it.prompt("go")
        await it.prompt("go")
    assert [text for text in said(it) if text != "Ok."] == snapshot(
        [
            "The UserPromptSubmit hook `./nowhere.sh 2>/dev/null` (`ROOT/home/hooks.json`) ended with code 127. It blocked nothing."
        ]
    )


async def test_a_hook_behind_a_sessions_end_is_waited_for(machine: Machine) -> None:
    hooks(machine, SessionEnd={"command": "sleep 0.1; touch ended", "async": True})
    await done(machine, say("Ok."))
    assert (machine.project / "ended").exists()


async def test_a_hook_that_fails_in_a_sub_agent_is_told_where_the_person_reads(machine: Machine) -> None:
    hooks(machine, PreToolUse={"command": "grep -q touch && exit 7; true"})
    task = call("task", prompt="Make it", description="Makes", subagent_type="general-purpose")
    it = await done(machine, task, TOUCH, TOUCH, say("Made."), TOUCH, say("Done."))
    assert said(it) == snapshot(
        [
            "The PreToolUse hook `grep -q touch && exit 7; true` (`ROOT/home/hooks.json`) ended with code 7. It blocked nothing.",
            "Done.",
        ]
    )


async def test_a_line_that_no_program_can_be_given_costs_its_hook(machine: Machine) -> None:
    hooks(machine, PreToolUse="true \0", Stop="true \0")
    it = await done(machine, TOUCH, say("Done."), say("Done."), prompts=("go", "go"))
    assert (machine.project / "made").exists()
    assert [text.rpartition(" (`ROOT")[2] for text in said(it)] == snapshot(
        ["/home/hooks.json`) cannot be started (embedded null byte). It blocked nothing.", "Done.", "Done."]
    )
