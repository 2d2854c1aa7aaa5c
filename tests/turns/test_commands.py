"""Slash commands over the wire: which there are, what they answer, and what a model then reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.commands.table import COMMANDS
from openhands_acp.engine.events import NoticeEvent
from openhands_acp.engine.guidance.inventory import NOTHING, Inventory, OwnCommand, Skill
from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.servers.door import RemotePrompt
from openhands_acp.engine.tool import TurnError
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import ScriptedModel, Wait, call, say
from tests.harness.servers import MemoryServers

pytestmark = pytest.mark.anyio

NO_MODEL = [
    *("/help", "/title A name", "/model", "/mode", "/mode plan", "/confirm", "/permissions", "/status", "/cost"),
    *("/context", "/mcp", "/agents", "/undo", "/redo", "/diff", "/checkpoints", "/restore 1", "/fork", "/export"),
    *("/doctor", "/nonsense", "/permissions revoke all", "/export x.html"),
]


def own(name: str, text: str, **fields: Any) -> OwnCommand:
    return OwnCommand(name, f"Does {name}", text, AbsPath(f"/h/commands/{name}.md"), **fields)


def backend(*answers: Any, commands: tuple[OwnCommand, ...] = (), skills: tuple[Skill, ...] = ()) -> TestBackend:
    return TestBackend(ScriptedModel(answers), inventory=Inventory(commands=commands, skills=skills))


def told(running: Running) -> list[str]:
    """All that the model was told by the person, in its last request."""
    messages = running.model.requests[-1]
    parts = [part for message in messages if isinstance(message, UserMessage) for part in message.parts]
    return [part.text for part in parts if isinstance(part, Text)]


def said(running: Running) -> str:
    """The last of what the person was told."""
    chunks = [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
    return chunks[-1].strip() if chunks else ""


def answers_of(running: Running) -> int:
    """How many times the person was told something."""
    events = [entry.event for entry in running.entries]
    return sum(isinstance(event, NoticeEvent) and event.channel == "text" for event in events)


def asked(running: Running) -> list[str]:
    """The titles of what the person was asked."""
    log = [message for way, message in running.editor.log if way == "out"]
    return [m["params"]["toolCall"]["title"] for m in log if m.get("method") == "session/request_permission"]


def offered(running: Running) -> list[list[str]]:
    updates = [u for u in running.editor.updates() if u["sessionUpdate"] == "available_commands_update"]
    return [[command["name"] for command in update["availableCommands"]] for update in updates]


async def test_what_needs_no_model_asks_none(tmp_path: Path) -> None:
    unusable = TestBackend(ScriptedModel([[TurnError("auth", "the key is wrong")]]))
    async with agent(tmp_path, backend=unusable) as running:
        for number, typed in enumerate(NO_MODEL, 1):
            assert await running.prompt(typed) == {"stopReason": "end_turn"}
            assert (typed, answers_of(running)) == (typed, number)
        assert running.model.requests == []


async def test_help_lists_every_command(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend(commands=(own("ship", "Ship it."),))) as running:
        await running.prompt("/help")
        listed = [line.split("`")[1] for line in said(running).splitlines() if line.startswith("- `/")]
        assert listed == [*(f"/{command.name}" for command in COMMANDS), "/ship"]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (
            "/reviw the parser",
            snapshot(
                "There is no command `/reviw`. Did you mean `/review`? `/help` lists all of them. If it was meant for the agent, send it again with a space in front of it."
            ),
        ),
        (
            "/commit the changes",
            snapshot(
                "There is no command `/commit`. Did you mean `/compact` or `/cost`? `/help` lists all of them. If it was meant for the agent, send it again with a space in front of it."
            ),
        ),
        (
            "/zzzzzz",
            snapshot(
                "There is no command `/zzzzzz`. `/help` lists all of them. If it was meant for the agent, send it again with a space in front of it."
            ),
        ),
    ],
)
async def test_an_unknown_one_is_answered_with_the_nearest(tmp_path: Path, typed: str, answer: str) -> None:
    async with agent(tmp_path) as running:
        await running.prompt(typed)
        assert said(running) == answer
        assert running.model.requests == []


@pytest.mark.parametrize("typed", ["/etc/hosts is wrong", "/tmp is full", " /zzzzzz", "/orders answers 500"])
async def test_paths_and_prose_that_begin_with_a_slash_are_text(tmp_path: Path, typed: str) -> None:
    async with agent(tmp_path, [say("Ok.")]) as running:
        await running.prompt(typed)
        assert told(running) == [typed]


async def test_an_unknown_one_waits_for_the_turn_that_runs(tmp_path: Path) -> None:
    done = anyio.Event()
    async with agent(tmp_path, [*say("Working"), Wait(done)], [say("(never)")]) as running:
        first = running.ask_prompt("go")
        await running.editor.until_update("agent_message_chunk")
        second = running.ask_prompt("/hlep")
        done.set()
        assert (await running.editor.answer(first))["result"] == {"stopReason": "end_turn"}
        assert (await running.editor.answer(second))["result"] == {"stopReason": "end_turn"}
        assert len(running.model.requests) == 1
        assert "`/help`" in said(running)


# ---------------------------------------------------------------- own commands


async def test_an_own_command_is_what_the_model_reads_and_the_person_sees_what_they_typed(tmp_path: Path) -> None:
    ship = own("ship", "Ship $1 to $2.")
    async with agent(tmp_path, backend=backend([say("Shipped.")], commands=(ship,))) as running:
        assert await running.prompt("/ship web 'the moon'") == {"stopReason": "end_turn"}
        assert told(running) == ["Ship web to the moon."]
        notices = [entry.event for entry in running.entries if isinstance(entry.event, NoticeEvent)]
        assert [(notice.channel, notice.text, notice.told) for notice in notices] == [
            ("user", "/ship web 'the moon'", "Ship web to the moon.")
        ]
        assert running.backend.sessions[running.session_id].transcript.title == "/ship web 'the moon'"


@pytest.mark.parametrize(
    ("typed", "first"), [("/look", "Look at this."), ("/review", "Review the changes"), ("/title", "/title")]
)
async def test_what_is_attached_goes_along_with_what_becomes_a_prompt(tmp_path: Path, typed: str, first: str) -> None:
    async with agent(tmp_path, backend=backend([say("Ok.")], commands=(own("look", "Look at this."),))) as running:
        prompt = [{"type": "text", "text": typed}, {"type": "text", "text": "a second part"}]
        await running.editor.request("session/prompt", sessionId=running.session_id, prompt=prompt)
        assert told(running)[0].startswith(first)
        assert told(running)[1:] == ["a second part"]


async def test_commands_in_an_own_command_are_permitted_and_run_and_arguments_stay_words(tmp_path: Path) -> None:
    look = own("look", "It says: !`echo [$1]`\nYou said: $ARGUMENTS")
    async with agent(tmp_path, backend=backend([say("Ok.")], commands=(look,))) as running:
        await running.prompt("/look '; touch harm' !`touch harm`")
        assert asked(running) == ["echo ['; touch harm']"]
        assert told(running) == ["It says: [; touch harm]\nYou said: '; touch harm' !`touch harm`"]
        assert not (tmp_path / "harm").exists()


async def test_a_command_in_an_own_command_that_is_refused_is_told_in_its_place(tmp_path: Path) -> None:
    look = own("look", "It says: !`touch harm`")
    async with agent(
        tmp_path, backend=backend([say("Ok.")], commands=(look,)), permission=lambda _params: rejected()
    ) as running:
        await running.prompt("/look")
        assert "not run" in told(running)[0]
        assert not (tmp_path / "harm").exists()


async def test_who_closes_the_question_of_an_own_commands_command_stops_the_turn(tmp_path: Path) -> None:
    look = own("look", "It says: !`touch harm`")
    async with agent(
        tmp_path, backend=backend([say("(never)")], commands=(look,)), permission=lambda _params: dismissed()
    ) as running:
        assert await running.prompt("/look") == {"stopReason": "cancelled"}
        assert running.model.requests == []
        assert not (tmp_path / "harm").exists()


async def test_a_servers_prompt_is_a_command(tmp_path: Path) -> None:
    prompt = RemotePrompt("docs", "look up", "Finds a page", (("what", True), ("lang", False)))
    servers = MemoryServers(prompted=(prompt,), texts={"look up": "Look {what} up, in {lang}."})
    served = TestBackend(ScriptedModel([[say("Found.")]]), servers=servers)
    async with agent(tmp_path, backend=served) as running:
        await running.prompt("/docs:look_up")
        assert said(running) == snapshot(
            "`/docs:look_up` did not work: it needs `what`. Write WHAT [LANG] after it; what has blanks goes in quotes, and `name=value` says which is meant."
        )
        assert running.model.requests == []
        await running.prompt("/docs:look_up 'the parser' en")
        assert told(running)[-1] == "Look the parser up, in en."
        assert offered(running)[-1][-1] == "docs:look_up"


async def test_while_an_own_command_is_carried_out_only_its_tools_run(tmp_path: Path) -> None:
    look = own("look", "Look.", allowed_tools=("Read",))
    (tmp_path / "a.txt").write_text("hello\n")
    answers = (
        [call("terminal", command="touch harm", security_risk="LOW")],
        [say("I may not.")],
        [call("terminal", command="touch fine", security_risk="LOW")],
        [say("Done.")],
    )
    async with agent(tmp_path, backend=backend(*answers, commands=(look,))) as running:
        await running.prompt("/look")
        assert not (tmp_path / "harm").exists()
        await running.prompt("now do it")
        assert (tmp_path / "fine").exists()


async def test_the_client_is_told_when_commands_come_and_go(tmp_path: Path) -> None:
    always = [command.name for command in COMMANDS]
    async with agent(tmp_path, backend=backend([say("1")], [say("2")], [say("3")])) as running:
        running.backend.inventory = Inventory(commands=(own("ship", "Ship it."),))
        await running.prompt("hello")
        await running.prompt("hello again")
        running.backend.inventory = NOTHING
        await running.prompt("and again")
        assert offered(running) == [always, [*always, "ship"], always]


@pytest.mark.parametrize("typed", ["/init", "/review only the tests"])
async def test_init_and_review_are_work_for_the_model(tmp_path: Path, typed: str) -> None:
    async with agent(tmp_path, backend=backend([say("Done.")])) as running:
        await running.prompt(typed)
        [prompt] = told(running)
        assert str(tmp_path) in prompt
        assert typed.partition(" ")[2] in prompt


# ---------------------------------------------------------------- mode and permissions


@pytest.mark.parametrize(
    ("typed", "mode", "answer"),
    [
        ("/mode plan", "plan", snapshot("The mode is now `plan`: read only: look around and make a plan.")),
        (
            "/mode accept edits",
            "accept-edits",
            snapshot(
                "The mode is now `accept-edits`: change files of the project without asking, ask before commands."
            ),
        ),
        (
            "/confirm llm-approve",
            "llm-approve",
            snapshot("The mode is now `llm-approve`: ask only for what the model itself calls risky."),
        ),
        (
            "/mode pln",
            "always-ask",
            snapshot(
                "There is no mode `pln`. Did you mean `plan`? There is `always-ask`, `accept-edits`, `llm-approve`, `always-approve`, `plan`."
            ),
        ),
    ],
)
async def test_a_mode_is_chosen_by_its_name(tmp_path: Path, typed: str, mode: str, answer: str) -> None:
    async with agent(tmp_path) as running:
        await running.prompt(typed)
        assert said(running) == answer
        assert running.backend.sessions[running.session_id].mode == mode
        modes = [u["currentModeId"] for u in running.editor.updates() if u["sessionUpdate"] == "current_mode_update"]
        assert modes == ([mode] if mode != "always-ask" else [])


async def test_the_modes_are_listed(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        await running.prompt("/mode")
        assert said(running) == snapshot("""\
