"""What every implementation of `Files` must do, run on real files: `await check_files(make, tmp_path)`."""

from __future__ import annotations

import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import DirEntry, FileChanged, Files, TextFile, UnreadableFile

Make = Callable[[], Files]

CHINESE = "# 这是一个测试文件\nprint('你好，世界')\n# 第二行注释\n"
SPELLINGS = {
    "lf": b"one\ntwo\n",
    "crlf": b"one\r\ntwo\r\n",
    "mixed endings": b"one\r\ntwo\nthree\r\n",
    "lone cr": b"one\rtwo\nthree\n",
    "no final newline": b"one\ntwo",
    "empty": b"",
    "unicode": "naïve – 日本語 🎉\n".encode(),
    "other line separators": "a\u2028b\x0bc\x0cd\x85e\n".encode(),
    "utf-8 with bom": b"\xef\xbb\xbfone\r\ntwo\n",
    "utf-16 little endian": b"\xff\xfe" + "one\r\n日本\n".encode("utf-16-le"),
    "utf-16 big endian": b"\xfe\xff" + "one\r\n日本\n".encode("utf-16-be"),
    "latin-1": "# café, naïve façade, été\r\nx = 1\n".encode("latin-1"),
    "gbk": CHINESE.encode("gbk"),
    "gbk with crlf": CHINESE.replace("\n", "\r\n").encode("gbk"),
    "shift-jis": "# これはテストです\nprint('こんにちは世界')\n".encode("shift_jis"),
}
"""Bytes that must come back as they were, but for what was edited."""


async def check_files(make: Make, folder: Path) -> None:
    """Run every check in a folder of its own."""
    for index, check in enumerate(CHECKS):
        place = folder / f"{index}"
        place.mkdir()
        await check(make(), place)


async def every_spelling_survives_an_edit(files: Files, folder: Path) -> None:
    for name, data in SPELLINGS.items():
        path = folder / f"{name}.txt"
        path.write_bytes(data)
        seen = await files.read(_abs(path))
        edited = replace(seen, text=seen.text + "x")
        mark = "x".encode(seen.encoding)
        assert await files.write(_abs(path), edited, replaces=seen) == edited, name
        assert path.read_bytes() == data + mark, name
        await files.write(_abs(path), seen, replaces=edited)
        assert path.read_bytes() == data, name


async def text_is_decoded(files: Files, folder: Path) -> None:
    path = folder / "a.py"
    path.write_bytes(CHINESE.encode("gbk"))
    assert (await files.read(_abs(path))).text == CHINESE
    path.write_bytes(b"\xff\xfe" + "é\r\n".encode("utf-16-le"))
    assert (await files.read(_abs(path))) == TextFile("é\r\n", "utf-16-le", bom=True)
    path.write_bytes(b"\xef\xbb\xbfa\r\n")
    assert (await files.read(_abs(path))) == TextFile("a\r\n", "utf-8", bom=True)


async def what_is_no_text_is_refused(files: Files, folder: Path) -> None:
    path = folder / "a.bin"
    for data in (b"\x7fELF\x02\x01\x01\0\0\0", bytes(range(256)), b"\x00" * 10, b"\x01\x02\x03\x04"):
        path.write_bytes(data)
        with pytest.raises(UnreadableFile, match="binary"):
            await files.read(_abs(path))


async def what_is_too_large_is_refused(files: Files, folder: Path) -> None:
    path = folder / "a.log"
    with path.open("wb") as stream:
        stream.truncate(11 * 1024 * 1024)
    with pytest.raises(UnreadableFile, match=r"File is too large \(11\.0 MB\)"):
        await files.read(_abs(path))


