"""This machine's folders as `Search`: the conformance checks, with ripgrep where it is and without."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.search import FoundIn, FoundLine, Matches
from openhands_acp.local.environment import LoginEnvironment
from openhands_acp.local.processes import descendants, look
from openhands_acp.local.search import LocalSearch, find_ripgrep
from openhands_acp.local.search_patterns import for_python
from openhands_acp.local.search_plain import decoded, found_in
from openhands_acp.local.search_programs import MOST_MATCHES, Enough, Gathered
from tests.harness.search_conformance import CHECKS, PATTERNS, Check, lines, names, plant, query
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

PLAIN = LocalSearch(lambda _path: None, patience=PATIENCE)
# A machine without ripgrep has one way to search; the other is tested where there is one.
SEARCHES = {"plain": PLAIN, **({"ripgrep": LocalSearch(patience=PATIENCE)} if find_ripgrep() else {})}
each_search = pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)


@pytest.fixture
def anyio_backend() -> str:
    """One loop, for time: what depends on the loop is tested on both, below."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the ignore files of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def abs_path(path: Path) -> AbsPath:
    return AbsPath(str(path))


@each_search
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_searches_conform(search: LocalSearch, check: Check, folder: Path) -> None:
    with anyio.fail_after(PATIENCE):
        await check(search, folder)


@pytest.mark.parametrize(("pattern", "text", "numbers"), PATTERNS)
async def test_every_engine_finds_the_same_lines(pattern: str, text: str, numbers: list[int], folder: Path) -> None:
    compiled = for_python(pattern, ignore_case=False)
    on_disk = decoded(text.encode())
    assert on_disk is not None
    assert [row[0] for row in found_in(on_disk, compiled, "lines", 0)] == numbers
    plant(folder, {"a.txt": text})
    for search in (search for name, search in SEARCHES.items() if name != "plain"):
        found = await search.matches(query(folder, pattern), {})
        assert [line.number for each in found.files for line in each.lines] == numbers


@each_search
@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({}, ".config/git/ignore"),
        ({".gitconfig": "[core]\n\texcludesFile = ~/mine\n"}, "mine"),
        ({".config/git/config": "[core]\n  excludesfile = ~/mine\n"}, "mine"),
    ],
)
async def test_the_persons_own_ignore_file_counts(
    search: LocalSearch, settings: dict[str, str], where: str, tmp_path: Path, folder: Path
) -> None:
    plant(tmp_path / "home", {**settings, where: "*.swp\n"})
    plant(folder, {"a.swp": "", "b.txt": "", "sub/c.swp": ""})
    with anyio.fail_after(PATIENCE):
        assert await names(search, "**", folder) == ["b.txt"]


@each_search
async def test_what_has_too_many_matches_is_ended_and_says_so(search: LocalSearch, folder: Path) -> None:
    plant(folder, {"a.txt": "x\n" * 60_000})
    with anyio.fail_after(PATIENCE):
        found = await search.matches(query(folder, "x"), {})
    assert (found.cut, found.files[0].count > 40_000, len(found.files[0].lines) <= 10_000) == ("size", True, True)
    assert found.files[0].lines[0] == FoundLine(1, "x")


async def test_without_ripgrep_what_is_too_large_is_passed_by_and_refused_when_named(folder: Path) -> None:
    with (folder / "a.log").open("wb") as stream:
        stream.write(b"foo\n")
        stream.truncate(65 * 1024 * 1024)
    with anyio.fail_after(PATIENCE):
        assert await lines(PLAIN, query(folder, "foo")) == []
        with pytest.raises(OSError, match=r"too large to be searched here \(65 MB\)"):
            await PLAIN.matches(query(folder / "a.log", "foo"), {})


@each_search
async def test_a_persons_settings_of_ripgrep_do_not_count(
    search: LocalSearch, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, {"rc": "--ignore-case\n--no-ignore\n"})
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(tmp_path / "rc"))
    plant(folder, {".gitignore": "b.txt\n", "a.txt": "FOO\nfoo\n", "b.txt": "foo\n"})
    with anyio.fail_after(PATIENCE):
        assert await lines(search, query(folder, "foo")) == ["a.txt:2:foo"]


async def test_a_pattern_without_end_is_ended(folder: Path) -> None:
    # In a process of its own: in ours it would hold up everybody.
    plant(folder, {"a.txt": "x" * 60})
    search = LocalSearch(lambda _path: None, patience=0.5)
    with anyio.fail_after(PATIENCE):
        assert await search.matches(query(folder, "(x+x+)+y"), {}) == Matches((), "time")


