"""A patch as an editor sees it: one question for all of it, a diff for each file, and all of it or nothing."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import SystemPromptEvent, UserRejectObservation
from openhands_acp.engine.messages import ToolMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Files, TextFile
from openhands_acp.local.files import LocalFiles
from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.editor import allowed, dismissed, rejected
from tests.harness.model import Answer, ScriptedModel, call, say

pytestmark = pytest.mark.anyio

PATCH = """\
*** Begin Patch
*** Update File: a.py
@@
-x = 1
+x = 2
*** Update File: old.py
*** Move to: lib/new.py
@@
 def f():
-    return 1
+    return 2
*** Add File: lib/b.py
+y = 1
*** Delete File: c.py
*** End Patch
"""
BEFORE = {"a.py": "x = 1\n", "old.py": "def f():\n    return 1\n", "c.py": "z = 1\n"}
AFTER = {"a.py": "x = 2\n", "lib/b.py": "y = 1\n", "lib/new.py": "def f():\n    return 2\n"}


def model(*answers: Answer) -> ScriptedModel:
    return ScriptedModel(answers, model="openai/gpt-5")


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).write_text(text)


def files_in(root: Path) -> dict[str, str]:
    found = sorted(path for path in root.rglob("*") if path.is_file())
    # A folder with nothing in it is nobody's.
    assert [path for path in root.rglob("*") if path.is_dir() and not any(path.iterdir())] == []
    return {path.relative_to(root).as_posix(): path.read_text() for path in found}


def modes_in(root: Path) -> dict[str, int]:
    return {path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*.py")}


def questions(running: Running) -> list[dict[str, Any]]:
    return [
        m["params"] for d, m in running.editor.log if d == "out" and m.get("method") == "session/request_permission"
    ]


def results(running: Running) -> list[str]:
    return [each.text for request in running.model.requests[-1:] for each in request if isinstance(each, ToolMessage)]


async def test_a_patch_of_several_files_is_one_question_and_one_card(tmp_path: Path) -> None:
    put(tmp_path, BEFORE)
    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Done.")]))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        wire = transcript(running)
    assert files_in(tmp_path) == AFTER
    assert len(questions(running)) == 1
    assert wire == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Patch files", "name": "apply_patch", "kind": "edit", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Edit a.py", "locations": [{"path": "ROOT/a.py"}], "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Patch a.py, old.py, 2 more", "locations": [{"path": "ROOT/a.py"}, {"path": "ROOT/old.py"}, {"path": "ROOT/lib/b.py"}, {"path": "ROOT/c.py"}], "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}, {"type": "content", "content": {"type": "text", "text": "Renamed from `ROOT/old.py`: `ROOT/lib/new.py`"}}, {"type": "diff", "path": "ROOT/lib/new.py", "oldText": "def f():\\n    return 1\\n", "newText": "def f():\\n    return 2\\n"}, {"type": "diff", "path": "ROOT/lib/b.py", "oldText": "", "newText": "y = 1\\n"}, {"type": "content", "content": {"type": "text", "text": "Delete `ROOT/c.py`"}}], "rawInput": {"patch": "*** Begin Patch\\n*** Update File: a.py\\n@@\\n-x = 1\\n+x = 2\\n*** Update File: old.py\\n*** Move to: lib/new.py\\n@@\\n def f():\\n-    return 1\\n+    return 2\\n*** Add File: lib/b.py\\n+y = 1\\n*** Delete File: c.py\\n*** End Patch\\n"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "Patch a.py, old.py, 2 more", "kind": "edit", "status": "pending", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}, {"type": "content", "content": {"type": "text", "text": "Renamed from `ROOT/old.py`: `ROOT/lib/new.py`"}}, {"type": "diff", "path": "ROOT/lib/new.py", "oldText": "def f():\\n    return 1\\n", "newText": "def f():\\n    return 2\\n"}, {"type": "diff", "path": "ROOT/lib/b.py", "oldText": "", "newText": "y = 1\\n"}, {"type": "content", "content": {"type": "text", "text": "Removed: `ROOT/c.py`"}}, {"type": "diff", "path": "ROOT/c.py", "oldText": "z = 1\\n", "newText": ""}], "locations": [{"path": "ROOT/a.py", "line": 1}, {"path": "ROOT/lib/new.py", "line": 2}, {"path": "ROOT/lib/b.py", "line": 1}, {"path": "ROOT/c.py"}], "rawInput": {"patch": "*** Begin Patch\\n*** Update File: a.py\\n@@\\n-x = 1\\n+x = 2\\n*** Update File: old.py\\n*** Move to: lib/new.py\\n@@\\n def f():\\n-    return 1\\n+    return 2\\n*** Add File: lib/b.py\\n+y = 1\\n*** Delete File: c.py\\n*** End Patch\\n"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow editing a.py in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "diff", "path": "ROOT/a.py", "oldText": "x = 1\\n", "newText": "x = 2\\n"}, {"type": "content", "content": {"type": "text", "text": "Renamed from `ROOT/old.py`: `ROOT/lib/new.py`"}}, {"type": "diff", "path": "ROOT/lib/new.py", "oldText": "def f():\\n    return 1\\n", "newText": "def f():\\n    return 2\\n"}, {"type": "diff", "path": "ROOT/lib/b.py", "oldText": "", "newText": "y = 1\\n"}, {"type": "content", "content": {"type": "text", "text": "Removed: `ROOT/c.py`"}}, {"type": "diff", "path": "ROOT/c.py", "oldText": "z = 1\\n", "newText": ""}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "locations": [{"path": "ROOT/a.py", "line": 1}, {"path": "ROOT/lib/new.py", "line": 2}, {"path": "ROOT/lib/b.py", "line": 1}], "rawOutput": {"files": [{"path": "ROOT/a.py"}, {"path": "ROOT/lib/new.py", "moved_from": "ROOT/old.py"}, {"path": "ROOT/lib/b.py"}, {"path": "ROOT/c.py"}]}}
< agent_message_chunk ["id17", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")
    assert results(running) == snapshot(
        [
            """\
