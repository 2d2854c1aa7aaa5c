"""What an editor sees of sub-agents: the same when it is told again, nested where it nests calls, and undone with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.acp.clients import Client
from openhands_acp.engine.transcript import Transcript
from openhands_acp.store.codec import from_json, to_json
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import Wait, call, say
from tests.harness.trees import tree_of
from tests.harness.waiting import PATIENCE, until
from tests.turns.delegating import again, cards, child, delegating, edit, file_in, task, view
from tests.turns.test_replay import client_model, replayed

pytestmark = pytest.mark.anyio


def busy(*rest: Any) -> TestBackend:
    return delegating(
        [say("Two."), task("MEND", description="Mend"), task("LOOK", 1, subagent_type="code-explorer")],
        [say("Done.")],
        MEND=[
            [view("a.txt"), edit("a.txt", "one", "two", 1)],
            [call("terminal", command="echo hi")],
            [say("x"), *rest],
        ],
        LOOK=[[view("a.txt"), call("grep", 1, pattern="t")], [say("y")]],
    )


def transcript_of(running: Running) -> Transcript:
    return running.backend.sessions[running.session_id].transcript


@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("answer", ["allow_once", "reject_once", "cancelled", "stopped"])
async def test_a_replay_tells_the_same_as_the_turn_did(tmp_path: Path, nests: bool, answer: str) -> None:
    file_in(tmp_path)
    backend = busy(*([Wait()] if answer == "stopped" else []))
    answers = {"reject_once": rejected(), "cancelled": dismissed()}
    permission = answers.get(answer, allowed())
    async with agent(tmp_path, backend=backend, nests=nests, permission=lambda _params: permission) as running:
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="llm-approve")
        request = running.ask_prompt("go")
        if answer == "stopped":
            with anyio.fail_after(PATIENCE):
                await until(lambda: len(child(backend, "MEND").requests) == 3)
            running.cancel()
        await running.editor.answer(request)
        live = running.editor.updates()
        options = [u["configOptions"] for u in live if u["sessionUpdate"] == "config_option_update"][-1]
        entries = [from_json(json.loads(json.dumps(to_json(entry)))) for entry in running.entries]
        assert entries == running.entries
        told = client_model(replayed(entries, running.session_id, options, Client(nests_calls=nests)))
        seen = client_model(live)
        # Which of two that work at once shows its card first, a replay does not know.
        assert sorted(told.pop("call order")) == sorted(seen.pop("call order"))
        assert told == seen
        loaded = Transcript()
        for entry in entries:
            loaded.apply(entry.event, entry.id)
        assert loaded == transcript_of(running)


async def test_a_client_that_nests_calls_is_told_of_all(tmp_path: Path) -> None:
    file_in(tmp_path)
    async with agent(tmp_path, backend=busy(), nests=True, permission=lambda _params: allowed()) as running:
        await running.prompt("go")
        ids: dict[str, str] = {}
        nested: list[tuple[str, str]] = []
        for update in running.editor.updates():
            if not update["sessionUpdate"].startswith("tool_call"):
                continue
            ids[update["toolCallId"]] = update.get("title", ids.get(update["toolCallId"], ""))
            if update["status"] in ("completed", "failed"):
                parent = update.get("_meta", {}).get("claudeCode", {}).get("parentToolUseId", "")
                nested.append((ids.get(parent, ""), ids[update["toolCallId"]]))
        assert nested == snapshot(
            [
                ("general-purpose: Mend", "general-purpose: Read a.txt"),
                ("general-purpose: Mend", "general-purpose: Edit a.txt"),
                ("general-purpose: Mend", "general-purpose: echo hi"),
                ("", "general-purpose: Mend"),
                ("code-explorer: LOOK", "code-explorer: Read a.txt"),
                ("code-explorer: LOOK", 'code-explorer: grep "t"'),
                ("", "code-explorer: LOOK"),
            ]
        )


async def test_undo_takes_back_what_a_sub_agent_did(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    file_in(root)
    before = tree_of(root)
    backend = busy()
    backend.mode, backend.checkpoints = "always-approve", tmp_path / "kept"
    async with agent(root, backend=backend) as running:
        await running.prompt("go")
        assert (root / "a.txt").read_text() == "two\n"
        await running.prompt("/undo")
        assert tree_of(root) == before


async def test_a_change_is_seen_as_one_though_nobody_was_asked(tmp_path: Path) -> None:
    file_in(tmp_path)
    backend = busy()
    backend.mode = "always-approve"
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert cards(running) == snapshot(
            {
                "general-purpose: Mend": (
                    "completed",
                    """\
