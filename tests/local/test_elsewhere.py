"""Lines that somebody else's shell runs, as an editor's does, and the state that goes on from one to the next."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Patience, ShellChanged, Spelt
from openhands_acp.local import elsewhere as elsewhere_module
from openhands_acp.local.elsewhere import Elsewhere
from openhands_acp.local.terminals import LocalTerminals
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def cwd(tmp_path: Path) -> AbsPath:
    return AbsPath(os.path.realpath(tmp_path))


def command(line: str, cwd: AbsPath) -> Command:
    return Command(line, cwd, 10)


def ran(spelt: Spelt, shell: str = "/bin/sh") -> str:
    """Run it as an editor does: through a shell of its own, with what it is given."""
    result = subprocess.run(
        [shell, "-c", spelt.line],
        cwd=spelt.cwd,
        env=os.environ | dict(spelt.variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return result.stdout + result.stderr


def run(elsewhere: Elsewhere, cwd: AbsPath, line: str, shell: str = "/bin/sh") -> str:
    spelt = elsewhere.spell(command(line, cwd))
    output = ran(spelt, shell)
    spelt.ended(output)
    return output


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_directory_variables_functions_and_aliases_go_on(cwd: AbsPath, shell: str) -> None:
    elsewhere = Elsewhere(LocalTerminals().state, None)
    first = "mkdir -p 'sub dir'; cd 'sub dir'; export A='it'\\''s'; B=2; f() { echo \"f $1\"; }; alias say=echo; exit 3"
    assert run(elsewhere, cwd, first, shell) == ""
    assert run(elsewhere, cwd, 'pwd; echo "$A$B"; f x; say hi; echo "[$BASH_ENV]"', shell) == (
        f"{cwd}/sub dir\nit's2\nf x\nhi\n[]\n"
    )


def test_a_line_reaches_bash_as_it_was_written(cwd: AbsPath) -> None:
    line = "printf '%s\\n' \"a'b\" 'c\"d' '$HOME' `echo tick`\nfor i in 1 2; do\n  echo $i # a comment\ndone"
    assert run(Elsewhere(LocalTerminals().state, None), cwd, line) == "a'b\nc\"d\n$HOME\ntick\n1\n2\n"


def test_nobody_is_asked_for_a_key_or_shown_a_pager_and_the_terminal_stays_the_editors(cwd: AbsPath) -> None:
    spelt = Elsewhere(LocalTerminals().state, None).spell(command("true", cwd))
    assert (spelt.variables["PAGER"], spelt.variables["GIT_TERMINAL_PROMPT"]) == ("cat", "0")
    assert "TERM" not in spelt.variables


def test_what_another_began_after_does_not_count(cwd: AbsPath) -> None:
    elsewhere = Elsewhere(LocalTerminals().state, None)
    early = elsewhere.spell(command("A=early", cwd))
    late = elsewhere.spell(command("A=late", cwd))
    for spelt in (late, early):
        spelt.ended(ran(spelt))
    assert run(elsewhere, cwd, "echo $A") == "late\n"


def test_what_was_killed_leaves_the_state_as_it_was(cwd: AbsPath) -> None:
    elsewhere = Elsewhere(LocalTerminals().state, None)
    run(elsewhere, cwd, "A=1")
    run(elsewhere, cwd, "A=2; kill -KILL $$")
    assert run(elsewhere, cwd, "echo $A") == "1\n"


async def test_here_and_there_are_one_shell(cwd: AbsPath) -> None:
    local = LocalTerminals()
    elsewhere = Elsewhere(local.state, None)
    heard: list[str] = []

    async def sink(text: str) -> None:
        heard.append(text)

    with anyio.fail_after(PATIENCE):
        run(elsewhere, cwd, "mkdir sub; cd sub; A=1")
        ended = await local.run(command("pwd; echo $A; A=2; cd ..", cwd), sink, Patience(None, 10))
        assert isinstance(ended, Exit)
    assert ("".join(heard), run(elsewhere, cwd, "pwd; echo $A")) == (f"{cwd}/sub\n1\n", f"{cwd}\n2\n")
    await local.end()
    assert run(elsewhere, cwd, "pwd; echo [$A]") == f"{cwd}\n[]\n"


async def test_here_and_there_know_what_was_redefined_and_run_nothing_that_was_permitted_before(cwd: AbsPath) -> None:
    local = LocalTerminals()
    elsewhere = Elsewhere(local.state, None)
    run(elsewhere, cwd, "true")
    before = local.redefined()
    run(elsewhere, cwd, "git() { true; }; export PAGER=less")
    assert (set(before), set(local.redefined()) - set(before)) == (set(), {"git", "$PAGER"})
    stale = replace(command("touch ran", cwd), redefined=before)
    with pytest.raises(ShellChanged):
        elsewhere.spell(stale)
    with pytest.raises(ShellChanged):
        await local.run(stale, ignored, Patience(None, 10))
    assert not os.path.exists(f"{cwd}/ran")
    await local.end()
    assert local.redefined() == {}


async def ignored(_text: str) -> None:
    pass


def test_a_folder_that_is_gone_is_told_once_and_the_next_begins_anew(cwd: AbsPath) -> None:
    elsewhere = Elsewhere(LocalTerminals().state, None)
    run(elsewhere, cwd, "mkdir sub; cd sub; A=1")
    os.rmdir(f"{cwd}/sub")
    with pytest.raises(FileNotFoundError) as error:
        elsewhere.spell(command("rm -rf x", cwd))
    assert error.value.filename == f"{cwd}/sub"
    assert run(elsewhere, cwd, "pwd; echo $A") == f"{cwd}\n1\n"


def test_a_long_output_is_kept_in_a_file(cwd: AbsPath, tmp_path: Path) -> None:
    elsewhere = Elsewhere(LocalTerminals().state, tmp_path / "spool")
    short, long = (elsewhere.spell(command("true", cwd)).ended(text) for text in ("x\n", "x\n" * 20_000))
    assert short is None
    assert long is not None
    assert Path(long.path).read_text() == "x\n" * 20_000
    assert (long.sha256, long.size) == (sha256(b"x\n" * 20_000).hexdigest(), 40_000)


def test_without_bash_the_line_is_the_editors_shells(cwd: AbsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere_module, "is_bash_here", lambda: False)
    spelt = Elsewhere(LocalTerminals().state, None).spell(command("echo hi", cwd))
    assert (spelt.line, spelt.cwd, "BASH_ENV" in spelt.variables) == ("echo hi", cwd, False)
