"""A client may start the server with a standard file closed, or with something else there than a pipe."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.harness.process import Server, command, environment, line_of
from tests.harness.waiting import PATIENCE
from tests.wire.scripted import begin_command

OPTIONS = ("--model", "scripted/demo", "--always-approve")
REQUESTS = line_of({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}}) + line_of(
    {"jsonrpc": "2.0", "id": 2, "method": "session/list", "params": {}}
)


def after(redirections: str) -> list[str]:
    """A launcher that changes its own standard files and then becomes the server."""
    return ["sh", "-c", f'exec "$@" {redirections}', "sh"]


def answered(lines: bytes) -> list[tuple[int, bool]]:
    answers = [json.loads(line) for line in lines.splitlines()]
    return [(answer["id"], "result" in answer) for answer in answers]


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_it_works_where_nobody_takes_its_log(tmp_path: Path, stderr: str) -> None:
    (tmp_path / ".openhands").mkdir()
    # Something to log, at once and later.
    (tmp_path / ".openhands/acp.toml").write_text("max_steps = 'many'\n")
    with Server(tmp_path, *OPTIONS, launcher=after(stderr)) as server:
        assert server.initialize()["result"]["protocolVersion"] == 1
        server.notify("session/cancel", {"sessionId": "unknown"})
        # A command too has three files, and none of them is ours.
        script = "for fd in 0 1 2; do test -e /proc/self/fd/$fd && echo has $fd; done; echo complains >&2; echo OK"
        *updates, answer = server.answer(begin_command(server, tmp_path, script))
        assert answer["result"] == {"stopReason": "end_turn"}
        assert "has 0\\nhas 1\\nhas 2\\ncomplains\\nOK" in json.dumps(updates).replace("\\\\n", "\\n")
        server.close_stdin()
        server.rest()
        assert (server.process.wait(PATIENCE), server.log()) == (0, "")


@pytest.mark.parametrize(
    ("redirections", "answers"),
    [
        ("< requests > answers 2>&-", [(1, True), (2, True)]),
        ("< requests > answers 2>&1", [(1, True), (2, True)]),
        ("0<&- > answers", []),
        ("< requests 1>&- 2>&-", []),
        ("< requests > /dev/full", []),
        ("< requests 1< requests", []),
        ("0<&- 1>&- 2>&-", []),
    ],
)
def test_it_answers_what_it_can_and_ends_in_order(
    tmp_path: Path, redirections: str, answers: list[tuple[int, bool]]
) -> None:
    (tmp_path / "requests").write_bytes(REQUESTS)
    (tmp_path / "answers").touch()
    ended = subprocess.run(
        [*after(redirections), *command(*OPTIONS)],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert answered((tmp_path / "answers").read_bytes()) == answers
    assert (tmp_path / "requests").read_bytes() == REQUESTS


@pytest.mark.parametrize("stderr", ["2>&-", "2>hint"])
def test_at_a_terminal_it_answers_too(tmp_path: Path, stderr: str) -> None:
    ours, theirs = os.openpty()
    try:
        with subprocess.Popen(
            [*after(stderr), *command(*OPTIONS)],
            env=environment(tmp_path),
            cwd=tmp_path,
            stdin=theirs,
            stdout=subprocess.PIPE,
        ) as process:
            # Ctrl-D, as a person ends it.
            os.write(ours, REQUESTS + b"\x04")
            told, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert answered(told) == [(1, True), (2, True)]


def test_one_socket_serves_for_both_directions_and_no_log_comes_into_it(tmp_path: Path) -> None:
    # Node gives its children sockets where a shell gives pipes.
    log_something = line_of({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": "unknown"}})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(PATIENCE)
        end = theirs.fileno()
        with subprocess.Popen(
            [*after("2>&-"), *command(*OPTIONS)], env=environment(tmp_path), cwd=tmp_path, stdin=end, stdout=end
        ) as process:
            theirs.close()
            ours.sendall(REQUESTS + log_something)
            ours.shutdown(socket.SHUT_WR)
            told = b"".join(iter(lambda: ours.recv(1 << 16), b""))
            assert process.wait(PATIENCE) == 0
    assert answered(told) == [(1, True), (2, True)]
