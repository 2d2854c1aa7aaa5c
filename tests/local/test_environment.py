"""The login shell's environment, from real shells and from programs that stand for shells we do not have here."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from openhands_acp.local.environment import LoginEnvironment, ask, is_bare, login_shell, merge
from openhands_acp.local.processes import descendants, look
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELLS = [path for name in ("bash", "zsh", "fish", "dash", "sh") if (path := shutil.which(name))]
RC_FILES = (".bash_profile", ".zprofile", ".profile", ".config/fish/config.fish")
MULTI_LINE = "first\nsecond=third\n"


def home_with(folder: Path, rc: str) -> dict[str, str]:
    """Make a home in which every shell that starts as a login shell reads `rc`."""
    for name in RC_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(rc)
    return {"HOME": str(folder), "PATH": SYSTEM}


def fake_shell(folder: Path, script: str) -> str:
    """Make a program that is given a shell's arguments: it stands for shells that do as `script` does."""
    shell = folder / "shell"
    shell.write_text(f"#!/bin/sh\n{script}\n")
    shell.chmod(0o755)
    return str(shell)


RUNS_IT = 'for last; do :; done; eval "$last"'


@pytest.mark.parametrize("shell", SHELLS)
async def test_what_a_login_shell_sets_is_inherited(tmp_path: Path, shell: str) -> None:
    rc = "echo hello; echo oops >&2; read nothing; export PATH=/opt/nvm/bin:$PATH; export NVM_DIR='/opt/nvm é'"
    environ = home_with(tmp_path, rc) | {"SHELL": shell, "MINE": "kept"}
    with anyio.fail_after(PATIENCE):
        inherited = await LoginEnvironment(environ, PATIENCE).inherited()
    assert inherited["PATH"].split(":") == ["/opt/nvm/bin", *SYSTEM.split(":")]
    assert (inherited["NVM_DIR"], inherited["MINE"], inherited["SHELL"]) == ("/opt/nvm é", "kept", shell)
    assert {"_", "SHLVL", "PWD", "TERM"} & set(inherited) == set()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (f"export ADDED=1; {RUNS_IT}", "1"),
        (f"echo noise; export ADDED='{MULTI_LINE}'; {RUNS_IT}; echo more noise", MULTI_LINE),
        # It echoes what it runs, as a title or with `set -v`.
        (f'export ADDED=1; for last; do :; done; echo "$last"; {RUNS_IT}; echo "$last"', "1"),
        # What it leaves running holds its output open.
        (f"sleep 60 & export ADDED=1; {RUNS_IT}", "1"),
        (f"export ADDED=$(printf '\\377'); {RUNS_IT}", os.fsdecode(b"\xff")),
        # It reads what it takes for the keyboard.
        (f"cat; read answer; export ADDED=1; {RUNS_IT}", "1"),
        # It ends without running anything, or fails.
        ("exit 0", None),
        ("echo broken; kill -KILL $$", None),
        ("exec yes", None),
        # It does not know options of two words.
        ('[ "$1" = -l ] && exit 64', None),
    ],
)
def test_only_what_it_says_between_the_marks_counts(tmp_path: Path, script: str, found: str | None) -> None:
    said = ask(fake_shell(tmp_path, script), {"PATH": SYSTEM, "HOME": str(tmp_path)}, PATIENCE)
    assert said.get("ADDED") == found
    assert (said == {}) is (found is None)


def test_a_large_environment_arrives_whole(tmp_path: Path) -> None:
    script = f"export ADDED=$(head -c 100000 /dev/zero | tr '\\0' a) MORE=$(head -c 100000 /dev/zero | tr '\\0' b); {RUNS_IT}"
    said = ask(fake_shell(tmp_path, script), {"PATH": SYSTEM}, PATIENCE)
    assert (said["ADDED"], said["MORE"]) == ("a" * 100_000, "b" * 100_000)


