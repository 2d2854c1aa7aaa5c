"""What the person changed since a turn, and goes back with it only if they say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import CheckpointTaken
from tests.harness.check import Running, agent
from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import say
from tests.harness.trees import tree_of
from tests.turns.undoing import edit, keeping, last_said, run, wire

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clock_of_greenwich")]


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
< tool_call {"toolCallId": "id30", "status": "pending", "title": "Undo \\u201cgo\\u201d: also take back what you changed in a file since?", "name": "checkpoint", "kind": "edit", "locations": [{"path": "ROOT/a"}], "content": [{"type": "content", "content": {"type": "text", "text": "You changed a file since. This is what would happen to your changes:"}}, {"type": "diff", "path": "ROOT/a", "oldText": "mine\\n", "newText": "one\\n"}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id30", "title": "Undo \\u201cgo\\u201d: also take back what you changed in a file since?", "kind": "edit", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "You changed a file since. This is what would happen to your changes:"}}, {"type": "diff", "path": "ROOT/a", "oldText": "mine\\n", "newText": "one\\n"}], "locations": [{"path": "ROOT/a"}], "rawInput": {"command": "/undo"}}, "options": [{"optionId": "allow_once", "name": "Take back my changes too", "kind": "allow_once"}, {"optionId": "reject_once", "name": "Keep my changes", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id30", "status": "completed", "title": "Undo \\u201cgo\\u201d: b", "locations": [{"path": "ROOT/b"}], "content": [{"type": "diff", "path": "ROOT/b", "oldText": "two\\n", "newText": "one\\n"}]}
< agent_message_chunk ["id33", "Undid **go**: 1 file changed.\\n\\n- `b`\\n\\nYour own changes are kept in:\\n\\n- `a`\\n\\n`/redo` takes this back."]
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
    second.journals, second.ids = first.journals, first.ids
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
