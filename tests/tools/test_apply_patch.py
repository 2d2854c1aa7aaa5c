"""The `apply_patch` tool on real files: what it does to them, and what it says."""

from __future__ import annotations

import stat
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.cards import Card, Location, ShownDiff, ShownText
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import TextFile
from openhands_acp.engine.tool import ToolError, ToolResult
from openhands_acp.local.files import LocalFiles
from openhands_acp.tools import tools_for
from openhands_acp.tools.apply_patch import apply_patch
from tests.harness.editing import Place
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio

TOOL = apply_patch()
ROOT = AbsPath("/w")


def whole(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def update(path: str, *lines: str) -> list[str]:
    return [f"*** Update File: {path}", "@@", *lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def patch(place: Place, *lines: str, name: str = "patch") -> ToolResult:
    with anyio.fail_after(PATIENCE):
        return await TOOL.run(TOOL.parse({name: whole(*lines)}), place.hands)


async def fails(place: Place, *lines: str) -> str:
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    with pytest.raises(ToolError) as caught:
        await patch(place, *lines)
    assert {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()} == before
    assert place.hands.intended == []
    return str(caught.value)


# ---------------------------------------------------------------- what it does


@pytest.mark.parametrize(
    ("before", "lines", "after"),
    [
        (b"a\r\nb\r\n", ["-b", "+B", "+C"], b"a\r\nB\r\nC\r\n"),
        (b"a\r\nb\nc\r\n", ["-b", "+B"], b"a\r\nB\nc\r\n"),
        (b"\xef\xbb\xbfa\nb", ["-b", "+\xe9"], b"\xef\xbb\xbfa\n\xc3\xa9"),
        (
            "é\r\nb\r\n".encode("utf-16-le").join([b"\xff\xfe", b""]),
            ["-b", "+B"],
            b"\xff\xfe" + "é\r\nB\r\n".encode("utf-16-le"),
        ),
        (
            "# café, naïve façade, été\nx = 1\n".encode("latin-1"),
            ["-x = 1", "+x = 2"],
            "# café, naïve façade, été\nx = 2\n".encode("latin-1"),
        ),
    ],
)
async def test_a_file_keeps_its_spelling(place: Place, before: bytes, lines: list[str], after: bytes) -> None:
    path = place.put("a.txt", before)
    await patch(place, *update("a.txt", *lines))
    assert Path(path).read_bytes() == after


async def test_paths_may_be_absolute_and_below_folders_that_are_not_there(place: Place) -> None:
    path = place.put("a.txt", b"a\n")
    await patch(place, *update(path, "-a", "+b"), f"*** Add File: {place.folder}/x/y/z.txt", "+z")
    assert (Path(path).read_bytes(), (place / "x/y/z.txt").read_bytes()) == (b"b\n", b"z\n")


async def test_sections_build_on_those_before(place: Place) -> None:
    place.put("a.txt", b"a\r\nb\r\n")
    place.put("b.txt", b"x\n")
    result = await patch(
        place,
        *update("a.txt", "-a", "+1"),
        *update("a.txt", " 1", "-b", "+2"),
        "*** Update File: a.txt",
        "*** Move to: c.txt",
        "*** Delete File: b.txt",
        "*** Add File: b.txt",
        "+new",
    )
    assert sorted(path.name for path in place.folder.iterdir()) == ["b.txt", "c.txt"]
    assert ((place / "c.txt").read_bytes(), (place / "b.txt").read_bytes()) == (b"1\r\n2\r\n", b"new\n")
    assert result.text == "Success. Updated the following files:\nR a.txt -> c.txt (line 1)\nM b.txt (line 1)"


async def test_what_is_written_anew_keeps_the_line_endings_of_the_file(place: Place) -> None:
    place.put("a.txt", b"a\r\nb\r\n")
    await patch(place, "*** Delete File: a.txt", "*** Add File: a.txt", "+1", "+2")
    assert (place / "a.txt").read_bytes() == b"1\r\n2\r\n"


async def test_a_result_shows_each_file_and_locates_each_change(place: Place) -> None:
    old = "".join(f"{n}\n" for n in range(30))
    new = old.replace("3\n", "three\n", 1).replace("25\n", "")
    a, b, c, d = place.put("a", old.encode()), place.path("b"), place.put("c", b"c\n"), place.put("d", b"d\n")
    result = await patch(
        place,
        *update("a", " 2", "-3", "+three", "@@", " 24", "-25", " 26"),
        *("*** Add File: b", "+b", "*** Delete File: c", "*** Update File: d", "*** Move to: e"),
    )
    e = place.path("e")
    assert result == ToolResult(
        "Success. Updated the following files:\nM a (lines 4, 26)\nA b\nR d -> e\nD c",
        (ShownDiff(a, old, new), ShownDiff(b, None, "b\n"), ShownDiff(e, "d\n", "d\n", d), ShownDiff(c, "c\n", None)),
        (Location(a, 4), Location(a, 26), Location(b, 1), Location(e)),
        {"files": [{"path": a}, {"path": b}, {"path": e, "moved_from": d}, {"path": c}]},
    )
    [asked] = place.hands.intended
    assert asked.title == "Patch a, b, 2 more"
    assert set(asked.shown) == set(result.shown)


async def test_what_was_not_quite_as_the_patch_says_is_told(place: Place) -> None:
    place.put("a.py", b"def f():\n    x = 1\n    return x\nz = 10\n")
    result = await patch(place, *update("a.py", "-  x = 1", "+  x = 2", "@@", "-z = 0", "+z = 10"))
    assert (place / "a.py").read_bytes() == b"def f():\n    x = 2\n    return x\nz = 10\n"
    assert result.text == (
        "Success. Updated the following files:\nM a.py (line 2)\n"
        "Note: in a.py, hunk 1 was applied where the file differs from it in indentation:\n"
        "     1\tdef f():\n     2\t    x = 2\n     3\t    return x\n     4\tz = 10\n"
        "Note: in a.py, hunk 2 was there already, at line 4"
    )


async def test_a_patch_that_was_applied_before_is_no_failure(place: Place) -> None:
    place.put("a.txt", b"a\n")
    lines = [*update("a.txt", "-a", "+alpha"), "*** Add File: b.txt", "+b"]
    await patch(place, *lines)
    assert (await patch(place, *lines)).text == (
        "Nothing to do: the files are as the patch would make them.\n"
        "Note: in a.txt, hunk 1 was there already, at line 1\n"
        f"Note: {place.path('b.txt')} was there already, with this text"
    )
    assert (place / "a.txt").read_bytes() == b"alpha\n"


@pytest.mark.parametrize("name", ["patch", "input", "patch_text", "command"])
async def test_the_argument_may_have_the_name_that_it_has_elsewhere(place: Place, name: str) -> None:
    await patch(place, "*** Add File: a", "+a", name=name)
    assert (place / "a").read_bytes() == b"a\n"


async def test_a_command_line_is_taken_for_its_last_word(place: Place) -> None:
    await TOOL.run(TOOL.parse({"command": ["apply_patch", whole("*** Add File: a", "+a")]}), place.hands)
    assert (place / "a").read_bytes() == b"a\n"


async def test_a_renamed_script_can_still_be_executed(place: Place) -> None:
    place.put("a", b"#!/bin/sh\necho 1\n")
    (place / "a").chmod(0o750)
    result = await patch(place, "*** Update File: a", "*** Move to: b", "@@", "-echo 1", "+echo 2")
    assert result.text == "Success. Updated the following files:\nR a -> b (line 2)"
    assert stat.S_IMODE((place / "b").stat().st_mode) == 0o750


# ---------------------------------------------------------------- others, and undoing


async def test_what_somebody_else_changed_elsewhere_is_kept_and_told(place: Place) -> None:
    path = place.put("a.txt", "".join(f"{n}\n" for n in range(20)).encode())
    await place.call("view", path)
    theirs = "theirs\n" + "".join(f"{n}\n" for n in range(20))
    Path(path).write_text(theirs)
    result = await patch(place, *update("a.txt", "-15", "+fifteen"))
    assert Path(path).read_text() == theirs.replace("15", "fifteen")
    assert "that was kept:\n@@ -1,3 +1,4 @@\n+theirs\n 0" in result.text


async def test_what_somebody_else_changed_there_is_shown_and_left(place: Place) -> None:
    path = place.put("a.txt", b"one\ntwo\n")
    await place.call("view", path)
    Path(path).write_bytes(b"one\ntheirs\n")
    other = place.put("b.txt", b"b\n")
    error = await fails(place, *update("b.txt", "-b", "+B"), *update("a.txt", "-two", "+2"))
    assert error.startswith(f"{path} has changed since you last saw it")
    assert "-two\n+theirs" in error
    assert Path(other).read_bytes() == b"b\n"
    await patch(place, *update("a.txt", "-theirs", "+ours"))
    assert Path(path).read_bytes() == b"one\nours\n"


async def test_a_file_that_changed_since_it_was_seen_is_not_deleted(place: Place) -> None:
    path = place.put("a.txt", b"one\n")
    await place.call("view", path)
    Path(path).write_bytes(b"one\nmore\n")
    assert "has changed since you last saw it" in await fails(place, "*** Delete File: a.txt")


async def test_undo_edit_takes_back_what_a_patch_did_to_a_file(place: Place) -> None:
    a, b, c = place.put("a.txt", b"one\r\n"), place.path("b.txt"), place.put("c.txt", b"\xef\xbb\xbfc")
    await patch(place, *update("a.txt", "-one", "+two"), "*** Add File: b.txt", "+b", "*** Delete File: c.txt")
    for path in (a, b, c):
        await place.call("undo_edit", path)
    assert (Path(a).read_bytes(), Path(b).exists(), Path(c).read_bytes()) == (b"one\r\n", False, b"\xef\xbb\xbfc")


async def test_a_rename_is_taken_back_where_the_file_was(place: Place) -> None:
    a, b = place.put("a.txt", b"one\n"), place.path("b.txt")
    await patch(place, "*** Update File: a.txt", "*** Move to: b.txt")
    assert await place.fails("undo_edit", b) == f"No edit history found for {b}"
    Path(a).write_bytes(b"theirs\n")
    assert "is there again" in await place.fails("undo_edit", a)
    Path(a).unlink()
    await place.call("undo_edit", a)
    assert (Path(a).read_bytes(), Path(b).read_bytes()) == (b"one\n", b"one\n")


async def test_what_a_formatter_makes_of_it_is_told_and_counts_as_seen(place: Place) -> None:
    class Formatting(LocalFiles):
        async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
            written = await super().write(path, file, replaces=replaces)
            return await super().write(path, TextFile(file.text.replace("=", " = ")), replaces=written)

    place.hands.files = Formatting()
    place.put("a.py", b"x\n")
    result = await patch(place, *update("a.py", "-x", "+x=1"))
    assert "Note: saving a.py changed it further (a formatter?):\n@@ -1 +1 @@\n-x=1\n+x = 1" in result.text
    await patch(place, *update("a.py", "-x = 1", "+y"))


# ---------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["*** Update File: a.txt", "@@"], "line 2: no line of a.txt is added (`+`) or removed (`-`)"),
        (update("no.txt", "-a", "+b"), "The path ROOT/no.txt does not exist"),
        (update("a.tx", "-a", "+b"), "Maybe you meant a.txt or b.txt?"),
        (["*** Delete File: no.txt"], "The path ROOT/no.txt does not exist"),
        (["*** Add File: a.txt", "+x"], "ROOT/a.txt exists already, so nothing of the patch was done"),
        (["*** Update File: a.txt", "*** Move to: b.txt"], "ROOT/b.txt exists already, so ROOT/a.txt cannot be moved"),
        (update("folder", "-a", "+b"), "ROOT/folder is a directory, and a patch is for files"),
        (["*** Add File: a.txt/b", "+x"], "ROOT/a.txt/b: a part of this path is a file, not a directory"),
        (["*** Delete File: binary"], "ROOT/binary: File appears to be binary"),
        (["*** Add File: x\0y", "+x"], "a path in the patch must be one line without NUL"),
        (
            update("a.txt", "-thre", "+3"),
            "the hunk of ROOT/a.txt does not fit: its old lines are not in the file, so nothing of the patch was done. "
            "The nearest text there is:\n     3\tthree\nCopy the lines from it exactly",
        ),
        (
            update("a.txt", "-one", "+1", "@@", "-two", "+2"),
            "hunk 2 of ROOT/a.txt fits in several places, at lines [2, 4], so nothing of the patch was done. Add lines "
            "around it that stay, or a line `@@ heading` with the function or class that it is in",
        ),
        (update("a.txt", "+x"), "the hunk of ROOT/a.txt adds lines without saying where"),
        (update("a.txt", "-one", "+1", "@@", "-one", "+2"), "hunk 2 of ROOT/a.txt fits only at line 1, which is in"),
        ([*update("a.txt", "-one", "+1"), *update("b.txt", "-nothing", "+x")], "the hunk of ROOT/b.txt does not fit"),
    ],
)
async def test_a_patch_that_does_not_fit_changes_nothing_and_says_what_would(
    place: Place, lines: list[str], reason: str
) -> None:
    place.put("a.txt", b"one\ntwo\nthree\ntwo\n")
    place.put("b.txt", b"b\n")
    place.put("binary", b"\0\1\2")
    place.put("folder/x", b"x")
    assert reason.replace("ROOT", str(place.folder)) in await fails(place, *lines)