Success. Updated the following files:
M a.py (line 1)
R old.py -> lib/new.py (line 2)
A lib/b.py
D c.py\
"""
        ]
    )


@pytest.mark.parametrize("answer", [rejected, dismissed])
async def test_a_no_leaves_everything_as_it_was(tmp_path: Path, answer: Callable[[], Any]) -> None:
    put(tmp_path, BEFORE)
    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Then not.")]))
    async with agent(tmp_path, backend=backend, permission=lambda _params: answer()) as running:
        await running.prompt("go")
        asked = questions(running)
        told = [entry.event for entry in running.entries if isinstance(entry.event, UserRejectObservation)]
    assert files_in(tmp_path) == BEFORE
    assert len(asked) == len(told) == 1
    paths = [item["path"] for item in asked[0]["toolCall"]["content"] if item["type"] == "diff"]
    assert paths == [str(tmp_path / name) for name in ("a.py", "lib/new.py", "lib/b.py", "c.py")]


@pytest.mark.parametrize(
    ("mode", "asked", "after"),
    [("always-ask", 1, AFTER), ("accept-edits", 0, AFTER), ("always-approve", 0, AFTER), ("plan", 0, BEFORE)],
)
async def test_modes_count_for_patches(tmp_path: Path, mode: str, asked: int, after: dict[str, str]) -> None:
    put(tmp_path, BEFORE)
    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Done.")]), mode=mode)
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert len(questions(running)) == asked
    assert files_in(tmp_path) == after


async def test_a_no_to_reading_what_is_outside_ends_it_before_anything_is_written(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside.py"
    root.mkdir()
    put(root, BEFORE)
    outside.write_text("x\n")
    patch = PATCH.replace("*** End Patch", f"*** Update File: {outside}\n@@\n-x\n+y\n*** End Patch")
    backend = TestBackend(model([call("apply_patch", patch=patch)], [say("Then not.")]), mode="accept-edits")
    async with agent(root, backend=backend, permission=lambda _params: rejected()) as running:
        await running.prompt("go")
        assert [question["toolCall"]["title"] for question in questions(running)] == ["Patch a.py, old.py, 3 more"]
    assert (files_in(root), outside.read_text()) == (BEFORE, "x\n")


async def test_after_a_no_to_a_write_nothing_is_left_written(tmp_path: Path) -> None:
    put(tmp_path, BEFORE)
    (tmp_path / ".git").mkdir()
    put(tmp_path, {".git/config": "x\n"})
    patch = PATCH.replace("*** Delete File: c.py", "*** Update File: .git/config\n@@\n-x\n+y\n*** Delete File: c.py")
    backend = TestBackend(model([call("apply_patch", patch=patch)], [say("Then not.")]), mode="accept-edits")
    async with agent(tmp_path, backend=backend, permission=lambda _params: rejected()) as running:
        await running.prompt("go")
        assert len(questions(running)) == 1
    assert files_in(tmp_path) == {**BEFORE, ".git/config": "x\n"}


class Disk:
    """This machine's, but for what happens at one write or removal."""

    def __init__(self, at: int, happens: Callable[[], Any]) -> None:
        self._files: Files = LocalFiles()
        self._left = at
        self._happens = happens
        self.read, self.read_bytes, self.entries = self._files.read, self._files.read_bytes, self._files.entries

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        await self._step()
        return await self._files.write(path, file, replaces=replaces)

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self._step()
        await self._files.remove(path, replaces=replaces)

    async def _step(self) -> None:
        self._left -= 1
        if self._left == 0 and (waiting := self._happens()) is not None:
            await waiting


