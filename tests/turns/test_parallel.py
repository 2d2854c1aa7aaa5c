"""Calls of one answer that only read run side by side; everything else runs in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.messages import ToolMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import DirEntry, TextFile
from openhands_acp.local.files import LocalFiles
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import NEVER, allowed, dismissed
from tests.harness.model import Answer, ScriptedModel, Step, call, say
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Gated:
    """The disk, where reading waits for the gate of that file's name, if it has one."""

    gates: dict[str, anyio.Event] = field(default_factory=dict[str, anyio.Event])
    crowd: int = 0
    """Readers who wait for each other; all go on when so many have come."""
    readers: int = 0
    is_crowded: anyio.Event = field(default_factory=anyio.Event)
    cancelled: int = 0
    disk: LocalFiles = field(default_factory=LocalFiles)

    async def read(self, path: AbsPath) -> TextFile:
        self.readers += 1
        if self.readers == self.crowd:
            self.is_crowded.set()
        try:
            if self.crowd:
                await self.is_crowded.wait()
            if gate := self.gates.get(Path(path).name):
                await gate.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        if path.endswith("bug.txt"):
            raise ValueError("a bug")
        return await self.disk.read(path)

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        return await self.disk.read_bytes(path, limit)

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        return await self.disk.write(path, file, replaces=replaces)

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self.disk.remove(path, replaces=replaces)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        return await self.disk.entries(path)


def views(*names: str) -> list[Sequence[Step]]:
    return [call("file_editor", index, command="view", path=name) for index, name in enumerate(names)]


def backend(disk: Gated, *answers: Answer) -> TestBackend:
    return TestBackend(ScriptedModel(answers), disk=disk)


def statuses(running: Running) -> list[tuple[str, str]]:
    """List how calls ended, in the order in which the editor was told: the last word of the title, and the status."""
    titles: dict[str, str] = {}
    ends: list[tuple[str, str]] = []
    for update in running.editor.updates():
        if update["sessionUpdate"] in ("tool_call", "tool_call_update"):
            titles[update["toolCallId"]] = update.get("title", titles.get(update["toolCallId"], ""))
            if update.get("status") in ("completed", "failed"):
                ends.append((titles[update["toolCallId"]].split()[-1], update["status"]))
    return ends


def results(running: Running) -> list[str]:
    """The results that the model got to read with its last question."""
    return [message.text for message in running.model.requests[-1] if isinstance(message, ToolMessage)]


def plant(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(f"this is {name}\n")


async def test_they_run_side_by_side(tmp_path: Path) -> None:
    plant(tmp_path, "a", "b", "c")
    # Each waits until all three have come: one after another would never end.
    disk = Gated(crowd=3)
    async with agent(tmp_path, backend=backend(disk, views("a", "b", "c"), [say("Done.")])) as running:
        with anyio.fail_after(PATIENCE):
            await running.prompt("look")
        assert sorted(statuses(running)) == [("a", "completed"), ("b", "completed"), ("c", "completed")]


async def test_searches_run_beside_views(tmp_path: Path) -> None:
    plant(tmp_path, "a")
    disk = Gated(gates={"a": anyio.Event()})
    searches = [call("grep", 1, pattern="this"), call("glob", 2, pattern="*")]
    async with agent(tmp_path, backend=backend(disk, [*views("a"), *searches], [say("Done.")])) as running:
        request = running.ask_prompt("look")
        with anyio.fail_after(PATIENCE):
            for title in ('"this"', '"*"'):
                await running.editor.until(lambda _message, title=title: (title, "completed") in statuses(running))
            disk.gates["a"].set()
            await running.editor.answer(request)
        assert statuses(running)[-1] == ("a", "completed")


async def test_each_is_shown_as_it_ends_and_the_model_reads_them_in_its_order(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    plant(tmp_path, *names)
    disk = Gated(gates={name: anyio.Event() for name in names})
    async with agent(tmp_path, backend=backend(disk, views(*names), [say("Done.")])) as running:
        request = running.ask_prompt("look")
        for name in ("c", "a", "b"):
            disk.gates[name].set()
            await running.editor.until(lambda _message, name=name: (name, "completed") in statuses(running))
        await running.editor.answer(request)
        assert [name for name, _ in statuses(running)] == ["c", "a", "b"]
        assert [f"this is {name}" in text for name, text in zip(names, results(running), strict=True)] == [True] * 3


async def test_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    plant(tmp_path, "a", "bug.txt", "z")
    answer: Answer = [
        *views("a", "missing", "bug.txt"),
        call("file_editor", 3, command="view"),
        call("nothing", 4),
        call("grep", 5, pattern="("),
        call("file_editor", 6, command="view", path="z"),
    ]
    # Those that can run wait for each other: what cannot does not come between them.
    disk = Gated(crowd=4)
    async with agent(tmp_path, backend=backend(disk, answer, [say("Done.")])) as running:
        with anyio.fail_after(PATIENCE):
            await running.prompt("look")
        ends = [text.partition(":")[0] == "Error" for text in results(running)]
        assert ends == [False, True, True, True, True, True, False]
        assert sorted(status for _, status in statuses(running)) == ["completed"] * 2 + ["failed"] * 5


async def test_stopping_stops_all(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    plant(tmp_path, *names)
    disk = Gated(gates={name: anyio.Event() for name in ("a", "c")})
    async with agent(tmp_path, backend=backend(disk, views(*names), [say("Go on.")])) as running:
        request = running.ask_prompt("look")
        await running.editor.until(lambda _message: ("b", "completed") in statuses(running))
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert (sorted(statuses(running)), disk.cancelled) == (
            [("a", "failed"), ("b", "completed"), ("c", "failed")],
            2,
        )
        assert await running.prompt("again") == {"stopReason": "end_turn"}
        assert ["this is b" in text for text in results(running)] == [False, True, False]


async def test_what_changes_something_comes_in_its_order(tmp_path: Path) -> None:
    plant(tmp_path, "a")
    edit = {"command": "str_replace", "path": "a", "old_str": "this is", "new_str": "that was"}
    answer: Answer = [*views("a"), call("file_editor", 1, **edit), call("file_editor", 2, command="view", path="a")]
    async with agent(tmp_path, answer, [say("Done.")]) as running:
        await running.prompt("go")
        before, _, after = results(running)
        assert ("this is a" in before, "that was a" in after) == (True, True)


async def test_questions_of_several_are_open_at_once_and_answered_in_any_order(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    plant(tmp_path, "a", "b")
    asked: list[str] = []

    def only_b(params: dict[str, Any]) -> Any:
        asked.append(params["toolCall"]["title"])
        return allowed() if params["toolCall"]["title"].endswith("b") else NEVER

    answer = views(str(tmp_path / "a"), str(tmp_path / "b"))
    async with agent(project, answer, [say("Done.")], permission=only_b) as running:
        request = running.ask_prompt("look")
        await running.editor.until(lambda _message: len(statuses(running)) == 1)
        assert (sorted(title[-1] for title in asked), statuses(running)[0][1]) == (["a", "b"], "completed")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}


async def test_dismissing_one_question_stops_all(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    plant(tmp_path, "a", "b")

    def dismiss_b(params: dict[str, Any]) -> Any:
        return dismissed() if params["toolCall"]["title"].endswith("b") else NEVER

    answer = views(str(tmp_path / "a"), str(tmp_path / "b"))
    async with agent(project, answer, permission=dismiss_b) as running:
        assert await running.prompt("look") == {"stopReason": "cancelled"}
        assert [status for _, status in statuses(running)] == ["failed", "failed"]
