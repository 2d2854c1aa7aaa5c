"""However it ends, it ends at once, and nothing that it started is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.process import (
    Server,
    children_of,
    command,
    environment,
    eventually,
    is_alive,
    line_of,
    processes_with,
    with_provider,
)
from tests.harness.waiting import PATIENCE
from tests.wire.scripted import begin_command

# A client that is not us: it starts the server on its own pipes, and can be killed while we hold them open.
CLIENT = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"]
# A client that never reads what the server logs.
DEAF = "import subprocess, sys; sys.exit(subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE).wait())"
# A child, a grandchild in a session of its own, and one that has lost its parent as well; with the shell, four.
TREE = (
    "setsid sh -c 'echo {mark} >/dev/null; sleep 300; :' & "
    "(setsid sh -c 'echo {mark} >/dev/null; trap : TERM; sleep 300; sleep 300; :' &) ; "
    "sh -c 'echo {mark} >/dev/null; sleep 300; :'"
)


def end_of_input(server: Server) -> None:
    server.close_stdin()


def terminated(server: Server) -> None:
    server.process.terminate()


def interrupted(server: Server) -> None:
    server.process.send_signal(signal.SIGINT)


def hung_up(server: Server) -> None:
    server.process.send_signal(signal.SIGHUP)


def nobody_listens(server: Server) -> None:
    server.close_stdout()
    server.put("no/such")


WAYS = [end_of_input, terminated, interrupted, hung_up, nobody_listens]


def ended(server: Server, end: Callable[[Server], None]) -> int:
    assert server.ends_at_once(end)
    return server.process.returncode


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_while_idle(tmp_path: Path, way: Callable[[Server], None]) -> None:
    with Server(tmp_path, "--model", "scripted/demo") as server:
        server.initialize()
        server.new_session(tmp_path)
        assert (ended(server, way), server.log()) == (0, "")


@pytest.mark.parametrize("way", [end_of_input, terminated])
def test_it_ends_before_the_first_message(tmp_path: Path, way: Callable[[Server], None]) -> None:
    with Server(tmp_path) as server:
        # It has taken over its pipes, and with them its signals, when it says that this is not JSON.
        server.send(b"junk\n")
        server.message()
        assert (ended(server, way), server.log()) == (0, "")


@pytest.mark.parametrize("way", [end_of_input, terminated, nobody_listens])
def test_it_ends_with_every_process_that_a_command_started(tmp_path: Path, way: Callable[[Server], None]) -> None:
    mark = uuid4().hex
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve") as server:
        server.initialize()
        begin_command(server, tmp_path, TREE.format(mark=mark))
        eventually(lambda: len(processes_with(mark)) == 4)
        assert (ended(server, way), processes_with(mark)) == (0, [])


@pytest.mark.parametrize("way", [end_of_input, terminated])
def test_it_ends_while_the_client_does_not_read(tmp_path: Path, way: Callable[[Server], None]) -> None:
    with Server(tmp_path, "--model", "scripted/demo") as server:
        server.initialize()
        server.send(b"junk\n" * 1000)
        assert ended(server, way) == 0


@pytest.mark.slow
@pytest.mark.parametrize("way", [end_of_input, terminated])
def test_it_ends_while_a_library_that_takes_seconds_is_being_imported(
    tmp_path: Path, way: Callable[[Server], None]
) -> None:
    with Server(tmp_path, **with_provider("http://127.0.0.1:9/v1")) as server:
        server.initialize()
        server.new_session(tmp_path)
        # What is announced after the session is the last thing that happens before the import.
        server.until(lambda message: "method" in message)
        eventually(lambda: _threads(server.process.pid) > 1)
        assert ended(server, way) == 0


def test_it_ends_with_a_client_that_is_killed(tmp_path: Path) -> None:
    with Server(tmp_path, "--model", "scripted/demo", launcher=CLIENT) as server:
        server.initialize()
        _killed(server, mark=None)


def test_it_ends_with_a_client_that_is_killed_while_a_command_runs(tmp_path: Path) -> None:
    mark = uuid4().hex
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve", launcher=CLIENT) as server:
        server.initialize()
        begin_command(server, tmp_path, TREE.format(mark=mark))
        eventually(lambda: len(processes_with(mark)) == 4)
        _killed(server, mark)


def test_it_ends_when_its_only_socket_is_reset(tmp_path: Path) -> None:
    """Some clients start a program on one socket for both ways; what they leave unread becomes an error of ours."""
    ours, its = socket.socketpair()
    log = tmp_path / "stderr.txt"
    with ours, its, log.open("wb") as stderr:
        ours.settimeout(PATIENCE)
        words = command("--model", "scripted/demo")
        process = subprocess.Popen(
            words, env=environment(tmp_path), cwd=tmp_path, stdin=its.fileno(), stdout=its.fileno(), stderr=stderr
        )
        ours.sendall(line_of({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}}))
        assert ours.recv(1)
        ours.close()
        its.close()
        try:
            assert (process.wait(PATIENCE), log.read_text()) == (0, "")
        finally:
            process.kill()
            process.wait()


def test_more_signals_do_not_disturb_the_first(tmp_path: Path) -> None:
    mark = uuid4().hex
    with Server(tmp_path, "--model", "scripted/demo", "--always-approve") as server:
        server.initialize()
        begin_command(server, tmp_path, TREE.format(mark=mark))
        eventually(lambda: len(processes_with(mark)) == 4)
        server.close_stdin()
        # One in every millisecond of its ending: whoever waits for us asks again.
        eventually(lambda: _gone_or_asked_again(server))
        assert (server.process.returncode, processes_with(mark)) == (0, [])


def test_it_answers_and_ends_for_a_client_that_never_reads_its_log(tmp_path: Path) -> None:
    with Server(tmp_path, "--model", "scripted/demo", launcher=[sys.executable, "-c", DEAF]) as server:
        server.initialize()
        [pid] = children_of(server.process.pid)
        try:
            # Each leaves a line in the log, and a pipe holds 64 KiB of them.
            for _ in range(2000):
                server.notify("session/cancel", {"sessionId": "unknown"})
            assert server.ask("no/such")["error"]["code"] == -32601
            assert ended(server, end_of_input) == 0
        finally:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def _killed(server: Server, mark: str | None) -> None:
    """Kill the client with its server's pipes held open by us, and see both gone."""
    [pid] = children_of(server.process.pid)
    begun = time.monotonic()
    try:
        server.process.kill()
        eventually(lambda: not is_alive(pid))
        assert server.is_at_once(time.monotonic() - begun)
        assert mark is None or processes_with(mark) == []
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def _threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def _gone_or_asked_again(server: Server) -> bool:
    terminated(server)
    return server.process.poll() is not None
