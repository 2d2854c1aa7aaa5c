"""Going back to earlier states of the files, as an editor and a model see it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import CheckpointTaken, NoticeEvent
from openhands_acp.engine.messages import UserMessage, plain_text
from openhands_acp.engine.snapshots import Snapshot, SnapshotError, Tell
from openhands_acp.engine.transcript import Transcript
from openhands_acp.local import snapshot_store
from openhands_acp.local.snapshots import LocalTaking
from openhands_acp.store.codec import from_json, to_json
from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.editor import PATIENCE, allowed, dismissed, rejected
from tests.harness.model import Answer, ScriptedModel, Wait, call, say
from tests.harness.trees import tree_of
from tests.turns.test_replay import client_model, replayed

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _clock_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    return tmp_path / "w"


def keeping(root: Path, *answers: Answer, mode: str = "always-approve") -> TestBackend:
    return TestBackend(ScriptedModel(answers), mode=mode, checkpoints=root.parent / "home")


def run(command: str) -> Answer:
    return [call("terminal", command=command)]


def edit(path: str, old: str, new: str, index: int = 0) -> Any:
    return call("file_editor", index, command="str_replace", path=path, old_str=old, new_str=new)


def wire(running: Running) -> str:
    """The wire, without the list of commands, which comes when it comes."""
    lines = transcript(running).split("\n")
    return "\n".join(line for line in lines if "available_commands_update" not in line)


def last_said(running: Running) -> str:
    notices = [e.event for e in running.entries if isinstance(e.event, NoticeEvent) and e.event.channel == "text"]
    return notices[-1].text


def checkpoints_of(running: Running) -> list[CheckpointTaken]:
    return [entry.event for entry in running.entries if isinstance(entry.event, CheckpointTaken)]


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
< usage_update {"used": 11, "size": 1000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/a.py", "line": 1}], "rawOutput": {"path": "ROOT/a.py", "first_line": 1, "last_line": 1}}
< tool_call_update {"toolCallId": "id12", "status": "in_progress"}
< tool_call_update {"toolCallId": "id12", "status": "completed", "rawOutput": {"exit_code": 0, "signal": null, "timed_out": false, "seconds": 0, "output": ""}}
< agent_message_chunk ["id20", "Done."]
< usage_update {"used": 22, "size": 1000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call {"toolCallId": "id24", "status": "completed", "title": "Changed by commands: out/b", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/out/b"}], "content": [{"type": "diff", "path": "ROOT/out/b", "oldText": "", "newText": "made\\n"}]}
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["/undo"]
< tool_call {"toolCallId": "id32", "status": "completed", "title": "Undo \\u201cchange it\\u201d: 2 files", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/a.py"}], "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 2\\n", "newText": "x = 1\\n"}, {"type": "content", "content": {"type": "text", "text": "Removed: `ROOT/out/b`"}}, {"type": "diff", "path": "ROOT/out/b", "oldText": "made\\n", "newText": ""}]}
< agent_message_chunk ["id31", "Undid **change it**: 2 files changed.\\n\\n- `a.py`\\n- `out/b` (removed)\\n\\n`/redo` takes this back."]
< 4 = {"stopReason": "end_turn"}
> 5 session/prompt ["/redo"]
< tool_call {"toolCallId": "id41", "status": "completed", "title": "Redo \\u201cchange it\\u201d: 2 files", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/a.py"}, {"path": "ROOT/out/b"}], "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}, {"type": "diff", "path": "ROOT/out/b", "oldText": "", "newText": "made\\n"}]}
< agent_message_chunk ["id40", "Redid **change it**: 2 files changed.\\n\\n- `a.py`\\n- `out/b` (back again)\\n\\n`/undo` takes it back again."]
< 5 = {"stopReason": "end_turn"}
> 6 session/prompt ["/diff"]
< agent_message_chunk ["id49", "**2 files changed in this session**\\n\\n```diff\\ndiff --git a/a.py b/a.py\\n--- a/a.py\\n+++ b/a.py\\n@@ -1 +1 @@\\n-x = 1\\n+x = 2\\ndiff --git a/out/b b/out/b\\nnew file\\n--- /dev/null\\n+++ b/out/b\\n@@ -0,0 +1 @@\\n+made\\n```"]
< 6 = {"stopReason": "end_turn"}
> 7 session/prompt ["/checkpoints"]
< agent_message_chunk ["id56", "**Checkpoints**, each the state of the files before something changed them:\\n\\n- `3` 2026-01-01 00:00, before **Redo \\u201cchange it\\u201d** (2 files)\\n- `2` 2026-01-01 00:00, before **Undo \\u201cchange it\\u201d** (2 files)\\n- `1` 2026-01-01 00:00, before **change it** (2 files)\\n\\n`/restore NUMBER` goes to one."]
< 7 = {"stopReason": "end_turn"}\
""")


