"""The n-th side effect fails, for every n: each turn ends in order, and the session goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import DirEntry, Files, TextFile
from openhands_acp.local.files import LocalFiles
from tests.harness.check import TestBackend, agent
from tests.harness.editor import Refusal
from tests.harness.model import Answer, ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Faults:
    """Counts side effects and fails the n-th."""

    fails_at: int
    count: int = 0

    def hit(self) -> None:
        self.count += 1
        if self.count == self.fails_at:
            raise OSError(5, "Input/output error")


@dataclass(frozen=True, slots=True)
class FaultyFiles:
    files: Files
    faults: Faults

    async def read(self, path: AbsPath) -> TextFile:
        self.faults.hit()
        return await self.files.read(path)

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        self.faults.hit()
        return await self.files.write(path, file, replaces=replaces)

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        self.faults.hit()
        await self.files.remove(path, replaces=replaces)

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        self.faults.hit()
        return await self.files.read_bytes(path, limit)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        self.faults.hit()
        return await self.files.entries(path)


def answers() -> list[Answer]:
    return [
        [call("file_editor", command="view", path="a.txt"), call("file_editor", 1, command="view", path=".")],
        [call("file_editor", command="str_replace", path="a.txt", old_str="one", new_str="two")],
        [
            call("file_editor", command="create", path="new/b.txt", file_text="b\n"),
            call("terminal", 1, command="echo hi"),
        ],
        [call("file_editor", command="undo_edit", path="new/b.txt"), call("terminal", 1, command="cd nowhere")],
        [say("Done.")],
    ]


@pytest.mark.parametrize("has_editor", [False, True])
async def test_any_side_effect_may_fail(tmp_path: Path, has_editor: bool) -> None:
    n = 0
    for n in range(1, 100):
        (tmp_path / "a.txt").write_text("one\n")
        (tmp_path / "new/b.txt").unlink(missing_ok=True)
        faults = Faults(n)
        backend = TestBackend(ScriptedModel([*answers(), [say("Fine.")]]), disk=FaultyFiles(LocalFiles(), faults))
        async with agent(tmp_path, backend=backend, buffers={} if has_editor else None) as running:
            if has_editor:

                def refuse(_params: dict[str, Any], faults: Faults = faults) -> None:
                    faults.count += 1
                    raise Refusal(-32603, "the editor is out of order")

                running.editor.answers = {"fs/read_text_file": refuse, "fs/write_text_file": refuse}
            assert await running.prompt("go") == {"stopReason": "end_turn"}
            assert await running.prompt("again") == {"stopReason": "end_turn"}
        if n > faults.count:
            break
    assert n > 5
