"""The local disk as `Files`: the conformance checks, and what only a local disk does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import FileChanged, TextFile, UnreadableFile
from openhands_acp.local.files import LocalFiles
from tests.harness.files_conformance import CHECKS, Check, check_files
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


def _contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_local_disk_conforms(check: Check, tmp_path: Path) -> None:
    with anyio.fail_after(PATIENCE):
        await check(LocalFiles(), tmp_path)


async def test_all_checks_run_together_in_folders_of_their_own(tmp_path: Path) -> None:
    with anyio.fail_after(PATIENCE):
        await check_files(LocalFiles, tmp_path)


async def test_a_large_file_goes_through_a_worker_thread_unharmed(tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / "a.csv"))
    text = "a line of some length\r\n" * 100_000
    with anyio.fail_after(PATIENCE):
        seen = await LocalFiles().write(path, TextFile(text), replaces=None)
        assert await LocalFiles().read(path) == seen
        edited = await LocalFiles().write(path, TextFile(text + "more"), replaces=seen)
        with pytest.raises(FileChanged):
            await LocalFiles().write(path, seen, replaces=seen)
        await LocalFiles().remove(path, replaces=edited)
    assert _contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["a" * 250, "日本語.txt", "with space"])
async def test_awkward_names_can_be_replaced(name: str, tmp_path: Path) -> None:
    path = AbsPath(str(tmp_path / name))
    with anyio.fail_after(PATIENCE):
        first = await LocalFiles().write(path, TextFile("1"), replaces=None)
        await LocalFiles().write(path, TextFile("2"), replaces=first)
    assert _contents(tmp_path) == {name: b"2"}


if sys.platform != "win32":

    async def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        path = AbsPath(str(tmp_path / "pipe"))
        with anyio.fail_after(PATIENCE):
            with pytest.raises(UnreadableFile, match="not a regular file"):
                await LocalFiles().read(path)
            with pytest.raises(UnreadableFile, match="not a regular file"):
                await LocalFiles().write(path, TextFile("x"), replaces=None)

    async def test_a_dangling_link_is_filled_and_emptied(tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "new" / "target")
        path = AbsPath(str(link))
        with anyio.fail_after(PATIENCE):
            written = await LocalFiles().write(path, TextFile("x"), replaces=None)
            assert (tmp_path / "new" / "target").read_bytes() == b"x"
            await LocalFiles().remove(path, replaces=written)
        assert (link.is_symlink(), link.exists()) == (True, False)

    async def test_a_loop_of_links_is_the_systems_error(tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with anyio.fail_after(PATIENCE), pytest.raises(OSError, match="symbolic links"):
            await LocalFiles().write(AbsPath(str(tmp_path / "a")), TextFile("x"), replaces=None)

    async def test_attributes_and_owner_are_kept(tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"1")
        status = path.stat()
        if sys.platform == "linux":
            os.setxattr(path, "user.note", b"kept")
        with anyio.fail_after(PATIENCE):
            await LocalFiles().write(AbsPath(str(path)), TextFile("2"), replaces=TextFile("1"))
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_ino == status.st_ino) == (
            status.st_uid,
            status.st_gid,
            False,
        )
        if sys.platform == "linux":
            assert os.getxattr(path, "user.note") == b"kept"