async def test_what_the_person_changed_since_is_asked_about(root: Path) -> None:
    for name in ("a", "b"):
        (root / name).write_text("one\n")
    backend = keeping(root, [edit("a", "one", "two"), edit("b", "one", "two", 1)], [say("Done.")])
    async with agent(root, backend=backend, permission=lambda _: rejected()) as running:
        await running.prompt("go")
        (root / "a").write_text("mine\n")
        (root / "elsewhere").write_text("mine too\n")
        await running.prompt("/undo")
        assert wire(running).partition("> 4")[2] == snapshot("""\
 session/prompt ["/undo"]
< tool_call {"toolCallId": "id31", "status": "pending", "title": "Undo \\u201cgo\\u201d: also take back what you changed in a file since?", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/a"}], "content": [{"type": "content", "content": {"type": "text", "text": "You changed a file since. This is what would happen to your changes:"}}, {"type": "diff", "path": "ROOT/a", "oldText": "mine\\n", "newText": "one\\n"}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id31", "title": "Undo \\u201cgo\\u201d: also take back what you changed in a file since?", "kind": "edit", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "You changed a file since. This is what would happen to your changes:"}}, {"type": "diff", "path": "ROOT/a", "oldText": "mine\\n", "newText": "one\\n"}], "locations": [{"path": "ROOT/a"}], "rawInput": {"command": "/undo"}}, "options": [{"optionId": "allow_once", "name": "Take back my changes too", "kind": "allow_once"}, {"optionId": "reject_once", "name": "Keep my changes", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id31", "status": "completed", "title": "Undo \\u201cgo\\u201d: b", "locations": [{"path": "ROOT/b"}], "content": [{"type": "diff", "path": "ROOT/b", "oldText": "two\\n", "newText": "one\\n"}]}
< agent_message_chunk ["id30", "Undid **go**: 1 file changed.\\n\\n- `b`\\n\\nYour own changes are kept in:\\n\\n- `a`\\n\\n`/redo` takes this back."]
< 4 = {"stopReason": "end_turn"}\
""")
    assert {path.name: path.read_text() for path in root.iterdir()} == {
        "a": "mine\n",
        "b": "one\n",
        "elsewhere": "mine too\n",
    }


async def test_what_the_person_gave_up_comes_back_with_redo(root: Path) -> None:
    (root / "a").write_text("one\n")
    async with agent(root, backend=keeping(root, [edit("a", "one", "two")])) as running:
        await running.prompt("go")
        (root / "a").write_text("mine\n")
        await running.prompt("/undo")
        assert (root / "a").read_text() == "one\n"
        await running.prompt("/redo")
        assert (root / "a").read_text() == "mine\n"


async def test_a_question_that_is_closed_changes_nothing(root: Path) -> None:
    (root / "a").write_text("one\n")
    answers = iter([dismissed(), allowed()])
    backend = keeping(root, [edit("a", "one", "two")])
    async with agent(root, backend=backend, permission=lambda _: next(answers)) as running:
        await running.prompt("go")
        (root / "a").write_text("mine\n")
        assert await running.prompt("/undo") == {"stopReason": "cancelled"}
        assert (root / "a").read_text() == "mine\n"
        assert await running.prompt("/undo") == {"stopReason": "end_turn"}
        assert (root / "a").read_text() == "one\n"


