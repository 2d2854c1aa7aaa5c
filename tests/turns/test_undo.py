"""Going back to earlier states of the files, as an editor and a model see it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.guidance.inventory import Inventory, OwnCommand
from openhands_acp.engine.messages import UserMessage, plain_text
from openhands_acp.engine.paths import AbsPath
from tests.harness.check import agent
from tests.harness.editor import allowed
from tests.harness.model import Wait, call, say
from tests.harness.trees import tree_of
from tests.harness.waiting import PATIENCE
from tests.turns.undoing import edit, keeping, last_said, run, wire

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clock_of_greenwich")]


async def test_undo_takes_back_what_a_command_in_an_own_command_did(root: Path) -> None:
    backend = keeping(root, [say("Done.")])
    text = "It says: !`echo made > out`"
    backend.inventory = Inventory(commands=(OwnCommand("make", "", text, AbsPath("/h/commands/make.md")),))
    async with agent(root, backend=backend) as running:
        await running.prompt("/make")
        assert tree_of(root).keys() == {"out"}
        await running.prompt("/undo")
        assert tree_of(root) == {}


async def test_undo_takes_back_what_the_last_turn_did(root: Path) -> None:
    (root / "a.py").write_text("x = 1\n")
    before = tree_of(root)
    backend = keeping(
        root,
        [edit("a.py", "x = 1", "x = 2"), call("terminal", 1, command="mkdir out; echo made > out/b")],
        [say("Done.")],
    )
    async with agent(root, backend=backend) as running:
        await running.prompt("change it")
        after = tree_of(root)
        assert after != before
        await running.prompt("/undo")
        assert tree_of(root) == before
        await running.prompt("/redo")
        assert tree_of(root) == after
        await running.prompt("/diff")
        await running.prompt("/checkpoints")
        assert wire(running) == snapshot("""\
