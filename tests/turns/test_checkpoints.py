"""When the state of the files is kept, what is told of it, and what happens where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.checkpoints.snapshots import Snapshot, SnapshotError, Tell
from openhands_acp.engine.events import NoticeEvent
from openhands_acp.engine.transcript import Transcript
from openhands_acp.local import snapshot_store
from openhands_acp.local.snapshots import LocalTaking
from openhands_acp.store.codec import from_json, to_json
from tests.harness.check import agent
from tests.harness.model import Answer, call, say
from tests.harness.trees import tree_of
from tests.turns.test_replay import client_model, replayed
from tests.turns.undoing import checkpoints_of, edit, keeping, last_said, run, wire

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clock_of_greenwich")]


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
    answers: list[Answer] = [[edit("a", "one", "two")], [say("Done.")], caches, [say("Tested.")]]
    async with agent(root, backend=keeping(root, *answers)) as running:
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