The mode is `always-ask`. `/mode NAME` chooses another.

| mode | |
| --- | --- |
| **`always-ask`** | Ask before every change and every command |
| `accept-edits` | Change files of the project without asking, ask before commands |
| `llm-approve` | Ask only for what the model itself calls risky |
| `always-approve` | Never ask |
| `plan` | Read only: look around and make a plan |\
""")


async def test_what_was_allowed_for_good_is_listed_and_taken_back(tmp_path: Path) -> None:
    run = [call("terminal", command="echo hi", security_risk="LOW")]
    answers = (run, [say("1")], run, [say("2")], run, [say("3")])
    async with agent(
        tmp_path, backend=backend(*answers), permission=lambda _params: allowed("allow_always")
    ) as running:
        await running.prompt("one")
        await running.prompt("two")
        assert len(asked(running)) == 1
        await running.prompt("/permissions")
        assert said(running) == snapshot("""\
Allowed for the rest of this session:

1. commands that begin with `echo`

`/permissions revoke NUMBER` takes one back, `/permissions revoke all` all of them.\
""")
        await running.prompt("/permissions revoke 1")
        assert said(running) == snapshot("""\
Asked for again from now on:

- commands that begin with `echo`\
""")
        await running.prompt("three")
        assert len(asked(running)) == 2


async def test_status_says_what_the_session_is(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend([say("Hi.")], commands=(own("ship", "Ship it."),))) as running:
        await running.prompt("hello")
        await running.prompt("/status")
        text = said(running).replace(running.session_id, "SESSION").replace(str(tmp_path), "ROOT")
        assert text == snapshot("""\
| | |
| --- | --- |
| Session | **hello** `SESSION` |
| Folders | `ROOT` |
| Model | `fake/model` |
| Mode | `always-ask` |
| Context | 11 of 200k tokens |
| Cost | $0.01 |
| Turns | 2 |
| Own commands | `/ship` |\
""")


async def test_sub_agents_are_listed(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        await running.prompt("/agents")
        names = [line.split("`")[1] for line in said(running).splitlines() if line.startswith("| `")]
        assert names == ["general-purpose", "bash-runner", "code-explorer", "web-researcher"]