**general-purpose**: Mend
3 steps, 66 tokens, $0.03

- Read a.txt
- Edit a.txt
- `echo hi`

x\
""",
                ),
                "code-explorer: LOOK": (
                    "completed",
                    """\
**code-explorer**
2 steps, 33 tokens, $0.02

- Read a.txt
- grep "t"

y\
""",
                ),
                "general-purpose: Edit a.txt": ("completed", "diff"),
            }
        )


async def test_commands_run_where_the_editor_shows_them(tmp_path: Path) -> None:
    backend = delegating(
        [task("RUN", subagent_type="bash-runner", description="Run")],
        [say("Done.")],
        RUN=[[call("terminal", command="echo hi")], [say("It says hi.")]],
    )
    backend.mode = "always-approve"
    async with agent(tmp_path, backend=backend, runs_commands=True) as running:
        await running.prompt("go")
        assert cards(running) == snapshot(
            {
                "bash-runner: Run": (
                    "completed",
                    """\
**bash-runner**: Run
1 step, 33 tokens, $0.02

- `echo hi`

It says hi.\
""",
                ),
                "bash-runner: echo hi": ("completed", "terminal"),
            }
        )


async def test_an_editor_that_draws_terminals_gets_text_of_a_sub_agents_commands(tmp_path: Path) -> None:
    backend = delegating(
        [task("RUN", subagent_type="bash-runner", description="Run")],
        [say("Done.")],
        RUN=[[call("terminal", command="echo hi")], [say("It says hi.")]],
    )
    async with agent(tmp_path, backend=backend, draws=True, permission=lambda _params: allowed()) as running:
        await running.prompt("go")
        assert cards(running) == snapshot(
            {
                "bash-runner: Run": (
                    "completed",
                    """\
**bash-runner**: Run
1 step, 33 tokens, $0.02

- `echo hi`

It says hi.\
""",
                ),
                "bash-runner: echo hi": (
                    "completed",
                    """\
```console
$ echo hi
hi
```\
""",
                ),
            }
        )


@pytest.mark.parametrize("number", range(2, 62, 20))
async def test_stopping_after_any_message_leaves_all_of_it_closed(tmp_path: Path, number: int) -> None:
    file_in(tmp_path)
    seen = 0

    def is_the_one(_message: dict[str, Any]) -> bool:
        nonlocal seen
        seen += 1
        return seen == number or "stopReason" in str(_message)

    backend = busy()
    async with agent(tmp_path, backend=backend, permission=lambda _params: allowed()) as running:
        request = running.ask_prompt("go")
        await running.editor.until(is_the_one)
        running.cancel()
        with anyio.fail_after(PATIENCE):
            await running.editor.answer(request)
        # The monitor has looked at the wire; what was said is whole in each journal, and a model reads it.
        assert transcript_of(running).open_calls == {}
        for journal in backend.subagents.values():
            folded = Transcript()
            for entry in journal.entries:
                folded.apply(entry.event, entry.id)
            assert (folded.open_calls, folded.turn_id) == ({}, None)
    later = again(backend, [say("Going on.")])
    async with agent(tmp_path, backend=later) as running:
        running.session_id = next(iter(backend.journals))
        await running.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        assert await running.prompt("go on") == {"stopReason": "end_turn"}