async def test_who_goes_on_working_while_asked_is_asked_again(root: Path) -> None:
    for name in ("a", "b"):
        (root / name).write_text("one\n")
    asked: list[list[str]] = []

    def answer(params: dict[str, Any]) -> Any:
        asked.append([Path(location["path"]).name for location in params["toolCall"]["locations"]])
        (root / "b").write_text("meanwhile\n")
        return allowed() if len(asked) == 1 else rejected()

    backend = keeping(root, [edit("a", "one", "two"), edit("b", "one", "two", 1)])
    async with agent(root, backend=backend, permission=answer) as running:
        await running.prompt("go")
        (root / "a").write_text("mine\n")
        await running.prompt("/undo")
    assert asked == [["a"], ["b"]]
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("one\n", "meanwhile\n")


async def test_unsaved_text_in_the_editor_is_the_persons_and_is_not_lost(root: Path) -> None:
    path = root / "a"
    path.write_text("one\n")
    asked: list[Any] = []

    def answer(params: dict[str, Any]) -> Any:
        asked.append(params["toolCall"]["content"][1])
        return allowed()

    buffers = {str(path): "one\n"}
    backend = keeping(root, [edit("a", "one", "two")])
    async with agent(root, backend=backend, permission=answer, buffers=buffers) as running:
        save(running, root)
        await running.prompt("go")
        buffers[str(path)] = "unsaved\n"
        await running.prompt("/undo")
        assert asked == [{"type": "diff", "path": str(path), "oldText": "unsaved\n", "newText": "one\n"}]
        assert (path.read_text(), buffers[str(path)]) == ("one\n", "one\n")
        await running.prompt("/redo")
        assert (path.read_text(), buffers[str(path)]) == ("unsaved\n", "unsaved\n")


async def test_unsaved_text_that_the_editor_cannot_save_stays(root: Path) -> None:
    path = root / "a"
    path.write_text("one\n")
    buffers: dict[str, str] = {}
    backend = keeping(root, run("echo two > a; echo two > b"))
    async with agent(root, backend=backend, buffers=buffers) as running:
        await running.prompt("go")
        # Nobody knows whether this is newer than the disk.
        buffers[str(path)] = "unsaved\n"
        await running.prompt("/undo")
        assert (path.read_text(), buffers[str(path)], (root / "b").exists()) == ("two\n", "unsaved\n", False)
        assert "Could not be put back:\n\n- `a`: the editor holds changes" in last_said(running)


async def test_stale_text_in_the_editor_is_nobodys(root: Path) -> None:
    path = root / "a"
    path.write_text("one\n")
    buffers = {str(path): "one\n"}

    def no_question(_params: dict[str, Any]) -> Any:
        raise AssertionError("nothing of the person's is at stake")

    backend = keeping(root, run("echo two > a"))
    async with agent(root, backend=backend, permission=no_question, buffers=buffers) as running:
        await running.prompt("go")
        save(running, root)
        await running.prompt("/undo")
        assert (path.read_text(), buffers[str(path)]) == ("one\n", "one\n")
        await running.prompt("/redo")
        assert (path.read_text(), buffers[str(path)]) == ("two\n", "two\n")


async def test_the_bytes_count_whatever_an_editor_makes_of_them_when_it_saves(root: Path) -> None:
    path = root / "a"
    path.write_text("one")
    path.chmod(0o640)
    before = tree_of(root)
    backend = keeping(root, run("echo two > a; chmod 755 a"))
    async with agent(root, backend=backend, buffers={}) as running:
        await running.prompt("go")
        save(running, root, lambda text: f"{text.upper()}\n")
        await running.prompt("/undo")
    assert tree_of(root) == before


def save(running: Running, root: Path, formatted: Callable[[str], str] = str) -> None:
    """Have the editor put on the disk what it is given, as real ones do."""
    write = running.editor.buffers

    def saved(params: dict[str, Any]) -> None:
        assert write is not None
        text = formatted(params["content"])
        write[params["path"]] = text
        new = root.parent / "new"
        new.write_text(text)
        new.rename(params["path"])

    running.editor.answers["fs/write_text_file"] = saved


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