@pytest.mark.parametrize("arguments", [{}, {"patch": 5}, {"patch": []}, {"patch": {"a": 1}}, {"patches": "x"}])
async def test_arguments_that_are_none_are_told_in_one_sentence(place: Place, arguments: dict[str, object]) -> None:
    with pytest.raises(ToolError) as caught:
        await TOOL.run(TOOL.parse(arguments), place.hands)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*whole(*update("a", "-x", "+y")).split("\n"), "", "@@ x", "*** Add File: b"])).map(
        "\n".join
    )
)
def test_whatever_the_text_a_card_can_be_made(text: str) -> None:
    card = TOOL.card(TOOL.parse({"patch": text}), ROOT)
    assert card is not None
    assert card.kind == "edit"


# ---------------------------------------------------------------- cards

A, B = AbsPath("/w/a.py"), AbsPath("/w/b.py")


@pytest.mark.parametrize(
    ("lines", "card"),
    [
        (
            update("a.py", " x", "-y", "+z"),
            Card("Edit a.py", "edit", (Location(A),), (ShownDiff(A, "x\ny\n", "x\nz\n"),)),
        ),
        (
            update("/w/a.py", "-a", "+b", "@@", "-c"),
            Card("Edit a.py", "edit", (Location(A),), (ShownDiff(A, "a\n⋮\nc\n", "b\n⋮\n"),)),
        ),
        (["*** Add File: a.py", "+x"], Card("Create a.py", "edit", (Location(A),), (ShownDiff(A, None, "x\n"),))),
        (["*** Delete File: a.py"], Card("Delete a.py", "edit", (Location(A),), (ShownText("Delete `/w/a.py`"),))),
        (
            ["*** Update File: a.py", "*** Move to: b.py"],
            Card("Rename a.py to b.py", "edit", (Location(A),), (ShownDiff(B, "", "", A),)),
        ),
        (
            ["*** Delete File: a.py", "*** Delete File: b.py"],
            Card(
                "Patch a.py, b.py",
                "edit",
                (Location(A), Location(B)),
                (ShownText("Delete `/w/a.py`"), ShownText("Delete `/w/b.py`")),
            ),
        ),
    ],
)
def test_a_card_identifies_the_patch(lines: list[str], card: Card) -> None:
    assert TOOL.card(TOOL.parse({"patch": whole(*lines)}), ROOT) == card


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    card = TOOL.card(TOOL.parse({"patch": "`x`"}), ROOT)
    assert card == Card("Patch files", "edit", (), (ShownText("```\n`x`\n```"),))


