"""What a command finds in its environment when the server was started as a dock starts it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.process import SETTINGS, Server, eventually, processes_with
from tests.harness.waiting import PATIENCE
from tests.wire.lived import OPTIONS, begin, project

DOCK = "/usr/bin:/bin:/usr/sbin:/sbin"
LOGIN = """#!/bin/sh
echo Welcome
export PATH=/opt/nvm/bin:$PATH NVM_DIR=/opt/nvm GROQ_API_KEY=of-the-shell
for last; do :; done
eval "$last"
"""


def shell(folder: Path, script: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shell").write_text(script)
    (folder / "shell").chmod(0o755)
    return str(folder / "shell")


def found_by_a_command(home: Path, folder: Path, **environ: str) -> dict[str, str]:
    """Run a command on a real server; return its environment."""
    with Server(home, *OPTIONS, **environ) as server:
        server.initialize()
        _, request_id = begin(server, project(folder), "env -0 > environment; false")
        server.answer(request_id)
    pairs = (folder / "environment").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


@pytest.mark.parametrize("passed", [[], ["OPENAI_API_KEY"]])
def test_it_has_what_the_login_shell_sets_and_no_key_but_those_that_are_named(
    tmp_path: Path, passed: list[str]
) -> None:
    home = tmp_path / "home"
    (home / SETTINGS).parent.mkdir(parents=True)
    (home / SETTINGS).write_text(f"pass_env = {passed!r}\n")
    environ = found_by_a_command(
        home,
        tmp_path / "project",
        SHELL=shell(home, LOGIN),
        PATH=DOCK,
        OPENAI_API_KEY="of-the-agent",
        ANTHROPIC_API_KEY="of-the-agent",
    )
    assert environ["PATH"] == f"/opt/nvm/bin:{DOCK}"
    assert environ["NVM_DIR"] == "/opt/nvm"
    keys = {name: value for name, value in environ.items() if name.endswith("_API_KEY")}
    assert keys == dict.fromkeys(passed, "of-the-agent")


@pytest.mark.slow
def test_a_login_shell_that_hangs_costs_no_more_than_what_it_would_have_said(tmp_path: Path) -> None:
    hangs = shell(tmp_path / "home", "#!/bin/sh\ntouch asked\nsleep 600\n")
    environ = found_by_a_command(tmp_path / "home", tmp_path / "project", SHELL=hangs, PATH=DOCK)
    assert (environ["PATH"], (tmp_path / "home/asked").exists()) == (DOCK, True)


def test_a_login_shell_that_hangs_does_not_outlive_the_server(tmp_path: Path) -> None:
    mark = f"600.{os.getpid()}"
    hangs = shell(tmp_path / "home", f"#!/bin/sh\nsetsid sleep {mark} &\nsleep {mark}\n")
    with Server(tmp_path / "home", *OPTIONS, SHELL=hangs, PATH=DOCK) as server:
        server.initialize()
        server.new_session(project(tmp_path / "project"))
        eventually(lambda: len(processes_with(mark)) == 2)
        server.close_stdin()
        server.process.wait(PATIENCE)
    eventually(lambda: processes_with(mark) == [])