async def test_after_a_crash_all_that_changed_since_may_be_the_persons(root: Path) -> None:
    before = tree_of(root)
    first = keeping(root, run("echo 1 > a"))
    async with agent(root, backend=first) as running:
        await running.prompt("go")
        session_id = running.session_id
    entries = first.journals[session_id].entries
    moments = [isinstance(entry.event, CheckpointTaken) for entry in entries]
    del entries[moments.index(True) + 1 :]
    second = keeping(root)
    second.journals = first.journals
    asked: list[Any] = []

    def answer(params: dict[str, Any]) -> Any:
        asked.extend(item["oldText"] for item in params["toolCall"]["content"] if item["type"] == "diff")
        return allowed()

    async with agent(root, backend=second, permission=answer) as running:
        await running.editor.request("session/load", sessionId=session_id, cwd=str(root), mcpServers=[])
        running.session_id = session_id
        await running.prompt("/undo")
        assert (tree_of(root), asked) == (before, ["1\n"])
        await running.prompt("/redo")
        assert (root / "a").read_text() == "1\n"


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


async def test_what_only_reads_leaves_no_checkpoint(root: Path) -> None:
    (root / "a").write_text("one\n")
    look = [call("terminal", command="cat a | wc -l"), call("file_editor", 1, command="view", path="a")]
    async with agent(root, backend=keeping(root, look, [say("One.")], run("true > a; echo one > a"))) as running:
        assert not (root.parent / "home").exists()
        await running.prompt("look")
        assert checkpoints_of(running) == []
        await running.prompt("write the same")
        assert [event.changed for event in checkpoints_of(running)] == [0, 0]
        for command in ("undo", "redo", "diff", "checkpoints", "restore"):
            await running.prompt(f"/{command}")
        assert wire(running).partition("> 5")[2] == snapshot("""\
 session/prompt ["/undo"]
< agent_message_chunk ["id47", "There is nothing to undo: no turn of this session has changed a file."]
< 5 = {"stopReason": "end_turn"}
> 6 session/prompt ["/redo"]
< agent_message_chunk ["id54", "There is nothing to redo: `/redo` takes back an `/undo` after which nothing else changed files."]
< 6 = {"stopReason": "end_turn"}
> 7 session/prompt ["/diff"]
< agent_message_chunk ["id61", "This session has changed no files."]
< 7 = {"stopReason": "end_turn"}
> 8 session/prompt ["/checkpoints"]
< agent_message_chunk ["id68", "There are no checkpoints yet: one is made before the first change of each turn."]
< 8 = {"stopReason": "end_turn"}
> 9 session/prompt ["/restore"]
< agent_message_chunk ["id75", "Name a checkpoint by its number: `/restore NUMBER`. `/checkpoints` lists them."]
< 9 = {"stopReason": "end_turn"}\
""")


async def test_what_tools_keep_for_themselves_is_no_change(root: Path) -> None:
    (root / "a").write_text("one\n")
    (root / "p").mkdir()
    caches = run("mkdir p/__pycache__ .pytest_cache && echo x > p/__pycache__/a.pyc && echo y > .pytest_cache/v")
    async with agent(root, backend=keeping(root, [edit("a", "one", "two")], [say("Done.")], caches)) as running:
        await running.prompt("edit")
        await running.prompt("test")
        assert [event.changed for event in checkpoints_of(running)] == [0, 1, 0, 0]
        assert "Changed by commands" not in wire(running)
        await running.prompt("/undo")
        assert (root / "a").read_text() == "one\n"


async def test_a_session_goes_on_where_nothing_can_be_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_store, "_SPARE", 1 << 60)
    backend = keeping(root, run("echo 1 > a"), [say(".")], run("echo 2 > a"))
    async with agent(root, backend=backend) as running:
        await running.prompt("go")
        await running.prompt("go on")
        assert (root / "a").read_text() == "2\n"
        told = [e.event.text for e in running.entries if isinstance(e.event, NoticeEvent)]
        assert len(told) == 1
        assert told[0].startswith("`/undo` will not bring back what changes from here on: only ")
        await running.prompt("/undo")
        assert last_said(running) == "There is nothing to undo: no turn of this session has changed a file."