async def test_an_rc_file_that_hangs_is_given_up_with_all_it_started(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    shell = fake_shell(tmp_path, "sleep 600 & sleep 600; :")
    environment = LoginEnvironment({"SHELL": shell, "PATH": SYSTEM, "HOME": str(tmp_path)}, patience=0.2)
    with anyio.fail_after(PATIENCE):
        started = time.monotonic()
        environment.begin()
        took_to_begin = time.monotonic() - started
        assert await environment.inherited() == {"SHELL": shell, "PATH": SYSTEM, "HOME": str(tmp_path)}
        # Begun in the background, and waited for by who needs it.
        assert took_to_begin < time.monotonic() - started >= 0.2
        await until(lambda: not [pid for pid in descendants(os.getpid()) if pid not in before and look(pid)])


async def test_it_is_asked_once_however_many_want_it(tmp_path: Path) -> None:
    shell = fake_shell(tmp_path, f"echo asked >> {tmp_path}/count; export ADDED=1; {RUNS_IT}")
    environment = LoginEnvironment({"SHELL": shell, "PATH": SYSTEM, "HOME": str(tmp_path)}, PATIENCE)
    heard: list[str] = []

    async def want() -> None:
        heard.append((await environment.inherited())["ADDED"])

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(want)
        await want()
    assert (heard, (tmp_path / "count").read_text()) == (["1"] * 4, "asked\n")


async def test_waiting_for_it_can_be_cancelled(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    shell = fake_shell(tmp_path, f"read line < {tmp_path}/gate; export ADDED=1; {RUNS_IT}")
    environment = LoginEnvironment({"SHELL": shell, "PATH": SYSTEM, "HOME": str(tmp_path)}, patience=PATIENCE)
    with anyio.fail_after(PATIENCE):
        with anyio.move_on_after(0.05) as scope:
            await environment.inherited()
        assert scope.cancelled_caught
        # Both ways, so that opening it waits for nobody.
        gate = os.open(tmp_path / "gate", os.O_RDWR)
        os.write(gate, b"go\n")
        assert (await environment.inherited())["ADDED"] == "1"
        os.close(gate)


async def test_who_has_a_path_of_their_own_is_not_asked(tmp_path: Path) -> None:
    shell = fake_shell(tmp_path, f"echo asked > {tmp_path}/count; {RUNS_IT}")
    environ = {"SHELL": shell, "PATH": f"/opt/mine/bin:{SYSTEM}", "HOME": str(tmp_path)}
    assert await LoginEnvironment(environ).inherited() == environ
    assert not (tmp_path / "count").exists()


async def test_hidden_variables_are_inherited_from_neither_side(tmp_path: Path) -> None:
    environ = home_with(tmp_path, "export OPENAI_API_KEY=theirs GROQ_API_KEY=theirs TOKEN=theirs")
    environ |= {"SHELL": "/bin/sh", "OPENAI_API_KEY": "ours"}
    with anyio.fail_after(PATIENCE):
        inherited = await LoginEnvironment(environ, PATIENCE).inherited({"OPENAI_API_KEY", "GROQ_API_KEY"})
    assert {name: inherited.get(name) for name in ("OPENAI_API_KEY", "GROQ_API_KEY", "TOKEN")} == {
        "OPENAI_API_KEY": None,
        "GROQ_API_KEY": None,
        "TOKEN": "theirs",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (SYSTEM, True),
        ("/usr/bin:/bin:/usr/sbin:/sbin", True),
        ("", True),
        ("/usr/bin/:/bin//:", True),
        (f"/home/me/.local/bin:/home/me/bin:{SYSTEM}", True),
        (f"{os.path.dirname(sys.executable)}:{SYSTEM}", True),
        (f"/opt/homebrew/bin:{SYSTEM}", False),
        (f"/home/me/.nvm/versions/node/v22/bin:{SYSTEM}", False),
        ("/home/other/.local/bin", False),
    ],
)
def test_bare(path: str, expected: bool) -> None:
    assert is_bare({"PATH": path, "HOME": "/home/me"}) is expected


def test_without_a_path_at_all_it_is_bare() -> None:
    assert is_bare({})


@pytest.mark.parametrize(
    ("environ", "found", "merged"),
    [
        ({"A": "1"}, {}, {"A": "1"}),
        ({"A": "1"}, {"A": "2", "B": "3"}, {"A": "1", "B": "3"}),
        ({"A": ""}, {"A": "2"}, {"A": ""}),
        ({}, {"SHLVL": "1", "_": "x", "PWD": "/", "TERM": "dumb", "B": "3"}, {"B": "3"}),
        ({"PATH": "/bin:/mine"}, {"PATH": "/opt:/bin"}, {"PATH": "/opt:/bin:/mine"}),
        ({"PATH": "/bin"}, {}, {"PATH": "/bin"}),
        ({}, {"PATH": "/opt"}, {"PATH": "/opt"}),
    ],
)
def test_merge(environ: Mapping[str, str], found: Mapping[str, str], merged: Mapping[str, str]) -> None:
    assert merge(environ, found) == merged


def test_without_a_shell_that_can_be_run_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert login_shell({"SHELL": "/no/such/shell"}) is None
    assert login_shell({"SHELL": "bash"}) is None
    registered = login_shell({})
    assert registered is None or os.access(registered, os.X_OK)
    monkeypatch.setattr(sys, "platform", "win32")
    assert login_shell({"SHELL": "/bin/sh"}) is None


async def test_without_a_shell_commands_have_what_we_have() -> None:
    environ = {"PATH": SYSTEM, "SHELL": "/no/such/shell"}
    assert await LoginEnvironment(environ).inherited() == environ
