"""`openhands-acp mcp`: the person's own servers, on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.mcp_commands import main
from tests.harness.backend import home
from tests.harness.mcp_servers import misbehaving, plain
from tests.harness.process import environment


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's file of servers."""
    return home(tmp_path, monkeypatch).folder / ".openhands/mcp.json"


def servers(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())["mcpServers"]


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (
            "a --transport stdio --env K=v=w --env L= npx -- -y pkg --flag",
            {
                "transport": "stdio",
                "command": "npx",
                "args": ["-y", "pkg", "--flag"],
                "env": {"K": "v=w", "L": ""},
            },
        ),
        ("--transport stdio a prog", {"transport": "stdio", "command": "prog"}),
        (
            "a --transport http --header X-Key:k --auth oauth --disabled https://x/mcp",
            {
                "transport": "http",
                "url": "https://x/mcp",
                "headers": {"X-Key": "k"},
                "auth": "oauth",
                "enabled": False,
            },
        ),
        ("a --transport sse --enabled https://x/sse", {"transport": "sse", "url": "https://x/sse"}),
    ],
)
def test_a_server_is_added_as_openhands_spells_it(file: Path, words: str, written: dict[str, Any]) -> None:
    assert main(["add", *words.split()]) == 0
    assert servers(file) == {"a": written}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("add a --transport http ftp://x", 1, "'ftp://x' is no address: it begins with http:// or https://"),
        ("add a --transport http https://x y", 1, "'y' is one word too many: an address takes no arguments"),
        ("add a --transport stdio --header X:1 npx", 1, "--header is not for stdio"),
        ("add a --transport http --env A=1 https://x", 1, "--env is not for http"),
        ("add a --transport stdio --env A npx", 1, "'A' must be written as 'KEY=value'"),
        ("add old --transport stdio npx", 1, "there is a server 'old' already; remove it first"),
        ("remove a", 1, "there is no server 'a'; there is: old"),
        ("get a", 1, "there is no server 'a'; there is: old"),
        ("disable a", 1, "there is no server 'a'; there is: old"),
        ("test a", 1, "there is no server 'a'; there is: old"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_file_stays(
    file: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, said: str
) -> None:
    before = '{"mcpServers": {"old": {"command": "x"}}, "other": 1}'
    file.write_text(before)
    assert main(words.split()) == code
    assert said in capsys.readouterr().err
    assert file.read_text() == before


def test_a_broken_file_is_left_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"mcpServers":\n oops}')
    assert main(["remove", "a"]) == 1
    assert "line 2: not JSON: Expecting value; put that right first" in capsys.readouterr().err
    assert file.read_text() == '{"mcpServers":\n oops}'


def test_a_file_in_which_a_server_is_named_twice_is_left_alone_and_listed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = '{"mcpServers": {\n"a": {"command": "x"},\n"b": {"url": "http://[bad"},\n"a": {"args": []}}}'
    file.write_text(before)
    assert main(["disable", "b"]) == 1
    twice = f"{file}, line 4: 'a' is there twice (first in line 2)"
    assert capsys.readouterr().err == f"openhands-acp mcp: {twice}; put that right first\n"
    assert file.read_text() == before
    assert main(["list"]) == 0
    shown = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    assert shown == (
        "NAME  TRANSPORT  STATE     TARGET\n"
        "a     http       unusable\n"
        "b     http       enabled   [secret]\n"
        f"{twice}; this one counts\n"
        f"{file}, line 4, mcpServers.a: has neither `command` nor `url`\n"
    )


def test_switching_keeps_all_that_is_written(file: Path) -> None:
    entry = {"command": "x", "env": {"K": "${K}"}, "unheard_of": [1]}
    file.write_text(json.dumps({"mcpServers": {"a": entry}, "other": {"b": 2}}))
    assert main(["disable", "a"]) == 0
    assert json.loads(file.read_text()) == {"mcpServers": {"a": {**entry, "enabled": False}}, "other": {"b": 2}}
    assert main(["enable", "a"]) == 0
    assert json.loads(file.read_text()) == {"mcpServers": {"a": entry}, "other": {"b": 2}}
    assert main(["remove", "a"]) == 0
    assert json.loads(file.read_text()) == {"mcpServers": {}, "other": {"b": 2}}


def test_what_there_is_is_shown_without_keys(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert main("add a --transport stdio --env TOKEN=canary-1 --env B=${HOME} npx -- -y pkg".split()) == 0
    assert (
        main("add b --transport http --header X-Key:canary-2 --disabled https://me:canary-3@x/mcp?k=canary-4".split())
        == 0
    )
    capsys.readouterr()
    assert [main(["list"]), main(["get", "a"]), main(["get", "b"])] == [0, 0, 0]
    shown = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    assert "canary" not in shown
    assert shown == snapshot("""\
NAME  TRANSPORT  STATE     TARGET
a     stdio      enabled   npx -y pkg
b     http       disabled  https://x/mcp?[secret]
name       a
transport  stdio
state      enabled
target     npx -y pkg
env        TOKEN: [secret]
           B: ${HOME}
name       b
transport  http
state      disabled
target     https://x/mcp?[secret]
headers    X-Key: [secret]
""")


def test_a_server_is_tried(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "works", "--transport", "stdio", sys.executable, "--", str(plain.__file__)]) == 0
    assert main(["add", "fails", "--transport", "stdio", "--disabled", "/no/such/program"]) == 0
    capsys.readouterr()
    assert [main(["test", "works"]), main(["test", "fails"])] == [0, 1]
    shown = capsys.readouterr().out
    assert "It works: 1 tool, 0 prompts, 0 resources." in shown
    assert "tell  Tell what the server was started with." in shown
    assert "It does not work: " in shown
    assert (
        main(["add", "odd", "--transport", "stdio", sys.executable, "--", misbehaving.__file__, "has wrong tools"]) == 0
    )
    assert main(["test", "odd"]) == 0
    assert "left out, for they are not as the protocol has it: of_nothing" in capsys.readouterr().out
    assert "/no/such/program" in shown


def test_who_has_read_enough_is_told_nothing_more(file: Path) -> None:
    # `openhands-acp mcp test works | head -1`
    assert main(["add", "works", "--transport", "stdio", sys.executable, "--", str(plain.__file__)]) == 0
    words = [sys.executable, "-m", "openhands_acp", "mcp", "test", "works"]
    environ = environment(file.parent.parent)
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"Connecting to 'works' ...\n"
        process.stdout.close()
        assert process.stderr.read() == b""
