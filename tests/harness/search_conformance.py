"""What every implementation of `Search` must do, run on real folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.search import BadPattern, FoundIn, FoundLine, Query, Search

Check = Callable[[Search, Path], Awaitable[None]]
Tree = Mapping[str, str | bytes]


def plant(folder: Path, tree: Tree) -> None:
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def query(folder: Path, pattern: str) -> Query:
    return Query(pattern, AbsPath(str(folder)))


async def lines(search: Search, asked: Query, unsaved: Mapping[AbsPath, str] | None = None) -> list[str]:
    """Spell each line that is found as `path:number:text`, with `-` for context."""
    matches = await search.matches(asked, unsaved or {})
    assert matches.cut == ""
    return [
        f"{os.path.relpath(found.path, asked.path)}{sign(line)}{line.number}{sign(line)}{line.text}"
        for found in matches.files
        for line in found.lines
    ]


def sign(line: FoundLine) -> str:
    return ":" if line.is_match else "-"


async def names(search: Search, glob: str, folder: Path, *, ignored: bool = False) -> list[str]:
    found = await search.paths(glob, AbsPath(str(folder)), ignored=ignored)
    assert (found.cut, found.count) == ("", len(found.paths))
    return sorted(os.path.relpath(path, folder) for path in found.paths)


# ---------------------------------------------------------------- lines

PATTERNS: list[tuple[str, str, list[int]]] = [
    # A pattern, a text, and which of its lines match.
    ("foo", "foo\nbar\na foo b\n", [1, 3]),
    ("^foo$", "foo\nfoo \n foo\nfoo", [1, 4]),
    ("^foo$", "foo\r\nfoo \r\n", [1]),
    ("^$", "a\n\nb\n", [2]),
    ("^$", "", []),
    (".", "\n\na", [3]),
    (r"a\s+b", "a  b\na\nb\na\tb\n", [1, 4]),
    (r"a\s*$", "a  \nb\na\n\n", [1, 3]),
    (r"[^x]+y", "x\ny\nay\n", [3]),
    (r"a\Wb", "a\nb\na-b\n", [3]),
    (r"\d{2,3}", "1\n12\n", [2]),
    (r"\bfoo\b", "foobar\nfoo bar\n", [2]),
    ("foo|bar", "bar\nbaz\nfoo\n", [1, 3]),
    (r"f\(x\)", "f(x)\nfx\n", [1]),
    ("interface{}", "interface{}\n", [1]),
    ("fn main() {", "fn main {\n", [1]),
    ("[[:digit:]]+x", "1x\nx\n", [1]),
    ("[]a]b", "]b\nab\nb\n", [1, 2]),
    (r"(?i)FOO", "foo\n", [1]),
    (r"(?<word>fo)o", "foo\n", [1]),
    ("naïve", "naïve\nnaive\n", [1]),
    ("[éè]t", "ét\net\n", [1]),
    ("日本", "日本語\n", [1]),
    (r"\w+é", "caf\ncafé\n", [2]),
    (r"foo(?=bar)", "foobar\nfoobaz\n", [1]),
    (r"(?<!x)foo", "xfoo\nfoo\n", [2]),
    (r"(\w)\1", "ab\naa\n", [2]),
    (r"\x41", "A\n", [1]),
    (r"\"a\/b\ c\'", "\"a/b c'\n", [1]),
    ("-v", "-v\n", [1]),
    ("--no-config", "--no-config\n", [1]),
]


async def patterns_find_their_lines(search: Search, folder: Path) -> None:
    # Some of them, because each is a process; an implementation's own tests look at all.
    for pattern, text, numbers in PATTERNS[::5]:
        plant(folder, {"a.txt": text})
        found = await search.matches(query(folder, pattern), {})
        assert [line.number for each in found.files for line in each.lines] == numbers, (pattern, text)


async def lines_come_by_path_with_their_numbers(search: Search, folder: Path) -> None:
    plant(folder, {"b.py": "x\nfoo = 1\n", "a/c.py": "foo()\r\n", "d.py": "nothing\n"})
    assert await lines(search, query(folder, "foo")) == ["a/c.py:1:foo()", "b.py:2:foo = 1"]


async def one_file_may_be_asked_for(search: Search, folder: Path) -> None:
    plant(folder, {"a.py": "foo\n", "b.py": "foo\n"})
    found = await search.matches(query(folder / "a.py", "foo"), {})
    assert found.files == (FoundIn(AbsPath(str(folder / "a.py")), 1, (FoundLine(1, "foo"),)),)
    # Its own name decides nothing then, and neither do ignore files.
    plant(folder, {".gitignore": "a.py\n"})
    named = replace(query(folder / "a.py", "foo"), include="*.md")
    assert len((await search.matches(query(folder / "a.py", "foo"), {})).files) == 1
    assert len((await search.matches(named, {})).files) <= 1


async def case_counts_unless_told(search: Search, folder: Path) -> None:
    plant(folder, {"a.txt": "Foo\nÄ\n"})
    assert await lines(search, query(folder, "foo")) == []
    assert await lines(search, replace(query(folder, "foo|ä"), ignore_case=True)) == ["a.txt:1:Foo", "a.txt:2:Ä"]


async def context_surrounds_a_match(search: Search, folder: Path) -> None:
    plant(folder, {"a.txt": "1\n2 x\n3\n4\n5\n6 x\n7 x\n"})
    assert await lines(search, replace(query(folder, "x"), context=1)) == [
        "a.txt-1-1",
        "a.txt:2:2 x",
        "a.txt-3-3",
        "a.txt-5-5",
        "a.txt:6:6 x",
        "a.txt:7:7 x",
    ]
    assert (await search.matches(replace(query(folder, "x"), context=1), {})).files[0].count == 3


async def a_long_line_is_cut_around_the_match(search: Search, folder: Path) -> None:
    plant(folder, {"a.js": f"{'é' * 5000}needle{'y' * 5000}\n"})
    [line] = await lines(search, query(folder, "needle"))
    assert "needle" in line
    assert len(line) < 600
    assert line.startswith("a.js:1:[… 4900 characters] éé")
    assert line.endswith("y [… 4706 characters]")


async def files_and_counts(search: Search, folder: Path) -> None:
    plant(folder, {"old.txt": "x\nx\n", "new.txt": "x\n", "other.txt": "y\n"})
    os.utime(folder / "old.txt", (1000, 1000))
    found = await search.matches(replace(query(folder, "x"), wanted="files"), {})
    assert [os.path.basename(each.path) for each in found.files] == ["new.txt", "old.txt"]
    found = await search.matches(replace(query(folder, "x"), wanted="count"), {})
    assert [(os.path.basename(each.path), each.count) for each in found.files] == [("new.txt", 1), ("old.txt", 2)]


async def what_is_no_pattern_is_refused(search: Search, folder: Path) -> None:
    plant(folder, {"a.txt": "foo(\n"})
    for pattern in ("foo(", "[a", "*a", r"a\nb", "a\nb", "(?P<a"):
        with pytest.raises(BadPattern) as caught:
            await search.matches(query(folder, pattern), {})
        assert str(caught.value), pattern


async def a_place_that_is_not_there_raises(search: Search, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await search.matches(query(folder / "no", "x"), {})
    with pytest.raises(FileNotFoundError):
        await search.paths("*", AbsPath(str(folder / "no")), ignored=False)
    plant(folder, {"a.txt": ""})
    with pytest.raises(NotADirectoryError):
        await search.paths("*", AbsPath(str(folder / "a.txt")), ignored=False)


# ---------------------------------------------------------------- which files


async def encodings_and_binaries(search: Search, folder: Path) -> None:
    plant(
        folder,
        {
            "bom.txt": b"\xef\xbb\xbffoo\n",
            "broken.txt": b"foo \xff\xfe\n",
            "elf": b"foo\n\x7fELF\0\0\n",
            "empty": b"",
            "latin.txt": "foo é\n".encode("latin-1"),
            "utf16.txt": b"\xff\xfe" + "foo\r\n".encode("utf-16-le"),
        },
    )
    assert await lines(search, query(folder, "^foo")) == [
        "bom.txt:1:foo",
        "broken.txt:1:foo ��",
        "latin.txt:1:foo �",
        "utf16.txt:1:foo",
    ]


IGNORING: list[tuple[str, Tree, list[str]]] = [
    (
        "git's, with negation, folders and anchors",
        {
            ".gitignore": "# comment\n*.log\n!keep.log\nbuild/\n/top.txt\nsub/inner.txt\n\\#odd\ntrailing.txt  \n",
            "a.log": "",
            "keep.log": "",
            "build/x.txt": "",
            "sub/build": "",
            "top.txt": "",
            "sub/top.txt": "",
            "sub/inner.txt": "",
            "deep/sub/inner.txt": "",
            "#odd": "",
            "trailing.txt": "",
        },
        [".gitignore", "deep/sub/inner.txt", "keep.log", "sub/build", "sub/top.txt"],
    ),
    (
        "nested, the nearer file outranking the farther",
        {
            ".gitignore": "*.gen\n*.tmp\n",
            "sub/.gitignore": "!*.gen\n",
            "a.gen": "",
            "sub/b.gen": "",
            "sub/c.tmp": "",
        },
        [".gitignore", "sub/.gitignore", "sub/b.gen"],
    ),
    (
        "a folder that is left out cannot be brought back in part",
        {".gitignore": "out/\n!out/keep.txt\n", "out/keep.txt": "", "a.txt": ""},
        [".gitignore", "a.txt"],
    ),
    (
        "stars and classes",
        {
            ".gitignore": "**/cache\nlogs/**\nx[0-9].txt\n?.md\na/**/z\n*.py[cod]\n",
            "cache/1": "",
            "p/cache/1": "",
            "logs/deep/1": "",
            "x1.txt": "",
            "xy.txt": "",
            "a.md": "",
            "ab.md": "",
            "a/z": "",
            "a/b/c/z": "",
            "m.pyc": "",
            "m.py": "",
        },
        [".gitignore", "ab.md", "m.py", "xy.txt"],
    ),
    (
        "ripgrep's own outrank git's",
        {
            ".gitignore": "a.txt\nb.txt\n",
            ".ignore": "!a.txt\nc.txt\n",
            ".rgignore": "!c.txt\nd.txt\n",
            "a.txt": "",
            "b.txt": "",
            "c.txt": "",
            "d.txt": "",
        },
        [".gitignore", ".ignore", ".rgignore", "a.txt", "c.txt"],
    ),
    (
        "hidden files are the project's, version control's are not",
        {".git/HEAD": "ref", ".github/workflows/ci.yml": "", ".env.example": "", ".hg/x": "", "a.txt": ""},
        [".env.example", ".github/workflows/ci.yml", "a.txt"],
    ),
    (
        "a repository's own exclude file",
        {".git/HEAD": "ref", ".git/info/exclude": "secret.txt\n", "secret.txt": "", "a.txt": ""},
        ["a.txt"],
    ),
    (
        "another repository inside is not bound by the outer's rules",
        {
            ".git/HEAD": "ref",
            ".gitignore": "*.txt\n",
            "a.txt": "",
            "vendor/.git/HEAD": "ref",
            "vendor/b.txt": "",
        },
        [".gitignore", "vendor/b.txt"],
    ),
    (
        "names that are written in odd ways",
        {".gitignore": "\n \n/\n!\n[\n{a\n\\\nok.txt\n", "ok.txt": "", "b.txt": ""},
        [".gitignore", "b.txt"],
    ),
]


async def ignore_files_are_honoured(search: Search, folder: Path) -> None:
    for number, (name, tree, expected) in enumerate(IGNORING):
        place = folder / str(number)
        plant(place, tree)
        assert await names(search, "**", place) == expected, name


async def the_folders_above_count_too(search: Search, folder: Path) -> None:
    plant(folder, {".gitignore": "*.log\n/top/no.txt\n", "top/a.log": "foo", "top/no.txt": "foo", "top/b.txt": "foo"})
    assert await names(search, "**", folder / "top") == ["b.txt"]
    assert await lines(search, query(folder / "top", "foo")) == ["b.txt:1:foo"]


async def what_is_ignored_can_be_asked_for(search: Search, folder: Path) -> None:
    plant(
        folder, {".gitignore": "node_modules/\n", "node_modules/p/a.js": "foo\n", "b.js": "foo\n", ".git/c.js": "foo"}
    )
    asked = query(folder, "foo")
    assert await lines(search, asked) == ["b.js:1:foo"]
    assert await lines(search, replace(asked, ignored=True)) == ["b.js:1:foo", "node_modules/p/a.js:1:foo"]
    assert await names(search, "*.js", folder) == ["b.js"]
    assert await names(search, "*.js", folder, ignored=True) == ["b.js", "node_modules/p/a.js"]
    # By its name, what a rule for its folder leaves out is found as well.
    assert await lines(search, query(folder / "node_modules", "foo")) == ["p/a.js:1:foo"]
    assert await lines(search, query(folder / ".git", "foo")) == ["c.js:1:foo"]


GLOBS: list[tuple[str, list[str]]] = [
    ("*.py", ["a.py", "src/b.py", "src/deep/c.py"]),
    ("/*.py", ["a.py"]),
    ("src/*.py", ["src/b.py"]),
    ("src/**/*.py", ["src/b.py", "src/deep/c.py"]),
    ("**/*.py", ["a.py", "src/b.py", "src/deep/c.py"]),
    ("**/deep/**", ["src/deep/c.py", "src/deep/d.tsx"]),
    ("*.{ts,tsx}", ["src/deep/d.tsx", "src/e.ts"]),
    ("src/{deep,other}/*", ["src/deep/c.py", "src/deep/d.tsx"]),
    ("[ab].py", ["a.py", "src/b.py"]),
    ("[!a].py", ["src/b.py", "src/deep/c.py"]),
    ("?.ts", ["src/e.ts"]),
    ("deep/*.py", []),
    ("b.py", ["src/b.py"]),
    ("*.yml", [".github/ci.yml"]),
    ("with space*", ["with space.txt"]),
    ("[od]*", ["d", "src/deep/d.tsx"]),
    ("\\[x].md", ["[x].md"]),
    ("src/", ["src/b.py", "src/deep/c.py", "src/deep/d.tsx", "src/e.ts"]),
    ("!src", [".github/ci.yml", "[x].md", "a.py", "d", "with space.txt"]),
    ("!deep/", [".github/ci.yml", "[x].md", "a.py", "d", "src/b.py", "src/e.ts", "with space.txt"]),
    ("!*.py", [".github/ci.yml", "[x].md", "d", "src/deep/d.tsx", "src/e.ts", "with space.txt"]),
]
GLOB_TREE: Tree = dict.fromkeys(
    [
        "a.py",
        "src/b.py",
        "src/deep/c.py",
        "src/deep/d.tsx",
        "src/e.ts",
        ".github/ci.yml",
        "d",
        "with space.txt",
        "[x].md",
    ],
    "foo\n",
)


async def globs_choose_files(search: Search, folder: Path) -> None:
    plant(folder, GLOB_TREE)
    for glob, expected in GLOBS:
        assert await names(search, glob, folder) == expected, glob
    # Both ways to use a glob are one, so a few will do.
    for glob, expected in GLOBS[:4]:
        found = await search.matches(replace(query(folder, "foo"), include=glob), {})
        assert [os.path.relpath(each.path, folder) for each in found.files] == expected, glob


async def a_glob_brings_nothing_ignored_back(search: Search, folder: Path) -> None:
    plant(folder, {".gitignore": "*.min.js\n", "a.min.js": "foo", "b.js": "foo"})
    assert await names(search, "*.js", folder) == ["b.js"]
    assert await lines(search, replace(query(folder, "foo"), include="*.min.js")) == []


async def the_last_changed_comes_first(search: Search, folder: Path) -> None:
    plant(folder, dict.fromkeys(["a", "b", "c"], ""))
    for age, name in enumerate(("b", "c", "a")):
        os.utime(folder / name, (1000 - age, 1000 - age))
    found = await search.paths("*", AbsPath(str(folder)), ignored=False)
    assert [os.path.basename(path) for path in found.paths] == ["b", "c", "a"]


async def links_are_not_followed(search: Search, folder: Path) -> None:
    plant(folder, {"outside/a.txt": "foo", "in/b.txt": "foo"})
    (folder / "in" / "link").symlink_to(folder / "outside")
    (folder / "in" / "a.txt").symlink_to(folder / "outside" / "a.txt")
    (folder / "in" / "loop").symlink_to(folder / "in")
    assert await names(search, "**", folder / "in") == ["b.txt"]
    assert await lines(search, query(folder / "in", "foo")) == ["b.txt:1:foo"]
    # Unless that is what was asked for.
    assert await names(search, "**", folder / "in" / "link") == ["a.txt"]


async def odd_names_come_through(search: Search, folder: Path) -> None:
    odd = ["with\nline", "späce é", "-dash", "日本", os.fsdecode(b"raw\xff")]
    plant(folder, dict.fromkeys(odd, "foo\n"))
    assert await names(search, "**", folder) == sorted(odd)
    for wanted in ("lines", "files", "count"):
        found = await search.matches(replace(query(folder, "foo"), wanted=wanted), {})
        assert sorted(os.path.basename(each.path) for each in found.files) == sorted(odd), wanted


# ---------------------------------------------------------------- unsaved


async def unsaved_text_counts(search: Search, folder: Path) -> None:
    tree = {"a.py": "old\n", "b.py": "old\n", "c.md": "old\n", "gone/x.py": "", ".gitignore": "gone/\n"}
    plant(folder, tree)
    texts = {
        "a.py": "one\nnew\r\n",
        "c.md": "new",
        "gone/x.py": "new",
        "made.py": "new",
        ".git/y.py": "new",
        "../far.py": "new",
    }
    unsaved = {AbsPath(os.path.normpath(folder / name)): text for name, text in texts.items()}
    asked = replace(query(folder, "new|old"), include="*.py")
    assert await lines(search, asked, unsaved) == ["a.py:2:new", "b.py:1:old", "made.py:1:new"]
    counted = await search.matches(replace(asked, wanted="count"), unsaved)
    assert sorted((os.path.basename(each.path), each.count) for each in counted.files) == [
        ("a.py", 1),
        ("b.py", 1),
        ("made.py", 1),
    ]
    of_one = replace(query(folder / "a.py", "new"), context=1)
    found = await search.matches(of_one, unsaved)
    assert found.files[0].lines == (FoundLine(1, "one", is_match=False), FoundLine(2, "new"))


async def text_that_is_saved_changes_nothing(search: Search, folder: Path) -> None:
    plant(folder, {"a.py": "foo\r\nbar\r\n"})
    unsaved = {AbsPath(str(folder / "a.py")): "foo\nbar\n"}
    assert await lines(search, query(folder, "foo"), unsaved) == ["a.py:1:foo"]
    assert os.listdir(folder) == ["a.py"]


_EVERYWHERE: list[Check] = [
    patterns_find_their_lines,
    lines_come_by_path_with_their_numbers,
    one_file_may_be_asked_for,
    case_counts_unless_told,
    context_surrounds_a_match,
    a_long_line_is_cut_around_the_match,
    files_and_counts,
    what_is_no_pattern_is_refused,
    a_place_that_is_not_there_raises,
    encodings_and_binaries,
    ignore_files_are_honoured,
    the_folders_above_count_too,
    what_is_ignored_can_be_asked_for,
    globs_choose_files,
    a_glob_brings_nothing_ignored_back,
    the_last_changed_comes_first,
    unsaved_text_counts,
    text_that_is_saved_changes_nothing,
]
_WITH_LINKS_AND_ODD_NAMES: list[Check] = [links_are_not_followed, odd_names_come_through]
CHECKS = _EVERYWHERE if sys.platform == "win32" else [*_EVERYWHERE, *_WITH_LINKS_AND_ODD_NAMES]
