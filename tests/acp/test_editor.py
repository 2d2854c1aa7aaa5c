"""The editor as the session's files: unsaved text, stale text, refusals, and the same manners as a disk."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.acp.clients import Client
from openhands_acp.acp.editor import EditorFiles
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import FileChanged, TextFile
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
