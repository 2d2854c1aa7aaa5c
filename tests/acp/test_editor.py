"""The editor as the session's files: unsaved text, stale text, refusals, and the same manners as a disk."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.acp.buffers import Buffers as EditorBuffers
from openhands_acp.acp.clients import Client
from openhands_acp.acp.editor import EditorFiles
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import FileChanged, TextFile, UnreadableFile
from openhands_acp.local.files import LocalFiles
from openhands_acp.rpc.errors import RemoteError
from tests.harness.files_conformance import CHECKS

pytestmark = pytest.mark.anyio

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Buffers:
    """An editor with open files: it serves its own text, and writes through to the disk when it saves."""

    def __init__(self, *, saves: bool = True, is_literal: bool = True) -> None:
        self.open: dict[str, str] = {}
        self.asked: list[str] = []
        self.saves = saves
        self.is_literal = is_literal

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append(method)
        path = params["path"]
        if method == "fs/read_text_file":
            if path in self.open:
                return {"content": self.open[path]}
            if not os.path.exists(path):
                raise RemoteError(-32002, "Resource not found")
            return {"content": self._shown(Path(path).read_bytes().decode("utf-8", "replace"))}
        if self.saves:
            Path(path).write_bytes(params["content"].encode())
            self.open.pop(path, None)
        else:
            self.open[path] = self._shown(params["content"])
        return None

    def _shown(self, text: str) -> str:
        return text if self.is_literal else text.replace("\r\n", "\n")


def files_of(folder: Path, ask: Ask) -> EditorFiles:
    client = Client(reads_files=True, writes_files=True)
    return EditorFiles("s", (AbsPath(str(folder)),), client, ask, LocalFiles())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("client", ["saves", "keeps line endings to itself", "fails", "says nothing of files"])
async def test_it_behaves_as_a_disk_does(tmp_path: Path, check: Any, client: str) -> None:
    async def fail(_method: str, _params: dict[str, Any]) -> Any:
        raise RemoteError(-32603, "no")

    ask = fail if client == "fails" else Buffers(is_literal=client == "saves").ask
    files = files_of(tmp_path, ask)
    if client == "says nothing of files":
        files.client = Client()
    await check(files, tmp_path)


async def test_unsaved_text_is_what_is_read_and_kept_by_an_edit(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "a.txt"))
    Path(path).write_bytes(b"saved\n")
    editor = Buffers(saves=False)
    editor.open[path] = "saved\nunsaved\n"
    files = files_of(tmp_path, editor.ask)
    seen = await files.read(path)
    assert seen.text == "saved\nunsaved\n"
    await files.write(path, replace(seen, text=seen.text + "more\n"), replaces=seen)
    assert editor.open[path] == "saved\nunsaved\nmore\n"
    assert Path(path).read_bytes() == b"saved\n"


async def test_a_file_that_exists_only_in_the_editor_is_read(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "new.txt"))
    editor = Buffers()
    editor.open[path] = "unsaved"
    assert await files_of(tmp_path, editor.ask).read(path) == TextFile("unsaved")


@pytest.mark.parametrize("answer", [{"content": ""}, {}, None, "x"])
async def test_an_empty_answer_for_a_missing_file_means_missing(tmp_path: Path, answer: Any) -> None:
    async def ask(_method: str, _params: dict[str, Any]) -> Any:
        return answer

    with pytest.raises(FileNotFoundError):
        await files_of(tmp_path, ask).read(AbsPath(str(tmp_path / "a.txt")))


async def test_text_that_the_editor_has_not_reloaded_yet_is_not_taken_for_unsaved(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "a.txt"))
    Path(path).write_bytes(b"before\n")
    editor = Buffers()
    editor.open[path] = "before\n"
    files = files_of(tmp_path, editor.ask)
    await files.read(path)
    Path(path).write_bytes(b"a command changed it\n")
    assert (await files.read(path)).text == "a command changed it\n"


BASE = "".join(f"line {number}\n" for number in range(1, 10))
TYPED = BASE.replace("line 2\n", "line 2, typed\n")


@dataclass(slots=True)
class Scene:
    """One file, on the disk and in the editor."""

    path: AbsPath
    editor: Buffers
    files: EditorFiles

    async def read(self) -> str:
        return (await self.files.read(self.path)).text

    def on_disk(self, text: str) -> None:
        Path(self.path).write_text(text, encoding="utf-8", newline="")

    def in_editor(self, text: str) -> None:
        self.editor.open[self.path] = text


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    path = AbsPath(str(tmp_path / "a.txt"))
    editor = Buffers()
    scene = Scene(path, editor, files_of(tmp_path, editor.ask))
    scene.on_disk(BASE)
    scene.in_editor(BASE)
    return scene


async def test_a_buffer_stays_stale_through_any_number_of_changes_on_the_disk(scene: Scene) -> None:
    await scene.read()
    for count in range(1, 4):
        scene.on_disk(BASE + "by a command\n" * count)
        for _ in range(2):
            assert await scene.read() == BASE + "by a command\n" * count
    # The editor reloads, but not the last of it.
    scene.in_editor(BASE + "by a command\n")
    assert await scene.read() == BASE + "by a command\n" * 3


async def test_going_back_to_text_that_was_on_the_disk_once_is_typing(scene: Scene) -> None:
    await scene.read()
    later = BASE + "later\n"
    scene.on_disk(later)
    scene.in_editor(later)
    assert await scene.read() == later
    scene.in_editor(BASE)
    assert await scene.read() == BASE


async def test_typing_and_a_change_on_the_disk_elsewhere_are_both_in_the_file_and_written(scene: Scene) -> None:
    await scene.read()
    scene.in_editor(TYPED)
    assert await scene.read() == TYPED
    scene.on_disk(BASE.replace("line 8\n", "line 8, by a command\n"))
    both = TYPED.replace("line 8\n", "line 8, by a command\n")
    seen = await scene.files.read(scene.path)
    assert seen.text == both
    await scene.files.write(scene.path, replace(seen, text=both + "mine\n"), replaces=seen)
    assert Path(scene.path).read_text() == both + "mine\n"


async def test_typing_and_a_change_on_the_disk_at_one_place_are_neither_lost_nor_overwritten(scene: Scene) -> None:
    await scene.read()
    scene.in_editor(TYPED)
    by_command = BASE.replace("line 2\n", "line 2, by a command\n")
    scene.on_disk(by_command)
    seen = await scene.files.read(scene.path)
    assert seen.text == TYPED
    for attempt in (
        scene.files.write(scene.path, replace(seen, text=TYPED + "mine\n"), replaces=seen),
        scene.files.remove(scene.path, replaces=seen),
    ):
        with pytest.raises(
            UnreadableFile, match=r"no command should write it either.*saving it in the editor keeps what they typed"
        ):
            await attempt
    assert (scene.editor.open[scene.path], Path(scene.path).read_text()) == (TYPED, by_command)
    # The person has settled it.
    scene.in_editor(by_command)
    assert await scene.read() == by_command
    await scene.files.write(scene.path, TextFile("mine\n"), replaces=TextFile(by_command))
    assert Path(scene.path).read_text() == "mine\n"


async def test_a_file_that_was_never_read_and_has_just_changed_is_reloaded_first(scene: Scene) -> None:
    asked = 0

    async def ask(method: str, params: dict[str, Any]) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            scene.in_editor("by a command\n")
        return await scene.editor.ask(method, params)

    files = files_of(Path(scene.path).parent, ask)
    files.began = 0
    scene.on_disk("by a command\n")
    assert ((await files.read(scene.path)).text, asked) == ("by a command\n", 3)


async def test_a_file_that_was_never_read_and_differs_for_no_known_reason_is_not_written(scene: Scene) -> None:
    scene.files.began = 0
    scene.on_disk("by a command\n")
    seen = await scene.files.read(scene.path)
    assert seen.text == BASE
    with pytest.raises(
        UnreadableFile, match=r"no command should write it either.*saving it in the editor keeps what they typed"
    ):
        await scene.files.write(scene.path, TextFile("mine\n"), replaces=seen)
    assert (scene.editor.open[scene.path], Path(scene.path).read_text()) == (BASE, "by a command\n")


@given(
    st.lists(st.tuples(st.sampled_from(["type", "command", "save", "reload", "read"]), st.integers(1, 9)), max_size=8)
)
def test_whatever_happens_no_line_is_lost_that_the_person_typed_or_a_command_wrote(
    steps: list[tuple[str, int]],
) -> None:
    """What is read has every line typed since the last reload and every line written since the last save."""
    buffers = EditorBuffers()
    path = AbsPath("/w/a")
    disk = buffer = BASE
    buffers.settle(path, disk, buffer, is_fresh=False)
    typed, written = set[str](), set[str]()
    for count, (step, line) in enumerate(steps):
        mark = f"{step} {count}\n"
        match step:
            case "type":
                buffer = buffer.replace(f"line {line}\n", f"line {line}\n{mark}")
                typed |= {mark} & set(buffer.splitlines(keepends=True))
            case "command":
                disk = disk.replace(f"line {line}\n", f"line {line}\n{mark}")
                written |= {mark} & set(disk.splitlines(keepends=True))
            case "save":
                disk, typed, written = buffer, set[str](), set[str]()
            case "reload":
                buffer, typed, written = disk, set[str](), set[str]()
            case _:
                pass
        counting = buffers.settle(path, disk, buffer, is_fresh=False)
        text = disk if counting.text is None else counting.text
        kept = set(text.splitlines(keepends=True))
        assert typed <= kept
        assert counting.is_contested or written <= kept


async def test_unsaved_text_of_a_crlf_file_keeps_its_line_endings(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "a.txt"))
    Path(path).write_bytes(b"one\r\ntwo\r\n")
    editor = Buffers()
    editor.open[path] = "one\ntwo\nthree\n"
    files = files_of(tmp_path, editor.ask)
    seen = await files.read(path)
    await files.write(path, replace(seen, text=seen.text.replace("two", "2")), replaces=seen)
    assert Path(path).read_bytes() == b"one\r\n2\r\nthree\r\n"


async def test_typing_during_the_question_is_not_lost(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "a.txt"))
    Path(path).write_bytes(b"one\n")
    editor = Buffers()
    files = files_of(tmp_path, editor.ask)
    seen = await files.read(path)
    editor.open[path] = "one\ntyped\n"
    with pytest.raises(FileChanged) as raised:
        await files.write(path, TextFile("two\n"), replaces=seen)
    assert raised.value.now == TextFile("one\ntyped\n")
    assert editor.open[path] == "one\ntyped\n"


async def test_files_outside_the_project_never_go_to_the_editor(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    path = AbsPath(str(tmp_path / "a.txt"))
    editor = Buffers()
    files = files_of(tmp_path / "project", editor.ask)
    await files.write(path, TextFile("x"), replaces=None)
    await files.read(path)
    assert editor.asked == []