@pytest.mark.parametrize("at", [1, 2, 5, 9, 14, 20, 30, 40, 60, 90])
async def test_any_step_of_keeping_may_fail(root: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    run_statement = vars(snapshot_store.Store)["_run"]
    number = 0

    def failing(self: snapshot_store.Store, statement: str, *values: object) -> object:
        nonlocal number
        number += 1
        if number == at:
            raise SnapshotError("disk I/O error")
        return run_statement(self, statement, *values)

    monkeypatch.setattr(snapshot_store.Store, "_run", failing)
    (root / "a").write_text("0\n")
    async with agent(root, backend=keeping(root, run("echo 1 > a"), [say(".")], run("echo 2 > a"))) as running:
        for text in ("go", "/undo", "/diff", "/checkpoints", "go on", "/undo"):
            assert await running.prompt(text) == {"stopReason": "end_turn"}
        assert (root / "a").read_text() in ("0\n", "1\n", "2\n")


async def test_a_session_without_checkpoints_says_so(root: Path) -> None:
    async with agent(root, run("echo 1 > a"), mode="always-approve") as running:
        await running.prompt("go")
        await running.prompt("/undo")
        assert last_said(running) == "There is nothing to undo: no turn of this session has changed a file."


async def test_the_card_says_what_a_call_waits_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = LocalTaking.done

    async def slow(self: LocalTaking, tell: Tell | None = None) -> Snapshot:
        if tell is not None:
            await tell(12345)
        return await done(self, tell)

    monkeypatch.setattr(LocalTaking, "done", slow)
    async with agent(root, backend=keeping(root, run("echo 1 > a"))) as running:
        await running.prompt("go")
        assert "Keeping the state of the files first, for `/undo`: 12,345 so far" in wire(running)


async def test_replay_equals_live_with_checkpoints(root: Path) -> None:
    (root / "a").write_text("one\n")
    backend = keeping(root, [edit("a", "one", "two"), call("terminal", 1, command="echo 1 > b")], [say("Done.")])
    async with agent(root, backend=backend) as running:
        await running.prompt("go")
        (root / "a").write_text("mine\n")
        await running.prompt("/undo")
        await running.prompt("/redo")
        entries = [from_json(json.loads(json.dumps(to_json(entry)))) for entry in running.entries]
        again = replayed(entries, running.session_id, [])
        assert client_model(again) == client_model(running.editor.updates())
        loaded = Transcript()
        for entry in entries:
            loaded.apply(entry.event, entry.id)
        assert loaded == backend.sessions[running.session_id].transcript


async def test_many_and_large_changes_are_told_within_bounds(root: Path) -> None:
    (root / "binary").write_bytes(bytes(100))
    command = "for i in $(seq 60); do echo $i > f$i; done; seq 100000 > large; echo x >> binary"
    async with agent(root, backend=keeping(root, run(command), [say(".")])) as running:
        await running.prompt("go")
        [card] = [event.card for event in checkpoints_of(running) if event.card]
        assert card.title == "Changed by commands: 62 files"
        assert len(card.shown) == 21
        assert len(json.dumps(running.editor.updates())) < 60_000
        await running.prompt("/diff")
        assert last_said(running).count("diff --git") == 20
        assert "- and 0" not in last_said(running)
        assert last_said(running).rstrip().endswith("`")
        await running.prompt("/undo")
        assert [path.name for path in root.iterdir()] == ["binary"]


async def test_undo_adds_nothing_to_git(root: Path) -> None:
    git = "git init -q . && git config user.email a@b && git config user.name a"
    async with agent(root, backend=keeping(root, run(git), [say(".")], run("echo 1 > a"))) as running:
        await running.prompt("begin")
        before = tree_of(root / ".git")
        await running.prompt("go")
        await running.prompt("/undo")
        assert tree_of(root / ".git") == before