@pytest.mark.parametrize(
    ("prefix", "card"),
    [
        ('{"patch": "*** Begin', None),
        (
            '{"patch": "*** Begin Patch\\n*** Add File: a.py\\n+one\\n+tw',
            Card("Create a.py", "edit", (Location(A),), (ShownDiff(A, None, "one\n"),)),
        ),
        ('{"patch": 5', None),
    ],
)
def test_a_card_grows_while_the_patch_streams(prefix: str, card: Card | None) -> None:
    assert TOOL.sketch(prefix, ROOT) == card


# ---------------------------------------------------------------- who gets it


@pytest.mark.parametrize(
    ("model", "gets_it"),
    [
        ("gpt-5", True),
        ("openai/gpt-5.5", True),
        ("azure/gpt-5-mini", True),
        ("openrouter/openai/gpt-5.1-codex", True),
        ("openai/responses/gpt-5-codex", True),
        ("codex-mini-latest", True),
        ("o3", True),
        ("openai/o4-mini", True),
        ("github_copilot/o1-preview", True),
        ("gpt-50", False),
        ("gpt-4o", False),
        ("openai/gpt-oss-120b", False),
        ("anthropic/claude-opus-4-5", False),
        ("gemini/gemini-2.5-pro", False),
        ("ollama_chat/olmo2", False),
        ("mistral/codestral-latest", False),
        ("scripted/demo", False),
    ],
)
def test_models_that_were_taught_patches_get_the_tool(model: str, gets_it: bool) -> None:
    names = [tool.spec.name for tool in tools_for(model)]
    rest = [tool.spec.name for tool in tools_for("any/other")]
    at = names.index("file_editor") + 1
    assert names == ([*rest[:at], "apply_patch", *rest[at:]] if gets_it else rest)


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        (("finish", "file_editor", "terminal"), ["finish", "file_editor", "terminal"]),
        (("terminal", "file_editor", "apply_patch", "no_such"), ["terminal", "file_editor", "apply_patch"]),
        (("execute_bash", "finish"), [tool.spec.name for tool in tools_for("gpt-5")]),
    ],
)
def test_a_session_that_is_taken_up_again_keeps_its_tools(kept: tuple[str, ...], names: list[str]) -> None:
    assert [tool.spec.name for tool in tools_for("gpt-5", kept)] == names