async def bytes_are_read_as_they_are(files: Files, folder: Path) -> None:
    path = folder / "a.png"
    for data in (b"", bytes(range(256)), b"one\r\n\xff"):
        path.write_bytes(data)
        assert await files.read_bytes(_abs(path), 256) == data
    path.write_bytes(bytes(3 * 1024 * 1024 // 2))
    assert len(await files.read_bytes(_abs(path), 2 * 1024 * 1024)) == 3 * 1024 * 1024 // 2
    with pytest.raises(UnreadableFile, match=r"File is too large \(1\.5 MB\)\. Maximum allowed size is 1MB"):
        await files.read_bytes(_abs(path), 1024 * 1024)
    with pytest.raises(FileNotFoundError):
        await files.read_bytes(_abs(folder / "no.png"), 1)
    with pytest.raises(IsADirectoryError):
        await files.read_bytes(_abs(folder), 1)


async def what_the_encoding_lacks_is_refused(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    data = "# café, naïve façade, été\n".encode("latin-1")
    path.write_bytes(data)
    seen = await files.read(_abs(path))
    with pytest.raises(UnreadableFile, match="cannot hold '日'"):
        await files.write(_abs(path), replace(seen, text="日本"), replaces=seen)
    assert path.read_bytes() == data


async def missing_things_raise_as_the_system_does(files: Files, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await files.read(_abs(folder / "no.txt"))
    with pytest.raises(FileNotFoundError):
        await files.entries(_abs(folder / "no"))
    with pytest.raises(IsADirectoryError):
        await files.read(_abs(folder))
    with pytest.raises(IsADirectoryError):
        await files.write(_abs(folder), TextFile("x"), replaces=None)


async def a_new_file_gets_its_folders(files: Files, folder: Path) -> None:
    path = folder / "a" / "b" / "c.txt"
    await files.write(_abs(path), TextFile("x\r\ny"), replaces=None)
    assert path.read_bytes() == b"x\r\ny"
    plain = folder / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


async def a_file_that_changed_is_left_alone(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"one\n")
    seen = await files.read(_abs(path))
    # The same text in other bytes is another file, too.
    for now in (b"theirs\n", b"one\r\n", b"\xef\xbb\xbfone\n", b""):
        path.write_bytes(now)
        for attempt in (
            files.write(_abs(path), TextFile("mine\n"), replaces=seen),
            files.remove(_abs(path), replaces=seen),
        ):
            with pytest.raises(FileChanged) as caught:
                await attempt
            assert (caught.value.path, caught.value.now) == (_abs(path), await files.read(_abs(path)))
        assert path.read_bytes() == now


async def a_file_that_is_gone_is_not_made_again(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    gone = TextFile("one\n")
    for attempt in (
        files.write(_abs(path), TextFile("mine\n"), replaces=gone),
        files.remove(_abs(path), replaces=gone),
    ):
        with pytest.raises(FileChanged) as caught:
            await attempt
        assert caught.value.now is None
    assert not path.exists()


async def a_new_file_does_not_replace_one(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"theirs\n")
    with pytest.raises(FileChanged) as caught:
        await files.write(_abs(path), TextFile("mine\n"), replaces=None)
    assert caught.value.now == TextFile("theirs\n")
    assert path.read_bytes() == b"theirs\n"


async def a_removed_file_is_gone(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"one\r\n")
    await files.remove(_abs(path), replaces=await files.read(_abs(path)))
    assert not path.exists()


async def a_removed_file_takes_the_folders_along_that_were_made_for_it(files: Files, folder: Path) -> None:
    (folder / "there").mkdir()
    one, two = (folder / "there/a/b" / name for name in ("one.txt", "two.txt"))
    for path in (one, two):
        await files.write(_abs(path), TextFile("x\n"), replaces=None)
    await files.remove(_abs(one), replaces=TextFile("x\n"))
    assert two.is_file()
    (folder / "there/a/theirs").touch()
    await files.remove(_abs(two), replaces=TextFile("x\n"))
    assert sorted(path.name for path in folder.rglob("*")) == ["a", "theirs", "there"]
    (folder / "there/a/theirs").unlink()
    await files.write(_abs(two), TextFile("x\n"), replaces=None)
    await files.remove(_abs(two), replaces=TextFile("x\n"))
    # What was there before stays, however empty.
    assert [path.name for path in folder.rglob("*")] == ["there"]


async def entries_come_by_name(files: Files, folder: Path) -> None:
    (folder / "b").mkdir()
    (folder / "a.txt").touch()
    (folder / ".hidden").touch()
    assert await files.entries(_abs(folder)) == [
        DirEntry(".hidden", is_dir=False),
        DirEntry("a.txt", is_dir=False),
        DirEntry("b", is_dir=True),
    ]


async def nothing_but_the_files_is_left(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    first = await files.write(_abs(path), TextFile("1"), replaces=None)
    await files.write(_abs(path), TextFile("2"), replaces=first)
    assert _names(folder) == ["a.txt"]


async def mode_bits_are_kept(files: Files, folder: Path) -> None:
    for mode in (0o755, 0o600, 0o664):
        path = folder / f"{mode:o}.sh"
        path.write_bytes(b"one\n")
        path.chmod(mode)
        await files.write(_abs(path), TextFile("two\n"), replaces=TextFile("one\n"))
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two\n", mode)


async def a_new_file_may_be_what_another_was(files: Files, folder: Path) -> None:
    script, copy = folder / "a.sh", folder / "b.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o4751)
    seen = await files.read(_abs(script))
    await files.write(_abs(copy), seen, replaces=None)
    # Not what lets it run as somebody else.
    assert stat.S_IMODE(copy.stat().st_mode) == 0o751
    copy.chmod(0o640)
    await files.write(_abs(copy), replace(seen, text="x\n"), replaces=seen)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640


async def a_link_stays_and_its_target_is_written(files: Files, folder: Path) -> None:
    target, link = folder / "target.txt", folder / "link.txt"
    target.write_bytes(b"one\n")
    link.symlink_to("target.txt")
    await files.write(_abs(link), TextFile("two\n"), replaces=await files.read(_abs(link)))
    assert (link.is_symlink(), str(link.readlink()), target.read_bytes()) == (True, "target.txt", b"two\n")


async def both_names_of_a_file_stay_one(files: Files, folder: Path) -> None:
    path, other = folder / "a.txt", folder / "b.txt"
    path.write_bytes(b"a long line\n")
    other.hardlink_to(path)
    await files.write(_abs(path), TextFile("short\n"), replaces=TextFile("a long line\n"))
    assert (other.read_bytes(), path.stat().st_nlink) == (b"short\n", 2)


async def a_read_only_file_is_an_error(files: Files, folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"one\n")
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        await files.write(_abs(path), TextFile("two\n"), replaces=TextFile("one\n"))
    assert path.read_bytes() == b"one\n"


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def _abs(path: Path) -> AbsPath:
    return AbsPath(str(path))


Check = Callable[[Files, Path], Awaitable[None]]
_EVERYWHERE: list[Check] = [
    every_spelling_survives_an_edit,
    text_is_decoded,
    what_is_no_text_is_refused,
    what_is_too_large_is_refused,
    bytes_are_read_as_they_are,
    what_the_encoding_lacks_is_refused,
    missing_things_raise_as_the_system_does,
    a_new_file_gets_its_folders,
    a_file_that_changed_is_left_alone,
    a_file_that_is_gone_is_not_made_again,
    a_new_file_does_not_replace_one,
    a_removed_file_is_gone,
    a_removed_file_takes_the_folders_along_that_were_made_for_it,
    entries_come_by_name,
    nothing_but_the_files_is_left,
]
_WITH_LINKS_AND_MODES: list[Check] = [
    mode_bits_are_kept,
    a_new_file_may_be_what_another_was,
    a_link_stays_and_its_target_is_written,
    both_names_of_a_file_stay_one,
    a_read_only_file_is_an_error,
]
CHECKS = _EVERYWHERE if sys.platform == "win32" else [*_EVERYWHERE, *_WITH_LINKS_AND_MODES]
