"""The servers that a definition brings, as real programs: for its sub-agent alone, trusted with it, ended with it."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from tests.brought.test_servers import running_with
from tests.harness.editor import NEVER, allowed, rejected
from tests.harness.mcp_servers import plain
from tests.harness.model import call, say
from tests.harness.waiting import until
from tests.turns.defined import MAKE, define, one, titles
from tests.turns.delegating import task
from tests.turns.hooked import TOUCH, begun, runs, said, told
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

TELL = call("notes__tell", variable="GREETING")
MARK = "--of-the-maker"


def server(*args: str, **fields: Any) -> dict[str, Any]:
    return {"command": sys.executable, "args": [plain.__file__, *args], "env": {"GREETING": "hello"}, **fields}


async def ended() -> None:
    """Wait until its program is gone: nobody waits for that without end, however slow the machine is."""
    with anyio.fail_after(30):
        await until(lambda: running_with(MARK) == 0)


async def test_a_definitions_server_is_there_for_its_sub_agent_alone_and_ends_with_it(machine: Machine) -> None:
    define(machine, tools=["terminal"], mcp_servers={"notes": server(MARK)})
    async with window(machine, MAKE, TELL, say("It says hello."), say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        await ended()
        names = [[spec.name for spec in offered if "__" in spec.name] for offered in it.model.offered]
        assert names == [[], ["notes__tell"], ["notes__tell"], []]
        assert told(it, 2)[-1] == snapshot("hello; ['--of-the-maker']; project")
        assert titles(it) == snapshot(['maker: notes: tell {"variable": "GREETING"}'])


async def test_what_is_allowed_of_a_definitions_server_counts_for_no_other_of_its_name(machine: Machine) -> None:
    define(machine, mcp_config={"mcpServers": {"notes": server()}})
    define(machine, name="other", mcp_servers={"notes": server()})
    other = task("Make it", subagent_type="other")
    async with window(machine, MAKE, TELL, TELL, say("It."), other, TELL, say("Other."), say("Done.")) as it:
        it.editor.permission = lambda _params: allowed("allow_widely")
        await it.announced(await it.new())
        await it.prompt("go")
        assert titles(it) == snapshot(
            ['maker: notes: tell {"variable": "GREETING"}', 'other: notes: tell {"variable": "GREETING"}']
        )


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (
            {"command": "/nowhere/program"},
            snapshot(
                "An MCP server of the sub-agent `maker`: `notes` cannot be used: there is no program '/nowhere/program' on PATH."
            ),
        ),
        (
            {"command": 3, "url": []},
            snapshot(
                "An MCP server of the sub-agent `maker`: `notes` cannot be used: ROOT/home/agents/maker.md, line 3, notes.url: must be a string."
            ),
        ),
        (
            {"command": "${UNHEARD_OF}"},
            snapshot(
                "An MCP server of the sub-agent `maker`: `notes` cannot be used: ROOT/home/agents/maker.md, line 3, notes: the variable UNHEARD_OF is not set here."
            ),
        ),
    ],
)
async def test_a_definitions_server_that_fails_is_told_once_and_the_work_goes_on(
    machine: Machine, written: dict[str, Any], sentence: str
) -> None:
    define(machine, mcp_servers={"notes": written})
    async with window(machine, MAKE, say("Made."), MAKE, say("Again."), say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        assert said(it) == [sentence, "Done."]


async def test_a_server_of_the_sessions_comes_before_one_of_that_name(machine: Machine) -> None:
    define(machine, mcp_servers={"notes": server(MARK)}, tools=["terminal"])
    (machine.root / "home/mcp.json").write_text(json.dumps({"mcpServers": {"notes": server("--the-sessions")}}))
    async with window(machine, MAKE, TELL, say("Made."), say("Done.")) as it:
        await it.announced(await it.new())
        await it.prompt("go")
        assert told(it, 2)[-1] == snapshot("hello; ['--the-sessions']; project")
        assert said(it) == snapshot(
            [
                "An MCP server of the sub-agent `maker`: `notes` is left out; ROOT/home/mcp.json has one of this name.",
                "Done.",
            ]
        )


async def test_stop_ends_a_definitions_server_and_hook(machine: Machine) -> None:
    define(machine, mcp_servers={"notes": server(MARK)}, hooks={"PreToolUse": one("echo $$ > pid; exec sleep 1000")})
    async with window(machine, MAKE, TOUCH) as it:
        await it.announced(await it.new())
        turn = it.begin("go")
        await begun(machine)
        it.editor.notify("session/cancel", sessionId=it.session_id)
        assert (await it.editor.answer(turn))["result"] == {"stopReason": "cancelled"}
        assert not runs(machine.project / "pid")
        await ended()


@pytest.mark.parametrize(("answer", "is_there"), [(allowed("deliberate_allow_once"), True), (rejected(), False)])
async def test_what_a_projects_definition_would_run_is_asked_about_first(
    machine: Machine, answer: dict[str, Any], is_there: bool
) -> None:
    (machine.project / "check.sh").write_text("echo checked >> checks\n")
    define(machine, project=True, hooks={"PreToolUse": one("sh check.sh")}, mcp_servers={"notes": {"url": "http://x"}})
    questions: list[str] = []

    def permission(params: dict[str, Any]) -> dict[str, Any]:
        if params["toolCall"]["title"] != "Trust this project?":
            return allowed()
        questions.append(params["toolCall"]["content"][0]["content"]["text"])
        return answer

    async with window(machine, MAKE, TOUCH, say("Made."), say("Done."), say("Done.")) as it:
        it.editor.permission = permission
        await it.announced(await it.new())
        await it.prompt("go")
        assert (machine.project / "checks").exists() is is_there
        # The script that it names is a part of what was asked about.
        (machine.project / "check.sh").write_text("touch evil\n")
        await it.prompt("go on")
        assert [question.splitlines()[-1] for question in questions] == snapshot(
            [
                "- the sub-agent `maker` (`.openhands/agents/maker.md`), which is told how to work and may use all tools; its hooks run `sh check.sh`; its MCP server `notes` is at `http://x`",
                "- the sub-agent `maker` (`.openhands/agents/maker.md`), which is told how to work and may use all tools; its hooks run `sh check.sh`; its MCP server `notes` is at `http://x`",
            ]
        )


async def test_closing_a_session_whose_sub_agent_asks_ends_all_of_it_and_it_can_be_gone_on_with(
    machine: Machine,
) -> None:
    define(machine, mcp_servers={"notes": server(MARK)})
    on = task("Go on", resume="task_00000001")
    async with window(machine, MAKE, TELL, on, TELL, say("It says hello."), say("Done.")) as it:
        it.editor.permission = lambda _params: NEVER
        await it.announced(await it.new())
        turn = it.begin("go")
        await it.editor.until(lambda message: message.get("method") == "session/request_permission")
        close = it.editor.ask("session/close", sessionId=it.session_id)
        assert (await it.editor.answer(turn))["result"] == {"stopReason": "cancelled"}
        assert (await it.editor.answer(close))["result"] == {}
        await ended()
        it.editor.permission = lambda _params: allowed()
        await it.ask("session/load", it.session_id)
        await it.prompt("go on")
        assert told(it)[-1].endswith("It says hello.")
        await ended()