def test_of_many_lines_those_of_the_first_files_are_kept() -> None:
    gathered = Gathered()
    for path in ("c", "b", "a"):
        for number in range(4_000):
            gathered.add(path, FoundLine(number, "x"))
    kept = {path: len(gathered.found(path).lines) for path in "abc"}
    assert (gathered.counts, kept["a"], kept["b"] + kept["c"] < 8_000) == (
        {"a": 4000, "b": 4000, "c": 4000},
        4000,
        True,
    )


def test_more_than_enough_is_said_to_be() -> None:
    gathered = Gathered()
    for number in range(MOST_MATCHES):
        gathered.add("a", FoundLine(number, "x"))
    with pytest.raises(Enough):
        gathered.count("b", 1)


def test_a_file_may_be_found_without_lines() -> None:
    gathered = Gathered()
    gathered.count("a", 3)
    assert gathered.found("a") == FoundIn(AbsPath("a"), 3)
    gathered.drop("a")
    assert gathered.counts == {}


if sys.platform != "win32":

    def script(path: Path, text: str) -> str:
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    @pytest.mark.parametrize("line", ["echo 'rg: no such option' >&2; exit 2", "kill -9 $$", "exit 3"])
    async def test_a_ripgrep_that_fails_is_done_without(line: str, tmp_path: Path, folder: Path) -> None:
        search = LocalSearch(lambda _path: script(tmp_path / "rg", line))
        plant(folder, {"a.txt": "foo\n"})
        with anyio.fail_after(PATIENCE):
            assert await lines(search, query(folder, "foo")) == ["a.txt:1:foo"]
            assert await names(search, "*.txt", folder) == ["a.txt"]

    async def test_a_ripgrep_that_is_gone_is_done_without(tmp_path: Path, folder: Path) -> None:
        plant(folder, {"a.txt": "foo\n"})
        with anyio.fail_after(PATIENCE):
            assert await names(LocalSearch(lambda _path: str(tmp_path / "no-rg")), "*", folder) == ["a.txt"]

    async def test_ripgrep_is_given_no_keys(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLM_API_KEY", "sk-secret")
        search = LocalSearch(lambda _path: script(tmp_path / "rg", f"export -p > {tmp_path}/env"))
        with anyio.fail_after(PATIENCE):
            await search.paths("*", abs_path(folder), ignored=False)
        given = (tmp_path / "env").read_text()
        assert ("sk-secret" in given, "HOME=" in given) == (False, True)

    def test_a_ripgrep_in_the_folder_we_were_started_in_is_not_run(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = script(tmp_path / "rg", "exit 0")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_ripgrep() == known
        monkeypatch.chdir(tmp_path)
        assert find_ripgrep() is None
        assert (find_ripgrep("."), find_ripgrep(str(tmp_path / "elsewhere"))) == (None, None)

    async def test_the_ripgrep_that_the_login_shell_knows_is_used(tmp_path: Path, folder: Path) -> None:
        program = tmp_path / "persons-own" / "rg"
        program.parent.mkdir()
        script(program, f"printf '{folder}/found\\0'; touch {tmp_path}/ran")
        shell = script(tmp_path / "shell", f'PATH={program.parent}:$PATH; export PATH; eval "$4"')
        bare = {"SHELL": shell, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        with anyio.fail_after(PATIENCE):
            found = await LocalSearch(environment=LoginEnvironment(bare)).paths("**", abs_path(folder), ignored=False)
        assert ([os.path.basename(path) for path in found.paths], (tmp_path / "ran").exists()) == (["found"], True)

    @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
    async def test_cancelling_ends_the_process(tmp_path: Path, folder: Path) -> None:
        started = tmp_path / "pid"
        search = LocalSearch(lambda _path: script(tmp_path / "rg", f"echo $$ > {started}; exec sleep 600"))
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(search.matches, query(folder, "x"), dict[AbsPath, str]())
                await until(lambda: started.exists() and started.read_text())
                tasks.cancel_scope.cancel()
            await until(lambda: not [pid for pid in descendants(os.getpid()) if look(pid)])

    async def test_what_may_not_be_read_is_passed_by(folder: Path) -> None:
        # A pipe would be waited for, a file without rights refused (but not for root).
        os.mkfifo(folder / "pipe")
        plant(folder, {"a.txt": "foo\n", "b.txt": "foo\n"})
        (folder / "b.txt").chmod(0)
        for search in SEARCHES.values():
            with anyio.fail_after(PATIENCE):
                found = await search.matches(query(folder, "foo"), {})
            assert "a.txt" in [os.path.basename(each.path) for each in found.files]