> 3 session/prompt ["change it"]
< session_info_update {"title": "change it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call {"toolCallId": "id12", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id12", "status": "pending", "title": "m", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ m\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Edit a.py", "kind": "edit", "locations": [{"path": "ROOT/a.py"}], "rawInput": {"command": "str_replace", "path": "a.py", "old_str": "x = 1", "new_str": "x = 2"}}
< tool_call_update {"toolCallId": "id12", "status": "pending", "title": "mkdir out; echo made > out/b", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ mkdir out; echo made > out/b\\n```"}}], "rawInput": {"command": "mkdir out; echo made > out/b"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/a.py", "line": 1}], "rawOutput": {"path": "ROOT/a.py", "first_line": 1, "last_line": 1}}
< tool_call_update {"toolCallId": "id12", "status": "in_progress"}
< tool_call_update {"toolCallId": "id12", "status": "completed", "rawOutput": {"exit_code": 0, "signal": null, "timed_out": false, "seconds": 0, "output": ""}}
< agent_message_chunk ["id20", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call {"toolCallId": "id24", "status": "completed", "title": "Changed by commands: out/b", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/out/b"}], "content": [{"type": "diff", "path": "ROOT/out/b", "oldText": "", "newText": "made\\n"}]}
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["/undo"]
< tool_call {"toolCallId": "id31", "status": "completed", "title": "Undo \\u201cchange it\\u201d: 2 files", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/a.py"}], "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 2\\n", "newText": "x = 1\\n"}, {"type": "content", "content": {"type": "text", "text": "Removed: `ROOT/out/b`"}}, {"type": "diff", "path": "ROOT/out/b", "oldText": "made\\n", "newText": ""}]}
< agent_message_chunk ["id33", "Undid **change it**: 2 files changed.\\n\\n- `a.py`\\n- `out/b` (removed)\\n\\n`/redo` takes this back."]
< 4 = {"stopReason": "end_turn"}
> 5 session/prompt ["/redo"]
< tool_call {"toolCallId": "id40", "status": "completed", "title": "Redo \\u201cchange it\\u201d: 2 files", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/a.py"}, {"path": "ROOT/out/b"}], "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}, {"type": "diff", "path": "ROOT/out/b", "oldText": "", "newText": "made\\n"}]}
< agent_message_chunk ["id42", "Redid **change it**: 2 files changed.\\n\\n- `a.py`\\n- `out/b` (back again)\\n\\n`/undo` takes it back again."]
< 5 = {"stopReason": "end_turn"}
> 6 session/prompt ["/diff"]
< agent_message_chunk ["id49", "**2 files changed in this session**\\n\\n```diff\\ndiff --git a/a.py b/a.py\\n--- a/a.py\\n+++ b/a.py\\n@@ -1 +1 @@\\n-x = 1\\n+x = 2\\ndiff --git a/out/b b/out/b\\nnew file\\n--- /dev/null\\n+++ b/out/b\\n@@ -0,0 +1 @@\\n+made\\n```"]
< 6 = {"stopReason": "end_turn"}
> 7 session/prompt ["/checkpoints"]
< agent_message_chunk ["id56", "**Checkpoints**, each the state of the files before something changed them:\\n\\n- `3` 2026-01-01 00:00, before **Redo \\u201cchange it\\u201d** (2 files)\\n- `2` 2026-01-01 00:00, before **Undo \\u201cchange it\\u201d** (2 files)\\n- `1` 2026-01-01 00:00, before **change it** (2 files)\\n\\n`/restore NUMBER` goes to one."]
< 7 = {"stopReason": "end_turn"}\
""")


async def test_undo_goes_back_turn_by_turn(root: Path) -> None:
    states = [tree_of(root)]
    backend = keeping(
        root, run("echo 1 > a"), [say(".")], run("rm a; mkdir d; echo 2 > d/b"), [say(".")], run("echo 3 > a")
    )
    async with agent(root, backend=backend) as running:
        for _ in range(3):
            await running.prompt("go on")
            states.append(tree_of(root))
        for state in states[2::-1]:
            await running.prompt("/undo")
            assert tree_of(root) == state
        await running.prompt("/undo")
        assert last_said(running).startswith("There is nothing to undo")
        for state in states[1:]:
            await running.prompt("/redo")
            assert tree_of(root) == state
        await running.prompt("/redo")
        assert last_said(running).startswith("There is nothing to redo")


async def test_restore_goes_to_any_checkpoint_and_undo_comes_back(root: Path) -> None:
    backend = keeping(root, run("echo 1 > a"), [say(".")], run("echo 2 > a; echo 2 > b"), [say(".")], run("echo 3 > b"))
    questions: list[str] = []

    def answer(params: dict[str, Any]) -> Any:
        questions.append(params["toolCall"]["title"])
        return allowed()

    async with agent(root, backend=backend, permission=answer) as running:
        await running.prompt("first")
        await running.prompt("second")
        (root / "own").write_text("the person's")
        await running.prompt("third")
        latest = tree_of(root)
        await running.prompt("/restore 2")
        assert ((root / "a").read_text(), (root / "b").exists(), (root / "own").exists()) == ("1\n", False, False)
        assert questions == ["Back to before “second”: also take back what you changed in a file since?"]
        await running.prompt("/undo")
        assert tree_of(root) == latest
        await running.prompt("/restore 7")
        assert last_said(running) == "Name a checkpoint by its number: `/restore NUMBER`. `/checkpoints` lists them."


async def test_it_works_after_the_session_was_loaded(root: Path) -> None:
    before = tree_of(root)
    first = keeping(root, run("echo 1 > a"))
    async with agent(root, backend=first) as running:
        await running.prompt("go")
        session_id = running.session_id
    second = keeping(root)
    second.journals = first.journals
    async with agent(root, backend=second) as running:
        await running.editor.request("session/load", sessionId=session_id, cwd=str(root), mcpServers=[])
        running.session_id = session_id
        await running.prompt("/undo")
        assert tree_of(root) == before


async def test_a_turn_that_was_stopped_can_be_undone(root: Path) -> None:
    before = tree_of(root)
    os.mkfifo(root.parent / "pipe")
    async with agent(root, backend=keeping(root, run("echo 1 > a; echo > ../pipe; sleep 100"))) as running:
        request = running.ask_prompt("go")
        with anyio.fail_after(PATIENCE):
            await anyio.to_thread.run_sync((root.parent / "pipe").read_bytes, abandon_on_cancel=True)
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        await running.prompt("/undo")
        assert tree_of(root) == before


async def test_a_command_typed_during_a_turn_waits_for_its_end(root: Path) -> None:
    before = tree_of(root)
    held = Wait()
    backend = keeping(root, [*run("echo 1 > a")], [say("Half"), held])
    async with agent(root, backend=backend) as running:
        request = running.ask_prompt("go")
        await running.editor.until(lambda message: "Half" in json.dumps(message))
        typed = running.ask_prompt("/undo")
        running.cancel()
        for waiting in (request, typed):
            assert (await running.editor.answer(waiting))["result"] == {"stopReason": "cancelled"}
        assert tree_of(root) != before
    backend = keeping(root, run("echo 2 > b"), [say("Done.")])
    before = tree_of(root)
    async with agent(root, backend=backend) as running:
        request = running.ask_prompt("go")
        await running.editor.until_update("tool_call")
        typed = running.ask_prompt("/undo")
        assert (await running.editor.answer(typed))["result"] == {"stopReason": "end_turn"}
        assert tree_of(root) == before
        assert len(running.model.requests) == 2


async def test_the_model_is_told_and_not_asked(root: Path) -> None:
    (root / "a").write_text("one\n")
    backend = keeping(root, [edit("a", "one", "two")], [say("Done.")], [say("I see.")])
    async with agent(root, backend=backend) as running:
        await running.prompt("go")
        await running.prompt("/undo")
        assert len(running.model.requests) == 2
        await running.prompt("and now?")
        told = [plain_text(item.parts) for item in running.model.requests[-1] if isinstance(item, UserMessage)]
        assert told == snapshot(
            [
                "go",
                "(Undo “go”: I put files back as they were at another time. These are not as you left them: a. Look again before you rely on them.)",
                "and now?",
            ]
        )
