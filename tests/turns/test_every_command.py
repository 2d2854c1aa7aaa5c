"""Each slash command that there is to be: there, told to the client, run for any client, and no burden to anybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.commands.table import COMMANDS
from openhands_acp.engine.messages import SystemMessage
from tests.harness.editor import allowed, rejected
from tests.harness.model import say
from tests.turns.windows import Machine, Window, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

EVERY = (
    "help mode model confirm compact clear rewind context cost undo redo diff checkpoints restore permissions mcp skills agents ask "
    "goal title fork export init review doctor status"
).split()
WORK = {"ask": "/ask why?", "goal": "/goal it works", "init": "/init", "review": "/review"}
"""Those for which a model is asked, with what they work on."""
NO_WORK = {
    **{name: f"/{name}" for name in EVERY if name not in ("init", "review")},
    "title": "/title A name",
    "mode": "/mode plan",
    "export": "/export it.html",
}
"""How each is called without any work for a model."""


@pytest.fixture
def project(machine: Machine) -> Path:
    """A project of which nobody has said that they trust it."""
    files = {
        ".openhands/commands/ship.md": "Ship it.",
        ".openhands/plugins/tools/commands/fast.md": "Be fast.",
        ".openhands/plugins/tools/skills/style/SKILL.md": "---\ndescription: Style\n---\nBe stylish.",
        ".openhands/hooks.json": '{"SessionStart": [{"hooks": [{"command": "touch ran"}]}]}',
        ".mcp.json": '{"mcpServers": {"docs": {"command": "touch", "args": ["ran"]}}}',
    }
    for name, text in files.items():
        path = machine.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return machine.project


def asked(window: Window) -> list[str]:
    log = [message for way, message in window.editor.log if way == "out"]
    return [m["params"]["toolCall"]["title"] for m in log if m.get("method") == "session/request_permission"]


def said(window: Window) -> list[str]:
    updates = window.editor.updates()
    return [u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk"]


def test_the_table_is_what_is_to_be_there() -> None:
    assert sorted(command.name for command in COMMANDS) == sorted(EVERY)
    assert all(command.description for command in COMMANDS)


async def test_all_are_told_behind_the_answer_that_names_a_session(machine: Machine, project: Path) -> None:
    async with window(machine) as it:
        await it.announced(await it.new())
        told = [u for u in it.editor.updates() if u["sessionUpdate"] == "available_commands_update"]
        assert {command["name"] for command in told[0]["availableCommands"]} == set(EVERY)


async def test_it_is_answered_without_a_question_or_a_model(machine: Machine, project: Path) -> None:
    """For a client that offers nothing, in a project that nobody trusts, with settings that have no model any more."""
    (machine.root / "home/acp.toml").write_text('titles = false\nlocal_servers = []\nmodel = "ollama_chat/x"\n')
    async with window(machine, chosen=None) as it:
        await it.new()
        (machine.root / "home/acp.toml").write_text("titles = false\nlocal_servers = []\n")
        for number, name in enumerate(NO_WORK, 1):
            answer = await it.prompt(NO_WORK[name])
            assert (name, answer["result"], len(said(it))) == (name, {"stopReason": "end_turn"}, number)
            assert ("not trusted" in said(it)[-1].lower()) == (name in ("mcp", "doctor", "status")), name
        assert (asked(it), it.model.requests) == ([], [])
        # Nor is anything settled by them that a prompt would settle otherwise.
        assert "SystemPromptEvent" not in machine.journal(it.session_id).read_text()
    assert not (project / "ran").exists()


@pytest.mark.parametrize("name", WORK)
async def test_it_has_a_model_work(machine: Machine, project: Path, name: str) -> None:
    answers = ([say("Done.")], [say('{"complete": true, "missing": ""}')])
    async with window(machine, *answers) as it:
        it.editor.permission = lambda _params: rejected()
        await it.new()
        assert (await it.prompt(WORK[name]))["result"] == {"stopReason": "end_turn"}
        assert len(it.model.requests) == (2 if name == "goal" else 1)


async def test_a_question_aside_and_a_look_at_the_window_ask_nobody_about_a_project(
    machine: Machine, project: Path
) -> None:
    # Once it is trusted, a server would be waited for.
    (project / ".mcp.json").unlink()
    async with window(machine, [say("Because.")], [say("Hello.")]) as it:
        it.editor.permission = lambda _params: allowed("deliberate_allow_once")
        await it.announced(await it.new())
        since = it.now
        await it.prompt("/context")
        await it.prompt("/ask why?")
        # How much it is depends on the machine.
        assert re.sub(r'"\*\*[^"]*', '"TABLE', it.wire(since)) == snapshot("""\
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/context"}]}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "TABLE"}}
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/ask why?"}]}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Because."}}
< 4 = {"stopReason": "end_turn"}\
""")
        [aside] = it.model.requests
        assert isinstance(aside[0], SystemMessage)
        await it.prompt("hello")
        assert asked(it)[:1] == ["Trust this project?"]
        # What the project brings along is offered as if nobody had asked anything before.
        assert "<available_skills>" in str(it.model.requests[-1][0])
        assert "invoke_skill" in [tool.name for tool in it.model.offered[-1]]


@pytest.mark.parametrize(
    ("typed", "questions"),
    [
        ("/hlep", 0),
        ("/nothing of the kind", 0),
        ("/other:fast", 0),
        ("/ship", 1),
        ("/tools:fast", 1),
        ("/style", 1),
        ("/docs:prompt", 1),
    ],
)
async def test_only_for_a_command_that_a_project_may_have_its_trust_is_asked(
    machine: Machine, project: Path, typed: str, questions: int
) -> None:
    async with window(machine, [say("(never)")]) as it:
        it.editor.permission = lambda _params: rejected()
        await it.new()
        await it.prompt(typed)
        assert len(asked(it)) == questions
        assert it.model.requests == []
        assert f"There is no command `{typed.split(maxsplit=1)[0]}`." in said(it)[-1]
        assert ("is not trusted" in said(it)[-1]) == bool(questions)
