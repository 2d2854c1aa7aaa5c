"""What the `file_editor` tool does about its own earlier edits and about somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.cards import ShownDiff
from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import DirEntry, TextFile
from openhands_acp.local.files import LocalFiles
from openhands_acp.tools.editor_view import changes
from tests.harness.editing import Place

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# ---------------------------------------------------------------- undo


async def test_edits_are_taken_back_one_by_one_and_a_created_file_goes(place: Place) -> None:
    path = place.path("a.txt")
    await place.call("create", path, file_text="one\n")
    await place.call("str_replace", path, old_str="one", new_str="two")
    await place.call("insert", path, insert_line=1, new_str="three")
    result = await place.call("undo_edit", path)
    assert result.text == (f"Last edit to {path} undone successfully. What this changed:\n@@ -1,2 +1 @@\n two\n-three")
    assert result.shown == (ShownDiff(path, "two\nthree\n", "two\n"),)
    await place.call("undo_edit", path)
    assert (place / "a.txt").read_bytes() == b"one\n"
    result = await place.call("undo_edit", path)
    assert result.text == (
        f"Last edit to {path} undone successfully. The edit had created the file, so it was removed."
    )
    assert not (place / "a.txt").exists()
    assert await place.fails("undo_edit", path) == f"No edit history found for {path}"


async def test_changes_far_down_carry_their_true_line_numbers(place: Place) -> None:
    path = place.put("a.txt", b"".join(b"%d\n" % number for number in range(1, 101)))
    await place.call("str_replace", path, old_str="50\n", new_str="fifty\nand more\n")
    assert (await place.call("undo_edit", path)).text == (
        f"Last edit to {path} undone successfully. What this changed:\n"
        "@@ -47,8 +47,7 @@\n 47\n 48\n 49\n-fifty\n-and more\n+50\n 51\n 52\n 53"
    )


async def test_a_change_too_large_to_list_is_summed_up(place: Place) -> None:
    path = place.put("a.txt", b"one\n")
    await place.call("view", path)
    place.put("a.txt", b"one\n" + b"new\n" * 20_000)
    error = await place.fails("str_replace", path, old_str="one", new_str="1")
    assert "What changed:\n[most of the file: lines 1-20001 are new or different]\n" in error
    place.put("a.txt", b"one\n" + b"newer line\n" * 2_000)
    await place.call("view", path)
    place.put("a.txt", b"one\n")
    error = await place.fails("str_replace", path, old_str="one", new_str="1")
    assert "\n-newer line\n[... more changes; view the file to see them]\n" in error
    assert len(error) < 7_000


async def test_ten_versions_are_kept(place: Place) -> None:
    path = place.put("a.txt", b"0\n")
    for number in range(12):
        await place.call("str_replace", path, old_str=f"{number}\n", new_str=f"{number + 1}\n")
    for _ in range(10):
        await place.call("undo_edit", path)
    assert (place / "a.txt").read_bytes() == b"2\n"
    assert await place.fails("undo_edit", path) == f"No edit history found for {path}"


# ---------------------------------------------------------------- somebody else's changes


PATH_CHANGED = "{path} has changed since you last saw it (the person, a command or a formatter wrote to it), so nothing was done.\n"
KEPT = (
    "\nNote: somebody else (the person, a command or a formatter) had changed the file since you last saw it; "
    "that was kept:\n"
)


async def test_a_place_that_changed_is_shown_before_it_is_edited(place: Place) -> None:
    path = place.put("a.txt", b"one\ntwo\nthree\n")
    await place.call("view", path)
    place.put("a.txt", b"one\ntheirs\nthree\n")
    # Neighbours count as the same place: one line often means something to the next.
    for old, shown in (("two", ""), ("three", "     1\tone\n     2\ttheirs\n     3\tthree\n")):
        place.put("a.txt", b"one\ntwo\nthree\n")
        await place.call("view", path)
        place.put("a.txt", b"one\ntheirs\nthree\n")
        assert await place.fails("str_replace", path, old_str=old, new_str="mine") == (
            PATH_CHANGED.format(path=path)
            + "What changed:\n@@ -1,3 +1,3 @@\n one\n-two\n+theirs\n three\n"
            + (f"The place in question is now:\n{shown}" if shown else "")
            + "Check that the call still fits, then repeat it"
        )
        assert (place / "a.txt").read_bytes() == b"one\ntheirs\nthree\n"
    await place.call("str_replace", path, old_str="three", new_str="mine")
    assert (place / "a.txt").read_bytes() == b"one\ntheirs\nmine\n"


NUMBERS = "".join(f"line {number}\n" for number in range(1, 11))


@pytest.mark.parametrize(
    ("arguments", "theirs", "after"),
    [
        (
            {"old_str": "line 8\n", "new_str": "mine\n"},
            NUMBERS.replace("line 3\n", "theirs\nand more\n"),
            NUMBERS.replace("line 3\n", "theirs\nand more\n").replace("line 8\n", "mine\n"),
        ),
        (
            {"old_str": "line 3", "new_str": "mine"},
            NUMBERS.replace("line 8\n", "").replace("\n", "\r\n"),
            NUMBERS.replace("line 8\n", "").replace("line 3", "mine").replace("\n", "\r\n"),
        ),
        # A line number counts in the text that the model saw.
        (
            {"insert_line": 8, "new_str": "mine"},
            "theirs\n" + NUMBERS,
            "theirs\n" + NUMBERS.replace("line 8\n", "line 8\nmine\n"),
        ),
        # What came to be twice was once when the model saw it.
        (
            {"old_str": "line 8", "new_str": "mine"},
            "line 8\n" + NUMBERS,
            "line 8\n" + NUMBERS.replace("line 8", "mine"),
        ),
        (
            {
                "edits": [{"old_str": "line 2", "new_str": "a"}, {"old_str": "line 9", "new_str": "b"}],
            },
            NUMBERS.replace("line 5\n", ""),
            NUMBERS.replace("line 5\n", "").replace("line 2", "a").replace("line 9", "b"),
        ),
        # Quoted as it is now, and as it was not: seen some other way, in a terminal perhaps.
        (
            {"old_str": "by a command", "new_str": "mine"},
            NUMBERS.replace("line 3", "by a command"),
            NUMBERS.replace("line 3", "mine"),
        ),
    ],
)
async def test_an_edit_elsewhere_is_merged_and_what_else_changed_is_told(
    place: Place, arguments: dict[str, JsonValue], theirs: str, after: str
) -> None:
    path = place.put("a.txt", NUMBERS.encode())
    await place.call("view", path)
    place.put("a.txt", theirs.encode())
    result = await place.call("insert" if "insert_line" in arguments else "str_replace", path, **arguments)
    assert (place / "a.txt").read_bytes() == after.encode()
    assert KEPT + changes(NUMBERS, theirs.replace("\r\n", "\n")) in result.text
    (diff,) = result.shown
    assert diff == ShownDiff(path, theirs.replace("\r\n", "\n"), after.replace("\r\n", "\n"))
    # From now on the model has seen it.
    assert KEPT not in (await place.call("insert", path, insert_line=0, new_str="top")).text


async def test_somebody_who_did_the_same_leaves_nothing_to_do(place: Place) -> None:
    path = place.put("a.txt", NUMBERS.encode())
    await place.call("view", path)
    place.put("a.txt", NUMBERS.replace("line 3", "better").encode())
    result = await place.call("str_replace", path, old_str="line 3", new_str="better")
    assert result.text.startswith(f"Nothing to do: new_str is already there in {path}:\n")


async def test_undoing_takes_back_nothing_that_somebody_else_did(place: Place) -> None:
    path = place.put("a.txt", NUMBERS.encode())
    await place.call("str_replace", path, old_str="line 3", new_str="mine")
    place.put("a.txt", NUMBERS.replace("line 3", "mine").replace("line 8", "theirs").encode())
    await place.call("view", path)
    await place.call("undo_edit", path)
    assert (place / "a.txt").read_text() == NUMBERS.replace("line 8", "theirs")
    await place.call("str_replace", path, old_str="line 3", new_str="mine")
    place.put("a.txt", NUMBERS.replace("line 3", "mine, and theirs").encode())
    await place.call("view", path)
    assert (await place.fails("undo_edit", path)).startswith(PATH_CHANGED.format(path=path))
    assert (place / "a.txt").read_text() == NUMBERS.replace("line 3", "mine, and theirs")


async def test_a_created_file_that_somebody_went_on_with_is_not_removed(place: Place) -> None:
    path = place.path("a.txt")
    await place.call("create", path, file_text="mine\n")
    place.put("a.txt", b"mine\ntheirs\n")
    assert (await place.fails("undo_edit", path)).startswith(PATH_CHANGED.format(path=path))
    assert (place / "a.txt").read_bytes() == b"mine\ntheirs\n"


async def test_a_changed_ending_alone_is_not_the_models_business(place: Place) -> None:
    path = place.put("a.txt", b"one\ntwo\n")
    await place.call("view", path)
    place.put("a.txt", b"one\r\ntwo\r\n")
    await place.call("str_replace", path, old_str="two", new_str="2")
    assert (place / "a.txt").read_bytes() == b"one\r\n2\r\n"


class Busy:
    """Files that somebody else writes to while the person is asked for permission, or after saving."""

    def __init__(self, *, before: Sequence[bytes] = (), formatted: str | None = None, gone: bool = False) -> None:
        self._disk = LocalFiles()
        self._before = list(before)
        self._formatted = formatted
        self._gone = gone

    async def read(self, path: AbsPath) -> TextFile:
        return await self._disk.read(path)

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        if self._gone:
            await self._disk.remove(path, replaces=await self._disk.read(path))
        if self._before:
            await anyio.Path(path).write_bytes(self._before.pop(0))
        written = await self._disk.write(path, file, replaces=replaces)
        if self._formatted is None:
            return written
        return await self._disk.write(path, replace(file, text=self._formatted), replaces=written)

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self._disk.remove(path, replaces=replaces)

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        return await self._disk.read_bytes(path, limit)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        return await self._disk.entries(path)


async def test_a_change_at_the_place_while_the_person_is_asked_is_not_overwritten(place: Place) -> None:
    path = place.put("a.txt", b"one\n")
    place.hands.files = Busy(before=[b"theirs\none\n"])
    error = await place.fails("str_replace", path, old_str="one", new_str="1")
    assert "@@ -1 +1,2 @@\n+theirs\n one\n" in error
    assert "     1\ttheirs\n     2\tone\n" in error
    assert (place / "a.txt").read_bytes() == b"theirs\none\n"
    await place.call("str_replace", path, old_str="one", new_str="1")
    assert (place / "a.txt").read_bytes() == b"theirs\n1\n"


async def test_changes_elsewhere_while_the_person_is_asked_are_kept(place: Place) -> None:
    path = place.put("a.txt", NUMBERS.encode())
    typed = NUMBERS.replace("line 9\n", "line 9, typed\n")
    place.hands.files = Busy(before=[typed.encode(), ("typed\n" + typed).encode()])
    result = await place.call("str_replace", path, old_str="line 5", new_str="five")
    assert (place / "a.txt").read_text() == "typed\n" + typed.replace("line 5", "five")
    assert KEPT + changes(NUMBERS, "typed\n" + typed) in result.text


async def test_a_file_that_never_keeps_still_is_left_alone(place: Place) -> None:
    path = place.put("a.txt", NUMBERS.encode())
    place.hands.files = Busy(before=[(NUMBERS + "more\n" * count).encode() for count in range(1, 9)])
    error = await place.fails("str_replace", path, old_str="line 5", new_str="five")
    assert error.startswith(PATH_CHANGED.format(path=path))
    assert "five" not in (place / "a.txt").read_text()


async def test_a_file_made_while_the_person_is_asked_is_not_overwritten(place: Place) -> None:
    place.hands.files = Busy(before=[b"theirs\n"])
    error = await place.fails("create", place.path("a.txt"), file_text="mine\n")
    assert error.startswith("File already exists at: ")
    assert (place / "a.txt").read_bytes() == b"theirs\n"


async def test_a_file_removed_while_the_person_is_asked_stays_so(place: Place) -> None:
    path = place.put("a.txt", b"one\n")
    place.hands.files = Busy(gone=True)
    assert await place.fails("str_replace", path, old_str="one", new_str="1") == (
        f"{path} is gone: it was removed meanwhile, so nothing was done"
    )
    assert not (place / "a.txt").exists()


async def test_what_a_formatter_did_is_told_and_counts_as_seen(place: Place) -> None:
    path = place.put("a.py", b"x=1\n")
    place.hands.files = Busy(formatted="x = 2\n")
    result = await place.call("str_replace", path, old_str="x=1", new_str="x=2")
    assert result.text.endswith(
        "     1\tx = 2\nNote: saving the file changed it further (a formatter?):\n@@ -1 +1 @@\n-x=2\n+x = 2"
    )
    assert result.shown == (ShownDiff(path, "x=1\n", "x = 2\n"),)
    place.hands.files = LocalFiles()
    await place.call("str_replace", path, old_str="x = 2", new_str="x = 3")
    assert (place / "a.py").read_bytes() == b"x = 3\n"