@pytest.mark.parametrize("at", range(1, 6))
async def test_a_disk_that_fails_in_the_middle_leaves_everything_as_it_was(tmp_path: Path, at: int) -> None:
    put(tmp_path, BEFORE)

    def fail() -> None:
        raise OSError(28, "No space left on device")

    for name in BEFORE:
        (tmp_path / name).chmod(0o751)
    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Oh.")]), disk=Disk(at, fail))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
        assert len(questions(running)) == 1
        [result] = results(running)
    assert files_in(tmp_path) == BEFORE
    assert set(modes_in(tmp_path).values()) == {0o751}
    assert "No space left on device" in result
    written = [str(tmp_path / name) for name in ("a.py", "lib/new.py", "lib/b.py", "old.py")][: at - 1]
    taken_back = f"\nWhat the patch had done before that was taken back: {', '.join(written)}" if written else ""
    assert result.endswith(f"No space left on device{taken_back}")


@pytest.mark.parametrize("at", range(1, 6))
async def test_stopping_in_the_middle_leaves_everything_as_it_was(tmp_path: Path, at: int) -> None:
    put(tmp_path, BEFORE)
    running: Running

    def stop() -> Any:
        running.cancel()
        return anyio.sleep_forever()

    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Oh.")]), disk=Disk(at, stop))
    async with agent(tmp_path, backend=backend) as running:
        assert await running.prompt("go") == {"stopReason": "cancelled"}
    assert files_in(tmp_path) == BEFORE


async def test_what_the_person_typed_during_the_question_stays_and_the_rest_is_taken_back(tmp_path: Path) -> None:
    put(tmp_path, BEFORE)

    def permission(_params: dict[str, Any]) -> Any:
        (tmp_path / "old.py").write_text("# typed\n" + BEFORE["old.py"])
        return allowed()

    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Oh.")]))
    async with agent(tmp_path, backend=backend, permission=permission) as running:
        await running.prompt("go")
        [result] = results(running)
    assert files_in(tmp_path) == {**BEFORE, "old.py": "# typed\n" + BEFORE["old.py"]}
    assert f"{tmp_path}/old.py has changed since you last saw it" in result
    assert f"taken back: {tmp_path}/a.py, {tmp_path}/lib/new.py, {tmp_path}/lib/b.py" in result


async def test_a_rename_keeps_who_may_execute_it(tmp_path: Path) -> None:
    put(tmp_path, BEFORE)
    (tmp_path / "old.py").chmod(0o751)
    backend = TestBackend(model([call("apply_patch", patch=PATCH)], [say("Done.")]))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("go")
    assert files_in(tmp_path) == AFTER
    assert modes_in(tmp_path)["lib/new.py"] == 0o751


async def test_unsaved_text_of_the_editor_is_what_is_patched(tmp_path: Path) -> None:
    put(tmp_path, {"a.py": "x = 1\n"})
    path = str(tmp_path / "a.py")
    buffers = {path: "x = 1\nunsaved = 2\n"}
    patch = "*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = 2\n*** End Patch"
    backend = TestBackend(model([call("apply_patch", patch=patch)], [say("Done.")]))
    async with agent(tmp_path, backend=backend, buffers=buffers) as running:
        await running.prompt("go")
    assert buffers == {path: "x = 2\nunsaved = 2\n"}


async def test_a_session_keeps_its_tools_whatever_its_model_becomes(tmp_path: Path) -> None:
    backend = TestBackend(model([say("Hi.")]))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("hi")
        names = list(backend.sessions[running.session_id].tools)
        said = backend.journals[running.session_id].entries
    assert "apply_patch" in names
    prompts = [
        replace(e, event=SystemPromptEvent("s", "d", tuple(names)))
        for e in said
        if isinstance(e.event, SystemPromptEvent)
    ]
    others = [entry for entry in said if not isinstance(entry.event, SystemPromptEvent)]
    backend.journals["before"] = type(backend.journals[running.session_id])([*others[:1], *prompts, *others[1:]])
    backend.model = ScriptedModel([[say("Hi.")]], model="anthropic/claude-sonnet-4-5")
    async with agent(tmp_path, backend=backend) as running:
        fresh = list(backend.sessions[running.session_id].tools)
        await running.editor.request("session/load", sessionId="before", cwd=str(tmp_path), mcpServers=[])
        again = list(backend.sessions["before"].tools)
    assert (again, "apply_patch" in fresh) == (names, False)
