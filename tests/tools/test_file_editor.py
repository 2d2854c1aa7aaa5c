"""The `file_editor` tool, run on real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.engine.cards import Location, ShownDiff, ShownText
from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.tool import ToolError, ToolResult
from tests.harness.editing import TOOL, Place

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# ---------------------------------------------------------------- view


async def test_a_view_numbers_lines_as_cat_does(place: Place) -> None:
    path = place.put("a.py", b"one\r\n\ttwo\r\n")
    rows = "     1\tone\n     2\t\ttwo"
    assert await place.call("view", path) == ToolResult(
        f"Here's the result of running `cat -n` on {path}:\n{rows}",
        (ShownText(f"```\n{rows}\n```"),),
        (Location(path),),
        {"path": path, "first_line": 1, "last_line": 2, "lines": 2},
    )


@pytest.mark.parametrize(
    ("view_range", "rows", "note"),
    [
        ([2, 3], "     2\tb\n     3\tc", ""),
        ([3, -1], "     3\tc\n     4\td", ""),
        ("[4, 4]", "     4\td", ""),
        (
            [4, 9],
            "     4\td",
            "\nNOTE: We only show up to 4 since there're only 4 lines in this file.",
        ),
    ],
)
async def test_a_range_is_viewed_with_true_numbers(place: Place, view_range: JsonValue, rows: str, note: str) -> None:
    path = place.put("a.txt", b"a\nb\nc\nd\n")
    result = await place.call("view", path, view_range=view_range)
    assert result.text == f"Here's the result of running `cat -n` on {path}:\n{rows}{note}"
    assert result.locations == (Location(path, int(rows[:6])),)


@pytest.mark.parametrize(
    ("view_range", "error"),
    [
        (
            [0, 2],
            "Invalid `view_range` parameter: [0, 2]. Its first element `0` should be within the range of lines: [1, 4]",
        ),
        (
            [5, -1],
            "Invalid `view_range` parameter: [5, -1]. "
            "Its first element `5` should be within the range of lines: [1, 4]",
        ),
        (
            [3, 2],
            "Invalid `view_range` parameter: [3, 2]. "
            "Its second element `2` should be -1 or not less than the first `3`",
        ),
        ([3], "Invalid `view_range` parameter: it should be a list of two integers"),
        ("3-4", "`view_range` must be a list, got '3-4'"),
    ],
)
async def test_a_wrong_range_is_explained(place: Place, view_range: JsonValue, error: str) -> None:
    path = place.put("a.txt", b"a\nb\nc\nd\n")
    assert await place.fails("view", path, view_range=view_range) == error


async def test_a_long_view_leaves_out_the_middle_and_its_numbers_stay_true(place: Place) -> None:
    path = place.put("a.txt", b"".join(b"line %d\n" % number for number in range(1, 5001)))
    rows = (await place.call("view", path)).text.split("\n")[1:]
    mark = next(index for index, row in enumerate(rows) if row.startswith("[..."))
    first, last = mark + 1, 5000 - (len(rows) - mark - 1)
    assert rows[mark] == (f"[... lines {first}-{last} are left out here; see them with view_range [{first}, {last}]]")
    shown = [*range(1, first), *range(last + 1, 5001)]
    assert rows[:mark] + rows[mark + 1 :] == [f"{number:6}\tline {number}" for number in shown]
    assert 15_000 < sum(len(row) + 1 for row in rows) < 16_200


async def test_a_very_long_line_is_cut_with_a_mark(place: Place) -> None:
    path = place.put("a.min.js", b"x" * 300_000 + b"\nend\n")
    text = (await place.call("view", path)).text
    assert text.split("\n")[1:] == [
        "     1\t" + "x" * 2000 + " [... 298000 more characters in this line]",
        "     2\tend",
    ]


async def test_an_empty_file_is_said_to_be(place: Place) -> None:
    path = place.put("a.txt", b"")
    assert (await place.call("view", path)).text == f"{path} is empty."


async def test_a_fence_is_longer_than_any_in_the_file(place: Place) -> None:
    path = place.put("a.md", b"```py\n````\n")
    (shown,) = (await place.call("view", path)).shown
    assert shown == ShownText("`````\n     1\t```py\n     2\t````\n`````")


async def test_a_folder_is_listed_two_levels_deep_without_what_is_hidden(place: Place) -> None:
    for name in ("src/a.py", "src/deep/b.py", "README.md", ".git/config", ".env", "src/.cache"):
        place.put(name, b"")
    for number in range(45):
        place.put(f"many/{number:02}.txt", b"")
    root = place.hands.root
    assert (await place.call("view", root)).text.split("\n") == [
        f"Here's the files and directories up to 2 levels deep in {root}, excluding hidden items:",
        "README.md",
        "many/",
        *(f"many/{number:02}.txt" for number in range(40)),
        "[... 5 more here]",
        "src/",
        "src/a.py",
        "src/deep/",
        "2 hidden files/directories in this directory are excluded.",
    ]
    assert (
        await place.fails("view", root, view_range=[1, 2]) == "`view_range` is not allowed when `path` is a directory"
    )


# ---------------------------------------------------------------- create


async def test_a_file_is_created_with_its_folders(place: Place) -> None:
    path = place.path("new/deep/a.py")
    assert await place.call("create", path, file_text="a\nb") == ToolResult(
        f"File created successfully at: {path} (2 lines)",
        (ShownDiff(path, None, "a\nb"),),
        (Location(path, 1),),
        {"path": path, "lines": 2},
    )
    assert (place / "new/deep/a.py").read_bytes() == b"a\nb"


@pytest.mark.parametrize("data", [b"theirs\n", b"", b"\0\1"])
async def test_create_never_overwrites(place: Place, data: bytes) -> None:
    path = place.put("a.py", data)
    error = await place.fails("create", path, file_text="mine")
    assert error.startswith(f"File already exists at: {path}. Cannot overwrite files using command `create`")
    assert (place / "a.py").read_bytes() == data


# ---------------------------------------------------------------- str_replace, insert


async def test_an_edit_shows_four_lines_around_and_the_whole_change(place: Place) -> None:
    before = "".join(f"line {number}\r\n" for number in range(1, 21))
    path = place.put("a.txt", before.encode())
    result = await place.call("str_replace", path, old_str="line 10\n", new_str="ten\nand a half\n")
    after = before.replace("line 10\r\n", "ten\r\nand a half\r\n")
    rows = "\n".join(f"{number:6}\t{line}" for number, line in list(enumerate(after.split("\r\n"), start=1))[5:15])
    assert result == ToolResult(
        f"The file {path} has been edited. Here's the result of running `cat -n` on a snippet of it:\n{rows}",
        (ShownDiff(path, before.replace("\r\n", "\n"), after.replace("\r\n", "\n")),),
        (Location(path, 10),),
        {"path": path, "first_line": 10, "last_line": 11},
    )
    assert (place / "a.txt").read_bytes() == after.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\xef\xbb\xbfone\r\ntwo\r\n", b"\xef\xbb\xbfone\r\n2\r\n"),
        (b"\xff\xfe" + "one\r\ntwo".encode("utf-16-le"), b"\xff\xfe" + "one\r\n2".encode("utf-16-le")),
        ("# café, naïve façade\r\ntwo\n".encode("latin-1"), "# café, naïve façade\r\n2\n".encode("latin-1")),
        ("这是一个测试文件\r\ntwo\n".encode("gbk"), "这是一个测试文件\r\n2\n".encode("gbk")),
        (b"one\ntwo", b"one\n2"),
    ],
)
async def test_an_edit_changes_no_other_byte(place: Place, before: bytes, after: bytes) -> None:
    path = place.put("a.txt", before)
    await place.call("str_replace", path, old_str="two", new_str="2")
    assert (place / "a.txt").read_bytes() == after
    await place.call("undo_edit", path)
    assert (place / "a.txt").read_bytes() == before


async def test_leaving_out_the_new_text_deletes(place: Place) -> None:
    path = place.put("a.txt", b"one\ntwo\n")
    await place.call("str_replace", path, old_str="one\n")
    assert (place / "a.txt").read_bytes() == b"two\n"


async def test_an_insertion_goes_after_its_line(place: Place) -> None:
    path = place.put("a.txt", b"one\r\ntwo\r\n")
    result = await place.call("insert", path, insert_line=1, new_str="new")
    assert (place / "a.txt").read_bytes() == b"one\r\nnew\r\ntwo\r\n"
    assert (result.shown, result.locations) == (
        (ShownDiff(path, "one\ntwo\n", "one\nnew\ntwo\n"),),
        (Location(path, 2),),
    )


async def test_a_small_change_of_a_large_file_is_shown_as_a_hunk(place: Place) -> None:
    lines = [f"a line with the number {number}" for number in range(1, 20_001)]
    path = place.put("a.txt", "\n".join(lines).encode())
    result = await place.call("str_replace", path, old_str=lines[9_999], new_str="changed")
    context = (lines[9_996:9_999], lines[10_000:10_003])
    assert result.shown == (
        ShownDiff(
            path,
            "\n".join([*context[0], lines[9_999], *context[1]]),
            "\n".join([*context[0], "changed", *context[1]]),
        ),
    )


async def test_what_does_not_match_is_answered_with_the_nearest_text(place: Place) -> None:
    path = place.put("a.py", b"def f():\r\n    return 1\r\n")
    assert await place.fails("str_replace", path, old_str="def f():\n    return 7\n", new_str="x") == (
        f"No replacement was performed, old_str `def f():\n    return 7\n` did not appear verbatim in {path}. "
        "The nearest text there is:\n     1\tdef f():\n     2\t    return 1\nCopy old_str from it exactly"
    )
    await place.call("view", path)
    assert await place.fails("str_replace", path, old_str="unlike", new_str="x") == (
        f"No replacement was performed, old_str `unlike` did not appear verbatim in {path}. "
        "Nothing in the file is like it; view the file first"
    )


async def test_a_second_miss_in_a_row_asks_for_a_view(place: Place) -> None:
    path = place.put("a.py", b"def f():\n    return 1\n")
    advice = ". This is not the first miss in this file: view the lines with `view_range` before the next try"
    first = await place.fails("str_replace", path, old_str="unlike", new_str="x")
    assert await place.fails("str_replace", path, old_str="unlike", new_str="x") == first + advice
    await place.call("view", path)
    assert await place.fails("str_replace", path, old_str="unlike", new_str="x") == first


async def test_a_part_of_ten_megabytes_is_viewed_and_edited_with_true_numbers(place: Place) -> None:
    path = place.put("a.log", b"".join(b"an entry with the number %d\r\n" % number for number in range(1, 290_001)))
    result = await place.call("view", path, view_range=[289_999, -1])
    assert result.text.split("\n")[1:] == [
        "289999\tan entry with the number 289999",
        "290000\tan entry with the number 290000",
    ]
    result = await place.call("str_replace", path, old_str="number 290000\n", new_str="number 290000\nthe last\n")
    assert result.text.endswith("290000\tan entry with the number 290000\n290001\tthe last")
    assert (place / "a.log").read_bytes().endswith(b"number 290000\r\nthe last\r\n")


async def test_an_edit_through_a_link_changes_its_target_and_keeps_its_mode(place: Place) -> None:
    place.put("real/run.sh", b"echo one\r\necho two")
    (place / "real/run.sh").chmod(0o755)
    (place / "run.sh").symlink_to("real/run.sh")
    await place.call("str_replace", place.path("run.sh"), old_str="two", new_str="2")
    target = place / "real/run.sh"
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"echo one\r\necho 2", 0o755)
    assert (place / "run.sh").is_symlink()


async def test_several_replacements_are_one_change_and_one_step_back(place: Place) -> None:
    before = "".join(f"line {number}\n" for number in range(1, 41))
    path = place.put("a.txt", before.encode())
    edits: JsonValue = [
        {"old_str": "line 30\n", "new_str": ""},
        {"old_str": "line 3\n", "new_str": "three\nand more\n"},
        {"old_str": "and more", "new_str": "and yet more"},
    ]
    result = await place.call("str_replace", path, edits=edits)
    after = before.replace("line 30\n", "").replace("line 3\n", "three\nand yet more\n")
    assert (place / "a.txt").read_text() == after
    assert (result.shown, result.locations) == (
        (ShownDiff(path, before, after),),
        (Location(path, 3), Location(path, 31)),
    )
    assert "     3\tthree\n     4\tand yet more\n" in result.text
    assert "    30\tline 29\n    31\tline 31\n" in result.text
    await place.call("undo_edit", path)
    assert (place / "a.txt").read_text() == before
    edits = [*edits[:2], {"old_str": "no such line", "new_str": "x"}]
    error = await place.fails("str_replace", path, edits=edits)
    assert error.startswith(
        "edit 3 of 3 failed, so none of them was made. No replacement was performed, old_str `no such"
    )
    assert (place / "a.txt").read_text() == before


async def test_what_matches_twice_is_answered_with_the_lines(place: Place) -> None:
    path = place.put("a.py", b"a\nb\na\n")
    assert await place.fails("str_replace", path, old_str="a", new_str="x") == (
        "No replacement was performed. Multiple occurrences of old_str `a` in lines [1, 3]. "
        "Please ensure it is unique: include neighbouring lines"
    )


async def test_an_edit_that_is_already_there_succeeds_and_says_so(place: Place) -> None:
    path = place.put("a.py", b"def f():\n    return 2\n")
    result = await place.call("str_replace", path, old_str="    return 1\n", new_str="    return 2\n")
    assert (result.is_error, result.shown, result.text) == (
        False,
        (),
        f"Nothing to do: new_str is already there in {path}:\n     1\tdef f():\n     2\t    return 2",
    )
    assert await place.fails("undo_edit", path) == f"No edit history found for {path}"


@pytest.mark.parametrize("line", [-1, 3])
async def test_a_line_that_is_not_there_cannot_be_inserted_after(place: Place, line: int) -> None:
    path = place.put("a.txt", b"one\ntwo\n")
    assert await place.fails("insert", path, insert_line=line, new_str="x") == (
        f"Invalid `insert_line` parameter: {line}. It should be within the range of lines: [0, 2]"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"command": "create"}, "Parameter `file_text` is required for command: create"),
        ({"command": "str_replace", "new_str": "x"}, "Parameter `old_str` is required for command: str_replace"),
        ({"command": "insert", "new_str": "x"}, "Parameter `insert_line` is required for command: insert"),
        ({"command": "insert", "insert_line": 1}, "Parameter `new_str` is required for command: insert"),
        (
            {"command": "str_replace", "old_str": "x", "new_str": "x"},
            "No replacement was performed. `new_str` and `old_str` must be different",
        ),
        (
            {"command": "str_replace", "old_str": "", "new_str": "x"},
            "`old_str` must not be empty; to add text use `insert`, for a new file `create`",
        ),
        (
            {"command": "delete"},
            "`command` must be one of 'view', 'create', 'str_replace', 'insert' or 'undo_edit', got 'delete'",
        ),
    ],
)
def test_a_command_without_what_it_needs_is_refused_before_it_runs(arguments: dict[str, JsonValue], error: str) -> None:
    with pytest.raises(ToolError) as caught:
        TOOL.parse({"path": "/w/a", **arguments})
    assert str(caught.value) == error


# ---------------------------------------------------------------- paths and errors


async def test_a_relative_path_starts_at_the_root_and_the_model_is_told(place: Place) -> None:
    path = place.path("src/a.py")
    result = await place.call("create", "src/a.py", file_text="x\n")
    assert result.text == f"File created successfully at: {path} (1 lines)\n(src/a.py was taken as {path})"
    assert (place / "src/a.py").read_bytes() == b"x\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("src/mian.py", " Maybe you meant src/main.py?"),
        ("scr/main.py", " There is no 'scr' in {root}. Maybe you meant src?"),
        ("src/deep/er/main.py", " There is no 'deep' in {root}/src."),
        ("/nowhere/at/all", ""),
    ],
)
@pytest.mark.parametrize("command", ["view", "str_replace"])
async def test_a_missing_file_is_answered_with_names_like_it(place: Place, command: str, name: str, hint: str) -> None:
    place.put("src/main.py", b"")
    path = place.path(name)
    assert await place.fails(command, name, old_str="x") == (
        f"The path {path} does not exist. Please provide a valid path." + hint.format(root=place.hands.root)
    )


async def test_what_the_system_refuses_is_said_in_plain_words(place: Place) -> None:
    place.put("dir/a.txt", b"one\n")
    (place / "dir/a.txt").chmod(0o444)
    place.put("a.bin", b"\x7fELF\0")
    place.put("latin.txt", "# café, naïve façade\n".encode("latin-1"))
    assert await place.fails("str_replace", "dir", old_str="x") == (
        f"The path {place.path('dir')} is a directory and only the `view` command can be used on directories"
    )
    assert await place.fails("create", "dir", file_text="x") == (
        f"The path {place.path('dir')} is a directory and only the `view` command can be used on directories"
    )
    assert await place.fails("str_replace", "dir/a.txt", old_str="one") == (
        f"permission denied for {place.path('dir/a.txt')}: the file is read-only"
    )
    assert await place.fails("view", "dir/a.txt/b") == (
        f"{place.path('dir/a.txt/b')}: a part of this path is a file, not a directory"
    )
    assert await place.fails("view", "a.bin") == (
        f"{place.path('a.bin')}: File appears to be binary: it cannot be read or edited as text. "
        "Use the terminal (file, xxd, or a program that knows the format)"
    )
    assert await place.fails("insert", "latin.txt", insert_line=0, new_str="→") == (
        f"{place.path('latin.txt')}: the file's encoding is cp1252, which cannot hold '→' (U+2192)"
    )
